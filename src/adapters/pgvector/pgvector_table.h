#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/pg_codec.h"
#include "store/types.h"
#include "store/vector_store.h"

namespace roost {

/// One column of a collection's table.
struct PgColumn {
  enum class Role : uint8_t {
    kTenant,  ///< empty where the collection has none
    kKey,
    kFence,    ///< of the last fenced write
    kDeleted,  ///< the row is a tombstone: only tenant, key, fence and time count
    kBuried,   ///< when it became a tombstone
    kDynamic,
    kField,
    kVector,
    kWords,  ///< the words of a text field, for keyword search
    kParts,  ///< a sparse vector as sparsevec[], for search (pgvector_vectors.h)
  };
  Role role = Role::kField;
  std::string name;   ///< quoted
  std::string type;   ///< as in CREATE TABLE
  uint32_t oid = 0;   ///< of the type; known once the table is there
  size_t member = 0;  ///< which of schema.fields or schema.vectors
};

/// A collection and the table that holds it. Immutable but for `indexed`.
struct PgTable {
  PgTable(CollectionSchema collection, std::string_view pg_schema, int64_t catalogue_id);

  const PgColumn* FindWords(size_t field) const;
  const PgColumn* FindParts(size_t vector) const;
  const PgColumn* FindField(std::string_view field) const;
  const PgColumn& VectorColumn(size_t vector) const;
  const FieldSchema& field(const PgColumn& column) const { return schema.fields[column.member]; }
  const VectorFieldSchema& vector(const PgColumn& column) const {
    return schema.vectors[column.member];
  }
  /// The columns to read for `output`, key and tenant first.
  std::vector<const PgColumn*> Selected(const OutputFields& output) const;

  std::string CreateTable() const;
  /// Replaces whole rows; `$1` is an array of rows. With `fenced`, rows with a higher fence stay.
  std::string Upsert(bool fenced) const;
  /// Gives back the keys that were written: those of no record before.
  std::string Insert() const;
  /// The assignments of an UPDATE that makes the row a tombstone, but for its fence.
  std::string Bury() const;
  std::string_view key_array() const {
    return schema.key_type == KeyType::kInt64 ? "bigint[]" : "text[]";
  }

  CollectionSchema schema;
  int64_t id = 0;
  std::string plain_name;  ///< without schema and quotes, at most 63 bytes
  std::string name;        ///< qualified and quoted
  uint32_t row_oid = 0;    ///< of the table's row type
  std::vector<PgColumn> columns;
  /// Which vectors have a valid HNSW index, as last seen.
  std::unique_ptr<std::atomic<bool>[]> indexed;
};

/// "t.a, t.b".
std::string ColumnList(const std::vector<const PgColumn*>& columns, std::string_view alias);

/// A collection's name as part of a table's: lower-case letters, digits and "_", at most 40.
std::string Slug(std::string_view name);
/// Why no HNSW index can be made for the vector, or empty when it can.
std::string WhyNotIndexable(const VectorFieldSchema& field);
/// CREATE INDEX without a name's clash: the name is derived from table and vector.
std::string IndexName(const PgTable& table, size_t vector);
std::string CreateIndex(const PgTable& table, size_t vector);

}  // namespace roost
