#include "store/filter_names.h"
#include "store/filter_parser.h"
#include "store/filter_types.h"

namespace roost {
namespace {

using Kind = FilterTokenKind;

}  // namespace

Result<FilterNode> FilterParser::ParsePrimary() {
  TRY(CountNode());
  if (token_.kind == Kind::kName) {
    return ParseNameOrCall();
  }
  if (token_.kind == Kind::kInteger || token_.kind == Kind::kFloat ||
      token_.kind == Kind::kString || Is(Kind::kKeyword, "true") || Is(Kind::kKeyword, "false")) {
    return TakeLiteral();
  }
  if (Is(Kind::kKeyword, "exists")) {
    return ParseExists();
  }
  if (Is(Kind::kSymbol, "(")) {
    return ParseParentheses();
  }
  if (Is(Kind::kSymbol, "[")) {
    return ParseList();
  }
  if (Is(Kind::kSymbol, "{")) {
    return ParseTemplate();
  }
  return Unexpected("a field, a value or \"(\"");
}

Result<FilterNode> FilterParser::TakeLiteral() {
  const size_t position = token_.position;
  if (token_.magnitude_of_minimum) {
    return At(position,
              "the integer is out of range (-9223372036854775808 to 9223372036854775807)");
  }
  Value value =
      token_.kind == Kind::kKeyword ? Value(token_.text == "true") : std::move(token_.value);
  TRY(Advance());
  return MakeLiteralNode(std::move(value), position);
}

Result<FilterNode> FilterParser::ParseParentheses() {
  const Level level(*this);
  TRY(level.Check());
  TRY(Advance());
  FilterNode inside = TRY(ParseOr());
  inside.from_not = false;
  TRY(Expect(")", "\")\""));
  return inside;
}

Result<FilterNode> FilterParser::ParseExists() {
  const Level level(*this);  // `exists exists …`
  TRY(level.Check());
  const size_t position = token_.position;
  TRY(Advance());
  FilterNode path = TRY(ParsePrimary());
  auto operand = TRY(ToOperand(std::move(path)));
  auto made = TRY(Checked(position, MakeExists(std::move(operand))));
  return MakePredicateNode(std::move(made), position);
}

Result<FilterNode> FilterParser::ParseNameOrCall() {
  const size_t position = token_.position;
  const std::string name = token_.text;
  const bool quoted = token_.quoted;
  TRY(Advance());
  if (!quoted && Is(Kind::kSymbol, "(")) {
    return ParseCall(name, position);
  }
  FilterNode node;
  node.operand = TRY(Checked(position, ResolveFilterName(schema_, name)));
  node.position = position;
  return ParsePath(std::move(node));
}

/// `["a"][0]` behind a JSON field, `[0]` behind an array.
Result<FilterNode> FilterParser::ParsePath(FilterNode node) {
  auto& operand = node.operand;
  while (Is(Kind::kSymbol, "[")) {
    const size_t position = token_.position;
    TRY(Advance());
    TRY(CountNode());
    if (operand.path.size() >= limits_.max_depth) {
      return At(position, "the path has more than " + std::to_string(limits_.max_depth) + " steps");
    }
    if (token_.kind != Kind::kInteger && token_.kind != Kind::kString) {
      return Unexpected("a member in quotes or a position from 0");
    }
    if (token_.magnitude_of_minimum) {
      return At(token_.position, "the position is out of range");
    }
    const Value step = token_.value;
    TRY(Checked(position, AddFilterPathStep(operand, step)));
    TRY(Advance());
    TRY(Expect("]", "\"]\""));
  }
  if (operand.kind == Operand::Kind::kJsonPath && operand.name.empty() && operand.path.empty()) {
    return At(node.position, "\"$meta\" needs a member, as in $meta[\"x\"]");
  }
  return node;
}

Result<FilterNode> FilterParser::ParseCall(const std::string& function, size_t position) {
  const FilterFunction* known = FindFilterFunction(function);
  if (known == nullptr) {
    return At(position, UnknownFilterFunction(function));
  }
  const Level level(*this);
  TRY(level.Check());
  TRY(Advance());
  FilterNode first = TRY(ParsePrimary());
  auto operand = TRY(ToOperand(std::move(first)));
  if (known->kind == FilterFunction::Kind::kArrayLength) {
    TRY(Expect(")", "\")\""));
    FilterNode node;
    node.operand = TRY(Checked(position, MakeArrayLength(std::move(operand))));
    node.position = position;
    return node;
  }
  TRY(Expect(",", "\",\" and the second argument"));
  FilterNode second = TRY(ParseUnary());
  const size_t second_position = second.position;
  auto argument = TRY(ToOperand(std::move(second)));
  TRY(Expect(")", "\")\""));
  if (argument.kind != Operand::Kind::kLiteral) {
    return At(second_position, "the second argument is a value, not a field");
  }
  auto made = TRY(
      Checked(position, MakeFilterCall(*known, std::move(operand), std::move(argument.literal))));
  return MakePredicateNode(std::move(made), position);
}

Result<FilterNode> FilterParser::ParseTemplate() {
  const size_t position = token_.position;
  TRY(Advance());
  if (token_.kind != Kind::kName) {
    return Unexpected("the name of a parameter");
  }
  const auto found = parameters_.find(token_.text);
  if (found == parameters_.end()) {
    return At(token_.position, "the parameter {" + token_.text + "} has no value");
  }
  TRY(Checked(token_.position, CheckFilterParameter(found->second)));
  if (const auto* list = std::get_if<Array>(&found->second)) {
    nodes_ += list->size();
    TRY(CountNode());
  }
  // Otherwise a short text that names one long string many times would take any amount of memory.
  parameter_bytes_ += FilterParameterBytes(found->second);
  if (parameter_bytes_ > kMaxFilterParameterBytes) {
    return At(position, "the parameters' values have more than " +
                            std::to_string(kMaxFilterParameterBytes) +
                            " bytes, each counted as often as it is used");
  }
  TRY(Advance());
  TRY(Expect("}", "\"}\""));
  return MakeLiteralNode(found->second, position);
}

Result<FilterNode> FilterParser::ParseList() {
  const Level level(*this);
  TRY(level.Check());
  const size_t position = token_.position;
  Array list;
  TRY(Advance());
  while (!Is(Kind::kSymbol, "]")) {
    if (!list.empty()) {
      TRY(Expect(",", "\",\" or \"]\""));
      if (Is(Kind::kSymbol, "]")) {
        break;  // a comma may stand behind the last element
      }
    }
    FilterNode element = TRY(ParseAdditive());
    if (element.predicate != nullptr || element.operand.kind != Operand::Kind::kLiteral) {
      return At(element.position, "lists hold values only");
    }
    list.push_back(std::move(element.operand.literal));
  }
  TRY(Advance());
  return MakeLiteralNode(std::move(list), position);
}

}  // namespace roost
