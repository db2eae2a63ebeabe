#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/pgvector/pgvector_layout.h"
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
  std::string name;       ///< quoted
  std::string type;       ///< as in CREATE TABLE
  std::string stored;     ///< its name in the table itself, quoted
  bool raw_json = false;  ///< not canonical as it lies there: made so here, filters judged here
  uint32_t oid = 0;       ///< of the type; known once the table is there
  size_t member = 0;      ///< which of schema.fields or schema.vectors
};

/// A collection and the table that holds it. Immutable but for `indexed`.
struct PgTable {
  /// One that Roost makes, under a name of its own.
  PgTable(CollectionSchema collection, std::string_view pg_schema, int64_t catalogue_id);
  /// One whose columns and layout are set by the caller (pgvector_adopted.h).
  PgTable(CollectionSchema collection, int64_t catalogue_id);
  PgTable(const PgTable&) = delete;  // the layout points into it
  PgTable& operator=(const PgTable&) = delete;

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
  std::string_view key_array() const {
    return schema.key_type == KeyType::kInt64 ? "bigint[]" : "text[]";
  }

  CollectionSchema schema;
  int64_t id = 0;
  std::string plain_name;  ///< without schema and quotes, at most 63 bytes
  std::string name;        ///< qualified and quoted
  std::string row_type;    ///< whose columns are `columns`, qualified and quoted
  uint32_t row_oid = 0;    ///< of that type
  std::vector<PgColumn> columns;
  std::unique_ptr<const PgLayout> layout;
  /// Which vectors have a valid HNSW index, as last seen.
  std::unique_ptr<std::atomic<bool>[]> indexed;
};

/// "t.a, t.b".
std::string ColumnList(const std::vector<const PgColumn*>& columns, std::string_view alias);

/// A collection's name as part of a table's: lower-case letters, digits and "_", at most 40.
std::string Slug(std::string_view name);
/// The column's name and type for a field, a vector.
std::string ColumnName(const std::string& field);
std::string FieldType(const FieldSchema& field);
std::string VectorType(const VectorFieldSchema& field);
/// Which operators an index must know to serve the vector's metric.
std::string_view OperatorClass(const VectorFieldSchema& field);
/// Why no HNSW index can be made for the vector, or empty when it can.
std::string WhyNotIndexable(const VectorFieldSchema& field);
/// CREATE INDEX without a name's clash: the name is derived from table and vector.
std::string IndexName(const PgTable& table, size_t vector);
std::string CreateIndex(const PgTable& table, size_t vector);

}  // namespace roost
