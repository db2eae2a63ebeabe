#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "store/conformance/defective_store.h"
#include "store/filter_types.h"

namespace roost::conformance {
namespace {

/// The filter with every node replaced by what `change` makes of it, from the leaves up.
FilterPtr Rewrite(const FilterPtr& filter, const std::function<FilterPtr(FilterPtr)>& change) {
  if (filter == nullptr) {
    return nullptr;
  }
  auto copy = std::make_shared<Filter>(*filter);
  for (auto& child : copy->children) {
    child = Rewrite(child, change);
  }
  return change(copy);
}

void OnNodes(DefectiveStore& store, std::function<void(Filter&)> change) {
  OnFilter(store, [change](const FilterPtr& filter) {
    return Rewrite(filter, [change](const FilterPtr& node) {
      auto copy = std::make_shared<Filter>(*node);
      change(*copy);
      return copy;
    });
  });
}

bool Compares(const Filter& filter, Comparison comparison) {
  return filter.op == FilterOp::kCompare && filter.comparison == comparison;
}

std::vector<Defect> FilterDefects() {
  return {
      {"`!=` is false where the field is null, as in SQL",
       [](auto& store) {
         OnFilter(store, [](const FilterPtr& filter) {
           return Rewrite(filter, [](FilterPtr node) {
             if (!Compares(*node, Comparison::kNe)) {
               return node;
             }
             const auto null = MakeIsNull(node->left);
             return null.ok() ? AndFilters(node, MakeNot(*null)) : node;
           });
         });
       },
       {"FilterLogicAndNulls", "RandomFiltersInQueries", "RandomFiltersInSearches"}},
      {"`not` keeps null out, as in SQL",
       [](auto& store) {
         OnFilter(store, [](const FilterPtr& filter) {
           return Rewrite(filter, [](FilterPtr node) {
             if (node->op != FilterOp::kNot || node->children[0]->op != FilterOp::kCompare) {
               return node;
             }
             const auto null = MakeIsNull(node->children[0]->left);
             return null.ok() ? AndFilters(node, MakeNot(*null)) : node;
           });
         });
       },
       {"FilterLogicAndNulls", "RandomFiltersInQueries"}},
      {"`<=` means `<`",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (Compares(node, Comparison::kLe)) {
             node.comparison = Comparison::kLt;
           }
         });
       },
       {"FilterComparisons"}},
      {"`like` ignores escapes",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (node.op == FilterOp::kLike) {
             std::erase(node.pattern, '\\');
           }
         });
       },
       {"FilterPatterns"}},
      {"`_` is one byte",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (node.op == FilterOp::kLike && node.pattern.find("\\_") == std::string::npos &&
               node.pattern.find('_') != std::string::npos) {
             node.op = FilterOp::kFalse;
           }
         });
       },
       {"FilterPatterns"}},
      {"long lists of `in` are cut",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (node.op == FilterOp::kIn && node.values.size() > 1'000) {
             node.values.resize(1'000);
           }
         });
       },
       {"FilterLongLists"}},
      {"array_contains_all is content with one",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (node.op == FilterOp::kArrayContainsAll) {
             node.op = FilterOp::kArrayContainsAny;
           }
         });
       },
       {"FilterArrays"}},
      {"integer division gives a fraction",
       [](auto& store) {
         OnNodes(store, [](Filter& node) {
           if (node.left.kind == Operand::Kind::kArithmetic && node.left.arithmetic == '/') {
             for (auto& child : node.left.children) {
               if (const auto* n = std::get_if<int64_t>(&child.literal)) {
                 child.literal = child.kind == Operand::Kind::kLiteral
                                     ? Value(static_cast<double>(*n))
                                     : child.literal;
               }
             }
           }
         });
       },
       {"FilterArithmetic"}},
      {"counts ignore the filter",
       [](auto& store) {
         store.count = [&store](const RequestContext& context, CountRequest request) {
           request.filter = nullptr;
           return store.inner.Count(context, request);
         };
       },
       {"CountWithFilter"}},
  };
}

std::vector<Defect> TenantDefects() {
  return {
      {"search ignores the tenant",
       [](auto& store) { OnSearch(store, [](SearchRequest& request) { request.tenant.reset(); }); },
       {"TenantsAreIsolated"}},
      {"query ignores the tenant",
       [](auto& store) {
         store.query = [&store](const RequestContext& context, QueryRequest request) {
           request.tenant.reset();
           return store.inner.Query(context, request);
         };
       },
       {"TenantsAreIsolated"}},
      {"count ignores the tenant",
       [](auto& store) {
         store.count = [&store](const RequestContext& context, CountRequest request) {
           request.tenant.reset();
           return store.inner.Count(context, request);
         };
       },
       {"TenantsAreIsolated"}},
      {"scan ignores the tenant",
       [](auto& store) {
         store.scan = [&store](const RequestContext& context, ScanRequest request) {
           request.tenant.reset();
           return store.inner.Scan(context, request);
         };
       },
       {"TenantsAreIsolated"}},
      {"an empty tenant means all of them",
       [](auto& store) {
         store.count = [&store](const RequestContext& context, CountRequest request) {
           request.tenant = request.tenant == "" ? std::nullopt : request.tenant;
           return store.inner.Count(context, request);
         };
       },
       {"TenantsAreIsolated"}},
  };
}

std::vector<Defect> PagingDefects() {
  return {
      {"scan pages have a gap",
       [](auto& store) {
         store.scan = [&store](const RequestContext& context, const ScanRequest& request) {
           auto page = store.inner.Scan(context, request);
           if (page.ok() && request.after && page->records.size() > 1) {
             page->records.erase(page->records.begin());
           }
           return page;
         };
       },
       {"ScanPages", "ScanBounds"}},
      {"scan pages repeat the record they follow",
       [](auto& store) {
         store.scan = [&store](const RequestContext& context, const ScanRequest& request) {
           auto page = store.inner.Scan(context, request);
           if (page.ok() && request.after) {
             const auto last = store.inner.Get(
                 context, {.collection = request.collection, .keys = {*request.after}});
             if (last.ok() && last->records[0] && request.limit > page->records.size()) {
               page->records.insert(page->records.begin(), *last->records[0]);
             }
           }
           return page;
         };
       },
       {"ScanPages", "ScanBounds"}},
      {"scan stops before `until`",
       [](auto& store) {
         store.scan = [&store](const RequestContext& context, const ScanRequest& request) {
           auto page = store.inner.Scan(context, request);
           if (page.ok() && !page->records.empty() && request.until &&
               page->records.back().key == *request.until) {
             page->records.pop_back();
           }
           return page;
         };
       },
       {"ScanBounds"}},
      {"the last scan page does not say so",
       [](auto& store) {
         store.scan = [&store](const RequestContext& context, const ScanRequest& request) {
           auto page = store.inner.Scan(context, request);
           if (page.ok()) {
             page->done = false;
           }
           return page;
         };
       },
       {"ScanPages", "ScanBounds"}},
      {"query ignores the offset",
       [](auto& store) {
         store.query = [&store](const RequestContext& context, QueryRequest request) {
           request.offset = 0;
           return store.inner.Query(context, request);
         };
       },
       {"QueryPagesInKeyOrder"}},
      {"query gives no order",
       [](auto& store) {
         store.query = [&store](const RequestContext& context, const QueryRequest& request) {
           auto result = store.inner.Query(context, request);
           if (result.ok()) {
             std::reverse(result->records.begin(), result->records.end());
           }
           return result;
         };
       },
       {"QueryPagesInKeyOrder", "IntegerKeys", "StringKeys"}},
      {"get leaves out what is not there",
       [](auto& store) {
         store.get = [&store](const RequestContext& context, const GetRequest& request) {
           auto result = store.inner.Get(context, request);
           if (result.ok()) {
             std::erase_if(result->records, [](const auto& record) { return !record; });
           }
           return result;
         };
       },
       {"GetKeepsOrderAndHoles"}},
      {"get gives records in the order of their keys",
       [](auto& store) {
         store.get = [&store](const RequestContext& context, GetRequest request) {
           std::sort(request.keys.begin(), request.keys.end());
           return store.inner.Get(context, request);
         };
       },
       {"GetKeepsOrderAndHoles"}},
      {"vectors come without being asked for",
       [](auto& store) {
         store.query = [&store](const RequestContext& context, QueryRequest request) {
           request.output.vectors = true;
           return store.inner.Query(context, request);
         };
       },
       {"OutputIsWhatWasAsked"}},
  };
}

std::vector<Defect> FreshnessDefects() {
  using Gets = std::map<std::pair<std::string, RecordKey>, Record>;
  return {
      {"get is stale: it gives what it gave before",
       [](auto& store) {
         auto gets = std::make_shared<std::pair<std::mutex, Gets>>();
         store.get = [&store, gets](const RequestContext& context, const GetRequest& request) {
           auto result = store.inner.Get(context, request);
           const std::lock_guard lock(gets->first);
           for (size_t i = 0; result.ok() && i < result->records.size(); ++i) {
             auto& record = result->records[i];
             const auto name = std::make_pair(request.collection, request.keys[i]);
             if (record) {
               record = gets->second.emplace(name, *record).first->second;
             }
           }
           return result;
         };
       },
       {"StrongReadsFromAnotherThread", "OlderFenceDoesNotOverwrite"}},
      {"search does not see the newest record",
       [](auto& store) {
         auto newest = std::make_shared<std::pair<std::mutex, RecordKey>>();
         OnWrite(store, [newest](WriteRequest& request) {
           const std::lock_guard lock(newest->first);
           newest->second = request.records.empty() ? RecordKey() : request.records.back().key;
         });
         OnSearch(store, {}, [newest](const SearchRequest&, SearchResult& result) {
           const std::lock_guard lock(newest->first);
           for (auto& hits : result.hits) {
             std::erase_if(hits, [&](const Hit& h) { return h.record.key == newest->second; });
           }
         });
       },
       {"UpsertTakesTheLastOfABatch", "StrongReadsFromAnotherThread"}},
      {"scan does not see the newest record",
       [](auto& store) {
         auto newest = std::make_shared<std::pair<std::mutex, RecordKey>>();
         OnWrite(store, [newest](WriteRequest& request) {
           const std::lock_guard lock(newest->first);
           newest->second = request.records.empty() ? RecordKey() : request.records.back().key;
         });
         store.scan = [&store, newest](const RequestContext& context, const ScanRequest& request) {
           auto page = store.inner.Scan(context, request);
           const std::lock_guard lock(newest->first);
           if (page.ok()) {
             std::erase_if(page->records,
                           [&](const Record& record) { return record.key == newest->second; });
           }
           return page;
         };
       },
       {"ScanSeesAcknowledgedWrites"}},
      {"calls go on after their deadline",
       [](auto& store) {
         store.query = [&store](const RequestContext&, const QueryRequest& request) {
           return store.inner.Query(RequestContext(), request);
         };
       },
       {"PassedDeadline", "CancelledRequest"}},
  };
}

std::vector<Defect> CollectionDefects() {
  return {
      {"create says OK where the collection exists",
       [](auto& store) {
         store.create = [&store](const RequestContext& context,
                                 const CreateCollectionRequest& request) {
           const Status made = store.inner.CreateCollection(context, request);
           return made.code() == Code::kAlreadyExists ? Status() : made;
         };
       },
       {"CreateTwice"}},
      {"drop says OK where there is no collection",
       [](auto& store) {
         store.drop = [&store](const RequestContext& context,
                               const DropCollectionRequest& request) {
           const Status dropped = store.inner.DropCollection(context, request);
           return dropped.code() == Code::kNotFound ? Status() : dropped;
         };
       },
       {"DropAbsent"}},
      {"describe loses default values",
       [](auto& store) {
         store.describe = [&store](const RequestContext& context, const std::string& name) {
           auto described = store.inner.DescribeCollection(context, name);
           if (described.ok()) {
             for (auto& field : described->schema.fields) {
               field.default_value.reset();
             }
           }
           return described;
         };
       },
       {"DescribeGivesTheSchemaBack"}},
      {"collections are listed in no order",
       [](auto& store) {
         store.list = [](std::vector<std::string>& names) {
           std::reverse(names.begin(), names.end());
         };
       },
       {"ListIsSorted"}},
  };
}

}  // namespace

std::vector<Defect> ReadDefects() {
  std::vector<Defect> all;
  for (const auto& group : {FilterDefects(), TenantDefects(), PagingDefects(), FreshnessDefects(),
                            CollectionDefects()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

}  // namespace roost::conformance
