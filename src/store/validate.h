#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/vector_store.h"

namespace roost {

inline constexpr size_t kMaxFields = 512;       ///< scalar fields of a collection
inline constexpr size_t kMaxTenantBytes = 255;  ///< of a tenant's name
inline constexpr uint32_t kMaxEf = 32'768;
/// TIMESTAMP: 0001-01-01 to 9999-12-31, what every store can say.
inline constexpr int64_t kMinTimestamp = -62'135'596'800'000'000;
inline constexpr int64_t kMaxTimestamp = 253'402'300'799'999'999;

/// Names, dimensions (1 to the store's limit), types, metrics and defaults of a new collection.
/// kInvalidArgument says what, where and what to do; kUnimplemented what the store lacks. Float,
/// float16, bfloat16 and int8 vectors take L2, COSINE, IP; binary ones HAMMING, JACCARD; sparse IP.
Status ValidateSchema(const CollectionSchema& schema, const Capabilities& capabilities);

/// Checks and normalises rows before anything is changed: key type and size (1 byte or more, or
/// within the store's range of integers), tenant present exactly where the collection has tenants,
/// known fields (or dynamic), types and ranges, string and array limits, valid UTF-8, nulls,
/// defaults applied, floats rounded, uuids lowered, JSON canonical, vectors' names, types,
/// dimensions, finite elements, no zero vector with cosine (unless the store takes it), sparse
/// entries sorted without duplicates. Integers are taken for FLOAT and DOUBLE, RFC 3339 text for
/// TIMESTAMP. Null fields are erased, JSON `null` is null, undeclared fields move into `dynamic`,
/// which is empty rather than "{}". kInvalidArgument names row (from 0, as RowError does), key and
/// field; the rows may then be half normalised.
Status ValidateRecords(const CollectionSchema& schema, const Capabilities& capabilities,
                       std::vector<Record>& records);

/// Key type, size and range, and tenant, of keys to get or delete.
Status ValidateKeys(const CollectionSchema& schema, const Capabilities& capabilities,
                    std::span<const RecordKey> keys);

/// Query vectors against the field: resolves an empty field name, checks type, dimension,
/// finiteness, top_k (1 to max_top_k, offset included), ef. Returns the field's schema; null for
/// texts, whose field must then be a TEXT field or empty.
Result<const VectorFieldSchema*> ValidateSearch(const CollectionSchema& schema,
                                                const Capabilities& capabilities,
                                                const SearchRequest& request);

/// Names in `output.fields` must be declared, unless the collection is dynamic.
Status ValidateOutput(const CollectionSchema& schema, const OutputFields& output);
/// The record as asked for. Named fields that are vectors come too; "$meta" stands for the whole
/// dynamic field.
Record Project(const CollectionSchema& schema, const OutputFields& output, Record record);

}  // namespace roost
