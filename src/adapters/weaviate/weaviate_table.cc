#include "adapters/weaviate/weaviate_table.h"

#include <algorithm>

#include <boost/json.hpp>

#include "adapters/weaviate/weaviate_format.h"
#include "adapters/weaviate/weaviate_names.h"
#include "store/schema_json.h"

namespace roost {
namespace {

namespace bj = boost::json;

constexpr int kFormatVersion = 1;
constexpr int kAdoptedVersion = 2;  // of adopted classes, which came later

std::string ScalarType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "boolean";
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
      return "int";
    case DataType::kFloat:
    case DataType::kDouble:
      return "number";
    case DataType::kTimestamp:
      return "date";
    case DataType::kUuid:
      return "uuid";
    default:
      return "text";
  }
}

bj::object Property(std::string_view name, const std::string& type, bool filterable = true) {
  bj::object property = {{"name", name},
                         {"dataType", bj::array{bj::string(type)}},
                         {"indexFilterable", filterable},
                         {"indexSearchable", false}};
  if (type.starts_with("text")) {
    // "field" keeps the whole string as one token; every other way matches parts of it.
    property["tokenization"] = "field";
  }
  return property;
}

bj::array Properties(const WeaviateTable& table) {
  bj::array properties;
  properties.push_back(Property(kKeyProperty, "text"));
  properties.push_back(Property(kExactProperty, "text", false));
  properties.push_back(Property(kOddProperty, "text[]"));
  properties.push_back(Property(kBucketProperty, "int"));
  if (table.schema.multi_tenant()) {
    properties.push_back(Property(kTenantProperty, "text", false));
  }
  for (size_t i = 0; i < table.schema.fields.size(); ++i) {
    const FieldSchema& field = table.field(i);
    if (!HasProperty(field)) {
      continue;
    }
    const bool array = field.type == DataType::kArray;
    bj::object property =
        Property(table.properties[i],
                 ScalarType(array ? field.element_type : field.type) + (array ? "[]" : ""));
    if (table.properties[i] != field.name) {
      property["description"] = field.name;
    }
    properties.push_back(std::move(property));
    if (!table.words[i].empty()) {
      bj::object words = Property(table.words[i], "text");
      words["indexSearchable"] = true;
      words["tokenization"] = "whitespace";  // of words that Roost has found
      words["description"] = "words of " + field.name;
      properties.push_back(std::move(words));
    }
  }
  return properties;
}

std::string_view DistanceName(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return "l2-squared";
    case Metric::kCosine:
      return "cosine";
    default:
      return "dot";
  }
}

bj::object VectorConfig(const VectorFieldSchema& vector) {
  bj::object index = {{"distance", DistanceName(vector.metric)}};
  const bool flat = vector.index == "FLAT";
  if (!flat) {
    index["maxConnections"] = std::max(vector.hnsw_m, 4u);
    index["efConstruction"] = std::max(vector.hnsw_ef_construction, 4u);
    index["flatSearchCutoff"] = kFlatSearchCutoff;
  }
  return {{"vectorizer", bj::object{{"none", bj::object()}}},
          {"vectorIndexType", flat ? "flat" : "hnsw"},
          {"vectorIndexConfig", std::move(index)}};
}

std::vector<std::string> Texts(const bj::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const bj::value* list = object.if_contains(bj::string_view(name.data(), name.size()));
  if (list != nullptr && list->is_array()) {
    for (const bj::value& text : list->get_array()) {
      texts.emplace_back(text.is_string() ? std::string(text.get_string()) : std::string());
    }
  }
  return texts;
}

/// What AdoptedJson() wrote.
Result<WeaviateTable> AdoptedTable(CollectionSchema schema, const bj::object& roost,
                                   const std::string& class_name) {
  WeaviateTable table;
  table.schema = std::move(schema);
  const std::vector<std::string> names = Texts(roost, "adopted");
  table.id = std::string(roost.at("id").get_string());
  table.properties = Texts(roost, "properties");
  table.vectors = Texts(roost, "vectors");
  table.unread = Texts(roost, "unread");
  table.words.resize(table.properties.size());
  table.format = &AdoptedFormat();
  if (names.size() != 1 || table.properties.size() != table.schema.fields.size() ||
      table.vectors.size() != table.schema.vectors.size()) {
    return DataLoss("the description of class " + class_name +
                    " was changed by others; Roost keeps in it what it adopted");
  }
  table.class_name = names[0];
  if (class_name != ClassNameOf(table.schema.name)) {
    return NotFound("class " + class_name + " is a copy");
  }
  return table;
}

bj::array ArrayOf(const std::vector<std::string>& texts) {
  bj::array array;
  for (const std::string& text : texts) {
    array.emplace_back(text);
  }
  return array;
}

std::string AdoptedJson(const WeaviateTable& table) {
  const bj::object description = {{"roost", bj::object{{"format", kAdoptedVersion},
                                                       {"id", table.id},
                                                       {"schema", SchemaToJson(table.schema)},
                                                       {"adopted", ArrayOf({table.class_name})},
                                                       {"properties", ArrayOf(table.properties)},
                                                       {"vectors", ArrayOf(table.vectors)},
                                                       {"unread", ArrayOf(table.unread)}}}};
  return bj::serialize(bj::object{{"class", ClassNameOf(table.schema.name)},
                                  {"description", bj::serialize(description)},
                                  {"vectorizer", "none"},
                                  {"vectorIndexConfig", bj::object{{"skip", true}}}});
}

Result<WeaviateTable> TableFromValue(const bj::value& value) {
  const bj::object* object = value.if_object();
  const bj::value* described = object == nullptr ? nullptr : object->if_contains("description");
  const bj::value* name = object == nullptr ? nullptr : object->if_contains("class");
  if (described == nullptr || !described->is_string() || name == nullptr || !name->is_string()) {
    return NotFound("the class was not made by Roost");
  }
  boost::system::error_code failed;
  const bj::value text = bj::parse(described->get_string(), failed);
  const bj::object* roost = nullptr;
  if (!failed && text.is_object()) {
    if (const bj::value* found = text.get_object().if_contains("roost")) {
      roost = found->if_object();
    }
  }
  if (roost == nullptr) {
    return NotFound("the class was not made by Roost");
  }
  const std::string class_name(name->get_string());
  const bj::value* format = roost->if_contains("format");
  const bj::value* id = roost->if_contains("id");
  const bj::value* schema = roost->if_contains("schema");
  if (format == nullptr || id == nullptr || !id->is_string() || schema == nullptr ||
      !schema->is_string()) {
    return DataLoss("the description of class " + class_name +
                    " was changed by others; Roost keeps the collection's schema in it");
  }
  const bool adopted = format->is_int64() && format->get_int64() == kAdoptedVersion;
  if (!adopted && (!format->is_int64() || format->get_int64() != kFormatVersion)) {
    return FailedPrecondition("class " + class_name + " has format " + bj::serialize(*format) +
                              ", which this version of Roost cannot read; use a later one");
  }
  auto parsed = SchemaFromJson(schema->get_string());
  if (!parsed.ok()) {
    return DataLoss("the schema in the description of class " + class_name +
                    " cannot be read: " + parsed.error().message);
  }
  if (adopted) {
    return AdoptedTable(*std::move(parsed), *roost, class_name);
  }
  WeaviateTable table = MakeTable(*std::move(parsed), std::string(id->get_string()));
  if (table.class_name != class_name) {
    return NotFound("class " + class_name + " is a copy of " + table.class_name);
  }
  return table;
}

}  // namespace

std::optional<size_t> WeaviateTable::FindField(std::string_view name) const {
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (schema.fields[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<size_t> WeaviateTable::FindVector(std::string_view name) const {
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    if (schema.vectors[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

WeaviateTable MakeTable(CollectionSchema schema, std::string id) {
  WeaviateTable table;
  table.class_name = ClassNameOf(schema.name);
  table.format = &OwnFormat();
  table.id = std::move(id);
  table.properties = PropertyNames(schema.fields);
  table.vectors = VectorNames(schema.vectors);
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    table.words.push_back(schema.fields[i].type == DataType::kText ? "_words_" + std::to_string(i)
                                                                   : std::string());
  }
  table.schema = std::move(schema);
  return table;
}

std::string ClassJson(const WeaviateTable& table) {
  if (!table.format->ours()) {
    return AdoptedJson(table);
  }
  bj::object description = {{"roost", bj::object{{"format", kFormatVersion},
                                                 {"id", table.id},
                                                 {"schema", SchemaToJson(table.schema)}}}};
  bj::object body = {
      {"class", table.class_name},
      {"description", bj::serialize(description)},
      {"properties", Properties(table)},
      // "none": no word is left out of keyword search.
      {"invertedIndexConfig", bj::object{{"indexNullState", true},
                                         {"stopwords", bj::object{{"preset", "none"}}},
                                         {"bm25", bj::object{{"k1", 1.2}, {"b", 0.75}}}}}};
  if (table.schema.multi_tenant()) {
    body["multiTenancyConfig"] =
        bj::object{{"enabled", true}, {"autoTenantCreation", true}, {"autoTenantActivation", true}};
  }
  if (table.schema.vectors.empty()) {
    body["vectorizer"] = "none";
    body["vectorIndexConfig"] = bj::object{{"skip", true}};
  } else {
    bj::object vectors;
    for (size_t i = 0; i < table.vectors.size(); ++i) {
      vectors[table.vectors[i]] = VectorConfig(table.schema.vectors[i]);
    }
    body["vectorConfig"] = std::move(vectors);
  }
  return bj::serialize(body);
}

Result<WeaviateTable> TableFromClass(std::string_view class_json) {
  boost::system::error_code failed;
  const bj::value value = bj::parse(class_json, failed);
  if (failed) {
    return Internal("Weaviate described the class in something that is not JSON");
  }
  return TableFromValue(value);
}

Result<std::vector<std::string>> CollectionsFromSchema(std::string_view schema_json) {
  boost::system::error_code failed;
  const bj::value value = bj::parse(schema_json, failed);
  const bj::value* classes =
      failed || !value.is_object() ? nullptr : value.get_object().if_contains("classes");
  if (classes == nullptr || !classes->is_array()) {
    return Internal("Weaviate gave its schema as something that is not a list of classes");
  }
  std::vector<std::string> names;
  for (const bj::value& one : classes->get_array()) {
    if (auto table = TableFromValue(one); table.ok()) {
      names.push_back(table->schema.name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace roost
