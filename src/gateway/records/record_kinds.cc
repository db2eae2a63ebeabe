#include "gateway/records/record_kinds.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "store/schema_json.h"

// default_kinds.json, put into the program by default_kinds.S.
extern "C" const char roost_default_kinds[];
extern "C" const char roost_default_kinds_end[];

namespace roost {

namespace {

namespace bj = boost::json;
namespace f = record_field;

constexpr std::array<std::string_view, 12> kReserved = {
    f::kUniqueId, f::kTenant,   f::kVector, f::kType,    f::kCreated,      f::kModified,
    f::kDevice,   f::kDeviceId, f::kJob,    f::kDeleted, f::kPendingPaths, f::kOtherModified};

FieldSchema Field(std::string_view name, DataType type) {
  FieldSchema field;
  field.name = name;
  field.type = type;
  field.element_type = DataType::kVarChar;
  return field;
}

std::vector<FieldSchema> OwnFields() {
  return {Field(f::kType, DataType::kVarChar),       Field(f::kCreated, DataType::kTimestamp),
          Field(f::kModified, DataType::kTimestamp), Field(f::kOtherModified, DataType::kTimestamp),
          Field(f::kDevice, DataType::kVarChar),     Field(f::kDeviceId, DataType::kVarChar),
          Field(f::kJob, DataType::kVarChar),        Field(f::kDeleted, DataType::kBool),
          Field(f::kPendingPaths, DataType::kArray), Field(f::kS3Path, DataType::kVarChar)};
}

Status CheckMembers(const bj::object& object, const std::set<std::string_view>& known) {
  for (const auto& [name, value] : object) {
    if (!known.contains(std::string_view(name))) {
      return InvalidArgument(fmt::format("unknown member \"{}\"; known members: {}",
                                         std::string_view(name), fmt::join(known, ", ")));
    }
  }
  return {};
}

Result<bool> Flag(const bj::object& object, std::string_view name, bool otherwise) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_bool()) {
    return InvalidArgument(fmt::format("\"{}\" must be true or false", name));
  }
  return value->get_bool();
}

Result<std::string> Text(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr) {
    return std::string();
  }
  if (!value->is_string()) {
    return InvalidArgument(fmt::format("\"{}\" must be a string", name));
  }
  return std::string(value->get_string());
}

// Types and limits of a property are written as those of a collection's field.
Result<FieldSchema> ParseField(bj::object property) {
  property.erase("refers_to");
  property.erase("required");
  if (property.contains("nullable") || property.contains("default")) {
    return InvalidArgument("a property has no \"nullable\" or \"default\"; say \"required\"");
  }
  const bj::value document = {{"name", "kinds"}, {"fields", bj::array{std::move(property)}}};
  CollectionSchema schema = TRY(SchemaFromJson(bj::serialize(document)));
  return std::move(schema.fields.front());
}

Result<RecordProperty> ParseProperty(const bj::value& value) {
  if (!value.is_object()) {
    return InvalidArgument("a property is an object: {\"name\": …, \"type\": …}");
  }
  RecordProperty property;
  property.required = TRY(Flag(value.get_object(), "required", false));
  property.refers_to = TRY(Text(value.get_object(), "refers_to"));
  property.field = TRY(ParseField(value.get_object()));
  const FieldSchema& field = property.field;
  if (IsReservedProperty(field.name)) {
    return InvalidArgument(
        fmt::format("\"{}\" is a field of Roost's own; choose another name", field.name));
  }
  if (field.name == f::kS3Path && field.type != DataType::kVarChar) {
    return InvalidArgument("\"s3_path\" is a VARCHAR in every kind");
  }
  const DataType holds = field.type == DataType::kArray ? field.element_type : field.type;
  if (!property.refers_to.empty() && holds != DataType::kVarChar) {
    return InvalidArgument(fmt::format(
        "\"{}\" refers to records, so it must be VARCHAR or ARRAY of VARCHAR", field.name));
  }
  return property;
}

Result<RecordKind> ParseKind(std::string_view name, const bj::value& value) {
  if (name.empty() || name.size() > 255) {
    return InvalidArgument("a kind's name has 1 to 255 bytes");
  }
  if (!value.is_object()) {
    return InvalidArgument("must be an object");
  }
  const bj::object& object = value.get_object();
  TRY(CheckMembers(object, {"description", "extra_properties", "properties"}));
  RecordKind kind;
  kind.name = name;
  kind.description = TRY(Text(object, "description"));
  kind.extra_properties = TRY(Flag(object, "extra_properties", true));
  const bj::value* properties = object.if_contains("properties");
  if (properties != nullptr && !properties->is_array()) {
    return InvalidArgument("\"properties\" must be an array");
  }
  for (size_t i = 0; properties != nullptr && i < properties->get_array().size(); ++i) {
    Result<RecordProperty> property = ParseProperty(properties->get_array()[i]);
    if (!property.ok()) {
      return property.error().Within(fmt::format("property {}", i));
    }
    if (kind.Find(property->field.name) != nullptr) {
      return InvalidArgument(fmt::format("\"{}\" stands there twice", property->field.name));
    }
    kind.properties.push_back(*std::move(property));
  }
  return kind;
}

// Kinds share one flat collection: a name has one type, and references lead to kinds that exist.
Status CheckTogether(const std::vector<RecordKind>& kinds) {
  std::map<std::string_view, const FieldSchema*> fields;
  for (const RecordKind& kind : kinds) {
    for (const RecordProperty& property : kind.properties) {
      const auto [found, fresh] = fields.emplace(property.field.name, &property.field);
      if (!fresh && !(*found->second == property.field)) {
        return InvalidArgument(fmt::format(
            "\"{}\" of kind \"{}\" is declared differently in another kind; the kinds of a "
            "collection share its fields, so give it the same type and limits",
            property.field.name, kind.name));
      }
      if (!property.refers_to.empty() &&
          std::none_of(kinds.begin(), kinds.end(),
                       [&](const RecordKind& k) { return k.name == property.refers_to; })) {
        return InvalidArgument(
            fmt::format("\"{}\" of kind \"{}\" refers to \"{}\", which is no "
                        "kind of this document",
                        property.field.name, kind.name, property.refers_to));
      }
    }
  }
  return {};
}

Result<std::vector<RecordKind>> ParseKinds(const std::string& text) {
  boost::system::error_code error;
  const bj::value document = bj::parse(text, error);
  if (error || !document.is_object() || !document.get_object().contains("kinds") ||
      !document.at("kinds").is_object()) {
    return InvalidArgument("the document must be {\"kinds\": {\"NAME\": {…}, …}}");
  }
  TRY(CheckMembers(document.get_object(), {"kinds"}));
  std::vector<RecordKind> kinds;
  for (const auto& [name, value] : document.at("kinds").get_object()) {
    Result<RecordKind> kind = ParseKind(name, value);
    if (!kind.ok()) {
      return kind.error().Within(fmt::format("kind \"{}\"", std::string_view(name)));
    }
    kinds.push_back(*std::move(kind));
  }
  if (kinds.empty()) {
    return InvalidArgument("the document has no kind; a collection of records needs one");
  }
  TRY(CheckTogether(kinds));
  return kinds;
}

}  // namespace

bool IsReservedProperty(std::string_view name) {
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

const RecordProperty* RecordKind::Find(std::string_view property) const {
  for (const RecordProperty& one : properties) {
    if (one.field.name == property) {
      return &one;
    }
  }
  return nullptr;
}

Result<RecordKinds> RecordKinds::Parse(std::string_view json) {
  RecordKinds kinds;
  Result<std::string> text = CanonicalJson(json);
  if (!text.ok()) {
    return text.error().Within("record kinds");
  }
  kinds.text_ = *std::move(text);
  Result<std::vector<RecordKind>> parsed = ParseKinds(kinds.text_);
  if (!parsed.ok()) {
    return parsed.error().Within("record kinds");
  }
  kinds.kinds_ = *std::move(parsed);
  return kinds;
}

const RecordKinds& RecordKinds::Default() {
  static const RecordKinds kDefault = [] {
    const std::string_view text(roost_default_kinds,
                                static_cast<size_t>(roost_default_kinds_end - roost_default_kinds));
    Result<RecordKinds> kinds = Parse(text);
    CHECK(kinds.ok());
    return *std::move(kinds);
  }();
  return kDefault;
}

Result<const RecordKind*> RecordKinds::Find(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const RecordKind& kind : kinds_) {
    if (kind.name == name) {
      return &kind;
    }
    names.push_back(kind.name);
  }
  return InvalidArgument(fmt::format("there is no record kind \"{}\"; this collection has {}",
                                     name.substr(0, 300), fmt::join(names, ", ")));
}

CollectionSchema RecordKinds::Layout(std::string collection, uint32_t dimension,
                                     Metric metric) const {
  CollectionSchema schema;
  schema.name = std::move(collection);
  schema.key_type = KeyType::kVarChar;
  schema.key_field = f::kUniqueId;
  schema.tenant_field = f::kTenant;
  schema.dynamic = true;
  schema.fields = OwnFields();
  for (const RecordKind& kind : kinds_) {
    for (const RecordProperty& property : kind.properties) {
      if (schema.FindField(property.field.name) == nullptr) {
        schema.fields.push_back(property.field);
      }
    }
  }
  VectorFieldSchema vector;
  vector.name = f::kVector;
  vector.dimension = dimension;
  vector.metric = metric;
  schema.vectors.push_back(std::move(vector));
  return schema;
}

Status CheckRecordLayout(const CollectionSchema& schema) {
  const auto refuse = [&](std::string what) {
    return FailedPrecondition(
        fmt::format("collection \"{}\" is no collection of records: {}; make one with "
                    "PUT /v1/records/{}",
                    schema.name, what, schema.name));
  };
  if (schema.key_field != f::kUniqueId || schema.key_type != KeyType::kVarChar) {
    return refuse("its key is not the VARCHAR \"uniqueid\"");
  }
  if (schema.tenant_field != f::kTenant) {
    return refuse("its tenants are not named by \"tenantName\"");
  }
  if (const VectorFieldSchema* vector = schema.FindVector(f::kVector);
      vector == nullptr || vector->type != DataType::kFloatVector || !vector->nullable) {
    return refuse("it has no FLOAT_VECTOR \"vector\" that may be null");
  }
  for (const FieldSchema& own : OwnFields()) {
    const FieldSchema* field = schema.FindField(own.name);
    if (field == nullptr || field->type != own.type) {
      return refuse(fmt::format("it has no {} \"{}\"", DataTypeName(own.type), own.name));
    }
  }
  return {};
}

}  // namespace roost
