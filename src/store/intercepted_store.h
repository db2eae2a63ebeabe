#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/vector_store.h"

namespace roost {

/// The calls of a VectorStore, for decorators that treat them alike.
enum class StoreCall : uint8_t {
  kCreateCollection,
  kDropCollection,
  kDescribeCollection,
  kListCollections,
  kInsert,
  kUpsert,
  kDelete,
  kGet,
  kQuery,
  kSearch,
  kHybridSearch,
  kScan,
  kCount,
  kCheckHealth,
};
inline constexpr size_t kStoreCalls = 14;

/// "search": as metrics and messages name the call.
inline std::string_view StoreCallName(StoreCall call) {
  constexpr std::array<std::string_view, kStoreCalls> kNames = {"create_collection",
                                                                "drop_collection",
                                                                "describe_collection",
                                                                "list_collections",
                                                                "insert",
                                                                "upsert",
                                                                "delete",
                                                                "get",
                                                                "query",
                                                                "search",
                                                                "hybrid_search",
                                                                "scan",
                                                                "count",
                                                                "check_health"};
  return kNames[static_cast<size_t>(call)];
}
inline bool IsWrite(StoreCall call) {
  return call <= StoreCall::kDropCollection ||
         (call >= StoreCall::kInsert && call <= StoreCall::kDelete);
}

/// A store that hands every call to `Self::Intercept(context, call, run)`, where `run(context)`
/// makes the call at the inner store, as often as Intercept likes. `Base` is VectorStore or derived
/// from it.
template <typename Self, typename Base = VectorStore>
class InterceptedStore : public Base {
 public:
  const Capabilities& capabilities() const override { return inner_.capabilities(); }

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    return Pass(context, StoreCall::kCreateCollection,
                [&](const RequestContext& c) { return inner_.CreateCollection(c, request); });
  }
  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override {
    return Pass(context, StoreCall::kDropCollection,
                [&](const RequestContext& c) { return inner_.DropCollection(c, request); });
  }
  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override {
    return Pass(context, StoreCall::kDescribeCollection,
                [&](const RequestContext& c) { return inner_.DescribeCollection(c, collection); });
  }
  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override {
    return Pass(context, StoreCall::kListCollections,
                [&](const RequestContext& c) { return inner_.ListCollections(c); });
  }
  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return Pass(context, StoreCall::kInsert,
                [&](const RequestContext& c) { return inner_.Insert(c, request); });
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return Pass(context, StoreCall::kUpsert,
                [&](const RequestContext& c) { return inner_.Upsert(c, request); });
  }
  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    return Pass(context, StoreCall::kDelete,
                [&](const RequestContext& c) { return inner_.Delete(c, request); });
  }
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override {
    return Pass(context, StoreCall::kGet,
                [&](const RequestContext& c) { return inner_.Get(c, request); });
  }
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override {
    return Pass(context, StoreCall::kQuery,
                [&](const RequestContext& c) { return inner_.Query(c, request); });
  }
  Result<SearchResult> Search(const RequestContext& context,
                              const SearchRequest& request) override {
    return Pass(context, StoreCall::kSearch,
                [&](const RequestContext& c) { return inner_.Search(c, request); });
  }
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    return Pass(context, StoreCall::kHybridSearch,
                [&](const RequestContext& c) { return inner_.HybridSearch(c, request); });
  }
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override {
    return Pass(context, StoreCall::kScan,
                [&](const RequestContext& c) { return inner_.Scan(c, request); });
  }
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override {
    return Pass(context, StoreCall::kCount,
                [&](const RequestContext& c) { return inner_.Count(c, request); });
  }
  Status CheckHealth(const RequestContext& context) override {
    return Pass(context, StoreCall::kCheckHealth,
                [&](const RequestContext& c) { return inner_.CheckHealth(c); });
  }
  /// Not intercepted: people ask for it, now and then.
  Adoption* adoption() override { return inner_.adoption(); }

 private:
  friend Self;  // and nobody else may derive from it
  explicit InterceptedStore(VectorStore& inner) : inner_(inner) {}

  template <typename Run>
  auto Pass(const RequestContext& context, StoreCall call, Run run) {
    return static_cast<Self*>(this)->Intercept(context, call, run);
  }

  VectorStore& inner_;
};

}  // namespace roost
