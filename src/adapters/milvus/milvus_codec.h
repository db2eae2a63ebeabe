#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "adapters/milvus/milvus_layout.h"
#include "base/result.h"
#include "store/types.h"

namespace google::protobuf {
template <typename Element>
class RepeatedPtrField;
}  // namespace google::protobuf
namespace milvus::proto::schema {
class FieldData;
class IDs;
}  // namespace milvus::proto::schema

namespace roost {

using MilvusFields = google::protobuf::RepeatedPtrField<milvus::proto::schema::FieldData>;

/// Records as Milvus' columns and back, bit for bit. Pure.

/// JSON must be an object in Milvus, so a JSON field's value is its member "v".
inline constexpr std::string_view kMilvusJsonHead = "{\"v\":";

/// What Milvus does not take of valid records: JSON objects over 64 KiB, and the key 2^63 − 1,
/// which its merging of results uses for "none", so that no query gives it back and searches fail
/// that find it. kInvalidArgument names row, key and field.
Status CheckLimits(const MilvusLayout& layout, std::span<const Record> records);

/// What Milvus holds for a record without the vector: not zeros, which a search with COSINE passes
/// over.
Vector StandInVector(const VectorFieldSchema& field);

/// All columns of validated rows.
void EncodeRows(const MilvusLayout& layout, std::span<const Record* const> rows, MilvusFields& out);
/// The bytes of a row in a message, at most.
uint64_t EncodedBytes(const MilvusLayout& layout, const Record& record);

/// Reads records out of the columns of a reply. Borrows everything.
class MilvusRows {
 public:
  /// kDataLoss when a column is missing, of another type or shorter than `rows`.
  static Result<MilvusRows> Open(const MilvusLayout& layout,
                                 std::span<const MilvusColumn* const> columns,
                                 const MilvusFields& fields, size_t rows);

  size_t rows() const { return rows_; }
  /// A record with the fields and vectors of the columns; without its key unless the key's column
  /// is among them. kDataLoss for values that Roost cannot have written.
  Result<Record> Read(size_t row) const;
  /// Whether the field or vector has no value. False where the column of nulls was not read.
  bool IsNull(const MilvusColumn& column, size_t row) const;

 private:
  struct Column {
    const MilvusColumn* column = nullptr;
    const milvus::proto::schema::FieldData* data = nullptr;
  };
  Status ReadCell(const Column& cell, size_t row, Record& record) const;

  const MilvusLayout* layout_ = nullptr;
  std::vector<Column> columns_;
  const milvus::proto::schema::FieldData* nulls_ = nullptr;
  size_t rows_ = 0;
};

/// The key at `row` of a search's or a write's reply.
Key StoredKeyAt(const milvus::proto::schema::IDs& ids, size_t row);
size_t CountOf(const milvus::proto::schema::IDs& ids);

}  // namespace roost
