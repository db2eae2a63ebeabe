#include "adapters/milvus/milvus_compare.h"

#include <array>
#include <charconv>
#include <cmath>
#include <tuple>

#include "adapters/milvus/milvus_key.h"
#include "store/filter_evaluate.h"

namespace roost {
namespace {

using Condition = MilvusCondition;
using Role = MilvusColumn::Role;
using Target = MilvusTarget;

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
/// JSON numbers are compared as doubles where one is a double: exact below this.
constexpr double kExactDouble = 0x1p53;

std::string_view Sign(Comparison comparison) {
  switch (comparison) {
    case Comparison::kLt:
      return " < ";
    case Comparison::kLe:
      return " <= ";
    case Comparison::kGt:
      return " > ";
    case Comparison::kGe:
      return " >= ";
    default:
      return " == ";
  }
}

bool IsLess(Comparison comparison) {
  return comparison == Comparison::kLt || comparison == Comparison::kLe;
}

Target::Kind KindOf(DataType type) {
  switch (type) {
    case DataType::kBool:
      return Target::Kind::kBool;
    case DataType::kFloat:
      return Target::Kind::kFloat;
    case DataType::kDouble:
      return Target::Kind::kDouble;
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return Target::Kind::kText;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
    case DataType::kTimestamp:
      return Target::Kind::kInt;
    default:
      return Target::Kind::kNone;
  }
}

std::pair<int64_t, int64_t> RangeOf(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return {-128, 127};
    case DataType::kInt16:
      return {-32'768, 32'767};
    case DataType::kInt32:
      return {-2'147'483'648, 2'147'483'647};
    default:
      return {kLowest, kHighest};
  }
}

/// A member name that is one step of a path whatever the value is: no digits alone, which would
/// also count positions in an array.
bool IsPlainStep(const std::variant<std::string, int64_t>& step) {
  const auto* name = std::get_if<std::string>(&step);
  if (name == nullptr || name->empty() || ((*name)[0] >= '0' && (*name)[0] <= '9')) {
    return false;
  }
  for (const char c : *name) {
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
      return false;
    }
  }
  return true;
}

/// `<` and its like for lengths of arrays, which 2.3 only compares for equality. Precondition: some
/// lengths are below, some above.
Condition CompareLength(const Target& target, Comparison comparison, int64_t value,
                        const MilvusLayout& layout) {
  constexpr int64_t kMaxListed = 64;
  const bool with_value = comparison == Comparison::kLe || comparison == Comparison::kGt;
  const int64_t last = with_value ? value : value - 1;
  if (last > kMaxListed) {
    return Condition::Unknown();
  }
  std::string text;
  for (int64_t length = 0; length <= last; ++length) {
    text += (text.empty() ? "(" : " or ") + target.text + " == " + std::to_string(length);
  }
  text += ")";
  const bool less = IsLess(comparison);
  return ForPresent(less ? text : "not " + text, less, target, layout);
}

Condition CompareInt(const Target& target, Comparison comparison, int64_t value,
                     const MilvusLayout& layout) {
  const bool below = value < target.low;
  const bool above = value > target.high;
  if (comparison == Comparison::kEq && (below || above)) {
    return Condition::Never();
  }
  if ((comparison == Comparison::kLt && value <= target.low) ||
      (comparison == Comparison::kLe && below) ||
      (comparison == Comparison::kGt && value >= target.high) ||
      (comparison == Comparison::kGe && above)) {
    return Condition::Never();
  }
  if ((comparison == Comparison::kLt && above) ||
      (comparison == Comparison::kLe && value >= target.high) ||
      (comparison == Comparison::kGt && below) ||
      (comparison == Comparison::kGe && value <= target.low)) {
    return Present(target.column, layout);
  }
  if (target.only_equal && comparison != Comparison::kEq) {
    return CompareLength(target, comparison, value, layout);
  }
  const bool holds = CompareValues(Value(int64_t{0}), comparison, Value(value));
  std::string text;
  if (value == kLowest) {  // Milvus cannot read that number
    text = target.text + (comparison == Comparison::kGt ? " >= " : " < ") +
           std::to_string(kLowest + 1);
  } else {
    text = target.text + std::string(Sign(comparison)) + std::to_string(value);
  }
  return ForPresent(std::move(text), holds, target, layout);
}

Condition CompareIntWithDouble(const Target& target, Comparison comparison, double value,
                               const MilvusLayout& layout) {
  if (std::isnan(value)) {
    return Condition::Never();
  }
  if (value >= 0x1p63 || value < -0x1p63) {
    return comparison != Comparison::kEq && IsLess(comparison) == (value > 0)
               ? Present(target.column, layout)
               : Condition::Never();
  }
  const double whole = std::floor(value);
  const auto integer = static_cast<int64_t>(whole);
  if (whole == value) {
    return CompareInt(target, comparison, integer, layout);
  }
  if (comparison == Comparison::kEq) {
    return Condition::Never();
  }
  return CompareInt(target, IsLess(comparison) ? Comparison::kLe : Comparison::kGt, integer,
                    layout);
}

std::string Number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  std::string text(digits.data(), end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

/// The numbers of the target's type next to a literal; the same where it is one of them.
struct Neighbours {
  double below = 0;
  double above = 0;
  bool exact() const { return below == above; }
};

Neighbours NeighboursOf(Target::Kind kind, const Value& literal) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Neighbours found;
  if (const auto* integer = std::get_if<int64_t>(&literal)) {
    const auto nearest = static_cast<double>(*integer);
    found = {nearest, nearest};
    if (CompareValues(Value(nearest), Comparison::kGt, literal)) {
      found.below = std::nextafter(nearest, -kInfinity);
    } else if (CompareValues(Value(nearest), Comparison::kLt, literal)) {
      found.above = std::nextafter(nearest, kInfinity);
    }
  } else {
    const double number = std::get<double>(literal);
    found = {number, number};
  }
  if (kind == Target::Kind::kFloat) {
    constexpr float kFloatInfinity = std::numeric_limits<float>::infinity();
    const auto to_float = [](double number, bool up) -> double {
      const auto nearest = static_cast<float>(number);
      if (up && nearest < number) {
        return std::nextafterf(nearest, kFloatInfinity);
      }
      return !up && nearest > number ? std::nextafterf(nearest, -kFloatInfinity) : nearest;
    };
    found = {to_float(found.below, false), to_float(found.above, true)};
  }
  return found;
}

bool IsNumber(const Value& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

Condition CompareDouble(const Target& target, Comparison comparison, const Value& literal,
                        const MilvusLayout& layout) {
  if (!IsNumber(literal)) {
    return Condition::Never();
  }
  const auto* number = std::get_if<double>(&literal);
  if (number != nullptr && std::isnan(*number)) {
    return Condition::Never();
  }
  const Neighbours near = NeighboursOf(target.kind, literal);
  double value = near.below;
  if (!near.exact()) {
    if (comparison == Comparison::kEq) {
      return Condition::Never();
    }
    value = IsLess(comparison) ? near.below : near.above;
    comparison = IsLess(comparison) ? Comparison::kLe : Comparison::kGe;
  }
  if (std::isinf(value)) {  // stored numbers are finite
    return comparison != Comparison::kEq && IsLess(comparison) == (value > 0)
               ? Present(target.column, layout)
               : Condition::Never();
  }
  return ForPresent(target.text + std::string(Sign(comparison)) + Number(value),
                    CompareValues(Value(0.0), comparison, Value(value)), target, layout);
}

Condition CompareText(const Target& target, Comparison comparison, const std::string& literal,
                      const MilvusLayout& layout) {
  return ForPresent(target.text + std::string(Sign(comparison)) + MilvusString(literal),
                    CompareValues(Value(std::string()), comparison, Value(literal)), target,
                    layout);
}

/// Precondition: exact for JSON, or said to be unknown.
Condition CompareJson(const Target& target, Comparison comparison, const Value& literal) {
  const std::string left = target.text + std::string(Sign(comparison));
  if (const auto* text = std::get_if<std::string>(&literal)) {
    return Condition::Text(left + MilvusString(*text));
  }
  if (const auto* truth = std::get_if<bool>(&literal)) {
    return comparison == Comparison::kEq ? Condition::Text(left + (*truth ? "true" : "false"))
                                         : Condition::Never();
  }
  const auto* integer = std::get_if<int64_t>(&literal);
  if (integer != nullptr && std::fabs(static_cast<double>(*integer)) < kExactDouble) {
    return Condition::Text(left + std::to_string(*integer));
  }
  const auto* number = std::get_if<double>(&literal);
  if (number != nullptr && std::fabs(*number) < kExactDouble) {
    return Condition::Text(left + Number(*number));
  }
  return Condition::Unknown();
}

}  // namespace

std::string JsonPathText(const Operand& operand, const MilvusLayout& layout) {
  const MilvusColumn* column =
      operand.name.empty() ? layout.Find(Role::kDynamic) : layout.FindField(operand.name);
  if (column == nullptr || (operand.name.empty() && operand.path.empty())) {
    return "";
  }
  // A declared field's value may be anything; Milvus wants an object, so it is the member "v".
  std::string text = column->name + (operand.name.empty() ? "" : "[\"v\"]");
  for (const auto& step : operand.path) {
    if (!IsPlainStep(step)) {
      return "";
    }
    text += "[" + MilvusString(std::get<std::string>(step)) + "]";
  }
  return text;
}

MilvusTarget TargetOf(const Operand& operand, const MilvusLayout& layout) {
  Target target;
  switch (operand.kind) {
    case Operand::Kind::kKey: {
      const MilvusColumn* own = layout.Find(Role::kOwnKey);
      target.text = own == nullptr ? layout.key_name() : own->name;
      target.kind =
          layout.schema.key_type == KeyType::kInt64 ? Target::Kind::kInt : Target::Kind::kText;
      return target;
    }
    case Operand::Kind::kTenant:
      if (const MilvusColumn* tenant = layout.Find(Role::kTenant); tenant != nullptr) {
        target.text = tenant->name;
        target.kind = Target::Kind::kText;
      }
      return target;
    case Operand::Kind::kField:
      target.column = layout.FindField(operand.name);
      target.text = target.column->name;
      target.kind = KindOf(operand.type);
      std::tie(target.low, target.high) = RangeOf(operand.type);
      return target;
    case Operand::Kind::kArrayLength:
      if (operand.type != DataType::kJson) {
        target.column = layout.FindField(operand.name);
        target.text = "array_length(" + target.column->name + ")";
        target.kind = Target::Kind::kInt;
        target.low = 0;
        target.high = 4'096;
        target.only_equal = true;
      }
      return target;
    case Operand::Kind::kJsonPath:
      target.text = JsonPathText(operand, layout);
      target.kind = target.text.empty() ? Target::Kind::kNone : Target::Kind::kJson;
      return target;
    default:
      return target;
  }
}

MilvusCondition Present(const MilvusColumn* column, const MilvusLayout& layout) {
  if (column == nullptr || !layout.Nullable(*column)) {
    return Condition::Always();
  }
  return Condition::Text("not array_contains(" + layout.Find(Role::kNulls)->name + ", " +
                         std::to_string(layout.NullNumber(*column)) + ")");
}

MilvusCondition ForPresent(std::string text, bool holds, const Target& target,
                           const MilvusLayout& layout) {
  const Condition present = holds ? Present(target.column, layout) : Condition::Always();
  if (present.kind == Condition::Kind::kAlways) {
    return Condition::Text(std::move(text));
  }
  return Condition::Text("(" + text + " and " + present.text + ")");
}

MilvusCondition CompareTarget(const Target& target, Comparison comparison, const Value& literal,
                              const MilvusLayout& layout) {
  switch (target.kind) {
    case Target::Kind::kInt:
      if (const auto* integer = std::get_if<int64_t>(&literal)) {
        return CompareInt(target, comparison, *integer, layout);
      }
      if (const auto* number = std::get_if<double>(&literal)) {
        return CompareIntWithDouble(target, comparison, *number, layout);
      }
      return Condition::Never();
    case Target::Kind::kFloat:
    case Target::Kind::kDouble:
      return CompareDouble(target, comparison, literal, layout);
    case Target::Kind::kText:
      if (const auto* text = std::get_if<std::string>(&literal)) {
        return CompareText(target, comparison, *text, layout);
      }
      return Condition::Never();
    case Target::Kind::kBool:
      if (const auto* truth = std::get_if<bool>(&literal);
          truth != nullptr && comparison == Comparison::kEq) {
        return ForPresent(target.text + (*truth ? " == true" : " == false"), !*truth, target,
                          layout);
      }
      return Condition::Never();
    case Target::Kind::kJson:
      return CompareJson(target, comparison, literal);
    case Target::Kind::kNone:
      break;
  }
  return Condition::Unknown();
}

std::optional<std::string> MilvusLiteral(DataType type, const Value& value) {
  const Target::Kind kind = KindOf(type);
  if (kind == Target::Kind::kText) {
    const auto* text = std::get_if<std::string>(&value);
    return text == nullptr ? std::nullopt : std::optional(MilvusString(*text));
  }
  if (kind == Target::Kind::kBool) {
    const auto* truth = std::get_if<bool>(&value);
    return truth == nullptr ? std::nullopt : std::optional<std::string>(*truth ? "true" : "false");
  }
  if (!IsNumber(value)) {
    return std::nullopt;
  }
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && !std::isfinite(*number)) {
    return std::nullopt;
  }
  if (kind == Target::Kind::kFloat || kind == Target::Kind::kDouble) {
    const Neighbours near = NeighboursOf(kind, value);
    return near.exact() ? std::optional(Number(near.below)) : std::nullopt;
  }
  int64_t integer = 0;
  if (number == nullptr) {
    integer = std::get<int64_t>(value);
  } else if (*number == std::floor(*number) && *number >= -0x1p63 && *number < 0x1p63) {
    integer = static_cast<int64_t>(*number);
  } else {
    return std::nullopt;
  }
  const auto [low, high] = RangeOf(type);
  return integer >= low && integer <= high ? std::optional(std::to_string(integer)) : std::nullopt;
}

}  // namespace roost
