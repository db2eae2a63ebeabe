#include <set>
#include <string>

#include "store/validate.h"
#include "store/validate_value.h"

namespace roost {
namespace {

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > 255 || (name[0] >= '0' && name[0] <= '9')) {
    return false;
  }
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
      return false;
    }
  }
  return true;
}

constexpr std::string_view kNameRule =
    "a name is letters, digits and '_', does not begin with a digit and has at most 255 characters";

Status CheckCollectionName(const std::string& name) {
  const size_t dot = name.find('.');
  const std::string_view all = name;
  const bool valid = dot == std::string::npos
                         ? IsName(all)
                         : IsName(all.substr(0, dot)) && IsName(all.substr(dot + 1));
  if (!valid) {
    return InvalidArgument("collection name \"" + name + "\": " + std::string(kNameRule) +
                           "; \"database.collection\" is allowed");
  }
  return {};
}

/// Every field's name once, and none of Roost's own.
Status TakeFieldName(const std::string& name, std::string_view what, std::set<std::string>& taken) {
  if (!IsName(name)) {
    return InvalidArgument(std::string(what) + " name \"" + name + "\": " + std::string(kNameRule));
  }
  if (name[0] == '_') {
    return InvalidArgument(std::string(what) + " name \"" + name +
                           "\" begins with '_'; such names are kept for Roost");
  }
  if (!taken.insert(name).second) {
    return InvalidArgument("two fields are called \"" + name + "\"; rename one");
  }
  return {};
}

bool IsStringType(DataType type) { return type == DataType::kVarChar || type == DataType::kText; }

Status CheckStoreHas(const Capabilities& capabilities, DataType type, const std::string& field) {
  if (!capabilities.types.contains(type)) {
    return Unimplemented("the " + capabilities.store + " store has no " +
                         std::string(DataTypeName(type)) + " fields (field \"" + field + "\")");
  }
  return {};
}

Status CheckField(const FieldSchema& field, const Capabilities& capabilities) {
  if (IsVector(field.type)) {
    return InvalidArgument("field \"" + field.name + "\" is " +
                           std::string(DataTypeName(field.type)) +
                           "; declare it among the vectors");
  }
  TRY(CheckStoreHas(capabilities, field.type, field.name));
  if (field.type == DataType::kArray) {
    if (IsVector(field.element_type) || field.element_type == DataType::kArray ||
        field.element_type == DataType::kJson || field.element_type == DataType::kText) {
      return InvalidArgument("field \"" + field.name + "\" is an ARRAY of " +
                             std::string(DataTypeName(field.element_type)) +
                             "; elements are BOOL, integers, FLOAT, DOUBLE, VARCHAR, TIMESTAMP or "
                             "UUID");
    }
    TRY(CheckStoreHas(capabilities, field.element_type, field.name));
    if (field.max_capacity < 1 || field.max_capacity > 4'096) {
      return InvalidArgument("field \"" + field.name + "\" has max_capacity " +
                             std::to_string(field.max_capacity) + "; 1 to 4096 is allowed");
    }
  }
  const bool strings = IsStringType(field.type) ||
                       (field.type == DataType::kArray && IsStringType(field.element_type));
  if (strings && (field.max_length < 1 || field.max_length > 65'535)) {
    return InvalidArgument("field \"" + field.name + "\" has max_length " +
                           std::to_string(field.max_length) + "; 1 to 65535 bytes is allowed");
  }
  if (field.default_value) {
    Value value = *field.default_value;
    if (value.is_null()) {
      return InvalidArgument("field \"" + field.name +
                             "\" has null as its default; leave the default out");
    }
    const Status checked = NormalizeValue(field, capabilities, value);
    if (!checked.ok()) {
      return checked.error().Within("default value");
    }
  }
  return {};
}

bool MetricFits(DataType type, Metric metric) {
  switch (type) {
    case DataType::kBinaryVector:
      return metric == Metric::kHamming || metric == Metric::kJaccard;
    case DataType::kSparseVector:
      return metric == Metric::kInnerProduct;
    default:
      return metric == Metric::kL2 || metric == Metric::kCosine || metric == Metric::kInnerProduct;
  }
}

std::string_view MetricsOf(DataType type) {
  switch (type) {
    case DataType::kBinaryVector:
      return "HAMMING or JACCARD";
    case DataType::kSparseVector:
      return "IP";
    default:
      return "L2, COSINE or IP";
  }
}

Status CheckDimension(const VectorFieldSchema& field, const Capabilities& capabilities) {
  const std::string found =
      "vector \"" + field.name + "\" has dimension " + std::to_string(field.dimension);
  if (field.type == DataType::kSparseVector) {
    return field.dimension == 0 ? Status()
                                : InvalidArgument(found + "; sparse vectors have none, leave it 0");
  }
  if (field.dimension < 1 || field.dimension > capabilities.max_dimension) {
    return InvalidArgument(found + "; the " + capabilities.store + " store takes 1 to " +
                           std::to_string(capabilities.max_dimension));
  }
  if (field.type == DataType::kBinaryVector && field.dimension % 8 != 0) {
    return InvalidArgument(found + "; binary vectors have a multiple of 8 bits");
  }
  return {};
}

Status CheckVector(const VectorFieldSchema& field, const Capabilities& capabilities) {
  if (!IsVector(field.type)) {
    return InvalidArgument("vector \"" + field.name + "\" is " +
                           std::string(DataTypeName(field.type)) +
                           "; declare it among the scalar fields");
  }
  TRY(CheckStoreHas(capabilities, field.type, field.name));
  TRY(CheckDimension(field, capabilities));
  if (!MetricFits(field.type, field.metric)) {
    return InvalidArgument("vector \"" + field.name + "\" is " +
                           std::string(DataTypeName(field.type)) + " with metric " +
                           std::string(MetricName(field.metric)) + "; it takes " +
                           std::string(MetricsOf(field.type)));
  }
  if (field.type == DataType::kFloatVector && !capabilities.metrics.contains(field.metric)) {
    return Unimplemented("the " + capabilities.store + " store has no metric " +
                         std::string(MetricName(field.metric)) + " (vector \"" + field.name +
                         "\")");
  }
  if (field.index != "HNSW" && field.index != "FLAT") {
    return InvalidArgument("vector \"" + field.name + "\" has index \"" + field.index +
                           "\"; HNSW or FLAT");
  }
  if (field.hnsw_m < 2 || field.hnsw_m > 256) {
    return InvalidArgument("vector \"" + field.name + "\" has hnsw_m " +
                           std::to_string(field.hnsw_m) + "; 2 to 256 is allowed");
  }
  if (field.hnsw_ef_construction < 4 || field.hnsw_ef_construction > 4'096) {
    return InvalidArgument("vector \"" + field.name + "\" has hnsw_ef_construction " +
                           std::to_string(field.hnsw_ef_construction) + "; 4 to 4096 is allowed");
  }
  return {};
}

Status CheckLacks(const CollectionSchema& schema, const Capabilities& capabilities) {
  if (schema.dynamic && !capabilities.dynamic_fields) {
    return Unimplemented("the " + capabilities.store +
                         " store has no dynamic fields; declare every field");
  }
  if (schema.multi_tenant() && !capabilities.tenants) {
    return Unimplemented("the " + capabilities.store +
                         " store has no tenants; make a collection for each");
  }
  return {};
}

}  // namespace

Status ValidateSchema(const CollectionSchema& schema, const Capabilities& capabilities) {
  TRY(CheckCollectionName(schema.name));
  TRY(CheckLacks(schema, capabilities));
  if (schema.fields.size() > kMaxFields) {
    return InvalidArgument("the collection has " + std::to_string(schema.fields.size()) +
                           " fields; at most " + std::to_string(kMaxFields));
  }
  if (schema.vectors.size() > capabilities.max_vectors_per_record) {
    return InvalidArgument("the collection has " + std::to_string(schema.vectors.size()) +
                           " vectors; the " + capabilities.store + " store takes at most " +
                           std::to_string(capabilities.max_vectors_per_record));
  }
  std::set<std::string> taken;
  TRY(TakeFieldName(schema.key_field, "key field", taken));
  if (schema.multi_tenant()) {
    TRY(TakeFieldName(schema.tenant_field, "tenant field", taken));
  }
  for (const auto& field : schema.fields) {
    TRY(TakeFieldName(field.name, "field", taken));
    TRY(CheckField(field, capabilities));
  }
  for (const auto& vector : schema.vectors) {
    TRY(TakeFieldName(vector.name, "vector", taken));
    TRY(CheckVector(vector, capabilities));
  }
  return {};
}

}  // namespace roost
