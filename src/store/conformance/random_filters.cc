#include "store/conformance/random_filters.h"

#include <array>

#include "store/json_value.h"

namespace roost::conformance {
namespace {

constexpr std::array<int64_t, 12> kIntegers = {-3, -1, 0, 1, 2, 3, 5, 7, 100, -128, 127, 50};
constexpr std::array<double, 10> kDoubles = {-2.5, -1, 0, 0.5, 1, 1.5, 2, 3, 0.1, 100};
constexpr std::array<std::string_view, 12> kStrings = {
    "", "a", "ab", "abc", "b", "ba", "größe", "gr", "100%", "a_c", "back\\slash", "quo'te\""};
constexpr std::array<std::string_view, 5> kTexts = {"The quick brown fox", "a lazy dog", "fox FOX",
                                                    "", "Über größe"};
constexpr std::array<std::string_view, 3> kUuids = {"123e4567-e89b-12d3-a456-426614174000",
                                                    "00000000-0000-0000-0000-000000000000",
                                                    "ffffffff-ffff-ffff-ffff-ffffffffffff"};
constexpr std::array<std::string_view, 9> kPatterns = {"%",   "a%",      "%b",       "%b%",  "_",
                                                       "a_c", "a\\\\_c", "100\\\\%", "gr__e"};
constexpr int64_t kTime = 1'735'689'600'000'000;

template <typename T, size_t kSize>
const T& One(Random& random, const std::array<T, kSize>& from) {
  return from[random.Below(kSize)];
}

bool IsFloating(DataType type) { return type == DataType::kFloat || type == DataType::kDouble; }

bool IsString(DataType type) {
  return type == DataType::kVarChar || type == DataType::kText || type == DataType::kUuid;
}

std::string StringLiteral(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return out + "\"";
}

std::string LiteralOf(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return StringLiteral(*text);
  }
  std::string out;
  AppendJsonValue(out, value);
  return out;
}

}  // namespace

CollectionSchema FilterSchema(const Capabilities& capabilities, std::string name, Metric metric) {
  CollectionSchema schema;
  schema.name = std::move(name);
  schema.dynamic = capabilities.dynamic_fields;
  schema.tenant_field = capabilities.tenants ? "tenant" : "";
  schema.vectors = {{.name = "v", .dimension = 4, .metric = metric}};
  for (int i = 0; i < static_cast<int>(DataType::kArray); ++i) {
    const auto type = static_cast<DataType>(i);
    if (!capabilities.types.contains(type)) {
      continue;
    }
    schema.fields.push_back({.name = "f" + std::to_string(i), .type = type});
    schema.fields.push_back({.name = "g" + std::to_string(i), .type = type});
    if (capabilities.types.contains(DataType::kArray) && type != DataType::kJson &&
        type != DataType::kText) {
      schema.fields.push_back(
          {.name = "a" + std::to_string(i), .type = DataType::kArray, .element_type = type});
    }
  }
  return schema;
}

std::string_view FilterGenerator::Pick(std::initializer_list<std::string_view> from) {
  return from.begin()[random_.Below(from.size())];
}

Value FilterGenerator::NextValue(DataType type) {
  switch (type) {
    case DataType::kBool:
      return Chance(50);
    case DataType::kFloat:
      return static_cast<double>(static_cast<float>(One(random_, kDoubles)));
    case DataType::kDouble:
      return Chance(5) ? 0x1p53 : One(random_, kDoubles);
    case DataType::kVarChar:
      return std::string(One(random_, kStrings));
    case DataType::kText:
      return std::string(One(random_, kTexts));
    case DataType::kUuid:
      return std::string(One(random_, kUuids));
    case DataType::kTimestamp:
      return kTime + One(random_, kIntegers) * 1'000'000;
    case DataType::kJson:
      return Json{NextJson(2)};
    case DataType::kInt64:
      return Chance(5) ? (int64_t{1} << 53) + 1 : One(random_, kIntegers);
    default:
      return One(random_, kIntegers);
  }
}

std::string FilterGenerator::NextJson(int depth) {
  switch (random_.Below(depth > 0 ? 8 : 5)) {
    case 0:
      return std::to_string(One(random_, kIntegers));
    case 1:
      return LiteralOf(One(random_, kDoubles));
    case 2:
      return LiteralOf(std::string(One(random_, kStrings)));
    case 3:
      return Chance(50) ? "true" : "false";
    case 4:
      return Chance(30) ? "null" : "9007199254740993";
    case 5: {
      std::string list = "[";
      for (uint64_t i = random_.Below(4); i > 0; --i) {
        list += NextJson(depth - 1) + (i > 1 ? "," : "");
      }
      return list + "]";
    }
    default: {
      std::string object = "{";
      for (const std::string_view member : {"a", "b", "größe"}) {
        if (Chance(70)) {
          object +=
              (object.size() > 1 ? "," : "") + StringLiteral(member) + ":" + NextJson(depth - 1);
        }
      }
      return object + "}";
    }
  }
}

Record FilterGenerator::NextRecord(size_t number) {
  Record record;
  record.key.key = std::string(One(random_, kStrings)) + "#" + std::to_string(number);
  if (schema_.multi_tenant()) {
    record.key.tenant = Pick({"t1", "t2", "größe"});
  }
  record.vectors["v"] = Vector::Floats(std::vector<float>{
      static_cast<float>(random_.NextDouble()) + 0.1f, static_cast<float>(random_.NextDouble()),
      static_cast<float>(random_.NextDouble()), static_cast<float>(random_.NextDouble())});
  for (const auto& field : schema_.fields) {
    if (Chance(20)) {
      continue;
    }
    if (field.type != DataType::kArray) {
      record.fields[field.name] = NextValue(field.type);
      continue;
    }
    Array array;
    for (uint64_t i = random_.Below(5); i > 0; --i) {
      array.push_back(NextValue(field.element_type));
    }
    record.fields[field.name] = std::move(array);
  }
  if (schema_.dynamic && Chance(80)) {
    record.dynamic = R"({"x":)" + NextJson(2) + R"(,"y":)" + NextJson(1) + "}";
  }
  return record;
}

std::string FilterGenerator::Comparison() {
  return std::string(Pick({" == ", " != ", " < ", " <= ", " > ", " >= "}));
}

std::string FilterGenerator::Literal(DataType type) {
  if (type == DataType::kTimestamp && Chance(50)) {
    return "\"2025-01-01T00:00:0" + std::to_string(random_.Below(10)) + "Z\"";
  }
  if (type == DataType::kDouble && Chance(10)) {
    return "9007199254740993";
  }
  if (type == DataType::kInt64 && Chance(10)) {
    return "9007199254740992.0";
  }
  if (!IsFloating(type) && !IsString(type) && type != DataType::kBool && Chance(10)) {
    return std::string(Pick({"1.5", "300", "-9223372036854775808", "1e300"}));
  }
  return LiteralOf(NextValue(type));
}

std::string FilterGenerator::AnyLiteral() {
  return Literal(static_cast<DataType>(
      std::array{DataType::kBool, DataType::kInt64, DataType::kDouble, DataType::kVarChar,
                 DataType::kVarChar, DataType::kInt64}[random_.Below(6)]));
}

std::string FilterGenerator::List(DataType type) {
  std::string list = "[";
  for (uint64_t i = random_.Below(5); i > 0; --i) {
    list += Literal(type) + (i > 1 ? ", " : "");
  }
  return list + "]";
}

std::string FilterGenerator::AnyList() {
  std::string list = "[";
  for (uint64_t i = random_.Below(5); i > 0; --i) {
    list += AnyLiteral() + (i > 1 ? ", " : "");
  }
  return list + "]";
}

/// Another number of the record or a literal, sometimes in arithmetic.
std::string FilterGenerator::NumberTerm(DataType type) {
  const auto& field = schema_.fields[random_.Below(schema_.fields.size())];
  std::string term = Literal(type == DataType::kTimestamp ? DataType::kInt64 : type);
  if (Chance(40) && static_cast<uint8_t>(field.type) >= static_cast<uint8_t>(DataType::kInt8) &&
      field.type <= DataType::kDouble) {
    term = field.name;
    if (Chance(50)) {
      term = "(" + term + std::string(Pick({" + ", " - ", " * ", " / "})) +
             Literal(DataType::kInt16).insert(0, "(1 + ") + "))";
    }
  }
  return term;
}

std::string FilterGenerator::NumberCondition(const std::string& name, DataType type) {
  switch (random_.Below(6)) {
    case 0:
      return name + " in " + List(type);
    case 1:
      return name + " not in " + List(type);
    case 2:
      return Literal(type) + " < " + name + " <= " + Literal(type);
    case 3:
      return NumberTerm(type == DataType::kTimestamp ? DataType::kInt64 : type) + Comparison() +
             name;
    case 4:
      return IsFloating(type) ? name + " * 2" + Comparison() + name + " + 1"
                              : name + " % 3 == " + std::to_string(random_.Below(3));
    default:
      return name + Comparison() + Literal(type);
  }
}

std::string FilterGenerator::StringCondition(const std::string& name) {
  switch (random_.Below(4)) {
    case 0:
      return name + std::string(Pick({" in ", " not in "})) + List(DataType::kVarChar);
    case 1:
      return name + " like \"" + std::string(One(random_, kPatterns)) + "\"";
    default:
      return name + Comparison() + Literal(DataType::kVarChar);
  }
}

std::string FilterGenerator::JsonName(const std::string& field) {
  return field + std::string(Pick({"", "[\"a\"]", "[\"b\"]", "[\"größe\"]", "[\"a\"][\"b\"]", "[0]",
                                   "[1]", "[\"a\"][0]", "[\"0\"]"}));
}

std::string FilterGenerator::JsonCondition(const std::string& path) {
  switch (random_.Below(9)) {
    case 0:
      return path + std::string(Pick({" in ", " not in "})) + AnyList();
    case 1:
      return "exists " + path;
    case 2:
      return path + std::string(Pick({" is null", " is not null"}));
    case 3:
      return path + " like \"" + std::string(One(random_, kPatterns)) + "\"";
    case 4:
      return "json_contains(" + path + ", " + AnyLiteral() + ")";
    case 5:
      return std::string(Pick({"json_contains_all(", "JSON_CONTAINS_ANY("})) + path + ", " +
             AnyList() + ")";
    case 6:
      return "array_length(" + path + ")" + Comparison() + std::to_string(random_.Below(4));
    case 7:
      return path + std::string(Pick({" == ", " != "})) + AnyList();
    default: {
      std::string literal = AnyLiteral();
      const bool truth = literal == "true" || literal == "false";
      return path + (truth ? std::string(Pick({" == ", " != "})) : Comparison()) + literal;
    }
  }
}

std::string FilterGenerator::ArrayCondition(const FieldSchema& field) {
  const DataType type = field.element_type;
  switch (random_.Below(6)) {
    case 0:
      return "array_contains(" + field.name + ", " + Literal(type) + ")";
    case 1:
      return "ARRAY_CONTAINS_ALL(" + field.name + ", " + List(type) + ")";
    case 2:
      return "array_contains_any(" + field.name + ", " + List(type) + ")";
    case 3:
      return "array_length(" + field.name + ")" + Comparison() + std::to_string(random_.Below(5));
    case 4:
      return field.name + std::string(Pick({" == ", " != "})) + List(type);
    default: {
      const std::string element = field.name + "[" + std::to_string(random_.Below(3)) + "]";
      return element + (type == DataType::kBool ? " == " : Comparison()) + Literal(type);
    }
  }
}

std::string FilterGenerator::FieldCondition(const FieldSchema& field) {
  if (Chance(10)) {
    return field.name + std::string(Pick({" is null", " is not null", " IS NULL"}));
  }
  switch (field.type) {
    case DataType::kBool:
      return field.name + std::string(Pick({"", " == true", " != true", " == False"}));
    case DataType::kVarChar:
      return StringCondition(field.name);
    case DataType::kText:
      return Chance(50)
                 ? "text_match(" + field.name + ", \"" +
                       std::string(Pick({"fox", "DOG brown", "größe", "...", "none"})) + "\")"
                 : StringCondition(field.name);
    case DataType::kUuid:
      return field.name + Comparison() + Literal(field.type);
    case DataType::kJson:
      return JsonCondition(JsonName(field.name));
    case DataType::kArray:
      return ArrayCondition(field);
    default:
      return NumberCondition(field.name, field.type);
  }
}

std::string FilterGenerator::KeyCondition() {
  if (schema_.multi_tenant() && Chance(50)) {
    return schema_.tenant_field + std::string(Pick({" == ", " != ", " > "})) +
           std::string(Pick({"\"t1\"", "\"größe\"", "\"none\""}));
  }
  return StringCondition(schema_.key_field);
}

std::string FilterGenerator::Condition() {
  if (Chance(10)) {
    return KeyCondition();
  }
  if (schema_.dynamic && Chance(15)) {
    return JsonCondition(JsonName(std::string(Pick({"x", "y", "$meta[\"x\"]", "nowhere"}))));
  }
  return schema_.fields.empty()
             ? KeyCondition()
             : FieldCondition(schema_.fields[random_.Below(schema_.fields.size())]);
}

std::string FilterGenerator::NextFilter(int depth) {
  if (depth <= 0 || Chance(30)) {
    return Condition();
  }
  if (Chance(25)) {
    return std::string(Pick({"not (", "!(", "NOT ("})) + NextFilter(depth - 1) + ")";
  }
  const bool all = Chance(50);
  std::string filter;
  for (uint64_t i = 2 + random_.Below(2); i > 0; --i) {
    filter += "(" + NextFilter(depth - 1) + ")";
    if (i > 1) {
      filter += all ? Pick({" and ", " && ", " AND "}) : Pick({" or ", " || ", " OR "});
    }
  }
  return filter;
}

}  // namespace roost::conformance
