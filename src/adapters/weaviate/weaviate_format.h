#pragma once

#include <optional>
#include <string>
#include <utility>

#include "adapters/weaviate/weaviate_filter.h"
#include "adapters/weaviate/weaviate_names.h"
#include "base/result.h"
#include "store/types.h"

namespace weaviate::v1 {
class BatchObject;
class SearchRequest;
class SearchResult;
}  // namespace weaviate::v1

namespace roost {

struct Wanted;
struct WeaviateTable;

/// How records are objects of a class: where classes that Roost made and adopted ones differ.
/// Immutable, without state.
class WeaviateFormat {
 public:
  virtual ~WeaviateFormat() = default;

  /// Roost made the class: it has buckets, and tenants under names that Roost encoded.
  virtual bool ours() const = 0;
  /// The object that holds the key's record; nothing where no object can.
  virtual std::optional<ObjectId> IdOf(const Key& key) const = 0;
  /// First and last object whose key may order as this one does.
  virtual std::pair<ObjectId, ObjectId> RangeOf(const Key& key) const = 0;
  /// Whether keys may order otherwise than their objects do, within a group.
  virtual bool Grouped(const WeaviateTable& table) const = 0;
  virtual std::string TenantName(const std::string& tenant) const = 0;

  /// Precondition: the record went through ValidateRecords and CheckWrite.
  virtual void Encode(const WeaviateTable& table, const Record& record,
                      weaviate::v1::BatchObject& object) const = 0;
  /// kInvalidArgument, kFailedPrecondition: the class cannot hold the record as it is.
  virtual Status CheckWrite(const WeaviateTable& table, const Record& record) const = 0;
  /// Fills in which properties and vectors are to be returned.
  virtual void AskFor(const WeaviateTable& table, const Wanted& wanted,
                      weaviate::v1::SearchRequest& request) const = 0;
  /// Fields that were not asked for are absent.
  virtual Result<Record> Decode(const WeaviateTable& table, const std::string& tenant,
                                const weaviate::v1::SearchResult& object) const = 0;
  /// What of the filter Weaviate may judge. Null matches all.
  virtual WeaviateFilter Narrow(const Filter* filter, const WeaviateTable& table,
                                const std::string& tenant) const = 0;
};

const WeaviateFormat& OwnFormat();
const WeaviateFormat& AdoptedFormat();

}  // namespace roost
