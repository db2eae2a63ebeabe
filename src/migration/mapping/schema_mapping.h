#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/capabilities.h"
#include "store/types.h"

namespace roost {

/// How a collection is kept on a store that does not keep it as its users see it: the schema there,
/// and which field of the collection each of its fields holds. Every field of the collection is
/// held by exactly one, so nothing is left out.
///
/// What a field may become, beside another name, other limits that are not tighter and, for
/// vectors, another index:
///   INT8, INT16, INT32       a wider integer
///   FLOAT                    DOUBLE
///   UUID                     VARCHAR
///   TEXT                     VARCHAR; keyword search finds it no more
///   TIMESTAMP                INT64, microseconds since 1970
///   JSON                     VARCHAR with the canonical JSON; no filter reaches inside
///   FLOAT16, BFLOAT16, INT8 vectors   FLOAT_VECTOR of the same dimension and metric
///   any vector               VARCHAR with the base64 of its bytes: kept, but not searched
/// Each keeps every value, bit for bit.
struct SchemaMapping {
  CollectionSchema schema;  ///< on the store; of the same name
  std::map<std::string, std::string>
      source_name;  ///< of the fields that are called otherwise there
  bool operator==(const SchemaMapping&) const = default;
};

/// The schema as it is but for the vectors that a store of these capabilities cannot keep: those as
/// text, without search. Other things that it cannot keep stay as they are.
SchemaMapping SuggestMapping(const CollectionSchema& schema, const Capabilities& capabilities);

/// Characters of the base64 of a vector of the field; the most, for a sparse one, that a VARCHAR
/// can have.
uint32_t VectorTextLength(const VectorFieldSchema& field);

/// As a text that users edit: {"schema": …as schema_json.h has it…, "from": {"name there":
/// "name"}}.
std::string MappingToJson(const SchemaMapping& mapping);
/// kInvalidArgument names the member that is unknown, missing or of the wrong type. Whether it fits
/// a collection is RecordMapper's to say.
Result<SchemaMapping> MappingFromJson(std::string_view json);

}  // namespace roost
