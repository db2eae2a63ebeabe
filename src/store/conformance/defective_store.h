#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "store/fake_store.h"
#include "store/intercepted_store.h"

namespace roost::conformance {

/// A FakeStore of which single calls are done wrong on purpose, to see that the suite notices. A
/// hook that is set takes the place of the call; it may use `inner`. Set the hooks before the first
/// call.
class DefectiveStore final : public InterceptedStore<DefectiveStore> {
 public:
  template <typename Output, typename Request>
  using Hook = std::function<Result<Output>(const RequestContext&, const Request&)>;

  explicit DefectiveStore(std::unique_ptr<VectorStore> store)
      : InterceptedStore(*store), inner(*store), store_(std::move(store)) {}

  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall, Run run) {
    return run(context);
  }

  const Capabilities& capabilities() const override {
    return claims ? *claims : inner.capabilities();
  }
  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    return create ? create(context, request) : inner.CreateCollection(context, request);
  }
  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override {
    return drop ? drop(context, request) : inner.DropCollection(context, request);
  }
  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& name) override {
    return describe ? describe(context, name) : inner.DescribeCollection(context, name);
  }
  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override {
    auto names = inner.ListCollections(context);
    if (names.ok() && list) {
      list(*names);
    }
    return names;
  }
  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return insert ? insert(context, request) : inner.Insert(context, request);
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return upsert ? upsert(context, request) : inner.Upsert(context, request);
  }
  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    return remove ? remove(context, request) : inner.Delete(context, request);
  }
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override {
    return get ? get(context, request) : inner.Get(context, request);
  }
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override {
    return query ? query(context, request) : inner.Query(context, request);
  }
  Result<SearchResult> Search(const RequestContext& context,
                              const SearchRequest& request) override {
    return search ? search(context, request) : inner.Search(context, request);
  }
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    return hybrid ? hybrid(context, request) : inner.HybridSearch(context, request);
  }
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override {
    return scan ? scan(context, request) : inner.Scan(context, request);
  }
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override {
    return count ? count(context, request) : inner.Count(context, request);
  }

  VectorStore& inner;
  std::optional<Capabilities> claims;  ///< what it says of itself instead
  Hook<void, CreateCollectionRequest> create;
  Hook<void, DropCollectionRequest> drop;
  Hook<CollectionDescription, std::string> describe;
  std::function<void(std::vector<std::string>&)> list;
  Hook<WriteResult, WriteRequest> insert;
  Hook<WriteResult, WriteRequest> upsert;
  Hook<DeleteResult, DeleteRequest> remove;
  Hook<GetResult, GetRequest> get;
  Hook<QueryResult, QueryRequest> query;
  Hook<SearchResult, SearchRequest> search;
  Hook<SearchResult, HybridSearchRequest> hybrid;
  Hook<ScanPage, ScanRequest> scan;
  Hook<uint64_t, CountRequest> count;

 private:
  std::unique_ptr<VectorStore> store_;
};

/// One way to be wrong.
struct Defect {
  std::string name;
  std::function<void(DefectiveStore&)> plant;
  std::vector<std::string> found_by;  ///< checks of the suite, each of which must fail
};
std::ostream& operator<<(std::ostream& out, const Defect& defect);

std::vector<Defect> WriteDefects();
std::vector<Defect> ReadDefects();
std::vector<Defect> SearchDefects();
std::vector<Defect> LimitDefects();

// How the hooks of a defect are made.

/// Changes every record on its way in.
void OnWrite(DefectiveStore& store, std::function<void(WriteRequest&)> change);
/// Changes every record on its way out, of Get, Query, Search and Scan.
void OnRead(DefectiveStore& store, std::function<void(Record&)> change);
/// Changes the filter of Query, Search, Count and Delete.
void OnFilter(DefectiveStore& store, std::function<FilterPtr(FilterPtr)> change);
/// Changes Search's request before and its result after the call.
void OnSearch(DefectiveStore& store, std::function<void(SearchRequest&)> before,
              std::function<void(const SearchRequest&, SearchResult&)> after = {});

}  // namespace roost::conformance
