#include "store/filter_evaluate.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>
#include <optional>

#include "store/json_value.h"
#include "store/scalar_text.h"
#include "store/tokenizer.h"

namespace roost {
namespace {

std::partial_ordering Reverse(std::partial_ordering order) { return 0 <=> order; }

/// By exact value: no rounding of the integer.
std::partial_ordering OrderNumbers(int64_t integer, double number) {
  if (std::isnan(number)) {
    return std::partial_ordering::unordered;
  }
  if (number >= 0x1p63) {
    return std::partial_ordering::less;
  }
  if (number < -0x1p63) {
    return std::partial_ordering::greater;
  }
  const auto whole = static_cast<int64_t>(number);  // towards zero, in range
  if (integer != whole) {
    return integer <=> whole;
  }
  return 0.0 <=> (number - static_cast<double>(whole));
}

/// The order of two numbers or strings; nothing for other pairs.
std::optional<std::partial_ordering> Order(const Value& a, const Value& b) {
  if (const auto* x = std::get_if<int64_t>(&a)) {
    if (const auto* y = std::get_if<int64_t>(&b)) {
      return *x <=> *y;
    }
    if (const auto* y = std::get_if<double>(&b)) {
      return OrderNumbers(*x, *y);
    }
    return std::nullopt;
  }
  if (const auto* x = std::get_if<double>(&a)) {
    if (const auto* y = std::get_if<int64_t>(&b)) {
      return Reverse(OrderNumbers(*y, *x));
    }
    if (const auto* y = std::get_if<double>(&b)) {
      return *x <=> *y;
    }
    return std::nullopt;
  }
  const auto* x = std::get_if<std::string>(&a);
  const auto* y = std::get_if<std::string>(&b);
  if (x != nullptr && y != nullptr) {
    return *x <=> *y;  // std::string compares bytes as unsigned
  }
  return std::nullopt;
}

bool Equal(const Value& a, const Value& b);

/// Inside arrays and objects null is a value like others.
bool EqualInside(const Value& a, const Value& b) {
  return (a.is_null() && b.is_null()) || Equal(a, b);
}

bool EqualObjects(const Json& a, const Json& b) {
  const auto left = JsonMembers(a.text);
  const auto right = JsonMembers(b.text);
  return std::equal(
      left.begin(), left.end(), right.begin(), right.end(), [](const auto& x, const auto& y) {
        return x.first == y.first && EqualInside(JsonToValue(x.second), JsonToValue(y.second));
      });
}

bool Equal(const Value& a, const Value& b) {
  if (const auto order = Order(a, b)) {
    return *order == 0;
  }
  if (a.index() != b.index()) {
    return false;
  }
  if (const auto* x = std::get_if<bool>(&a)) {
    return *x == std::get<bool>(b);
  }
  if (const auto* x = std::get_if<Array>(&a)) {
    const auto& y = std::get<Array>(b);
    return std::equal(x->begin(), x->end(), y.begin(), y.end(), EqualInside);
  }
  if (const auto* x = std::get_if<Json>(&a)) {
    return EqualObjects(*x, std::get<Json>(b));
  }
  return false;  // null equals nothing
}

Value CalculateIntegers(int64_t a, char op, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case '+':
      return __builtin_add_overflow(a, b, &result) ? Value() : Value(result);
    case '-':
      return __builtin_sub_overflow(a, b, &result) ? Value() : Value(result);
    case '*':
      return __builtin_mul_overflow(a, b, &result) ? Value() : Value(result);
    default:
      break;
  }
  if (b == 0) {
    return {};
  }
  if (b == -1) {  // the lowest integer divided by -1 overflows
    if (op == '%') {
      return Value(int64_t{0});
    }
    return __builtin_sub_overflow(int64_t{0}, a, &result) ? Value() : Value(result);
  }
  return Value(op == '/' ? a / b : a % b);
}

std::optional<double> ToDouble(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return static_cast<double>(*integer);
  }
  const auto* number = std::get_if<double>(&value);
  return number == nullptr ? std::nullopt : std::optional<double>(*number);
}

const Value& FieldOf(const Record& record, const std::string& name) {
  static const Value kNull;
  const auto found = record.fields.find(name);
  return found == record.fields.end() ? kNull : found->second;
}

Value JsonPathValue(const Operand& operand, const Record& record) {
  if (operand.name.empty()) {
    return JsonAt(record.dynamic, operand.path);
  }
  const auto* json = std::get_if<Json>(&FieldOf(record, operand.name));
  return json == nullptr ? Value() : JsonAt(json->text, operand.path);
}

Value ArrayLength(const Operand& operand, const Record& record) {
  const Value value = operand.type == DataType::kJson ? JsonPathValue(operand, record)
                                                      : FieldOf(record, operand.name);
  const auto* array = std::get_if<Array>(&value);
  return array == nullptr ? Value() : Value(static_cast<int64_t>(array->size()));
}

Value ArrayElement(const Operand& operand, const Record& record) {
  const auto* array = std::get_if<Array>(&FieldOf(record, operand.name));
  const auto* position =
      operand.path.empty() ? nullptr : std::get_if<int64_t>(&operand.path.front());
  if (array == nullptr || position == nullptr || *position < 0 ||
      static_cast<uint64_t>(*position) >= array->size()) {
    return {};
  }
  return (*array)[static_cast<size_t>(*position)];
}

bool Holds(const Array& array, const Value& wanted) {
  return std::any_of(array.begin(), array.end(),
                     [&](const Value& element) { return Equal(element, wanted); });
}

bool ArrayContains(const Filter& filter, const Record& record) {
  const Value value = Evaluate(filter.left, record);
  const auto* array = std::get_if<Array>(&value);
  if (array == nullptr) {
    return false;
  }
  const auto holds = [&](const Value& wanted) { return Holds(*array, wanted); };
  return filter.op == FilterOp::kArrayContainsAll
             ? std::all_of(filter.values.begin(), filter.values.end(), holds)
             : std::any_of(filter.values.begin(), filter.values.end(), holds);
}

bool TextMatches(const Filter& filter, const Record& record) {
  const Value value = Evaluate(filter.left, record);
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return false;
  }
  const auto words = Tokenize(*text);
  const auto wanted = Tokenize(std::get<std::string>(filter.values.at(0)));
  return std::find_first_of(words.begin(), words.end(), wanted.begin(), wanted.end()) !=
         words.end();
}

bool Like(const Filter& filter, const Record& record) {
  const Value value = Evaluate(filter.left, record);
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && LikeMatches(*text, filter.pattern);
}

}  // namespace

bool CompareValues(const Value& left, Comparison comparison, const Value& right) {
  if (comparison == Comparison::kEq) {
    return Equal(left, right);
  }
  if (comparison == Comparison::kNe) {
    return !Equal(left, right);
  }
  const auto order = Order(left, right);
  if (!order) {
    return false;
  }
  switch (comparison) {
    case Comparison::kLt:
      return *order < 0;
    case Comparison::kLe:
      return *order <= 0;
    case Comparison::kGt:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

Value Calculate(const Value& left, char op, const Value& right) {
  const auto* a = std::get_if<int64_t>(&left);
  const auto* b = std::get_if<int64_t>(&right);
  if (a != nullptr && b != nullptr) {
    return CalculateIntegers(*a, op, *b);
  }
  const auto x = ToDouble(left);
  const auto y = ToDouble(right);
  if (!x || !y || op == '%' || (op == '/' && *y == 0)) {
    return {};
  }
  const double result = op == '+' ? *x + *y : op == '-' ? *x - *y : op == '*' ? *x * *y : *x / *y;
  return std::isfinite(result) ? Value(result) : Value();
}

Value Evaluate(const Operand& operand, const Record& record) {
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      return operand.literal;
    case Operand::Kind::kKey:
      return std::visit([](const auto& key) { return Value(key); }, record.key.key);
    case Operand::Kind::kTenant:
      return record.key.tenant;
    case Operand::Kind::kField:
      return FieldOf(record, operand.name);
    case Operand::Kind::kJsonPath:
      return JsonPathValue(operand, record);
    case Operand::Kind::kArrayLength:
      return ArrayLength(operand, record);
    case Operand::Kind::kArithmetic:
      return Calculate(Evaluate(operand.children.at(0), record), operand.arithmetic,
                       Evaluate(operand.children.at(1), record));
    case Operand::Kind::kArrayElement:
      return ArrayElement(operand, record);
  }
  return {};
}

bool LikeMatches(std::string_view text, std::string_view pattern) {
  size_t t = 0;
  size_t p = 0;
  // After the last `%`: where to go on when the rest does not fit, one character later each time.
  std::optional<size_t> retry_pattern;
  size_t retry_text = 0;
  while (t < text.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      retry_pattern = ++p;
      retry_text = t;
      continue;
    }
    if (p < pattern.size() && t < text.size()) {
      if (pattern[p] == '_') {
        ++p;
        NextCodePoint(text, t);
        continue;
      }
      const size_t literal = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
      if (pattern[literal] == text[t]) {
        p = literal + 1;
        ++t;
        continue;
      }
    }
    if (!retry_pattern || retry_text >= text.size()) {
      return false;
    }
    NextCodePoint(text, retry_text);
    p = *retry_pattern;
    t = retry_text;
  }
  return true;
}

bool Matches(const Filter* filter, const Record& record) {
  if (filter == nullptr) {
    return true;
  }
  const auto matches = [&](const FilterPtr& child) { return Matches(child.get(), record); };
  const auto& children = filter->children;
  switch (filter->op) {
    case FilterOp::kTrue:
      return true;
    case FilterOp::kFalse:
      return false;
    case FilterOp::kAnd:
      return std::all_of(children.begin(), children.end(), matches);
    case FilterOp::kOr:
      return std::any_of(children.begin(), children.end(), matches);
    case FilterOp::kNot:
      return !matches(children.at(0));
    case FilterOp::kCompare:
      return CompareValues(Evaluate(filter->left, record), filter->comparison,
                           Evaluate(filter->right, record));
    case FilterOp::kIn:
      return Holds(filter->values, Evaluate(filter->left, record));
    case FilterOp::kLike:
      return Like(*filter, record);
    case FilterOp::kIsNull:
      return Evaluate(filter->left, record).is_null();
    case FilterOp::kExists:
      return !Evaluate(filter->left, record).is_null();
    case FilterOp::kArrayContainsAll:
    case FilterOp::kArrayContainsAny:
      return ArrayContains(*filter, record);
    case FilterOp::kTextMatch:
      return TextMatches(*filter, record);
  }
  return false;
}

}  // namespace roost
