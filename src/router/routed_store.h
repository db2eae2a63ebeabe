#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "metadata/control_store.h"
#include "router/route_table.h"
#include "router/routed_reader.h"
#include "router/routed_writer.h"
#include "router/shadow.h"
#include "router/store_set.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct RoutedStoreOptions {
  std::string default_store;
  MirrorOptions mirror;
  ReadOptions read;
  ShadowOptions shadow;
};

/// Sends every read and write to the store that the collection's route names. Thread safe.
///
/// Reads: a share of sessions (same tenant and principal) goes to the other store; what that store
/// cannot answer, or not yet, the authority answers. A read that a change of route overtook is
/// thrown away and repeated. Scan and Count always ask the authority.
/// Writes of a moving collection: mark (durable), authority, other store, finish. No error and no
/// delay of the other store reaches the client; writes wait while a route holds them.
/// DDL: a moving collection cannot be dropped. A name belongs to one store: that of its route, else
/// the default store.
class RoutedStore final : public VectorStore {
 public:
  /// Everything outlives it. Precondition: names are unique and the default store is among them.
  RoutedStore(RoutedStoreOptions options, std::vector<NamedStore> stores, RouteTable& routes,
              ControlStore& control, Random& random, Metrics& metrics);
  ~RoutedStore() override;

  /// Publishes the routes of the control store. Call once, before serving and before moves resume.
  Status LoadRoutes();

  /// Creates on the store with that name (empty: the default one). kNotFound for unknown stores.
  Status CreateOn(const RequestContext&, const std::string& store, const CreateCollectionRequest&);

  std::vector<std::string> StoreNames() const;            ///< sorted
  VectorStore* FindStore(const std::string& name) const;  ///< null when unknown
  bool StoreAvailable(const std::string& name) const;
  /// Name of the store that answers for the collection, whether or not it exists.
  std::string StoreOf(const std::string& collection) const;
  ShadowReport ShadowOf(const std::string& collection) const;
  MirrorCounts MirrorOf(const std::string& collection) const;
  /// Start what was counted for a collection anew.
  void ResetShadow(const std::string& collection);
  void ResetMirror(const std::string& collection);

  const Capabilities& capabilities() const override;  ///< of the default store
  const Capabilities& CapabilitiesOf(const std::string& collection) const;

  Status CreateCollection(const RequestContext&, const CreateCollectionRequest&) override;
  Status DropCollection(const RequestContext&, const DropCollectionRequest&) override;
  Result<CollectionDescription> DescribeCollection(const RequestContext&,
                                                   const std::string& collection) override;
  Result<std::vector<std::string>> ListCollections(const RequestContext&) override;
  Result<WriteResult> Insert(const RequestContext&, const WriteRequest&) override;
  Result<WriteResult> Upsert(const RequestContext&, const WriteRequest&) override;
  Result<DeleteResult> Delete(const RequestContext&, const DeleteRequest&) override;
  Result<GetResult> Get(const RequestContext&, const GetRequest&) override;
  Result<QueryResult> Query(const RequestContext&, const QueryRequest&) override;
  Result<SearchResult> Search(const RequestContext&, const SearchRequest&) override;
  Result<SearchResult> HybridSearch(const RequestContext&, const HybridSearchRequest&) override;
  Result<ScanPage> Scan(const RequestContext&, const ScanRequest&) override;
  Result<uint64_t> Count(const RequestContext&, const CountRequest&) override;
  Status CheckHealth(const RequestContext&) override;  ///< of the default store

 private:
  class DdlGuard;

  Status SaveRoute(const RequestContext& context, const Route& route);
  Status ForgetRoute(const RequestContext& context, const std::string& collection);
  Status CheckFree(const RequestContext& context, const std::string& store,
                   const std::string& collection);

  const RoutedStoreOptions options_;
  const StoreSet stores_;
  RouteTable& routes_;
  ControlStore& control_;
  RoutedReader reader_;
  RoutedWriter writer_;
  ShadowReader shadow_;

  std::mutex mutex_;
  std::set<std::string> changing_;  ///< collections that are being created or dropped
};

}  // namespace roost
