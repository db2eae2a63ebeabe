#include "store/preparation.h"

#include <algorithm>

#include "base/json.h"

namespace roost {
namespace {

/// Collects the differences of one thing.
class Comparison {
 public:
  explicit Comparison(std::vector<std::string>& differences) : differences_(differences) {}

  void Is(const std::string& what, const std::string& there, const std::string& wanted) {
    if (there != wanted) {
      differences_.push_back(what + " is " + there + ", wanted is " + wanted);
    }
  }
  void IsNumber(const std::string& what, uint64_t there, uint64_t wanted) {
    Is(what, std::to_string(there), std::to_string(wanted));
  }
  void IsFlag(const std::string& what, bool there, bool wanted) {
    Is(what, there ? "true" : "false", wanted ? "true" : "false");
  }

 private:
  std::vector<std::string>& differences_;
};

bool HasLength(DataType type) { return type == DataType::kVarChar || type == DataType::kText; }

void CompareField(const FieldSchema& there, const FieldSchema& wanted,
                  std::vector<std::string>& differences) {
  const std::string field = "field " + JsonString(wanted.name) + ": ";
  Comparison compare(differences);
  compare.Is(field + "type", std::string(DataTypeName(there.type)),
             std::string(DataTypeName(wanted.type)));
  if (there.type != wanted.type) {
    return;
  }
  if (wanted.type == DataType::kArray) {
    compare.Is(field + "element_type", std::string(DataTypeName(there.element_type)),
               std::string(DataTypeName(wanted.element_type)));
    compare.IsNumber(field + "max_capacity", there.max_capacity, wanted.max_capacity);
  }
  if (HasLength(wanted.type) ||
      (wanted.type == DataType::kArray && HasLength(wanted.element_type))) {
    compare.IsNumber(field + "max_length", there.max_length, wanted.max_length);
  }
  compare.IsFlag(field + "nullable", there.nullable, wanted.nullable);
  const bool same_default =
      there.default_value.has_value() == wanted.default_value.has_value() &&
      (!there.default_value || SameValue(*there.default_value, *wanted.default_value));
  if (!same_default) {
    differences.push_back(field + "its default value is another one");
  }
}

void CompareVector(const VectorFieldSchema& there, const VectorFieldSchema& wanted,
                   std::vector<std::string>& differences) {
  const std::string field = "vector " + JsonString(wanted.name) + ": ";
  Comparison compare(differences);
  compare.Is(field + "type", std::string(DataTypeName(there.type)),
             std::string(DataTypeName(wanted.type)));
  compare.IsNumber(field + "dimension", there.dimension, wanted.dimension);
  compare.Is(field + "metric", std::string(MetricName(there.metric)),
             std::string(MetricName(wanted.metric)));
  compare.IsFlag(field + "nullable", there.nullable, wanted.nullable);
  compare.Is(field + "index", there.index, wanted.index);
  if (there.index == "HNSW" && wanted.index == "HNSW") {
    compare.IsNumber(field + "m", there.hnsw_m, wanted.hnsw_m);
    compare.IsNumber(field + "ef_construction", there.hnsw_ef_construction,
                     wanted.hnsw_ef_construction);
  }
}

/// Pairs the fields of two lists by name; those without a partner are differences.
template <typename Field, typename Compare>
void ComparePairs(const std::vector<Field>& there, const std::vector<Field>& wanted,
                  const std::string& what, Compare compare, std::vector<std::string>& differences) {
  const auto find = [](const std::vector<Field>& fields, const std::string& name) {
    return std::find_if(fields.begin(), fields.end(),
                        [&](const Field& field) { return field.name == name; });
  };
  for (const Field& field : wanted) {
    const auto partner = find(there, field.name);
    if (partner == there.end()) {
      differences.push_back(what + " " + JsonString(field.name) + " is not there");
    } else {
      compare(*partner, field, differences);
    }
  }
  for (const Field& field : there) {
    if (find(wanted, field.name) == wanted.end()) {
      differences.push_back(what + " " + JsonString(field.name) + " is there and not wanted");
    }
  }
}

std::string KeyText(const CollectionSchema& schema) {
  return JsonString(schema.key_field) +
         (schema.key_type == KeyType::kInt64 ? " INT64" : " VARCHAR");
}

std::string TenantText(const CollectionSchema& schema) {
  return schema.multi_tenant() ? JsonString(schema.tenant_field) : "none";
}

}  // namespace

std::string_view StepStateName(StepState state) {
  switch (state) {
    case StepState::kThere:
      return "there";
    case StepState::kMissing:
      return "missing";
    case StepState::kDifferent:
      return "different";
    case StepState::kMade:
      return "made";
  }
  return "";
}

size_t PreparedStore::Count(StepState state) const {
  return static_cast<size_t>(
      std::count_if(steps.begin(), steps.end(),
                    [&](const PreparationStep& step) { return step.state == state; }));
}

CollectionSchema EntityRecordSchema(const std::string& name, uint32_t dimension, Metric metric,
                                    bool tenants) {
  CollectionSchema schema;
  schema.name = name;
  schema.fields = {{.name = "entity_type", .type = DataType::kVarChar},
                   {.name = "entity_id", .type = DataType::kVarChar},
                   {.name = "metadata", .type = DataType::kJson},
                   {.name = "model_version", .type = DataType::kVarChar},
                   {.name = "created_at", .type = DataType::kTimestamp},
                   {.name = "updated_at", .type = DataType::kTimestamp}};
  if (tenants) {
    schema.tenant_field = "tenant_id";
  } else {
    schema.fields.push_back({.name = "tenant_id", .type = DataType::kVarChar});
  }
  // A record without a vector is of no use here, and one store cannot keep it.
  schema.vectors = {
      {.name = "vector", .dimension = dimension, .metric = metric, .nullable = false}};
  return schema;
}

std::vector<std::string> SchemaDifferences(const CollectionSchema& there,
                                           const CollectionSchema& wanted) {
  std::vector<std::string> differences;
  Comparison compare(differences);
  compare.Is("the key", KeyText(there), KeyText(wanted));
  compare.Is("the tenant field", TenantText(there), TenantText(wanted));
  compare.IsFlag("undeclared fields", there.dynamic, wanted.dynamic);
  ComparePairs(there.fields, wanted.fields, "field", CompareField, differences);
  ComparePairs(there.vectors, wanted.vectors, "vector", CompareVector, differences);
  return differences;
}

}  // namespace roost
