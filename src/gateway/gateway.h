#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "metadata/control_store.h"
#include "router/routed_store.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct GatewayOptions {
  size_t schema_cache_entries = 10'000;
  std::chrono::milliseconds schema_cache_ttl{5'000};  ///< for changes made beside the gateway
  uint32_t delete_page_rows = 1'000;  ///< keys resolved at a time in delete by filter
};

/// The one door: every protocol calls it, and what must hold for every request is applied here,
/// once: names, metrics and, for what needs one, the schema. Thread safe; keeps no lock while a
/// store works.
class Gateway {
 public:
  using SchemaPtr = std::shared_ptr<const CollectionSchema>;

  /// Everything outlives the gateway.
  Gateway(GatewayOptions options, RoutedStore& store, ControlStore& control, Clock& clock,
          Metrics& metrics);

  Result<std::vector<std::string>> ListDatabases();
  Status CreateDatabase(const RequestContext& context, const std::string& name);
  /// kFailedPrecondition while it holds collections.
  Status DropDatabase(const RequestContext& context, const std::string& name);

  /// `store` empty: the default store.
  Status CreateCollection(const RequestContext& context, CollectionSchema schema,
                          const std::string& store);
  Status DropCollection(const RequestContext& context, const std::string& collection);

  /// What others made on the store. kUnimplemented where that cannot be adopted.
  Result<std::vector<ForeignCollection>> ListForeign(const RequestContext& context,
                                                     const std::string& store);
  /// What `query.foreign` would be as a collection; changes nothing.
  Result<AdoptionPlan> PlanAdoption(const RequestContext& context, const std::string& store,
                                    const AdoptionQuery& query);
  /// Makes it one. Nothing of what others made changes.
  Result<AdoptionPlan> Adopt(const RequestContext& context, const std::string& store,
                             const AdoptionQuery& query);
  struct Described {
    CollectionDescription description;
    std::string store;
  };
  Result<Described> DescribeCollection(const RequestContext& context,
                                       const std::string& collection);
  /// Of one database; nullopt: of all.
  Result<std::vector<std::string>> ListCollections(const RequestContext& context,
                                                   const std::optional<std::string>& database);
  /// Of the store that answers for the collection.
  const Capabilities& CapabilitiesOf(const std::string& collection) const {
    return store_.CapabilitiesOf(collection);
  }
  /// Cached: what requests are decoded by.
  Result<SchemaPtr> Schema(const RequestContext& context, const std::string& collection);

  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request);
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request);
  Result<DeleteResult> Delete(const RequestContext& context, const DeleteRequest& request);
  /// Deletes every record that matches, page by page. A deadline may leave some behind; calling
  /// again goes on.
  Result<DeleteResult> DeleteByFilter(const RequestContext& context, const std::string& collection,
                                      const FilterPtr& filter,
                                      const std::optional<std::string>& tenant);
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request);
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request);
  Result<SearchResult> Search(const RequestContext& context, const SearchRequest& request);
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request);
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request);
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request);

 private:
  struct Operation {
    Histogram* seconds = nullptr;
    std::map<Code, Counter*> calls;
  };
  enum OperationId : size_t {
    kInsert,
    kUpsert,
    kDelete,
    kGet,
    kQuery,
    kSearch,
    kHybridSearch,
    kScan,
    kCount,
    kSchemaChange,
    kOperations
  };
  struct CachedSchema {
    SchemaPtr schema;
    SteadyTime read_at;
  };

  template <typename Call>
  auto Measured(OperationId id, Call call);
  Status Create(const RequestContext& context, CreateCollectionRequest request,
                const std::string& store);
  Result<Adoption*> AdoptionOf(const std::string& store) const;
  void Forget(const std::string& collection);

  const GatewayOptions options_;
  RoutedStore& store_;
  ControlStore& control_;
  Clock& clock_;
  std::vector<Operation> operations_;

  std::mutex mutex_;
  std::map<std::string, CachedSchema, std::less<>> schemas_;
};

/// "db.name" -> "db"; "name" -> "default".
std::string_view DatabaseOf(std::string_view collection);

}  // namespace roost
