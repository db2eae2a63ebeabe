#include "store/conformance/defective_store.h"

#include <ostream>

namespace roost::conformance {

std::ostream& operator<<(std::ostream& out, const Defect& defect) { return out << defect.name; }

void OnWrite(DefectiveStore& store, std::function<void(WriteRequest&)> change) {
  store.insert = [&store, change](const RequestContext& context, const WriteRequest& request) {
    WriteRequest changed = request;
    change(changed);
    return store.inner.Insert(context, changed);
  };
  store.upsert = [&store, change](const RequestContext& context, const WriteRequest& request) {
    WriteRequest changed = request;
    change(changed);
    return store.inner.Upsert(context, changed);
  };
}

void OnRead(DefectiveStore& store, std::function<void(Record&)> change) {
  store.get = [&store, change](const RequestContext& context, const GetRequest& request) {
    auto result = store.inner.Get(context, request);
    if (result.ok()) {
      for (auto& record : result->records) {
        if (record) {
          change(*record);
        }
      }
    }
    return result;
  };
  store.query = [&store, change](const RequestContext& context, const QueryRequest& request) {
    auto result = store.inner.Query(context, request);
    if (result.ok()) {
      for (auto& record : result->records) {
        change(record);
      }
    }
    return result;
  };
  store.scan = [&store, change](const RequestContext& context, const ScanRequest& request) {
    auto result = store.inner.Scan(context, request);
    if (result.ok()) {
      for (auto& record : result->records) {
        change(record);
      }
    }
    return result;
  };
  OnSearch(store, {}, [change](const SearchRequest&, SearchResult& result) {
    for (auto& hits : result.hits) {
      for (auto& hit : hits) {
        change(hit.record);
      }
    }
  });
}

void OnFilter(DefectiveStore& store, std::function<FilterPtr(FilterPtr)> change) {
  store.query = [&store, change](const RequestContext& context, QueryRequest request) {
    request.filter = change(request.filter);
    return store.inner.Query(context, request);
  };
  store.count = [&store, change](const RequestContext& context, CountRequest request) {
    request.filter = change(request.filter);
    return store.inner.Count(context, request);
  };
  store.remove = [&store, change](const RequestContext& context, DeleteRequest request) {
    request.filter = change(request.filter);
    return store.inner.Delete(context, request);
  };
  OnSearch(store, [change](SearchRequest& request) { request.filter = change(request.filter); });
}

void OnSearch(DefectiveStore& store, std::function<void(SearchRequest&)> before,
              std::function<void(const SearchRequest&, SearchResult&)> after) {
  store.search = [&store, before, after](const RequestContext& context,
                                         const SearchRequest& request) {
    SearchRequest changed = request;
    if (before) {
      before(changed);
    }
    auto result = store.inner.Search(context, changed);
    if (result.ok() && after) {
      after(request, *result);
    }
    return result;
  };
}

}  // namespace roost::conformance
