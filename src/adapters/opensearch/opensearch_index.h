#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/opensearch/opensearch_client.h"
#include "adapters/opensearch/opensearch_store.h"
#include "base/context.h"
#include "base/random.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// A collection and the index that holds it. Immutable.
struct OsIndex {
  CollectionSchema schema;
  std::string name;   ///< of the index: the same for every index the collection ever has
  std::string alias;  ///< never used again: calls through it meet this index or none
};

/// A collection's name as an index's: prefix, a readable part, a digest.
std::string OsIndexName(const std::string& prefix, const std::string& collection);
/// The body of the call that makes the index: settings, alias, mapping with the schema in _meta.
std::string OsCreateBody(const OpenSearchOptions& options, const OsIndex& index);
/// The mapping of a vector, without its braces; `graph`: with an HNSW graph of the options' engine.
std::string OsVectorProperty(const OpenSearchOptions& options, const VectorFieldSchema& field,
                             bool graph);
/// "l2", "cosinesimil", "innerproduct".
std::string_view OsSpaceType(Metric metric);

/// The collections: indexes whose mapping names them, remembered once read. Thread safe.
class OsCatalogue {
 public:
  using IndexPtr = std::shared_ptr<const OsIndex>;

  OsCatalogue(const OpenSearchOptions& options, OsClient& client, Random& random)
      : options_(options), client_(client), random_(random) {}

  /// kNotFound; kFailedPrecondition where the index is none of Roost's or was changed by others.
  Result<IndexPtr> Find(const RequestContext& context, const std::string& collection);
  void Forget(const std::string& collection);
  /// Whether the collection of that name still is the one that `index` holds.
  Result<bool> IsCurrent(const RequestContext& context, const OsIndex& index) const;
  /// Those read so far.
  std::vector<IndexPtr> Known() const;

  Status Create(const RequestContext& context, const CollectionSchema& schema);
  Status Drop(const RequestContext& context, const std::string& collection);
  Result<std::vector<std::string>> List(const RequestContext& context) const;

 private:
  Result<IndexPtr> Load(const RequestContext& context, const std::string& collection) const;

  const OpenSearchOptions& options_;
  OsClient& client_;
  Random& random_;
  mutable std::mutex mutex_;
  std::map<std::string, IndexPtr> known_;
};

}  // namespace roost
