#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "migration/mapping/schema_mapping.h"
#include "store/filter.h"
#include "store/vector_store.h"

namespace roost {

/// How a field's values become those of the field that holds them.
enum class Carry : uint8_t {
  kSame,        ///< the value as it is
  kJsonText,    ///< JSON as a string
  kFloats,      ///< elements of a vector as float32
  kVectorText,  ///< a vector's bytes as base64 in a string; it cannot be searched
};

/// Turns records and requests of a collection into those of the schema by which a store keeps it,
/// and back. Immutable, so thread safe.
class RecordMapper {
 public:
  /// kInvalidArgument when the mapping leaves out a field, invents one or changes values; names the
  /// field and what may be done with it. Precondition: `source` is valid.
  static Result<std::shared_ptr<const RecordMapper>> Make(const CollectionSchema& source,
                                                          const SchemaMapping& mapping);

  /// As the collection's users see it. Precondition: `schema` is valid.
  static std::shared_ptr<const RecordMapper> Identity(const CollectionSchema& schema);
  bool identity() const { return mapping_.schema == source_ && mapping_.source_name.empty(); }

  const CollectionSchema& source() const { return source_; }
  const SchemaMapping& mapping() const { return mapping_; }
  const CollectionSchema& target() const { return mapping_.schema; }

  /// One field of the collection and the one that holds it.
  struct Part {
    std::string source;
    std::string target;
    Carry carry = Carry::kSame;
    DataType source_type = DataType::kInt64;
    DataType target_type = DataType::kInt64;
  };
  const std::vector<Part>& parts() const { return parts_; }

  /// Precondition: the record is valid by the source's schema.
  Record ToTarget(Record record) const;
  /// kDataLoss when somebody else changed what a field carries.
  Result<Record> ToSource(Record record) const;

  /// Null stays null. kUnimplemented for conditions that need what a carried field does not show.
  Result<FilterPtr> ToTarget(const FilterPtr& filter) const;
  /// Asks for everything that `output` needs; Project by the source's schema afterwards.
  OutputFields ToTarget(const OutputFields& output) const;
  /// kUnimplemented for a vector that is only carried.
  Result<SearchRequest> ToTarget(const SearchRequest& request) const;

  /// The collection as its users see it, with the indexes that the store has.
  CollectionDescription Describe(CollectionDescription stored) const;

 private:
  RecordMapper(const CollectionSchema& source, const SchemaMapping& mapping)
      : source_(source), mapping_(mapping) {}

  Status Pair();
  Status AddPart(const std::string& target, DataType target_type);
  const Part* FindPart(std::string_view source) const;
  std::string TargetName(const std::string& source) const;
  Result<FilterPtr> Translate(const Filter& filter) const;
  Result<Operand> Translate(const Operand& operand) const;

  const CollectionSchema source_;
  const SchemaMapping mapping_;
  std::vector<Part> parts_;
};

}  // namespace roost
