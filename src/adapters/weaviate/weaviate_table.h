#pragma once

// A collection as a Weaviate class.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost {

class WeaviateFormat;

/// Roost's own properties. Field names cannot begin with '_' (store/types.h).
inline constexpr std::string_view kKeyProperty = "_pk";         ///< the key as text
inline constexpr std::string_view kTenantProperty = "_tenant";  ///< where there are tenants
/// Values that Weaviate does not keep as they are, as JSON: integers beyond 2^53, empty arrays,
/// JSON fields, under their field's name, and the dynamic fields under "$meta".
inline constexpr std::string_view kExactProperty = "_x";
/// Properties whose index does not hold what the record holds (README.md): a filter on one of them
/// also takes these objects, and the record itself is looked at.
inline constexpr std::string_view kOddProperty = "_odd";
inline constexpr std::string_view kBucketProperty = "_bucket";  ///< ObjectId::Bucket()

/// Above this, an HNSW index is not searched exactly even where a filter leaves few.
inline constexpr int64_t kFlatSearchCutoff = 40'000;

/// Immutable; shared between calls.
struct WeaviateTable {
  CollectionSchema schema;
  std::string class_name;
  std::string id;                       ///< random; another one for a new collection of an old name
  std::vector<std::string> properties;  ///< one a field; not in the class for JSON
  std::vector<std::string> words;       ///< one a field; empty unless TEXT
  std::vector<std::string> vectors;     ///< one a vector; "": the one without a name
  std::vector<std::string> unread;      ///< of an adopted class: what is not read
  const WeaviateFormat* format = nullptr;

  const FieldSchema& field(size_t index) const { return schema.fields[index]; }
  /// Index of the field or vector of that name.
  std::optional<size_t> FindField(std::string_view name) const;
  std::optional<size_t> FindVector(std::string_view name) const;
};
using WeaviateTablePtr = std::shared_ptr<const WeaviateTable>;

/// Whether Weaviate has a property for fields of the type.
inline bool HasProperty(const FieldSchema& field) { return field.type != DataType::kJson; }

WeaviateTable MakeTable(CollectionSchema schema, std::string id);

/// The body of POST /v1/schema. Of an adopted class: of a class without objects, whose description
/// says what was adopted.
std::string ClassJson(const WeaviateTable& table);
/// From GET /v1/schema/{class}, or one of GET /v1/schema's classes. kNotFound for a class that was
/// not made by Roost, kDataLoss for one whose description was damaged.
Result<WeaviateTable> TableFromClass(std::string_view class_json);
/// Of every class made by Roost, in GET /v1/schema: the collections' names, sorted.
Result<std::vector<std::string>> CollectionsFromSchema(std::string_view schema_json);

}  // namespace roost
