#include <algorithm>
#include <cmath>
#include <string>

#include "store/json_value.h"
#include "store/validate.h"
#include "store/validate_value.h"

namespace roost {
namespace {

Status CheckCounts(const Capabilities& capabilities, const SearchRequest& request) {
  if (request.top_k < 1 || request.top_k > capabilities.max_top_k ||
      request.offset > capabilities.max_top_k - request.top_k) {
    return InvalidArgument("top_k " + std::to_string(request.top_k) + " with offset " +
                           std::to_string(request.offset) + "; top_k is 1 or more and both make " +
                           "at most " + std::to_string(capabilities.max_top_k));
  }
  if (request.ef > kMaxEf) {
    return InvalidArgument("ef " + std::to_string(request.ef) + "; at most " +
                           std::to_string(kMaxEf));
  }
  if (request.max_distance && std::isnan(*request.max_distance)) {
    return InvalidArgument("max_distance is NaN; give a number");
  }
  if (request.vectors.empty() == request.texts.empty()) {
    return InvalidArgument(request.vectors.empty()
                               ? "the search has no query; give vectors or texts"
                               : "the search has vectors and texts; give one kind");
  }
  return {};
}

Status CheckTexts(const CollectionSchema& schema, const Capabilities& capabilities,
                  const SearchRequest& request) {
  if (!capabilities.keyword_search) {
    return Unimplemented("the " + capabilities.store + " store has no keyword search");
  }
  const auto is_text = [](const FieldSchema& field) { return field.type == DataType::kText; };
  if (request.field.empty()) {
    if (std::none_of(schema.fields.begin(), schema.fields.end(), is_text)) {
      return InvalidArgument("collection \"" + schema.name +
                             "\" has no TEXT field to search for words");
    }
  } else if (const auto* field = schema.FindField(request.field);
             field == nullptr || !is_text(*field)) {
    return InvalidArgument("field \"" + request.field + "\" " +
                           (field == nullptr ? "is not a field of the collection"
                                             : "is " + std::string(DataTypeName(field->type))) +
                           "; words are searched in TEXT fields");
  }
  for (size_t i = 0; i < request.texts.size(); ++i) {
    TRY(CheckString(request.texts[i], Capabilities{}, "text " + std::to_string(i)));
  }
  return {};
}

Result<const VectorFieldSchema*> FindSearched(const CollectionSchema& schema,
                                              const std::string& name) {
  if (name.empty()) {
    if (schema.vectors.size() == 1) {
      return &schema.vectors[0];
    }
    return InvalidArgument("collection \"" + schema.name + "\" has " +
                           std::to_string(schema.vectors.size()) +
                           " vectors; name the one to search");
  }
  const auto* field = schema.FindVector(name);
  if (field == nullptr) {
    return InvalidArgument("vector \"" + name + "\" is not a vector of collection \"" +
                           schema.name + "\"");
  }
  return field;
}

}  // namespace

Result<const VectorFieldSchema*> ValidateSearch(const CollectionSchema& schema,
                                                const Capabilities& capabilities,
                                                const SearchRequest& request) {
  TRY(CheckCounts(capabilities, request));
  TRY(ValidateOutput(schema, request.output));
  if (request.vectors.empty()) {
    TRY(CheckTexts(schema, capabilities, request));
    return static_cast<const VectorFieldSchema*>(nullptr);
  }
  const VectorFieldSchema* field = TRY(FindSearched(schema, request.field));
  for (size_t i = 0; i < request.vectors.size(); ++i) {
    Vector query = request.vectors[i];
    const Status checked = NormalizeVector(*field, capabilities, query);
    if (!checked.ok()) {
      return checked.error().Within("query " + std::to_string(i));
    }
    if (query != request.vectors[i]) {
      return InvalidArgument("query " + std::to_string(i) + ": sparse entries are not sorted");
    }
  }
  return field;
}

Status ValidateOutput(const CollectionSchema& schema, const OutputFields& output) {
  for (const auto& name : output.fields) {
    const bool known = schema.dynamic || name == schema.key_field || name == schema.tenant_field ||
                       schema.FindField(name) != nullptr || schema.FindVector(name) != nullptr;
    if (!known || name.empty()) {
      return InvalidArgument("output field \"" + name + "\" is not a field of collection \"" +
                             schema.name + "\"");
    }
  }
  return {};
}

Record Project(const CollectionSchema& schema, const OutputFields& output, Record record) {
  const auto named = [&](std::string_view name) {
    return std::find(output.fields.begin(), output.fields.end(), name) != output.fields.end();
  };
  if (!output.vectors) {
    std::erase_if(record.vectors, [&](const auto& vector) { return !named(vector.first); });
  }
  if (output.all_scalars) {
    return record;
  }
  std::erase_if(record.fields, [&](const auto& field) { return !named(field.first); });
  if (!record.dynamic.empty() && !named("$meta")) {
    auto members = JsonMembers(record.dynamic);
    std::erase_if(members, [&](const auto& member) {
      return !named(member.first) || schema.FindField(member.first) != nullptr;
    });
    record.dynamic = JsonObject(std::move(members));
  }
  return record;
}

}  // namespace roost
