#include "migration/mapping/schema_mapping.h"

#include <boost/json.hpp>

#include "base/json.h"
#include "store/schema_json.h"

namespace roost {
namespace {

namespace json = boost::json;

Result<std::map<std::string, std::string>> NamesFromJson(const json::value& value) {
  std::map<std::string, std::string> names;
  if (!value.is_object()) {
    return InvalidArgument("\"from\" of the mapping must be an object of names");
  }
  for (const auto& [there, source] : value.get_object()) {
    if (!source.is_string()) {
      return InvalidArgument("\"from\" of the mapping needs a string for \"" + std::string(there) +
                             "\": the name of the collection's field");
    }
    names[there] = std::string(source.get_string());
  }
  return names;
}

}  // namespace

SchemaMapping SuggestMapping(const CollectionSchema& schema, const Capabilities& capabilities) {
  SchemaMapping mapping{.schema = schema, .source_name = {}};
  mapping.schema.vectors.clear();
  for (const VectorFieldSchema& vector : schema.vectors) {
    const bool native = capabilities.types.contains(vector.type) &&
                        vector.dimension <= capabilities.max_dimension &&
                        mapping.schema.vectors.size() < capabilities.max_vectors_per_record;
    if (native) {
      mapping.schema.vectors.push_back(vector);
    } else {
      mapping.schema.fields.push_back({.name = vector.name,
                                       .type = DataType::kVarChar,
                                       .max_length = VectorTextLength(vector),
                                       .nullable = vector.nullable});
    }
  }
  return mapping;
}

uint32_t VectorTextLength(const VectorFieldSchema& field) {
  const auto text = [](uint32_t bytes) { return (bytes + 2) / 3 * 4; };
  switch (field.type) {
    case DataType::kBinaryVector:
      return text(field.dimension / 8);
    case DataType::kInt8Vector:
      return text(field.dimension);
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      return text(field.dimension * 2);
    case DataType::kSparseVector:
      return FieldSchema{}.max_length;
    default:
      return text(field.dimension * 4);
  }
}

std::string MappingToJson(const SchemaMapping& mapping) {
  std::string out = R"({"schema":)" + SchemaToJson(mapping.schema) + R"(,"from":{)";
  bool first = true;
  for (const auto& [there, source] : mapping.source_name) {
    out += first ? "" : ",";
    first = false;
    AppendJsonString(out, there);
    out.push_back(':');
    AppendJsonString(out, source);
  }
  return out + "}}";
}

Result<SchemaMapping> MappingFromJson(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) {
    return InvalidArgument("the mapping is not a JSON object" +
                           (error ? ": " + error.message() : std::string()));
  }
  SchemaMapping mapping;
  bool has_schema = false;
  for (const auto& [name, member] : value.get_object()) {
    if (name == "schema") {
      mapping.schema = TRY(SchemaFromJson(json::serialize(member)));
      has_schema = true;
    } else if (name == "from") {
      mapping.source_name = TRY(NamesFromJson(member));
    } else {
      return InvalidArgument("the mapping has an unknown member \"" + std::string(name) +
                             "\"; known members: schema, from");
    }
  }
  if (!has_schema) {
    return InvalidArgument("the mapping needs \"schema\": the collection's schema on the store");
  }
  return mapping;
}

}  // namespace roost
