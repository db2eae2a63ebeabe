#pragma once

// Records as Weaviate's objects and back, bit for bit. Pure; README.md tells what is kept how.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/weaviate/weaviate_table.h"
#include "base/result.h"
#include "store/filter.h"
#include "store/vector_store.h"

namespace weaviate::v1 {
class BatchObject;
class SearchRequest;
class SearchResult;
class Value;
}  // namespace weaviate::v1

namespace roost {

/// Integers of this magnitude and less are doubles without loss.
inline constexpr int64_t kExactInteger = int64_t{1} << 53;
/// Weaviate indexes dates by nanoseconds since 1970 in 64 bits: those beyond are indexed wrongly.
inline constexpr int64_t kMinIndexedTime = -9'223'372'036'000'000;
inline constexpr int64_t kMaxIndexedTime = 9'223'372'036'000'000;

/// True when Weaviate's index holds something else than the value: what it trims from strings, ""
/// and [] (both are null to it), integers beyond 2^53, -0.0, dates beyond the years 1678 to 2261.
bool IsOdd(const Value& value, DataType type);

/// Precondition: the record went through ValidateRecords.
void EncodeRecord(const WeaviateTable& table, const Record& record,
                  weaviate::v1::BatchObject& object);

/// One value of a property. Precondition: it is not null, and no empty array.
void EncodeValue(weaviate::v1::BatchObject& object, const std::string& property,
                 const FieldSchema& field, const Value& value);
/// Null for what is none of the types that fields have.
Value DecodeValue(const weaviate::v1::Value& value);
/// Asks for replies in the form of 1.27.
void UseNewestReply(weaviate::v1::SearchRequest& request);

/// What a read brings back, beside the key.
struct Wanted {
  bool scalars = true;         ///< every field, and the dynamic ones
  std::vector<size_t> fields;  ///< else these
  bool exact = false;          ///< else kExactProperty too, for dynamic fields
  bool vectors = false;
  std::optional<size_t> vector;  ///< also this one vector
};
/// What a read asks of a record to answer `output`.
Wanted WantedFor(const WeaviateTable& table, const OutputFields& output);
/// What a record must hold for Matches().
Wanted WantedFor(const WeaviateTable& table, const Filter& filter);
/// Fills in which properties and vectors are to be returned.
void AskFor(const WeaviateTable& table, const Wanted& wanted, weaviate::v1::SearchRequest& request);

/// Fields that were not asked for are absent. kDataLoss for an object that Roost cannot have
/// written, naming it.
Result<Record> DecodeObject(const WeaviateTable& table, const std::string& tenant,
                            const weaviate::v1::SearchResult& object);

/// A float32 vector of Weaviate's, as the field's type.
Vector DecodeVector(DataType type, const std::string& bytes);
std::string EncodeVector(const Vector& vector);

}  // namespace roost
