#include <algorithm>
#include <limits>

#include "store/conformance/defective_store.h"

namespace roost::conformance {
namespace {

constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();

/// What the store says of itself is changed, what it does is not.
std::function<void(DefectiveStore&)> Claiming(std::function<void(Capabilities&)> change) {
  return [change](DefectiveStore& store) {
    store.claims = store.inner.capabilities();
    change(*store.claims);
  };
}

/// Refuses a key that it claims to take.
std::function<void(DefectiveStore&)> Refusing(int64_t key) {
  return [key](DefectiveStore& store) {
    store.upsert = [&store, key](const RequestContext& context,
                                 const WriteRequest& request) -> Result<WriteResult> {
      for (const auto& record : request.records) {
        if (record.key.key == Key(key)) {
          return InvalidArgument("no such keys here");
        }
      }
      return store.inner.Upsert(context, request);
    };
  };
}

std::vector<Defect> KeyDefects() {
  return {
      {"refuses the highest key, which it claims", Refusing(kHighest), {"IntegerKeys"}},
      {"refuses the lowest key, which it claims", Refusing(kLowest), {"IntegerKeys"}},
      {"takes the highest key, which it does not claim",
       Claiming([](Capabilities& claims) { claims.max_integer_key = kHighest - 1; }),
       {"UnclaimedIntegerKeysAreRefused"}},
      {"takes low keys, which it does not claim",
       Claiming([](Capabilities& claims) { claims.min_integer_key = -100; }),
       {"UnclaimedIntegerKeysAreRefused"}},
      {"refuses keys that it does not claim without naming the row",
       [](auto& store) {
         Claiming([](Capabilities& claims) { claims.max_integer_key = kHighest - 1; })(store);
         Refusing(kHighest)(store);
       },
       {"UnclaimedIntegerKeysAreRefused"}},
      {"keeps the highest key from searches",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest&, SearchResult& result) {
           for (auto& hits : result.hits) {
             std::erase_if(hits,
                           [](const Hit& hit) { return hit.record.key.key == Key(kHighest); });
           }
         });
       },
       {"IntegerKeys"}},
  };
}

std::vector<Defect> NumberDefects() {
  return {
      {"claims more vectors than it takes",
       Claiming([](Capabilities& claims) { ++claims.max_vectors_per_record; }),
       {"MostVectorsOfARecord"}},
      {"keeps fifteen vectors of sixteen",
       [](auto& store) { OnRead(store, [](Record& record) { record.vectors.erase("v15"); }); },
       {"MostVectorsOfARecord"}},
      {"searches large dimensions in the first 16,000 only",
       [](auto& store) {
         Claiming([](Capabilities& claims) { claims.max_indexed_dimension = 16'000; })(store);
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           for (auto& hits : result.hits) {
             if (!request.vectors.empty() && request.vectors[0].dimension() > 16'000) {
               std::reverse(hits.begin(), hits.end());
             }
           }
         });
       },
       {"LargestIndexedDimension"}},
      {"gives 10,000 hits at most",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest&, SearchResult& result) {
           for (auto& hits : result.hits) {
             hits.resize(std::min<size_t>(hits.size(), 10'000));
           }
         });
       },
       {"LargestTopK"}},
      {"counts no offset against the most hits it takes",
       [](auto& store) {
         store.claims = store.inner.capabilities();
         store.claims->max_top_k = 1'000;
         store.search = [&store](const RequestContext& context,
                                 const SearchRequest& request) -> Result<SearchResult> {
           if (request.top_k > 1'000) {
             return InvalidArgument("top_k");
           }
           return store.inner.Search(context, request);
         };
       },
       {"TopKAndOffset"}},
      {"loses what a batch has beyond 3 MB",
       [](auto& store) {
         OnWrite(store, [](WriteRequest& request) {
           size_t bytes = 0;
           std::erase_if(request.records, [&](const Record& record) {
             const auto text = record.fields.find("s");
             const auto* held =
                 text == record.fields.end() ? nullptr : std::get_if<std::string>(&text->second);
             bytes += held == nullptr ? 0 : held->size();
             return bytes > 3'000'000;
           });
         });
       },
       {"LikedBatchIsWrittenInOneCall"}},
  };
}

std::vector<Defect> OtherDefects() {
  return {
      {"eventual searches never see the last record",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           for (auto& hits : result.hits) {
             if (request.consistency == Consistency::kEventual && !hits.empty()) {
               hits.pop_back();
             }
           }
         });
       },
       {"EventualReadsCatchUp"}},
      {"compares bytes of int8 vectors as unsigned",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           const bool bytes =
               !request.vectors.empty() && request.vectors[0].type == DataType::kInt8Vector;
           for (auto& hits : result.hits) {
             if (bytes) {
               std::reverse(hits.begin(), hits.end());
             }
           }
         });
       },
       {"NarrowVectorsTakeEveryMetric"}},
      {"does keyword searches, which it does not claim",
       Claiming([](Capabilities& claims) { claims.keyword_search = false; }),
       {"KeywordSearchIsRefusedWhereThereIsNone"}},
      {"takes fences, which it does not claim",
       Claiming([](Capabilities& claims) { claims.fenced_writes = false; }),
       {"UnclaimedFencesAreRefused"}},
      {"takes zero bytes, which it does not claim",
       Claiming([](Capabilities& claims) { claims.null_bytes_in_strings = false; }),
       {"BadRowsAreRefused"}},
      {"takes tenants and dynamic fields, which it does not claim",
       Claiming([](Capabilities& claims) { claims.tenants = claims.dynamic_fields = false; }),
       {"UnclaimedAbilitiesAreRefused"}},
      {"takes longer keys than it claims",
       Claiming([](Capabilities& claims) { claims.max_key_bytes = 100; }),
       {"BadRowsAreRefused"}},
      {"takes larger dimensions than it claims",
       Claiming([](Capabilities& claims) { claims.max_dimension = 100; }),
       {"BadSchemasAreRefused"}},
  };
}

}  // namespace

std::vector<Defect> LimitDefects() {
  auto all = KeyDefects();
  for (const auto& group : {NumberDefects(), OtherDefects()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

}  // namespace roost::conformance
