#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace roost {

/// What a field holds. Scalars first, vectors from kFloatVector on.
enum class DataType : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat,  ///< kept as double, rounded to float32
  kDouble,
  kVarChar,  ///< compared by bytes
  kText,     ///< a string that keyword search finds
  kJson,
  kTimestamp,  ///< int64, microseconds since 1970-01-01 UTC
  kUuid,       ///< 36 characters, lower case
  kArray,      ///< of one scalar type; no nulls inside
  kFloatVector,
  kFloat16Vector,
  kBFloat16Vector,
  kInt8Vector,
  kBinaryVector,  ///< dimension in bits, a multiple of 8
  kSparseVector,
};
bool IsVector(DataType type);
/// "VARCHAR", "FLOAT_VECTOR": the names users write and see.
std::string_view DataTypeName(DataType type);
Result<DataType> ParseDataType(std::string_view name);

/// How far apart two vectors are. `distance` is what Roost shows everywhere:
///   kL2 root of the sum of squares · kCosine 1 − cos · kInnerProduct −x·y · kHamming bits that
///   differ · kJaccard 1 − |∩|/|∪| (1 for two empty sets) · kBm25 −score (keyword search).
/// `score` is higher for better: cosine 1 − distance, jaccard 1 − distance, all others −distance.
enum class Metric : uint8_t { kL2, kCosine, kInnerProduct, kHamming, kJaccard, kBm25 };
std::string_view MetricName(Metric metric);  ///< "L2", "COSINE", "IP", "HAMMING", "JACCARD", "BM25"
Result<Metric> ParseMetric(std::string_view name);
double ScoreOf(Metric metric, double distance);

/// JSON as canonical text: base/json.h's CanonicalJson. Two equal texts are equal values.
struct Json {
  std::string text;
  auto operator<=>(const Json&) const = default;
};

struct Value;
using Array = std::vector<Value>;

/// One scalar: null, bool, integer (also timestamp), floating, string (also text, uuid), JSON,
/// array.
struct Value : std::variant<std::monostate, bool, int64_t, double, std::string, Json, Array> {
  using variant::variant;
  bool is_null() const { return index() == 0; }
};
/// Equal as a reader must get it back: same alternative, doubles by bits.
bool SameValue(const Value& a, const Value& b);

/// A vector as bytes, little endian: float32, float16, bfloat16, int8 elements; bits, first
/// dimension in the highest bit of the first byte; sparse: (uint32 index, float32 value) pairs by
/// rising index.
struct Vector {
  DataType type = DataType::kFloatVector;
  std::string bytes;

  static Vector Floats(std::span<const float> values);
  /// Precondition: type is kFloatVector.
  std::span<const float> floats() const;
  /// Elements; bits for binary; stored entries for sparse.
  size_t dimension() const;
  bool operator==(const Vector&) const = default;  // bit for bit
};

enum class KeyType : uint8_t { kInt64, kVarChar };
using Key = std::variant<int64_t, std::string>;

/// What identifies a record in its collection. `tenant` is empty where there are none. Ordered by
/// tenant bytes, then integer value or key bytes: the order of Scan.
struct RecordKey {
  std::string tenant;
  Key key;
  auto operator<=>(const RecordKey&) const = default;
};
/// "42", "\"abc\"", "acme/42": for messages and logs.
std::string ToString(const RecordKey& key);

/// One record. A declared field that is absent is null. `dynamic` holds undeclared fields as a
/// canonical JSON object, or is empty.
struct Record {
  RecordKey key;
  std::map<std::string, Value, std::less<>> fields;
  std::map<std::string, Vector, std::less<>> vectors;
  std::string dynamic;
};
bool SameRecord(const Record& a, const Record& b);

struct FieldSchema {
  std::string name;
  DataType type = DataType::kVarChar;
  DataType element_type = DataType::kInt64;  ///< of arrays
  uint32_t max_length = 65'535;              ///< bytes of strings
  uint32_t max_capacity = 4'096;             ///< elements of arrays
  bool nullable = true;
  std::optional<Value> default_value;  ///< applied where a write leaves the field out
  bool operator==(const FieldSchema& other) const;
};

struct VectorFieldSchema {
  std::string name;
  DataType type = DataType::kFloatVector;
  uint32_t dimension = 0;  ///< 1 to 32,768; 0 for sparse
  Metric metric = Metric::kCosine;
  bool nullable = true;
  std::string index = "HNSW";  ///< or "FLAT" (exact)
  uint32_t hnsw_m = 16;
  uint32_t hnsw_ef_construction = 200;
  bool operator==(const VectorFieldSchema&) const = default;
};

/// Names: [A-Za-z_][A-Za-z0-9_]{0,254}; a collection outside the default database is called
/// "database.collection" by the stores. Field names that start with '_' are Roost's own.
struct CollectionSchema {
  std::string name;
  std::string description;
  KeyType key_type = KeyType::kVarChar;
  std::string key_field = "id";
  std::string
      tenant_field;  ///< not empty: every record belongs to a tenant, and this names it in filters
  bool dynamic = false;  ///< undeclared fields are accepted
  std::vector<FieldSchema> fields;
  std::vector<VectorFieldSchema> vectors;
  bool operator==(const CollectionSchema&) const = default;

  const FieldSchema* FindField(std::string_view field) const;
  const VectorFieldSchema* FindVector(std::string_view field) const;
  bool multi_tenant() const { return !tenant_field.empty(); }
};

}  // namespace roost
