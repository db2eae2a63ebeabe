#include <cmath>
#include <string>

#include "store/json_value.h"
#include "store/scalar_text.h"
#include "store/validate.h"
#include "store/validate_value.h"

namespace roost {
namespace {

Status CheckKey(const CollectionSchema& schema, const Capabilities& capabilities,
                const RecordKey& key) {
  const bool is_integer = std::holds_alternative<int64_t>(key.key);
  if (is_integer != (schema.key_type == KeyType::kInt64)) {
    return InvalidArgument("key \"" + schema.key_field + "\" is " +
                           (is_integer ? "an integer" : "a string") + "; the collection has " +
                           (is_integer ? "VARCHAR" : "INT64") + " keys");
  }
  if (const auto* number = std::get_if<int64_t>(&key.key);
      number != nullptr &&
      (*number < capabilities.min_integer_key || *number > capabilities.max_integer_key)) {
    return InvalidArgument("key \"" + schema.key_field + "\" is " + std::to_string(*number) +
                           "; the " + capabilities.store + " store keeps " +
                           std::to_string(capabilities.min_integer_key) + " to " +
                           std::to_string(capabilities.max_integer_key));
  }
  if (const auto* text = std::get_if<std::string>(&key.key)) {
    if (text->empty() || text->size() > capabilities.max_key_bytes) {
      return InvalidArgument("key \"" + schema.key_field + "\" has " +
                             std::to_string(text->size()) + " bytes; 1 to " +
                             std::to_string(capabilities.max_key_bytes) + " are allowed");
    }
    TRY(CheckString(*text, capabilities, "key \"" + schema.key_field + "\""));
  }
  if (!schema.multi_tenant()) {
    return key.tenant.empty() ? Status()
                              : InvalidArgument("tenant \"" + key.tenant +
                                                "\" is given; the collection has no tenants");
  }
  if (key.tenant.empty()) {
    return InvalidArgument("the tenant (field \"" + schema.tenant_field + "\") is missing");
  }
  if (key.tenant.size() > kMaxTenantBytes) {
    return InvalidArgument("the tenant (field \"" + schema.tenant_field + "\") has " +
                           std::to_string(key.tenant.size()) + " bytes; at most " +
                           std::to_string(kMaxTenantBytes));
  }
  return CheckString(key.tenant, capabilities,
                     "the tenant (field \"" + schema.tenant_field + "\")");
}

Error UnknownField(const CollectionSchema& schema, const std::string& name) {
  if (name == schema.key_field || name == schema.tenant_field) {
    return InvalidArgument("field \"" + name + "\" is the collection's " +
                           (name == schema.key_field ? "key" : "tenant") +
                           "; give it once, as that");
  }
  if (schema.FindVector(name) != nullptr) {
    return InvalidArgument("field \"" + name + "\" is a vector; the row has a scalar");
  }
  return InvalidArgument("field \"" + name +
                         "\" is not declared and the collection takes no dynamic fields");
}

bool IsDeclared(const CollectionSchema& schema, const std::string& name) {
  return name == schema.key_field || (schema.multi_tenant() && name == schema.tenant_field) ||
         schema.FindField(name) != nullptr || schema.FindVector(name) != nullptr;
}

/// What JSON and UTF-8 can say. Raw JSON inside is checked when the whole object is.
Status CheckUndeclared(const std::string& name, const Value& value) {
  const auto* number = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const bool finite = number == nullptr || std::isfinite(*number);
  if (!finite || (text != nullptr && !IsUtf8(*text))) {
    return InvalidArgument("dynamic field \"" + name + "\" is " +
                           (finite ? "not valid UTF-8" : "NaN or infinite"));
  }
  if (const auto* array = std::get_if<Array>(&value)) {
    for (const auto& element : *array) {
      TRY(CheckUndeclared(name, element));
    }
  }
  return {};
}

/// Moves undeclared fields into the dynamic object and makes that canonical.
Status NormalizeUndeclared(const CollectionSchema& schema, const Capabilities& capabilities,
                           Record& record) {
  std::vector<std::pair<std::string, std::string>> moved;
  for (auto field = record.fields.begin(); field != record.fields.end();) {
    if (schema.FindField(field->first) != nullptr) {
      ++field;
      continue;
    }
    if (!schema.dynamic || IsDeclared(schema, field->first)) {
      return UnknownField(schema, field->first);
    }
    TRY(CheckUndeclared(field->first, field->second));
    std::string json;
    AppendJsonValue(json, field->second);
    moved.emplace_back(field->first, std::move(json));
    field = record.fields.erase(field);
  }
  if (moved.empty() && record.dynamic.empty()) {
    return {};
  }
  if (!schema.dynamic) {
    return InvalidArgument("the row has dynamic fields; the collection takes none");
  }
  record.dynamic = TRY(NormalizeDynamic(record.dynamic, capabilities));
  auto members = JsonMembers(record.dynamic);
  for (const auto& [name, value] : members) {
    if (IsDeclared(schema, name)) {
      return InvalidArgument("dynamic field \"" + name +
                             "\" has the name of a declared field; give it as that");
    }
  }
  for (auto& member : moved) {
    for (const auto& [name, value] : members) {
      if (name == member.first) {
        return InvalidArgument("dynamic field \"" + name + "\" is given twice");
      }
    }
  }
  if (!moved.empty()) {
    for (auto& member : moved) {
      TRY(CheckString(member.first, capabilities, "the name of a dynamic field"));
      members.push_back(std::move(member));
    }
    // A moved value may hold raw JSON: make the whole canonical again.
    record.dynamic = TRY(NormalizeDynamic(JsonObject(std::move(members)), capabilities));
  }
  return {};
}

Status NormalizeFields(const CollectionSchema& schema, const Capabilities& capabilities,
                       Record& record) {
  for (const auto& field : schema.fields) {
    auto found = record.fields.find(field.name);
    const bool absent = found == record.fields.end();
    const bool null = absent || found->second.is_null();
    if (null && field.default_value && (absent || !field.nullable)) {
      found = record.fields.insert_or_assign(field.name, *field.default_value).first;
    }
    if (found != record.fields.end() && !found->second.is_null()) {
      TRY(NormalizeValue(field, capabilities, found->second));
    }
    if (found == record.fields.end() || found->second.is_null()) {
      if (!field.nullable) {
        return InvalidArgument("field \"" + field.name + "\" is missing and may not be null");
      }
      if (found != record.fields.end()) {
        record.fields.erase(found);
      }
    }
  }
  return {};
}

Status NormalizeVectors(const CollectionSchema& schema, const Capabilities& capabilities,
                        Record& record) {
  for (auto& [name, vector] : record.vectors) {
    const auto* field = schema.FindVector(name);
    if (field == nullptr) {
      return InvalidArgument("vector \"" + name + "\" is not a vector of the collection");
    }
    TRY(NormalizeVector(*field, capabilities, vector));
  }
  for (const auto& field : schema.vectors) {
    if (!field.nullable && !record.vectors.contains(field.name)) {
      return InvalidArgument("vector \"" + field.name + "\" is missing and may not be null");
    }
  }
  return {};
}

Status NormalizeRecord(const CollectionSchema& schema, const Capabilities& capabilities,
                       Record& record) {
  TRY(CheckKey(schema, capabilities, record.key));
  TRY(NormalizeUndeclared(schema, capabilities, record));
  TRY(NormalizeFields(schema, capabilities, record));
  return NormalizeVectors(schema, capabilities, record);
}

/// A key as a message may show it: valid UTF-8 of a bearable length.
std::string ShownKey(const RecordKey& key) {
  const auto* text = std::get_if<std::string>(&key.key);
  if (text != nullptr && (text->size() > 200 || !CheckString(*text, {}, "").ok())) {
    return std::to_string(text->size()) + " bytes";
  }
  return ToString(RecordKey{.tenant = {}, .key = key.key});
}

}  // namespace

Status ValidateRecords(const CollectionSchema& schema, const Capabilities& capabilities,
                       std::vector<Record>& records) {
  for (size_t row = 0; row < records.size(); ++row) {
    const Status checked = NormalizeRecord(schema, capabilities, records[row]);
    if (!checked.ok()) {
      Error error = checked.error();
      error.message = "row " + std::to_string(row) + " (" + schema.key_field + " " +
                      ShownKey(records[row].key) + "): " + error.message;
      return error;
    }
  }
  return {};
}

Status ValidateKeys(const CollectionSchema& schema, const Capabilities& capabilities,
                    std::span<const RecordKey> keys) {
  for (size_t i = 0; i < keys.size(); ++i) {
    const Status checked = CheckKey(schema, capabilities, keys[i]);
    if (!checked.ok()) {
      return checked.error().Within("key " + std::to_string(i) + " (" + ShownKey(keys[i]) + ")");
    }
  }
  return {};
}

}  // namespace roost
