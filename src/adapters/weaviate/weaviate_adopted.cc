#include "adapters/weaviate/weaviate_adopted.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <boost/json.hpp>

#include "adapters/weaviate/weaviate_format.h"

namespace roost {
namespace {

namespace bj = boost::json;

struct TypeRow {
  std::string_view name;
  DataType type;
};
constexpr std::array kTypes = {
    TypeRow{"text", DataType::kVarChar}, TypeRow{"string", DataType::kVarChar},
    TypeRow{"int", DataType::kInt64},    TypeRow{"number", DataType::kDouble},
    TypeRow{"boolean", DataType::kBool}, TypeRow{"date", DataType::kTimestamp},
    TypeRow{"uuid", DataType::kUuid},
};

/// The field of a property; nothing for types that are not read.
std::optional<FieldSchema> FieldOf(const std::string& type, const std::string& name) {
  const bool array = type.ends_with("[]");
  const std::string_view base = std::string_view(type).substr(0, type.size() - (array ? 2 : 0));
  for (const TypeRow& row : kTypes) {
    if (row.name == base) {
      FieldSchema field;
      field.name = name;
      field.type = array ? DataType::kArray : row.type;
      field.element_type = array ? row.type : field.element_type;
      return field;
    }
  }
  return std::nullopt;
}

std::string RemarkOf(const std::string& type) {
  if (type.starts_with("int")) {
    return "beyond 2^53 Weaviate itself keeps the nearest double";
  }
  if (type.starts_with("date")) {
    return "microseconds; written in UTC";
  }
  return type.ends_with("[]") ? "an empty one is null" : "";
}

const bj::value* Member(const bj::value& value, std::string_view name) {
  return value.is_object()
             ? value.get_object().if_contains(bj::string_view(name.data(), name.size()))
             : nullptr;
}

std::string Text(const bj::value& value, std::string_view name) {
  const bj::value* member = Member(value, name);
  return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                  : std::string();
}

WeaviateForeignVector VectorOf(std::string name, const bj::value& config) {
  WeaviateForeignVector vector;
  vector.name = std::move(name);
  vector.flat = Text(config, "vectorIndexType") == "flat";
  const bj::value* index = Member(config, "vectorIndexConfig");
  const std::string distance = index == nullptr ? "" : Text(*index, "distance");
  vector.known_metric = true;
  if (distance == "l2-squared") {
    vector.metric = Metric::kL2;
  } else if (distance == "dot") {
    vector.metric = Metric::kInnerProduct;
  } else {
    vector.known_metric = distance == "cosine" || distance.empty();
  }
  const bj::value* vectorizer = Member(config, "vectorizer");
  if (vectorizer != nullptr && vectorizer->is_string()) {
    vector.vectorizer = std::string(vectorizer->get_string());
  } else if (vectorizer != nullptr && vectorizer->is_object() &&
             !vectorizer->get_object().empty()) {
    vector.vectorizer = std::string(vectorizer->get_object().begin()->key());
  }
  return vector;
}

WeaviateForeignClass ClassOf(const bj::value& value) {
  WeaviateForeignClass found;
  found.name = Text(value, "class");
  const bj::value* tenancy = Member(value, "multiTenancyConfig");
  const bj::value* enabled = tenancy == nullptr ? nullptr : Member(*tenancy, "enabled");
  found.tenants = enabled != nullptr && enabled->is_bool() && enabled->get_bool();
  const bj::value* properties = Member(value, "properties");
  if (properties != nullptr && properties->is_array()) {
    for (const bj::value& property : properties->get_array()) {
      const bj::value* types = Member(property, "dataType");
      const bool one = types != nullptr && types->is_array() && types->get_array().size() == 1 &&
                       types->get_array()[0].is_string();
      found.properties.push_back(
          {.name = Text(property, "name"),
           .type = one ? std::string(types->get_array()[0].get_string()) : "a reference"});
    }
  }
  const bj::value* vectors = Member(value, "vectorConfig");
  if (vectors != nullptr && vectors->is_object() && !vectors->get_object().empty()) {
    for (const auto& [name, config] : vectors->get_object()) {
      found.vectors.push_back(VectorOf(std::string(name), config));
    }
  } else if (Member(value, "vectorIndexConfig") != nullptr) {
    found.vectors.push_back(VectorOf("", value));
  }
  return found;
}

Result<bj::value> Parsed(std::string_view json) {
  boost::system::error_code failed;
  bj::value value = bj::parse(json, failed);
  if (failed) {
    return Internal("Weaviate described its schema in something that is not JSON");
  }
  return value;
}

Result<bj::array> ClassesOf(std::string_view schema_json) {
  const bj::value value = TRY(Parsed(schema_json));
  const bj::value* classes = Member(value, "classes");
  if (classes == nullptr || !classes->is_array()) {
    return Internal("Weaviate gave its schema as something that is not a list of classes");
  }
  return classes->get_array();
}

std::string FreeName(const std::string& name, const std::vector<std::string>& taken) {
  std::string free = name.starts_with('_') ? "f" + name : name;
  while (std::find(taken.begin(), taken.end(), free) != taken.end()) {
    free += "_2";
  }
  return free;
}

void PlanVectors(const WeaviateForeignClass& found, const std::vector<uint32_t>& dimensions,
                 std::vector<std::string>& taken, WeaviateAdoption& out) {
  for (size_t i = 0; i < found.vectors.size(); ++i) {
    const WeaviateForeignVector& vector = found.vectors[i];
    FidelityRow row{.what = vector.name.empty() ? "the vector" : vector.name,
                    .from = "vector",
                    .to = "-",
                    .fidelity = Fidelity::kImpossible,
                    .remark = {}};
    if (!vector.known_metric) {
      row.remark = "its distance is none of Roost's (cosine, l2-squared, dot); not read";
    } else if (dimensions[i] == 0) {
      row.remark = "none of the first objects has it, so that its dimension is not known; not read";
    } else {
      VectorFieldSchema field;
      field.name = FreeName(vector.name.empty() ? "vector" : vector.name, taken);
      field.dimension = dimensions[i];
      field.metric = vector.metric;
      field.index = vector.flat ? "FLAT" : "HNSW";
      row.to = field.name + " FLOAT_VECTOR(" + std::to_string(field.dimension) + "), " +
               std::string(MetricName(field.metric));
      row.fidelity = Fidelity::kExact;
      if (vector.vectorizer != "none" && !vector.vectorizer.empty()) {
        row.remark = "a write without it lets " + vector.vectorizer + " make one";
      }
      taken.push_back(field.name);
      out.table.vectors.push_back(vector.name);
      out.plan.schema.vectors.push_back(std::move(field));
    }
    if (row.fidelity == Fidelity::kImpossible) {
      out.table.unread.push_back(row.what);
    }
    out.plan.rows.push_back(std::move(row));
  }
}

}  // namespace

Result<WeaviateForeignClass> ForeignClass(std::string_view class_json) {
  const bj::value value = TRY(Parsed(class_json));
  return ClassOf(value);
}

Result<std::vector<WeaviateForeignClass>> ForeignClasses(std::string_view schema_json) {
  const bj::array classes = TRY(ClassesOf(schema_json));
  std::vector<WeaviateForeignClass> list;
  for (const bj::value& one : classes) {
    if (!Text(one, "class").starts_with("Roost_")) {
      list.push_back(ClassOf(one));
    }
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

Result<std::vector<std::pair<std::string, std::string>>> AdoptedClasses(
    std::string_view schema_json) {
  const bj::array classes = TRY(ClassesOf(schema_json));
  std::vector<std::pair<std::string, std::string>> adopted;
  for (const bj::value& one : classes) {
    if (!Text(one, "class").starts_with("Roost_")) {
      continue;
    }
    const auto table = TableFromClass(bj::serialize(one));
    if (table.ok() && !table->format->ours()) {
      adopted.emplace_back(table->class_name, table->schema.name);
    }
  }
  return adopted;
}

std::string WhyNotAdoptable(const WeaviateForeignClass& found) {
  if (found.name.starts_with("Roost_")) {
    return "it is one of Roost's own";
  }
  const bool any = std::any_of(found.vectors.begin(), found.vectors.end(),
                               [](const auto& vector) { return vector.known_metric; });
  if (!any) {
    return "it has no vector whose distance is cosine, l2-squared or dot";
  }
  return {};
}

WeaviateAdoption PlanWeaviateAdoption(const WeaviateForeignClass& found, const AdoptionQuery& query,
                                      const std::vector<uint32_t>& dimensions) {
  WeaviateAdoption out;
  CollectionSchema& schema = out.plan.schema;
  schema.name = query.name.empty() ? found.name : query.name;
  schema.key_type = KeyType::kVarChar;
  std::vector<std::string> taken;
  for (const WeaviateForeignProperty& property : found.properties) {
    taken.push_back(property.name);
  }
  schema.key_field = FreeName("id", taken);
  taken = {schema.key_field};
  out.plan.rows.push_back({.what = "key",
                           .from = "id, a UUID",
                           .to = schema.key_field + " VARCHAR",
                           .remark = "in lower case; other texts are refused in writes"});
  if (found.tenants) {
    schema.tenant_field = FreeName("tenant", taken);
    taken.push_back(schema.tenant_field);
    out.plan.rows.push_back({.what = "tenants",
                             .from = "tenants",
                             .to = schema.tenant_field,
                             .remark = "under their own names; writes to new ones need automatic "
                                       "creation of tenants in the class"});
  }
  for (const WeaviateForeignProperty& property : found.properties) {
    const std::string name = FreeName(property.name, taken);
    FidelityRow row{.what = property.name,
                    .from = property.type,
                    .to = "-",
                    .fidelity = Fidelity::kImpossible,
                    .remark = "not read; upserts are refused, because they would drop it"};
    if (auto field = FieldOf(property.type, name)) {
      row.to =
          (name == property.name ? "" : name + " ") + std::string(DataTypeName(field->type)) +
          (field->type == DataType::kArray ? " of " + std::string(DataTypeName(field->element_type))
                                           : std::string());
      row.remark = RemarkOf(property.type);
      row.fidelity = property.type.starts_with("date") || property.type.ends_with("[]")
                         ? Fidelity::kApproximated
                         : Fidelity::kExact;
      taken.push_back(name);
      out.table.properties.push_back(property.name);
      out.table.words.emplace_back();
      schema.fields.push_back(*std::move(field));
    } else {
      out.table.unread.push_back(property.name);
    }
    out.plan.rows.push_back(std::move(row));
  }
  PlanVectors(found, dimensions, taken, out);
  out.plan.rows.push_back({.what = "conditional writes",
                           .from = "-",
                           .to = "-",
                           .fidelity = Fidelity::kImpossible,
                           .remark = "Weaviate has none: during a move one gateway writes"});
  out.table.schema = schema;
  out.table.class_name = found.name;
  out.table.format = &AdoptedFormat();
  return out;
}

}  // namespace roost
