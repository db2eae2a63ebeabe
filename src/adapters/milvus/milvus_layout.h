#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"
#include "store/vector_store.h"

namespace milvus::proto::schema {
class CollectionSchema;
enum DataType : int;
}  // namespace milvus::proto::schema

namespace roost {

/// One field of a collection as Milvus has it.
struct MilvusColumn {
  enum class Role : uint8_t {
    kKey,      ///< Milvus' primary key: the record's key, or tenant and key in one
    kTenant,   ///< for filters; only where there are tenants
    kOwnKey,   ///< the record's key alone, for filters; only where there are tenants
    kNulls,    ///< the numbers of the fields and vectors without a value
    kDynamic,  ///< undeclared fields
    kField,
    kVector,
  };
  Role role = Role::kField;
  std::string name;
  size_t member = 0;  ///< which of schema.fields or schema.vectors
};

/// A collection and how Milvus keeps it. Immutable; README.md describes it for other readers.
struct MilvusLayout {
  MilvusLayout(CollectionSchema collection, std::string instance_name);

  const MilvusColumn* FindField(std::string_view field) const;
  const MilvusColumn& VectorColumn(size_t vector) const;
  const MilvusColumn* Find(MilvusColumn::Role role) const;
  const FieldSchema& field(const MilvusColumn& column) const {
    return schema.fields[column.member];
  }
  const VectorFieldSchema& vector(const MilvusColumn& column) const {
    return schema.vectors[column.member];
  }
  const std::string& key_name() const { return columns[0].name; }
  /// Whether Milvus' key is a number.
  bool integer_keys() const { return schema.key_type == KeyType::kInt64 && !schema.multi_tenant(); }
  /// What stands for a field or vector in the column of nulls.
  int NullNumber(const MilvusColumn& column) const;
  bool Nullable(const MilvusColumn& column) const;
  /// The columns to read for `output`, the key's first.
  std::vector<const MilvusColumn*> Selected(const OutputFields& output) const;
  /// How many bytes a row of these columns may take, about.
  uint64_t RowBytes(std::span<const MilvusColumn* const> selected) const;

  /// What Milvus keeps as the collection's description: the schema, and who made it.
  std::string Description() const;
  void ToProto(milvus::proto::schema::CollectionSchema& out) const;
  /// kFailedPrecondition, naming what differs, when the server's collection is not this one.
  Status CheckProto(const milvus::proto::schema::CollectionSchema& found) const;

  CollectionSchema schema;
  std::string name;      ///< of the collection in Milvus
  std::string instance;  ///< differs for each collection ever made; part of the key's name
  int64_t id = 0;        ///< Milvus' own number
  std::vector<MilvusColumn> columns;
};
using MilvusLayoutPtr = std::shared_ptr<const MilvusLayout>;

/// What a description says; kFailedPrecondition when Roost did not write it.
struct MilvusDescription {
  std::string instance;
  CollectionSchema schema;
};
Result<MilvusDescription> ParseDescription(std::string_view text);

/// The name of a collection in Milvus: "roost_books_1f0c9a77d2b4e6f8". Different for different
/// names, the same on every machine.
std::string MilvusCollectionName(std::string_view name);
inline constexpr std::string_view kMilvusCollectionPrefix = "roost_";

/// Milvus' words, which cannot be the name of a field in a filter.
bool IsMilvusWord(std::string_view name);

/// What `kNulls` says of vectors: this and the vector's place.
inline constexpr int kNullVectors = 10'000;

/// Elements of a vector as Milvus keeps them: float16, bfloat16 and int8 as float32, which holds
/// them all.
DataType StoredVectorType(DataType type);

/// How Milvus keeps a field, or an array's elements, of the type.
milvus::proto::schema::DataType MilvusScalarType(DataType type);

}  // namespace roost
