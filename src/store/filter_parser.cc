#include "store/filter_parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "store/filter_types.h"
#include "store/scalar_text.h"

namespace roost {
namespace {

using Kind = FilterTokenKind;

std::optional<Comparison> ComparisonOf(const FilterToken& token) {
  constexpr std::array<std::pair<std::string_view, Comparison>, 6> kSymbols = {{
      {"==", Comparison::kEq},
      {"!=", Comparison::kNe},
      {"<", Comparison::kLt},
      {"<=", Comparison::kLe},
      {">", Comparison::kGt},
      {">=", Comparison::kGe},
  }};
  for (const auto& [symbol, comparison] : kSymbols) {
    if (token.kind == Kind::kSymbol && token.text == symbol) {
      return comparison;
    }
  }
  return std::nullopt;
}

}  // namespace

FilterNode MakePredicateNode(FilterPtr predicate, size_t position) {
  FilterNode node;
  node.predicate = std::move(predicate);
  node.position = position;
  return node;
}

FilterNode MakeLiteralNode(Value value, size_t position) {
  FilterNode node;
  node.operand.literal = std::move(value);
  node.position = position;
  return node;
}

Error FilterParser::Unexpected(const std::string& expected) const {
  constexpr size_t kShown = 40;
  std::string found = "the end";
  if (token_.kind != Kind::kEnd) {
    std::string shown(token_.text.substr(0, kShown));
    while (!IsUtf8(shown)) {
      shown.pop_back();
    }
    found = "\"" + shown + (token_.text.size() > kShown ? "…" : "") + "\"";
  }
  return At(token_.position, "found " + found + "; expected " + expected);
}

Status FilterParser::Advance() {
  token_ = TRY(lexer_.Next());
  return {};
}

Status FilterParser::Expect(std::string_view symbol, const std::string& expected) {
  if (!Is(Kind::kSymbol, symbol)) {
    return Unexpected(expected);
  }
  return Advance();
}

Status FilterParser::CountNode() {
  if (++nodes_ > limits_.max_nodes) {
    return At(token_.position, "the filter has more than " + std::to_string(limits_.max_nodes) +
                                   " conditions and values");
  }
  return {};
}

Result<FilterPtr> FilterParser::ToPredicate(const FilterNode& node) const {
  if (node.predicate != nullptr) {
    return node.predicate;
  }
  return Checked(node.position, MakeTruth(node.operand));
}

Result<Operand> FilterParser::ToOperand(FilterNode node) const {
  if (node.predicate != nullptr) {
    return At(node.position,
              node.from_not ? "`not` binds tighter than what follows; write `not (…)` around it all"
                            : "this is a condition; expected a field or a value");
  }
  return std::move(node.operand);
}

Result<Array> FilterParser::ToList(FilterNode node) const {
  if (node.predicate != nullptr || node.operand.kind != Operand::Kind::kLiteral ||
      !std::holds_alternative<Array>(node.operand.literal)) {
    return At(node.position, "expected a list like [1, 2]");
  }
  return std::get<Array>(std::move(node.operand.literal));
}

Result<std::string> FilterParser::ToText(FilterNode node) const {
  if (node.predicate != nullptr || node.operand.kind != Operand::Kind::kLiteral ||
      !std::holds_alternative<std::string>(node.operand.literal)) {
    return At(node.position, "expected a string in quotes");
  }
  return std::get<std::string>(std::move(node.operand.literal));
}

Result<FilterNode> FilterParser::ParseOr() {
  return ParseChain("or", FilterOp::kOr, &FilterParser::ParseAnd);
}

Result<FilterNode> FilterParser::ParseAnd() {
  return ParseChain("and", FilterOp::kAnd, &FilterParser::ParseComparison);
}

/// `a or b or c` is one node with three children, so that long chains are not deep trees.
Result<FilterNode> FilterParser::ParseChain(std::string_view word, FilterOp op,
                                            Result<FilterNode> (FilterParser::*next)()) {
  FilterNode first = TRY((this->*next)());
  if (!Is(Kind::kKeyword, word)) {
    return first;
  }
  const size_t position = first.position;
  auto chain = std::make_shared<Filter>();
  chain->op = op;
  chain->children.push_back(TRY(ToPredicate(std::move(first))));
  while (Is(Kind::kKeyword, word)) {
    TRY(Advance());
    FilterNode child = TRY((this->*next)());
    auto predicate = TRY(ToPredicate(std::move(child)));
    chain->children.push_back(std::move(predicate));
  }
  return MakePredicateNode(std::move(chain), position);
}

Result<FilterNode> FilterParser::ParseComparison() {
  FilterNode first = TRY(ParseIn());
  std::vector<FilterNode> operands;
  std::vector<std::pair<Comparison, size_t>> comparisons;
  operands.push_back(std::move(first));
  while (const auto comparison = ComparisonOf(token_)) {
    comparisons.emplace_back(*comparison, token_.position);
    TRY(Advance());
    TRY(CountNode());
    if (Is(Kind::kKeyword, "null")) {
      return At(token_.position, "nothing compares with null; write `is null` or `is not null`");
    }
    FilterNode next = TRY(ParseIn());
    operands.push_back(std::move(next));
  }
  if (comparisons.empty()) {
    return std::move(operands[0]);
  }
  return BuildComparisons(std::move(operands), comparisons);
}

/// One comparison, or a range like `1 < a <= 5`: all of its signs point one way.
Result<FilterNode> FilterParser::BuildComparisons(
    std::vector<FilterNode> operands,
    const std::vector<std::pair<Comparison, size_t>>& comparisons) {
  const auto rising = [](Comparison c) { return c == Comparison::kLt || c == Comparison::kLe; };
  const auto falling = [](Comparison c) { return c == Comparison::kGt || c == Comparison::kGe; };
  const size_t position = operands[0].position;
  std::vector<Operand> values;
  values.reserve(operands.size());
  for (auto& operand : operands) {
    values.push_back(TRY(ToOperand(std::move(operand))));
  }
  std::vector<FilterPtr> made;
  for (size_t i = 0; i < comparisons.size(); ++i) {
    const Comparison first = comparisons[0].first;
    const Comparison here = comparisons[i].first;
    if (i > 0 && !(rising(first) && rising(here)) && !(falling(first) && falling(here))) {
      return At(comparisons[i].second,
                "a range is written like `1 < a <= 5`; join other comparisons with `and`");
    }
    auto comparison =
        TRY(Checked(comparisons[i].second, MakeComparison(values[i], here, values[i + 1])));
    made.push_back(std::move(comparison));
  }
  if (made.size() == 1) {
    return MakePredicateNode(std::move(made[0]), position);
  }
  auto range = std::make_shared<Filter>();
  range->op = FilterOp::kAnd;
  range->children = std::move(made);
  return MakePredicateNode(std::move(range), position);
}

Result<FilterNode> FilterParser::ParseIn() {
  FilterNode left = TRY(ParseAdditive());
  bool negated = false;
  if (Is(Kind::kKeyword, "not")) {
    TRY(Advance());
    if (!Is(Kind::kKeyword, "in")) {
      return Unexpected("`in` after `not`");
    }
    negated = true;
  }
  if (!Is(Kind::kKeyword, "in")) {
    return left;
  }
  const size_t position = left.position;
  TRY(Advance());
  TRY(CountNode());
  if (Is(Kind::kSymbol, "(")) {
    return Unexpected("a list in brackets like [1, 2]");
  }
  auto operand = TRY(ToOperand(std::move(left)));
  FilterNode right = TRY(ParsePrimary());
  auto list = TRY(ToList(std::move(right)));
  auto in = TRY(Checked(position, MakeIn(std::move(operand), std::move(list))));
  return MakePredicateNode(negated ? MakeNot(std::move(in)) : std::move(in), position);
}

Result<FilterNode> FilterParser::ParseAdditive() {
  return ParseArithmetic("+-", &FilterParser::ParseMultiplicative);
}

Result<FilterNode> FilterParser::ParseMultiplicative() {
  return ParseArithmetic("*/%", &FilterParser::ParseUnary);
}

Result<FilterNode> FilterParser::ParseArithmetic(std::string_view symbols,
                                                 Result<FilterNode> (FilterParser::*next)()) {
  FilterNode left = TRY((this->*next)());
  while (token_.kind == Kind::kSymbol && token_.text.size() == 1 &&
         symbols.find(token_.text[0]) != std::string_view::npos) {
    const char op = token_.text[0];
    const size_t at = token_.position;
    const size_t position = left.position;
    TRY(Advance());
    TRY(CountNode());
    FilterNode right = TRY((this->*next)());
    const size_t height = std::max(left.height, right.height) + 1;
    if (height > limits_.max_depth) {
      return At(at, "the arithmetic has more than " + std::to_string(limits_.max_depth) + " steps");
    }
    auto a = TRY(ToOperand(std::move(left)));
    auto b = TRY(ToOperand(std::move(right)));
    left = FilterNode();
    left.operand = TRY(Checked(at, MakeArithmetic(std::move(a), op, std::move(b))));
    left.position = position;
    left.height = left.operand.kind == Operand::Kind::kLiteral ? 0 : height;
  }
  return left;
}

Result<FilterNode> FilterParser::ParseUnary() {
  if (Is(Kind::kKeyword, "not")) {
    return ParseNot();
  }
  if (Is(Kind::kSymbol, "-")) {
    return ParseMinus();
  }
  return Is(Kind::kSymbol, "+") ? ParsePlus() : ParsePostfix();
}

/// `+x` is x, but only for numbers.
Result<FilterNode> FilterParser::ParsePlus() {
  const Level level(*this);
  TRY(level.Check());
  const size_t position = token_.position;
  TRY(Advance());
  FilterNode node = TRY(ParseUnary());
  const size_t height = node.height;
  auto operand = TRY(ToOperand(std::move(node)));
  Operand zero;
  zero.literal = int64_t{0};
  TRY(Checked(position, MakeArithmetic(std::move(zero), '+', operand)));
  FilterNode plus;
  plus.operand = std::move(operand);
  plus.position = position;
  plus.height = height;
  return plus;
}

Result<FilterNode> FilterParser::ParseNot() {
  const Level level(*this);
  TRY(level.Check());
  const size_t position = token_.position;
  TRY(Advance());
  TRY(CountNode());
  FilterNode child = TRY(ParseUnary());
  const bool value = child.predicate == nullptr;
  auto predicate = ToPredicate(std::move(child));
  if (!predicate.ok() && value) {
    return At(position,
              "`not` takes a condition and binds tighter than comparisons; write `not (…)`, as in "
              "`not (n > 3)`");
  }
  FilterNode node = MakePredicateNode(MakeNot(TRY(std::move(predicate))), position);
  node.from_not = true;
  return node;
}

Result<FilterNode> FilterParser::ParseMinus() {
  const Level level(*this);
  TRY(level.Check());
  const size_t position = token_.position;
  TRY(Advance());
  if (token_.magnitude_of_minimum) {
    TRY(Advance());
    return MakeLiteralNode(std::numeric_limits<int64_t>::min(), position);
  }
  FilterNode node = TRY(ParseUnary());
  const size_t height = node.height + 1;
  auto operand = TRY(ToOperand(std::move(node)));
  if (auto* number = std::get_if<double>(&operand.literal);
      number != nullptr && operand.kind == Operand::Kind::kLiteral) {
    return MakeLiteralNode(-*number, position);  // 0 - 0.0 would lose the sign
  }
  Operand zero;
  zero.literal = int64_t{0};
  FilterNode minus;
  minus.operand = TRY(Checked(position, MakeArithmetic(std::move(zero), '-', std::move(operand))));
  minus.position = position;
  minus.height = minus.operand.kind == Operand::Kind::kLiteral ? 0 : height;
  return minus;
}

Result<FilterNode> FilterParser::ParsePostfix() {
  FilterNode node = TRY(ParsePrimary());
  const size_t position = node.position;
  while (Is(Kind::kKeyword, "is") || Is(Kind::kKeyword, "like")) {
    const bool like = token_.text == "like";
    TRY(Advance());
    TRY(CountNode());
    auto operand = TRY(ToOperand(std::move(node)));
    if (like) {
      FilterNode pattern = TRY(ParsePrimary());
      auto text = TRY(ToText(std::move(pattern)));
      auto made = TRY(Checked(position, MakeLike(std::move(operand), std::move(text))));
      node = MakePredicateNode(std::move(made), position);
      continue;
    }
    const bool negated = Is(Kind::kKeyword, "not");
    if (negated) {
      TRY(Advance());
    }
    if (!Is(Kind::kKeyword, "null")) {
      return Unexpected(negated ? "`null`" : "`null` or `not null`");
    }
    TRY(Advance());
    auto made = TRY(Checked(position, MakeIsNull(std::move(operand))));
    node = MakePredicateNode(negated ? MakeNot(std::move(made)) : std::move(made), position);
  }
  return node;
}

Result<FilterPtr> ParseFilter(std::string_view text, const CollectionSchema& schema,
                              const FilterParameters& parameters, const FilterLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return InvalidArgument("the filter has " + std::to_string(text.size()) + " bytes; at most " +
                           std::to_string(limits.max_bytes) +
                           ". Pass long lists as parameters, as in `id in {ids}`");
  }
  if (const size_t valid = Utf8Prefix(text); valid < text.size()) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(text[valid]);
    return FilterErrorAt(text.substr(0, valid), valid,
                         std::string("the filter is not valid UTF-8: byte 0x") +
                             kDigits[byte >> 4] + kDigits[byte & 15]);
  }
  return FilterParser(text, schema, parameters, limits).Parse();
}

}  // namespace roost
