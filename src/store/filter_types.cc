#include "store/filter_types.h"

#include <cmath>
#include <utility>

#include "store/filter_evaluate.h"
#include "store/scalar_text.h"
#include "store/validate_value.h"

namespace roost {
namespace {

/// What compares with what.
enum class Class : uint8_t { kBool, kNumber, kString, kArray, kAny, kNothing };

Class ClassOf(const Value& value) {
  switch (value.index()) {
    case 1:
      return Class::kBool;
    case 2:
    case 3:
      return Class::kNumber;
    case 4:
      return Class::kString;
    case 6:
      return Class::kArray;
    default:
      return Class::kNothing;
  }
}

Class ClassOf(DataType type) {
  switch (type) {
    case DataType::kBool:
      return Class::kBool;
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return Class::kString;
    case DataType::kArray:
      return Class::kArray;
    case DataType::kJson:
      return Class::kAny;
    default:
      return Class::kNumber;
  }
}

Class ClassOf(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      return ClassOf(operand.literal);
    case Operand::Kind::kTenant:
      return Class::kString;
    case Operand::Kind::kJsonPath:
      return Class::kAny;
    case Operand::Kind::kArrayLength:
    case Operand::Kind::kArithmetic:
      return Class::kNumber;
    default:
      return ClassOf(operand.type);
  }
}

bool IsLiteral(const Operand& operand) { return operand.kind == Operand::Kind::kLiteral; }

bool IsOrdering(Comparison comparison) {
  return comparison != Comparison::kEq && comparison != Comparison::kNe;
}

Comparison Mirror(Comparison comparison) {
  switch (comparison) {
    case Comparison::kLt:
      return Comparison::kGt;
    case Comparison::kLe:
      return Comparison::kGe;
    case Comparison::kGt:
      return Comparison::kLt;
    case Comparison::kGe:
      return Comparison::kLe;
    default:
      return comparison;
  }
}

std::shared_ptr<Filter> MakeNode(FilterOp op, Operand left) {
  auto node = std::make_shared<Filter>();
  node->op = op;
  node->left = std::move(left);
  return node;
}

Error Incomparable(const Operand& left, std::string_view with) {
  return InvalidArgument(DescribeOperand(left) + "; the filter compares it with " +
                         std::string(with));
}

/// A literal as the field that it meets holds values: of `type`, and where that is an array, of the
/// field's element type. Arithmetic takes literals as they are.
Result<Value> Coerce(const Operand& field, DataType type, Value value) {
  const Class wanted = ClassOf(type);
  if (type == DataType::kTimestamp && std::holds_alternative<std::string>(value)) {
    const auto micros = ParseTimestamp(std::get<std::string>(value));
    if (!micros) {
      return InvalidArgument(DescribeOperand(field) + "; \"" + std::get<std::string>(value) +
                             "\" is not a time like 2025-01-31T12:00:00Z");
    }
    return Value(*micros);
  }
  if (ClassOf(value) == Class::kNothing || (wanted != Class::kAny && wanted != ClassOf(value))) {
    return Incomparable(field, ValueKind(value));
  }
  if (type == DataType::kArray) {
    for (auto& element : std::get<Array>(value)) {
      element = TRY(Coerce(field, field.element_type, std::move(element)));
    }
    return value;
  }
  if (type == DataType::kUuid) {
    auto uuid = NormalizeUuid(std::get<std::string>(value));
    if (!uuid) {
      return InvalidArgument(DescribeOperand(field) + "; \"" + std::get<std::string>(value) +
                             "\" is not a UUID");
    }
    return Value(*std::move(uuid));
  }
  if (type == DataType::kFloat) {
    const double number = std::holds_alternative<int64_t>(value)
                              ? static_cast<double>(std::get<int64_t>(value))
                              : std::get<double>(value);
    // Beyond float's range nothing equals the literal, rounded or not.
    return Value(std::fabs(number) >= 0x1.ffffffp127
                     ? number
                     : static_cast<double>(static_cast<float>(number)));
  }
  return value;
}

/// The type of what literals meet; arithmetic and lengths round nothing.
DataType MeetingType(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kTenant:
      return DataType::kVarChar;
    case Operand::Kind::kJsonPath:
      return DataType::kJson;
    case Operand::Kind::kArrayLength:
    case Operand::Kind::kArithmetic:
      return DataType::kInt64;
    default:
      return operand.type;
  }
}

/// kInt64, kDouble or kJson: what arithmetic with the operand gives.
DataType NumberType(const Operand& operand) {
  if (IsLiteral(operand)) {
    return std::holds_alternative<double>(operand.literal) ? DataType::kDouble : DataType::kInt64;
  }
  switch (operand.kind) {
    case Operand::Kind::kJsonPath:
      return DataType::kJson;
    case Operand::Kind::kArrayLength:
      return DataType::kInt64;
    case Operand::Kind::kArithmetic:
      return operand.type;
    default:
      return operand.type == DataType::kFloat || operand.type == DataType::kDouble
                 ? DataType::kDouble
                 : DataType::kInt64;
  }
}

}  // namespace

std::string DescribeOperand(const Operand& operand) {
  const std::string type(DataTypeName(operand.type));
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      return "the value is " + std::string(ValueKind(operand.literal));
    case Operand::Kind::kKey:
      return "the key is " + type;
    case Operand::Kind::kTenant:
      return "the tenant is VARCHAR";
    case Operand::Kind::kField:
      return "field \"" + operand.name + "\" is " + type +
             (operand.type == DataType::kArray
                  ? " of " + std::string(DataTypeName(operand.element_type))
                  : "");
    case Operand::Kind::kArrayElement:
      return "an element of field \"" + operand.name + "\" is " + type;
    case Operand::Kind::kJsonPath:
      return operand.name.empty() ? "a dynamic field is JSON"
                                  : "field \"" + operand.name + "\" is JSON";
    case Operand::Kind::kArrayLength:
      return "array_length(…) is an integer";
    case Operand::Kind::kArithmetic:
      return "the arithmetic gives a number";
  }
  return {};
}

FilterPtr MakeConstant(bool value) {
  return MakeNode(value ? FilterOp::kTrue : FilterOp::kFalse, {});
}

FilterPtr MakeNot(FilterPtr child) {
  if (child->op == FilterOp::kTrue || child->op == FilterOp::kFalse) {
    return MakeConstant(child->op == FilterOp::kFalse);
  }
  auto node = MakeNode(FilterOp::kNot, {});
  node->children.push_back(std::move(child));
  return node;
}

Result<FilterPtr> MakeComparison(Operand left, Comparison comparison, Operand right) {
  if (IsLiteral(left) && !IsLiteral(right)) {
    std::swap(left, right);
    comparison = Mirror(comparison);
  }
  const Class a = ClassOf(left);
  const Class b = ClassOf(right);
  if (IsLiteral(right) && !IsLiteral(left)) {
    right.literal = TRY(Coerce(left, MeetingType(left), std::move(right.literal)));
  } else if (a != b && a != Class::kAny && b != Class::kAny) {
    return Incomparable(left, IsLiteral(right) ? std::string(ValueKind(right.literal))
                                               : "another: " + DescribeOperand(right));
  } else if (a == Class::kArray && !IsLiteral(right)) {
    return Incomparable(left, "a field; arrays compare with lists, or use array_contains");
  }
  if (IsOrdering(comparison) &&
      (a == Class::kBool || a == Class::kArray || b == Class::kBool || b == Class::kArray)) {
    const Operand& unordered = a == Class::kBool || a == Class::kArray ? left : right;
    return InvalidArgument(DescribeOperand(unordered) +
                           ", which has no order; compare with == or !=");
  }
  if (IsLiteral(left)) {
    return MakeConstant(CompareValues(left.literal, comparison, right.literal));
  }
  auto node = MakeNode(FilterOp::kCompare, std::move(left));
  node->comparison = comparison;
  node->right = std::move(right);
  return FilterPtr(std::move(node));
}

Result<FilterPtr> MakeIn(Operand left, Array values) {
  if (ClassOf(left) == Class::kArray) {
    return InvalidArgument(DescribeOperand(left) +
                           "; `in` takes a single value on its left, use array_contains_any");
  }
  if (IsLiteral(left)) {
    bool found = false;
    for (const auto& value : values) {
      found = found || CompareValues(left.literal, Comparison::kEq, value);
    }
    return MakeConstant(found);
  }
  if (values.empty()) {
    return MakeConstant(false);
  }
  for (auto& value : values) {
    value = TRY(Coerce(left, MeetingType(left), std::move(value)));
  }
  auto node = MakeNode(FilterOp::kIn, std::move(left));
  node->values = std::move(values);
  return FilterPtr(std::move(node));
}

Result<FilterPtr> MakeLike(Operand left, std::string pattern) {
  const Class found = ClassOf(left);
  if (IsLiteral(left) || (found != Class::kString && found != Class::kAny)) {
    return InvalidArgument(DescribeOperand(left) + "; `like` takes a text field on its left");
  }
  size_t backslashes = 0;
  while (backslashes < pattern.size() && pattern[pattern.size() - 1 - backslashes] == '\\') {
    ++backslashes;
  }
  if (backslashes % 2 == 1) {
    return InvalidArgument(
        "the pattern of `like` ends with a lone backslash; write \\\\\\\\ for a backslash");
  }
  auto node = MakeNode(FilterOp::kLike, std::move(left));
  node->pattern = std::move(pattern);
  return FilterPtr(std::move(node));
}

Result<FilterPtr> MakeIsNull(Operand left) {
  switch (left.kind) {
    case Operand::Kind::kKey:
    case Operand::Kind::kTenant:
      return MakeConstant(false);
    case Operand::Kind::kField:
    case Operand::Kind::kJsonPath:
    case Operand::Kind::kArrayElement:
      return FilterPtr(MakeNode(FilterOp::kIsNull, std::move(left)));
    default:
      return InvalidArgument(DescribeOperand(left) + "; `is null` takes a field");
  }
}

Result<FilterPtr> MakeExists(Operand left) {
  if (left.kind != Operand::Kind::kJsonPath) {
    return InvalidArgument(DescribeOperand(left) +
                           "; `exists` takes a JSON path, use `is not null`");
  }
  return FilterPtr(MakeNode(FilterOp::kExists, std::move(left)));
}

Result<FilterPtr> MakeArrayContains(FilterOp op, Operand left, Array values) {
  const bool array = left.kind == Operand::Kind::kField && left.type == DataType::kArray;
  if (!array && left.kind != Operand::Kind::kJsonPath) {
    return InvalidArgument(DescribeOperand(left) + "; this function takes an array or JSON path");
  }
  if (op == FilterOp::kArrayContainsAny && values.empty()) {
    return MakeConstant(false);
  }
  if (array) {
    for (auto& value : values) {
      value = TRY(Coerce(left, left.element_type, std::move(value)));
    }
  }
  auto node = MakeNode(op, std::move(left));
  node->values = std::move(values);
  return FilterPtr(std::move(node));
}

Result<FilterPtr> MakeTextMatch(Operand left, std::string query) {
  if (left.kind != Operand::Kind::kField || left.type != DataType::kText) {
    return InvalidArgument(DescribeOperand(left) + "; text_match takes a TEXT field");
  }
  auto node = MakeNode(FilterOp::kTextMatch, std::move(left));
  node->values = {Value(std::move(query))};
  return FilterPtr(std::move(node));
}

Result<Operand> MakeArithmetic(Operand left, char op, Operand right) {
  for (const Operand* operand : {&left, &right}) {
    const Class found = ClassOf(*operand);
    if (found != Class::kNumber && found != Class::kAny) {
      return InvalidArgument(DescribeOperand(*operand) + "; \"" + op + "\" takes numbers");
    }
    if (op == '%' && NumberType(*operand) == DataType::kDouble) {
      return InvalidArgument(DescribeOperand(*operand) + "; \"%\" takes integers");
    }
  }
  if (IsLiteral(right) && (op == '/' || op == '%') &&
      CompareValues(right.literal, Comparison::kEq, Value(int64_t{0}))) {
    return InvalidArgument("division by zero");
  }
  if (IsLiteral(left) && IsLiteral(right)) {
    Operand folded;
    folded.literal = Calculate(left.literal, op, right.literal);
    if (folded.literal.is_null()) {
      return InvalidArgument("the result is out of range");
    }
    return folded;
  }
  const DataType a = NumberType(left);
  const DataType b = NumberType(right);
  Operand result;
  result.kind = Operand::Kind::kArithmetic;
  result.arithmetic = op;
  // A double makes everything double; JSON tells only with the record.
  result.type = a == DataType::kDouble || b == DataType::kDouble ? DataType::kDouble
                : a == DataType::kJson || b == DataType::kJson   ? DataType::kJson
                                                                 : DataType::kInt64;
  result.children.push_back(std::move(left));
  result.children.push_back(std::move(right));
  return result;
}

Result<FilterPtr> MakeTruth(const Operand& operand) {
  if (IsLiteral(operand) && std::holds_alternative<bool>(operand.literal)) {
    return MakeConstant(std::get<bool>(operand.literal));
  }
  const bool bool_field =
      (operand.kind == Operand::Kind::kField || operand.kind == Operand::Kind::kArrayElement) &&
      operand.type == DataType::kBool;
  if (!bool_field) {
    return InvalidArgument(DescribeOperand(operand) +
                           ", not a condition; compare it, as in `a > 3`");
  }
  Operand truth;
  truth.literal = true;
  return MakeComparison(operand, Comparison::kEq, std::move(truth));
}

}  // namespace roost
