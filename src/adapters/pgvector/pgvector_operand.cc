#include "adapters/pgvector/pgvector_operand.h"

#include <cmath>
#include <limits>

#include "adapters/pgvector/pgvector_codec.h"
#include "base/json.h"
#include "store/json_value.h"

namespace roost {
namespace {

constexpr std::string_view kFalse = "false";

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
      return " = ";
  }
}

/// A comparison with a null is false.
std::string Known(const std::string& condition) { return "COALESCE(" + condition + ", false)"; }

bool FitsInt64(double number) { return number >= -0x1p63 && number < 0x1p63; }

SqlKind KindOfType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return SqlKind::kBool;
    case DataType::kFloat:
    case DataType::kDouble:
      return SqlKind::kDouble;
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return SqlKind::kText;
    case DataType::kArray:
      return SqlKind::kArray;
    case DataType::kJson:
      return SqlKind::kJson;
    default:
      return SqlKind::kInt;
  }
}

uint32_t ArrayOid(DataType element) {
  switch (ScalarOid(element)) {
    case pg::kBool:
      return 1000;
    case pg::kInt2:
      return 1005;
    case pg::kInt4:
      return 1007;
    case pg::kInt8:
      return pg::kInt8Array;
    case pg::kFloat4:
      return 1021;
    case pg::kFloat8:
      return 1022;
    case pg::kUuid:
      return 2951;
    default:
      return pg::kTextArray;
  }
}

/// The value as a stored one of the type that it equals; nothing where none can.
std::optional<Value> AsStored(DataType type, const Value& value) {
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
  switch (KindOfType(type)) {
    case SqlKind::kBool:
      return std::holds_alternative<bool>(value) ? std::optional(value) : std::nullopt;
    case SqlKind::kText:
      return std::holds_alternative<std::string>(value) ? std::optional(value) : std::nullopt;
    case SqlKind::kDouble: {
      double number = 0;
      if (const auto* integer = std::get_if<int64_t>(&value)) {
        number = static_cast<double>(*integer);
        if (!FitsInt64(number) || static_cast<int64_t>(number) != *integer) {
          return std::nullopt;
        }
      } else if (const auto* floating = std::get_if<double>(&value)) {
        number = *floating;
      } else {
        return std::nullopt;
      }
      const bool stored =
          std::isfinite(number) &&
          (type != DataType::kFloat || (std::fabs(number) <= std::numeric_limits<float>::max() &&
                                        static_cast<double>(static_cast<float>(number)) == number));
      return stored ? std::optional(Value(number)) : std::nullopt;
    }
    case SqlKind::kInt:
      break;
    default:
      return std::nullopt;
  }
  if (type == DataType::kInt8 || type == DataType::kInt16) {
    low = std::numeric_limits<int16_t>::min();
    high = std::numeric_limits<int16_t>::max();
  } else if (type == DataType::kInt32) {
    low = std::numeric_limits<int32_t>::min();
    high = std::numeric_limits<int32_t>::max();
  }
  int64_t integer = 0;
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    integer = *whole;
  } else if (const auto* number = std::get_if<double>(&value);
             number != nullptr && FitsInt64(*number) && std::trunc(*number) == *number) {
    integer = static_cast<int64_t>(*number);
  } else {
    return std::nullopt;
  }
  return integer >= low && integer <= high ? std::optional(Value(integer)) : std::nullopt;
}

std::string CanonicalText(const Value& value) {
  std::string json;
  AppendJsonValue(json, value);
  auto canonical = CanonicalJson(json, 200);
  return canonical.ok() ? *std::move(canonical) : json;
}

/// Numbers below 2^53 are equal exactly where their canonical texts are.
bool TextDecides(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return *integer < (int64_t{1} << 53) && *integer > -(int64_t{1} << 53);
  }
  const auto* number = std::get_if<double>(&value);
  return number == nullptr || std::fabs(*number) < 0x1p53;
}

bool IsNumber(const Value& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

bool NotFinite(const Value& value) {
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && !std::isfinite(*number);
}

/// −1, 0, 1 or null: the exact order of an integer and a double.
std::string OrderIntDouble(const std::string& x, const std::string& y) {
  return "(CASE WHEN " + x + " IS NULL OR " + y + " IS NULL THEN NULL WHEN " + y +
         " >= 9223372036854775808::float8 THEN -1 WHEN " + y +
         " < -9223372036854775808::float8 THEN 1 WHEN " + x + " < trunc(" + y +
         ")::bigint THEN -1 WHEN " + x + " > trunc(" + y + ")::bigint THEN 1 ELSE sign(trunc(" + y +
         ") - " + y + ")::int END)";
}

}  // namespace

SqlKind OperandPrinter::KindOf(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kTenant:
      return SqlKind::kText;
    case Operand::Kind::kJsonPath:
      return SqlKind::kJson;
    case Operand::Kind::kArrayLength:
      return SqlKind::kInt;
    default:
      return KindOfType(operand.type);
  }
}

bool OperandPrinter::CanPrint(const Operand& operand) {
  if (operand.kind != Operand::Kind::kArithmetic) {
    return true;
  }
  if (operand.type != DataType::kInt64) {
    return false;
  }
  for (const Operand& child : operand.children) {
    const bool integer = child.kind == Operand::Kind::kLiteral
                             ? std::holds_alternative<int64_t>(child.literal)
                             : KindOf(child) == SqlKind::kInt && CanPrint(child);
    if (!integer) {
      return false;
    }
  }
  return true;
}

std::string OperandPrinter::Print(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kKey:
      return "t.\"_key\"";
    case Operand::Kind::kTenant:
      return "t.\"_tenant\"";
    case Operand::Kind::kJsonPath:
      return JsonPath(operand);
    case Operand::Kind::kArithmetic:
      return Arithmetic(operand);
    case Operand::Kind::kArrayLength:
      if (operand.type == DataType::kJson) {
        const std::string json = JsonPath(operand);
        return "(CASE WHEN json_typeof(" + json + ") = 'array' THEN json_array_length(" + json +
               ")::bigint END)";
      }
      return "cardinality(t." + table_.FindField(operand.name)->name + ")::bigint";
    default:
      break;
  }
  std::string value = "t." + table_.FindField(operand.name)->name;
  if (operand.kind == Operand::Kind::kArrayElement) {
    const auto* position =
        operand.path.empty() ? nullptr : std::get_if<int64_t>(&operand.path.front());
    const bool there = position != nullptr && *position >= 0 && *position < 1'000'000;
    value += "[" + (there ? std::to_string(*position + 1) : "0") + "]";
  }
  switch (KindOfType(operand.type)) {
    case SqlKind::kInt:
      return value + "::bigint";
    case SqlKind::kDouble:
      return value + "::float8";
    case SqlKind::kText:
      return operand.type == DataType::kUuid ? "(" + value + "::text COLLATE \"C\")" : value;
    default:
      return value;
  }
}

std::string OperandPrinter::JsonPath(const Operand& operand) {
  std::string json =
      "(t." + (operand.name.empty() ? "\"_dynamic\"" : table_.FindField(operand.name)->name);
  for (const auto& step : operand.path) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      json += " -> " + Text(*name);
    } else {
      const int64_t position = std::get<int64_t>(step);
      if (position < 0 || position > std::numeric_limits<int32_t>::max()) {
        return "NULL::json";
      }
      json += " -> " + std::to_string(position);
    }
  }
  return json + ")";
}

std::string OperandPrinter::Arithmetic(const Operand& operand) {
  const auto number = [this](const Operand& child) {
    return child.kind == Operand::Kind::kLiteral
               ? Int(std::get<int64_t>(child.literal)) + "::numeric"
               : Print(child) + "::numeric";
  };
  const std::string left = number(operand.children.at(0));
  const std::string right = number(operand.children.at(1));
  std::string value;
  switch (operand.arithmetic) {
    case '/':  // numeric does not overflow; div() cuts towards zero, as C does
      value = "div(" + left + ", NULLIF(" + right + ", 0))";
      break;
    case '%':
      value = "mod(" + left + ", NULLIF(" + right + ", 0))";
      break;
    default:
      value = "(" + left + " " + operand.arithmetic + " " + right + ")";
  }
  return "(CASE WHEN " + value + " BETWEEN -9223372036854775808 AND 9223372036854775807 THEN " +
         value + "::bigint END)";
}

std::string OperandPrinter::CompareInt(const std::string& left, Comparison comparison,
                                       const Value& literal) {
  if (const auto* integer = std::get_if<int64_t>(&literal)) {
    return Known(left + std::string(Sign(comparison)) + Int(*integer));
  }
  const double number = std::get<double>(literal);
  if (std::isnan(number)) {
    return std::string(kFalse);
  }
  const bool less = comparison == Comparison::kLt || comparison == Comparison::kLe;
  if (!FitsInt64(number)) {
    // Every integer lies on the same side of it.
    const bool all = comparison != Comparison::kEq && less == (number > 0);
    return all ? "(" + left + " IS NOT NULL)" : std::string(kFalse);
  }
  const double floor = std::floor(number);
  if (floor != number) {
    if (comparison == Comparison::kEq) {
      return std::string(kFalse);
    }
    comparison = less ? Comparison::kLe : Comparison::kGt;
  }
  return Known(left + std::string(Sign(comparison)) + Int(static_cast<int64_t>(floor)));
}

std::string OperandPrinter::CompareDouble(const std::string& left, Comparison comparison,
                                          const Value& literal) {
  if (const auto* number = std::get_if<double>(&literal)) {
    return std::isnan(*number) ? std::string(kFalse)
                               : Known(left + std::string(Sign(comparison)) + Double(*number));
  }
  const int64_t integer = std::get<int64_t>(literal);
  double near = static_cast<double>(integer);
  const bool above = !FitsInt64(near) || static_cast<int64_t>(near) > integer;
  if (!above && static_cast<int64_t>(near) == integer) {
    return Known(left + std::string(Sign(comparison)) + Double(near));
  }
  // No double equals the integer; `near` becomes the last one below it.
  if (above) {
    near = std::nextafter(near, -std::numeric_limits<double>::infinity());
  }
  if (comparison == Comparison::kEq) {
    return std::string(kFalse);
  }
  const bool less = comparison == Comparison::kLt || comparison == Comparison::kLe;
  return Known(left + (less ? " <= " : " > ") + Double(near));
}

std::string OperandPrinter::CompareJsonNumber(const std::string& json, Comparison comparison,
                                              const Value& literal) {
  const std::string text = "(s.j::text)";
  return "(SELECT CASE WHEN json_typeof(s.j) IS DISTINCT FROM 'number' THEN false WHEN " + text +
         " !~ '[.eE]' AND " + text +
         "::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN " +
         CompareInt(text + "::bigint", comparison, literal) + " ELSE " +
         CompareDouble(text + "::float8", comparison, literal) + " END FROM (SELECT " + json +
         " AS j OFFSET 0) AS s)";
}

std::string OperandPrinter::CompareJson(const std::string& json, Comparison comparison,
                                        const Value& literal) {
  if (NotFinite(literal) && comparison == Comparison::kEq) {
    return std::string(kFalse);
  }
  if (comparison == Comparison::kEq && TextDecides(literal)) {
    return Known(json + "::text = " + Text(CanonicalText(literal)));
  }
  if (IsNumber(literal)) {
    return CompareJsonNumber(json, comparison, literal);
  }
  if (const auto* text = std::get_if<std::string>(&literal)) {
    return "(SELECT CASE WHEN json_typeof(s.j) = 'string' THEN (s.j #>> '{}') COLLATE \"C\"" +
           std::string(Sign(comparison)) + Text(*text) + " ELSE false END FROM (SELECT " + json +
           " AS j OFFSET 0) AS s)";
  }
  return std::string(kFalse);
}

std::string OperandPrinter::CompareLiteral(const Operand& left, Comparison comparison,
                                           const Value& literal) {
  if (literal.is_null()) {
    return std::string(kFalse);
  }
  const SqlKind kind = KindOf(left);
  const std::string value = Print(left);
  switch (kind) {
    case SqlKind::kJson:
      return CompareJson(value, comparison, literal);
    case SqlKind::kInt:
      return IsNumber(literal) ? CompareInt(value, comparison, literal) : std::string(kFalse);
    case SqlKind::kDouble:
      return IsNumber(literal) ? CompareDouble(value, comparison, literal) : std::string(kFalse);
    case SqlKind::kText:
      if (const auto* text = std::get_if<std::string>(&literal)) {
        return Known(value + std::string(Sign(comparison)) + Text(*text));
      }
      return std::string(kFalse);
    case SqlKind::kBool:
      if (const auto* flag = std::get_if<bool>(&literal);
          flag != nullptr && comparison == Comparison::kEq) {
        return Known(value + " = " + Parameter(params_.Bool(*flag)));
      }
      return std::string(kFalse);
    case SqlKind::kArray:
      break;
  }
  const auto* array = std::get_if<Array>(&literal);
  if (array == nullptr || comparison != Comparison::kEq) {
    return std::string(kFalse);
  }
  size_t left_out = 0;
  const std::string list = ArrayOf(left.element_type, *array, left_out);
  return left_out > 0 ? std::string(kFalse) : Known(value + " = " + list);
}

std::string OperandPrinter::CompareOperands(const Operand& left, Comparison comparison,
                                            const Operand& right) {
  const SqlKind a = KindOf(left);
  const SqlKind b = KindOf(right);
  const std::string x = Print(left);
  const std::string y = Print(right);
  if (a == SqlKind::kInt && b == SqlKind::kDouble) {
    return Known(OrderIntDouble(x, y) + std::string(Sign(comparison)) + "0");
  }
  if (a == SqlKind::kDouble && b == SqlKind::kInt) {
    return Known("0" + std::string(Sign(comparison)) + OrderIntDouble(y, x));
  }
  return a == b ? Known(x + std::string(Sign(comparison)) + y) : std::string(kFalse);
}

std::string OperandPrinter::ArrayOf(DataType element, const Array& values, size_t& left_out) {
  PgArrayBuilder array(ScalarOid(element));
  for (const Value& value : values) {
    const auto stored = AsStored(element, value);
    if (!stored) {
      ++left_out;
      continue;
    }
    array.Begin();
    EncodeScalar(array.writer(), element, *stored);
    array.End();
  }
  return Parameter(params_.Raw(ArrayOid(element), array.Take()));
}

std::string OperandPrinter::In(const Operand& left, const Array& values) {
  const SqlKind kind = KindOf(left);
  const std::string value = Print(left);
  size_t left_out = 0;
  if (kind != SqlKind::kArray && kind != SqlKind::kJson) {
    const DataType element = kind == SqlKind::kInt      ? DataType::kInt64
                             : kind == SqlKind::kDouble ? DataType::kDouble
                             : kind == SqlKind::kText   ? DataType::kVarChar
                                                        : DataType::kBool;
    return Known(value + " = ANY(" + ArrayOf(element, values, left_out) + ")");
  }
  std::vector<std::string> texts;
  std::string others;
  for (const Value& wanted : values) {
    if (wanted.is_null() || NotFinite(wanted)) {
      continue;
    }
    if (TextDecides(wanted)) {
      texts.push_back(CanonicalText(wanted));
    } else {
      others += " OR " + CompareJsonNumber(value, Comparison::kEq, wanted);
    }
  }
  return "(" + Known(value + "::text = ANY(" + Parameter(params_.TextArray(texts)) + ")") + others +
         ")";
}

std::string OperandPrinter::Contains(const Operand& array, const Array& values, bool all) {
  const std::string value = Print(array);
  if (KindOf(array) == SqlKind::kArray) {
    size_t left_out = 0;
    const std::string list = ArrayOf(array.element_type, values, left_out);
    if (all && left_out > 0) {
      return std::string(kFalse);
    }
    return Known(value + (all ? " @> " : " && ") + list);
  }
  std::vector<std::string> texts;
  for (const Value& wanted : values) {
    if (wanted.is_null() || NotFinite(wanted)) {  // no element equals it
      if (all) {
        return std::string(kFalse);
      }
      continue;
    }
    texts.push_back(CanonicalText(wanted));
  }
  const std::string elements =
      "ARRAY(SELECT e::text FROM json_array_elements(CASE WHEN json_typeof(" + value +
      ") = 'array' THEN " + value + " END) AS e)";
  return "(" + Known("json_typeof(" + value + ") = 'array'") + " AND " + elements +
         (all ? " @> " : " && ") + Parameter(params_.TextArray(texts)) + ")";
}

std::string OperandPrinter::Like(const Operand& left, const std::string& pattern) {
  const std::string value = Print(left);
  if (KindOf(left) == SqlKind::kJson) {
    return "(SELECT CASE WHEN json_typeof(s.j) = 'string' THEN (s.j #>> '{}') COLLATE \"C\" LIKE " +
           Text(pattern) + " ELSE false END FROM (SELECT " + value + " AS j OFFSET 0) AS s)";
  }
  return Known(value + " LIKE " + Text(pattern));
}

std::string OperandPrinter::IsNull(const Operand& operand) {
  const std::string value = Print(operand);
  if (KindOf(operand) == SqlKind::kJson) {
    return "COALESCE(json_typeof(" + value + ") = 'null', true)";
  }
  return "(" + value + " IS NULL)";
}

std::string OperandPrinter::TextMatch(const Operand& left, const std::string& query) {
  const std::string words = AnyWordQuery(QuotedWords(query));
  const PgColumn* field = table_.FindField(left.name);
  const PgColumn* column = field == nullptr ? nullptr : table_.FindWords(field->member);
  if (words.empty() || column == nullptr) {
    return std::string(kFalse);
  }
  return Known("t." + column->name + " @@ (" + Text(words) + "::text)::tsquery");
}

}  // namespace roost
