#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// A collection's schema as JSON, the same text in requests, replies, stores' catalogues and dumps:
/// {"name", "description", "key": {"name", "type"}, "tenant_field", "dynamic",
///  "fields": [{"name", "type", "element_type", "max_length", "max_capacity", "nullable",
///  "default"}], "vectors": [{"name", "type", "dimension", "metric", "nullable",
///               "index": {"type", "m", "ef_construction"}}]}
/// Everything but names and types may be left out. Deterministic; reads back as an equal schema.
std::string SchemaToJson(const CollectionSchema& schema);

/// kInvalidArgument names the member that is unknown, missing or of the wrong type. Whether the
/// schema makes sense for a store is ValidateSchema's to say.
Result<CollectionSchema> SchemaFromJson(std::string_view json);

}  // namespace roost
