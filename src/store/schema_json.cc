#include "store/schema_json.h"

#include <initializer_list>
#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json.h"

namespace roost {

namespace {

namespace bj = boost::json;

// Reads the members of one object and remembers the first mistake.
class Members {
 public:
  Members(const bj::value& value, std::string where) : where_(std::move(where)) {
    if (value.is_object()) {
      object_ = &value.get_object();
    } else {
      Fail("must be an object");
    }
  }

  void Allow(std::initializer_list<std::string_view> names) {
    if (object_ == nullptr) {
      return;
    }
    for (const auto& [name, value] : *object_) {
      if (std::find(names.begin(), names.end(), std::string_view(name)) == names.end()) {
        Fail(fmt::format("has an unknown member \"{}\"; known members: {}", std::string_view(name),
                         fmt::join(names, ", ")));
      }
    }
  }

  const bj::value* Find(std::string_view name) const {
    return object_ == nullptr ? nullptr : object_->if_contains(name);
  }

  void Read(std::string_view name, std::string& out, bool required = false) {
    if (const bj::value* value = Find(name)) {
      if (value->is_string()) {
        out = std::string(value->get_string());
      } else {
        Fail(fmt::format("needs a string as \"{}\"", name));
      }
    } else if (required) {
      Fail(fmt::format("needs \"{}\"", name));
    }
  }

  void Read(std::string_view name, bool& out) {
    if (const bj::value* value = Find(name)) {
      if (value->is_bool()) {
        out = value->get_bool();
      } else {
        Fail(fmt::format("needs true or false as \"{}\"", name));
      }
    }
  }

  void Read(std::string_view name, uint32_t& out) {
    if (const bj::value* value = Find(name)) {
      bj::error_code error;
      const auto number = value->to_number<uint32_t>(error);
      if (error) {
        Fail(fmt::format("needs an integer from 0 to {} as \"{}\"",
                         std::numeric_limits<uint32_t>::max(), name));
      } else {
        out = number;
      }
    }
  }

  template <typename Parsed>
  void ReadNamed(std::string_view name, Parsed& out, Result<Parsed> (*parse)(std::string_view),
                 bool required) {
    std::string text;
    Read(name, text, required);
    if (!text.empty()) {
      Result<Parsed> parsed = parse(text);
      if (parsed.ok()) {
        out = *parsed;
      } else {
        Fail(fmt::format("has a wrong \"{}\": {}", name, parsed.error().message));
      }
    }
  }

  void Fail(std::string what) {
    if (status_.ok()) {
      status_ = InvalidArgument(where_ + " " + std::move(what));
    }
  }
  const Status& status() const { return status_; }

 private:
  const bj::object* object_ = nullptr;
  std::string where_;
  Status status_;
};

Result<Value> ScalarFromJson(const bj::value& value, DataType type, DataType element_type) {
  switch (value.kind()) {
    case bj::kind::null:
      return Value{};
    case bj::kind::bool_:
      return Value(value.get_bool());
    case bj::kind::int64:
      if (type == DataType::kFloat || type == DataType::kDouble) {
        return Value(static_cast<double>(value.get_int64()));
      }
      return type == DataType::kJson ? Value(Json{bj::serialize(value)}) : Value(value.get_int64());
    case bj::kind::double_:
      return Value(value.get_double());
    case bj::kind::string:
      if (type == DataType::kJson) {
        return Value(Json{bj::serialize(value)});
      }
      return Value(std::string(value.get_string()));
    case bj::kind::array:
      if (type == DataType::kArray) {
        Array array;
        for (const bj::value& element : value.get_array()) {
          array.push_back(TRY(ScalarFromJson(element, element_type, element_type)));
        }
        return Value(std::move(array));
      }
      return Value(Json{bj::serialize(value)});
    case bj::kind::object:
      return Value(Json{bj::serialize(value)});
    default:
      return InvalidArgument("the default is out of range");
  }
}

Result<FieldSchema> FieldFromJson(const bj::value& json, size_t position) {
  FieldSchema field;
  Members members(json, fmt::format("field {}", position));
  members.Allow(
      {"name", "type", "element_type", "max_length", "max_capacity", "nullable", "default"});
  members.Read("name", field.name, true);
  members.ReadNamed("type", field.type, &ParseDataType, true);
  members.ReadNamed("element_type", field.element_type, &ParseDataType,
                    field.type == DataType::kArray);
  members.Read("max_length", field.max_length);
  members.Read("max_capacity", field.max_capacity);
  members.Read("nullable", field.nullable);
  TRY(members.status());
  if (const bj::value* value = members.Find("default"); value != nullptr && !value->is_null()) {
    field.default_value = TRY(ScalarFromJson(*value, field.type, field.element_type));
  }
  return field;
}

Result<VectorFieldSchema> VectorFromJson(const bj::value& json, size_t position) {
  VectorFieldSchema vector;
  Members members(json, fmt::format("vector {}", position));
  members.Allow({"name", "type", "dimension", "metric", "nullable", "index"});
  members.Read("name", vector.name, true);
  members.ReadNamed("type", vector.type, &ParseDataType, false);
  members.Read("dimension", vector.dimension);
  members.ReadNamed("metric", vector.metric, &ParseMetric, false);
  members.Read("nullable", vector.nullable);
  TRY(members.status());
  if (const bj::value* index = members.Find("index")) {
    Members parameters(*index, fmt::format("the index of vector {}", position));
    parameters.Allow({"type", "m", "ef_construction"});
    parameters.Read("type", vector.index);
    parameters.Read("m", vector.hnsw_m);
    parameters.Read("ef_construction", vector.hnsw_ef_construction);
    TRY(parameters.status());
  }
  return vector;
}

void AppendDefault(std::string& out, const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) {
    out.push_back('[');
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) {
        out.push_back(',');
      }
      AppendDefault(out, (*array)[i]);
    }
    out.push_back(']');
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    AppendJsonInt(out, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    AppendJsonDouble(out, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    AppendJsonString(out, *text);
  } else if (const auto* json = std::get_if<Json>(&value)) {
    out += json->text;
  } else {
    out += "null";
  }
}

void AppendText(std::string& out, std::string_view name, std::string_view text) {
  AppendJsonString(out, name);
  out.push_back(':');
  AppendJsonString(out, text);
}

void AppendField(std::string& out, const FieldSchema& field) {
  out.push_back('{');
  AppendText(out, "name", field.name);
  out.push_back(',');
  AppendText(out, "type", DataTypeName(field.type));
  if (field.type == DataType::kArray) {
    out.push_back(',');
    AppendText(out, "element_type", DataTypeName(field.element_type));
  }
  out += fmt::format(R"(,"max_length":{},"max_capacity":{},"nullable":{})", field.max_length,
                     field.max_capacity, field.nullable);
  if (field.default_value) {
    out += R"(,"default":)";
    AppendDefault(out, *field.default_value);
  }
  out.push_back('}');
}

void AppendVectorField(std::string& out, const VectorFieldSchema& vector) {
  out.push_back('{');
  AppendText(out, "name", vector.name);
  out.push_back(',');
  AppendText(out, "type", DataTypeName(vector.type));
  out += fmt::format(R"(,"dimension":{},"nullable":{},)", vector.dimension, vector.nullable);
  AppendText(out, "metric", MetricName(vector.metric));
  out += R"(,"index":{)";
  AppendText(out, "type", vector.index);
  out += fmt::format(R"(,"m":{},"ef_construction":{}}}}})", vector.hnsw_m,
                     vector.hnsw_ef_construction);
}

}  // namespace

std::string SchemaToJson(const CollectionSchema& schema) {
  std::string out = "{";
  AppendText(out, "name", schema.name);
  out.push_back(',');
  AppendText(out, "description", schema.description);
  out += R"(,"key":{)";
  AppendText(out, "name", schema.key_field);
  out += schema.key_type == KeyType::kInt64 ? R"(,"type":"INT64"},)" : R"(,"type":"VARCHAR"},)";
  AppendText(out, "tenant_field", schema.tenant_field);
  out += fmt::format(R"(,"dynamic":{},"fields":[)", schema.dynamic);
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    out += i > 0 ? "," : "";
    AppendField(out, schema.fields[i]);
  }
  out += R"(],"vectors":[)";
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    out += i > 0 ? "," : "";
    AppendVectorField(out, schema.vectors[i]);
  }
  out += "]}";
  return out;
}

Result<CollectionSchema> SchemaFromJson(std::string_view json) {
  bj::error_code error;
  bj::parse_options options;
  options.max_depth = 32;
  const bj::value document =
      bj::parse(bj::string_view(json.data(), json.size()), error, {}, options);
  if (error) {
    return InvalidArgument("the schema is not valid JSON: " + error.message());
  }
  CollectionSchema schema;
  Members members(document, "the schema");
  members.Allow({"name", "description", "key", "tenant_field", "dynamic", "fields", "vectors"});
  members.Read("name", schema.name, true);
  members.Read("description", schema.description);
  members.Read("tenant_field", schema.tenant_field);
  members.Read("dynamic", schema.dynamic);
  TRY(members.status());
  if (const bj::value* key = members.Find("key")) {
    Members parts(*key, "\"key\"");
    std::string type = "VARCHAR";
    parts.Allow({"name", "type"});
    parts.Read("name", schema.key_field);
    parts.Read("type", type);
    if (type != "VARCHAR" && type != "INT64") {
      parts.Fail("must have the type VARCHAR or INT64");
    }
    TRY(parts.status());
    schema.key_type = type == "INT64" ? KeyType::kInt64 : KeyType::kVarChar;
  }
  for (const std::string_view list : {"fields", "vectors"}) {
    const bj::value* values = members.Find(list);
    if (values == nullptr) {
      continue;
    }
    if (!values->is_array()) {
      return InvalidArgument(fmt::format("\"{}\" must be an array", list));
    }
    size_t position = 0;
    for (const bj::value& value : values->get_array()) {
      ++position;
      if (list == "fields") {
        schema.fields.push_back(TRY(FieldFromJson(value, position)));
      } else {
        schema.vectors.push_back(TRY(VectorFromJson(value, position)));
      }
    }
  }
  return schema;
}

}  // namespace roost
