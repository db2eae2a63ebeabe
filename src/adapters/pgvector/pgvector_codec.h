#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/pgvector/pgvector_table.h"
#include "base/result.h"
#include "net/pg_codec.h"
#include "net/pg_connection.h"
#include "store/types.h"

namespace roost {

/// Values of records in PostgreSQL's binary format and back, bit for bit. Pure.

/// The type number of a scalar's column.
uint32_t ScalarOid(DataType type);
/// Appends the scalar, without its length. Precondition: the value was validated for the type.
void EncodeScalar(PgWriter& out, DataType type, const Value& value);
/// kDataLoss when the bytes are none of the type.
Result<Value> DecodeScalar(DataType type, std::string_view bytes);

/// A float, float16, bfloat16, int8 or binary vector as vector, halfvec or bit.
void EncodeVector(PgWriter& out, const Vector& vector);
Result<Vector> DecodeVector(DataType type, std::string_view bytes);

/// A sparse vector for search: sparsevec has a thousand million dimensions, we have 2^32, so index
/// i is dimension i mod 10^9 of part i div 10^9. Zeros are left out. `sparsevec_oid` is the type of
/// a part.
std::string EncodeParts(const Vector& vector, uint32_t sparsevec_oid);
/// The parts of a query as (part, sparsevec in binary format), empty ones left out.
std::vector<std::pair<size_t, std::string>> EncodeQueryParts(const Vector& vector);

/// A text's words with their positions, as tsvector.
std::string EncodeWords(std::string_view text);
/// The text's different words, each a tsquery in text form.
std::vector<std::string> QuotedWords(std::string_view text);
/// A tsquery, as text, for any of the words; empty when there are none.
std::string AnyWordQuery(std::span<const std::string> quoted_words);

/// Appends a row of the table as a composite value, without its length. `sparsevec_oid` as above.
void EncodeRow(PgWriter& out, const PgTable& table, const Record& record,
               std::optional<int64_t> fence, uint32_t sparsevec_oid);
/// A record out of a result whose first columns are `columns`.
Result<Record> DecodeRow(const PgTable& table, std::span<const PgColumn* const> columns,
                         const PgResult& result, size_t row);
/// Appends (tenant, key) arrays as parameters.
void AddKeys(PgParams& params, KeyType type, std::span<const RecordKey> keys);

}  // namespace roost
