#include "adapters/weaviate/weaviate_codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>
#include <span>

#include <v1/batch.pb.h>
#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_names.h"
#include "store/json_value.h"
#include "store/scalar_text.h"
#include "store/tokenizer.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

constexpr std::string_view kDynamicMember = "$meta";

bool IsInteger(DataType type) { return type >= DataType::kInt8 && type <= DataType::kInt64; }

bool IsFloating(DataType type) { return type == DataType::kFloat || type == DataType::kDouble; }

/// What Go's unicode.IsSpace takes, and a little more.
bool IsSpace(char32_t c) {
  return c <= 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202F) || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

bool GetsTrimmed(std::string_view text) {
  if (text.empty()) {
    return true;
  }
  size_t position = 0;
  const char32_t first = NextCodePoint(text, position);
  size_t last_start = text.size() - 1;
  while (last_start > 0 && (static_cast<unsigned char>(text[last_start]) & 0xC0) == 0x80) {
    --last_start;
  }
  return IsSpace(first) || IsSpace(NextCodePoint(text, last_start));
}

/// True when Weaviate cannot give the value back: it goes into kExactProperty.
bool IsLost(const Value& value, DataType type) {
  if (const auto* array = std::get_if<Array>(&value)) {
    return array->empty() || std::any_of(array->begin(), array->end(), [&](const Value& element) {
             return IsLost(element, type);
           });
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return IsInteger(type) && (*integer > kExactInteger || *integer < -kExactInteger);
  }
  return type == DataType::kJson;
}

google::protobuf::Value& Member(pb::BatchObject& object, const std::string& name) {
  return (*object.mutable_properties()->mutable_non_ref_properties()->mutable_fields())[name];
}

/// What an integer that is no double is to other clients, and to the index.
double Rounded(int64_t value) {
  return static_cast<double>(std::clamp(value, -kExactInteger, kExactInteger));
}

void EncodeScalar(pb::BatchObject& object, const std::string& name, DataType type,
                  const Value& value) {
  google::protobuf::Value& out = Member(object, name);
  if (const auto* boolean = std::get_if<bool>(&value)) {
    out.set_bool_value(*boolean);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    if (type == DataType::kTimestamp) {
      out.set_string_value(FormatTimestamp(*integer));
    } else {
      out.set_number_value(Rounded(*integer));
    }
  } else if (const auto* number = std::get_if<double>(&value)) {
    out.set_number_value(*number);
  } else {
    out.set_string_value(std::get<std::string>(value));
  }
}

void EncodeArray(pb::BatchObject& object, const std::string& name, DataType type,
                 const Array& array) {
  auto& properties = *object.mutable_properties();
  if (type == DataType::kBool) {
    auto& out = *properties.add_boolean_array_properties();
    out.set_prop_name(name);
    for (const Value& value : array) {
      out.add_values(std::get<bool>(value));
    }
  } else if (IsFloating(type)) {
    auto& out = *properties.add_number_array_properties();
    out.set_prop_name(name);
    for (const Value& value : array) {
      const double number = std::get<double>(value);
      out.mutable_values_bytes()->append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
  } else if (IsInteger(type)) {
    auto& out = *properties.add_int_array_properties();
    out.set_prop_name(name);
    for (const Value& value : array) {
      out.add_values(static_cast<int64_t>(Rounded(std::get<int64_t>(value))));
    }
  } else {
    auto& out = *properties.add_text_array_properties();
    out.set_prop_name(name);
    for (const Value& value : array) {
      out.add_values(type == DataType::kTimestamp ? FormatTimestamp(std::get<int64_t>(value))
                                                  : std::get<std::string>(value));
    }
  }
}

std::string JoinWords(const std::string& text) {
  std::string joined;
  for (const std::string& word : Tokenize(text)) {
    joined += (joined.empty() ? "" : " ") + word;
  }
  return joined;
}

std::string KeyText(const Key& key) {
  const auto* integer = std::get_if<int64_t>(&key);
  return integer != nullptr ? std::to_string(*integer) : std::get<std::string>(key);
}

std::string JsonText(const Value& value) {
  std::string text;
  AppendJsonValue(text, value);
  return text;
}

Result<Key> KeyFromText(KeyType type, const std::string& text) {
  if (type == KeyType::kVarChar) {
    return Key(text);
  }
  int64_t integer = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    return DataLoss("its key is not an integer");
  }
  return Key(integer);
}

Value TimeValue(const std::string& text) {
  const auto micros = ParseTimestamp(text);
  return micros ? Value(*micros) : Value();
}

template <typename Number>
Array FixedNumbers(const std::string& bytes) {
  Array array;
  for (size_t i = 0; i + sizeof(Number) <= bytes.size(); i += sizeof(Number)) {
    Number number;
    std::memcpy(&number, bytes.data() + i, sizeof(number));
    array.emplace_back(number);
  }
  return array;
}

Value DecodeList(const pb::ListValue& list) {
  Array array;
  if (list.has_number_values()) {
    array = FixedNumbers<double>(list.number_values().values());
  } else if (list.has_int_values()) {
    array = FixedNumbers<int64_t>(list.int_values().values());
  } else if (list.has_bool_values()) {
    for (const bool value : list.bool_values().values()) {
      array.emplace_back(value);
    }
  } else if (list.has_date_values()) {
    for (const auto& value : list.date_values().values()) {
      array.push_back(TimeValue(value));
    }
  } else if (list.has_uuid_values()) {
    for (const auto& value : list.uuid_values().values()) {
      array.emplace_back(value);
    }
  } else if (list.has_text_values()) {
    for (const auto& value : list.text_values().values()) {
      array.emplace_back(value);
    }
  }
  return array.empty() ? Value() : Value(std::move(array));
}

Value ScalarOf(const pb::Value& value) {
  switch (value.kind_case()) {
    case pb::Value::kNumberValue:
      return value.number_value();
    case pb::Value::kBoolValue:
      return value.bool_value();
    case pb::Value::kIntValue:
      return value.int_value();
    case pb::Value::kDateValue:
      return TimeValue(value.date_value());
    case pb::Value::kUuidValue:
      return value.uuid_value();
    case pb::Value::kTextValue:
      return value.text_value();
    case pb::Value::kListValue:
      return DecodeList(value.list_value());
    default:
      return Value();
  }
}

void DecodeExact(const WeaviateTable& table, const std::string& text, Record& record) {
  for (auto& [name, json] : JsonMembers(text)) {
    if (name == kDynamicMember) {
      record.dynamic = std::move(json);
      continue;
    }
    const auto index = table.FindField(name);
    if (!index) {
      continue;
    }
    record.fields[name] = table.field(*index).type == DataType::kJson ? Value(Json{std::move(json)})
                                                                      : JsonToValue(json);
  }
}

void AddFields(const WeaviateTable& table, const Operand& operand, std::set<size_t>& fields,
               bool& dynamic) {
  if (const auto index = table.FindField(operand.name)) {
    fields.insert(*index);
  }
  dynamic = dynamic || (operand.name.empty() && (operand.kind == Operand::Kind::kJsonPath ||
                                                 operand.kind == Operand::Kind::kArrayLength));
  for (const Operand& child : operand.children) {
    AddFields(table, child, fields, dynamic);
  }
}

void AddFields(const WeaviateTable& table, const Filter& filter, std::set<size_t>& fields,
               bool& dynamic) {
  AddFields(table, filter.left, fields, dynamic);
  AddFields(table, filter.right, fields, dynamic);
  for (const FilterPtr& child : filter.children) {
    AddFields(table, *child, fields, dynamic);
  }
}

}  // namespace

bool IsOdd(const Value& value, DataType type) {
  if (const auto* array = std::get_if<Array>(&value)) {
    return array->empty() || std::any_of(array->begin(), array->end(), [&](const Value& element) {
             return IsOdd(element, type);
           });
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return type != DataType::kUuid && GetsTrimmed(*text);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return *number == 0 && std::signbit(*number);
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return type == DataType::kTimestamp ? *integer < kMinIndexedTime || *integer > kMaxIndexedTime
                                        : IsLost(value, type);
  }
  return false;
}

void EncodeRecord(const WeaviateTable& table, const Record& record, pb::BatchObject& object) {
  const ObjectId id = ObjectIdOf(record.key.key);
  object.set_uuid(id.ToString());
  object.set_collection(table.class_name);
  Member(object, std::string(kKeyProperty)).set_string_value(KeyText(record.key.key));
  Member(object, std::string(kBucketProperty)).set_number_value(static_cast<double>(id.Bucket()));
  if (table.schema.multi_tenant()) {
    object.set_tenant(TenantNameOf(record.key.tenant));
    Member(object, std::string(kTenantProperty)).set_string_value(record.key.tenant);
  }
  std::vector<std::pair<std::string, std::string>> exact;
  std::vector<std::string> odd;
  for (size_t i = 0; i < table.schema.fields.size(); ++i) {
    const FieldSchema& field = table.field(i);
    const auto found = record.fields.find(field.name);
    if (found == record.fields.end() || found->second.is_null()) {
      continue;
    }
    const Value& value = found->second;
    if (field.type == DataType::kJson) {
      exact.emplace_back(field.name, std::get<Json>(value).text);
      continue;
    }
    const DataType type = field.type == DataType::kArray ? field.element_type : field.type;
    if (const auto* array = std::get_if<Array>(&value)) {
      if (!array->empty()) {
        EncodeArray(object, table.properties[i], type, *array);
      }
    } else {
      EncodeScalar(object, table.properties[i], type, value);
    }
    if (!table.words[i].empty()) {
      Member(object, table.words[i]).set_string_value(JoinWords(std::get<std::string>(value)));
    }
    if (IsLost(value, type)) {
      exact.emplace_back(field.name, JsonText(value));
    }
    if (IsOdd(value, type)) {
      odd.push_back(table.properties[i]);
    }
  }
  if (!record.dynamic.empty()) {
    exact.emplace_back(kDynamicMember, record.dynamic);
  }
  if (!exact.empty()) {
    Member(object, std::string(kExactProperty)).set_string_value(JsonObject(std::move(exact)));
  }
  if (!odd.empty()) {
    auto& names = *object.mutable_properties()->add_text_array_properties();
    names.set_prop_name(std::string(kOddProperty));
    for (std::string& name : odd) {
      names.add_values(std::move(name));
    }
  }
  for (size_t i = 0; i < table.vectors.size(); ++i) {
    const auto found = record.vectors.find(table.schema.vectors[i].name);
    if (found != record.vectors.end()) {
      auto& vector = *object.add_vectors();
      vector.set_name(table.vectors[i]);
      vector.set_vector_bytes(EncodeVector(found->second));
    }
  }
}

Wanted WantedFor(const WeaviateTable& table, const OutputFields& output) {
  Wanted wanted{.scalars = output.all_scalars, .vectors = output.vectors};
  for (const std::string& name : output.fields) {
    if (table.FindVector(name)) {
      wanted.vectors = true;
    } else if (const auto field = table.FindField(name)) {
      wanted.fields.push_back(*field);
    } else if (name != table.schema.key_field) {
      wanted.exact = true;  // a dynamic field
    }
  }
  std::sort(wanted.fields.begin(), wanted.fields.end());
  return wanted;
}

Wanted WantedFor(const WeaviateTable& table, const Filter& filter) {
  Wanted wanted{.scalars = false};
  std::set<size_t> fields;
  AddFields(table, filter, fields, wanted.exact);
  wanted.fields.assign(fields.begin(), fields.end());
  return wanted;
}

void AskFor(const WeaviateTable& table, const Wanted& wanted, pb::SearchRequest& request) {
  auto& properties = *request.mutable_properties();
  properties.add_non_ref_properties(std::string(kKeyProperty));
  if (wanted.scalars || wanted.exact || !wanted.fields.empty()) {
    properties.add_non_ref_properties(std::string(kExactProperty));
  }
  for (size_t i = 0; i < table.properties.size(); ++i) {
    const bool asked =
        wanted.scalars || std::binary_search(wanted.fields.begin(), wanted.fields.end(), i);
    if (asked && HasProperty(table.field(i))) {
      properties.add_non_ref_properties(table.properties[i]);
    }
  }
  request.mutable_metadata()->set_uuid(true);
  for (size_t i = 0; i < table.vectors.size(); ++i) {
    if (wanted.vectors || wanted.vector == i) {
      request.mutable_metadata()->add_vectors(table.vectors[i]);
    }
  }
  UseNewestReply(request);
}

void UseNewestReply(pb::SearchRequest& request) {
  // The reply's form since 1.27; the server goes by all three.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  request.set_uses_123_api(true);
  request.set_uses_125_api(true);
#pragma GCC diagnostic pop
  request.set_uses_127_api(true);
}

void EncodeValue(pb::BatchObject& object, const std::string& property, const FieldSchema& field,
                 const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) {
    EncodeArray(object, property, field.element_type, *array);
  } else {
    EncodeScalar(object, property, field.type, value);
  }
}

Value DecodeValue(const pb::Value& value) { return ScalarOf(value); }

Result<Record> DecodeObject(const WeaviateTable& table, const std::string& tenant,
                            const pb::SearchResult& object) {
  const auto& members = object.properties().non_ref_props().fields();
  const auto key = members.find(std::string(kKeyProperty));
  const auto foreign = [&](const std::string& why) {
    return DataLoss("object " + object.metadata().id() + " of class " + table.class_name +
                    " was not written by Roost: " + why + "; delete it");
  };
  if (key == members.end() || key->second.kind_case() != pb::Value::kTextValue) {
    return foreign("it has no key");
  }
  Record record;
  record.key.tenant = tenant;
  auto own = KeyFromText(table.schema.key_type, key->second.text_value());
  if (!own.ok()) {
    return foreign(own.error().message);
  }
  record.key.key = *std::move(own);
  for (size_t i = 0; i < table.properties.size(); ++i) {
    const auto found = members.find(table.properties[i]);
    if (found == members.end()) {
      continue;
    }
    Value value = ScalarOf(found->second);
    if (!value.is_null()) {
      record.fields[table.field(i).name] = std::move(value);
    }
  }
  const auto exact = members.find(std::string(kExactProperty));
  if (exact != members.end()) {
    DecodeExact(table, exact->second.text_value(), record);
  }
  for (const auto& vector : object.metadata().vectors()) {
    for (size_t i = 0; i < table.vectors.size(); ++i) {
      if (table.vectors[i] == vector.name() && !vector.vector_bytes().empty()) {
        const VectorFieldSchema& field = table.schema.vectors[i];
        record.vectors[field.name] = DecodeVector(field.type, vector.vector_bytes());
      }
    }
  }
  return record;
}

Vector DecodeVector(DataType type, const std::string& bytes) {
  if (type == DataType::kFloatVector) {
    return {.type = type, .bytes = bytes};
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return FromFloats(type, values);
}

std::string EncodeVector(const Vector& vector) {
  if (vector.type == DataType::kFloatVector) {
    return vector.bytes;
  }
  const std::vector<float> values = ToFloats(vector);
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace roost
