#include <algorithm>

#include "store/conformance/defective_store.h"

namespace roost::conformance {
namespace {

/// What happens to the hits of every query.
void OnHits(DefectiveStore& store, std::function<void(std::vector<Hit>&)> change) {
  OnSearch(store, {}, [change](const SearchRequest&, SearchResult& result) {
    for (auto& hits : result.hits) {
      change(hits);
    }
  });
}

std::vector<Defect> OrderDefects() {
  return {
      {"top_k is one too few",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           for (auto& hits : result.hits) {
             if (hits.size() == request.top_k) {
               hits.pop_back();
             }
           }
         });
       },
       {"ExactSearch", "TopKAndOffset", "SeveralQueriesInOneCall"}},
      {"top_k is one too many",
       [](auto& store) { OnSearch(store, [](SearchRequest& request) { ++request.top_k; }); },
       {"ExactSearch", "TopKAndOffset"}},
      {"search ignores the offset",
       [](auto& store) { OnSearch(store, [](SearchRequest& request) { request.offset = 0; }); },
       {"TopKAndOffset", "TiesAreInKeyOrder"}},
      {"the order of hits is reversed",
       [](auto& store) {
         OnHits(store, [](std::vector<Hit>& hits) { std::reverse(hits.begin(), hits.end()); });
       },
       {"ExactSearch", "ApproximateSearchRecall", "KeywordSearchRanks"}},
      {"scores are lower for better hits",
       [](auto& store) {
         OnHits(store, [](std::vector<Hit>& hits) {
           for (auto& hit : hits) {
             hit.score = -hit.score;
           }
         });
       },
       {"WorkedDistances_L2", "WorkedDistances_COSINE", "WorkedDistances_IP"}},
      {"L2 without the root",
       [](auto& store) {
         OnHits(store, [](std::vector<Hit>& hits) {
           for (auto& hit : hits) {
             hit.distance *= hit.distance;
             hit.score = -hit.distance;
           }
         });
       },
       {"WorkedDistances_L2"}},
      {"cosine distance is the similarity",
       [](auto& store) {
         OnHits(store, [](std::vector<Hit>& hits) {
           for (auto& hit : hits) {
             hit.distance = 1 - hit.distance;
           }
         });
       },
       {"WorkedDistances_COSINE"}},
      {"ties come in no order",
       [](auto& store) {
         OnHits(store, [](std::vector<Hit>& hits) {
           std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
             return a.distance != b.distance ? a.distance < b.distance
                                             : b.record.key < a.record.key;
           });
         });
       },
       {"TiesAreInKeyOrder"}},
      {"queries in one call get each other's hits",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest&, SearchResult& result) {
           std::reverse(result.hits.begin(), result.hits.end());
         });
       },
       {"SeveralQueriesInOneCall"}},
  };
}

std::vector<Defect> SelectionDefects() {
  return {
      {"the filter comes after top_k",
       [](auto& store) {
         store.search = [&store](const RequestContext& context, const SearchRequest& request) {
           SearchRequest plain = request;
           plain.filter = nullptr;
           plain.output = {.vectors = true};
           auto result = store.inner.Search(context, plain);
           for (size_t i = 0; result.ok() && i < result->hits.size(); ++i) {
             std::erase_if(result->hits[i], [&](const Hit& hit) {
               return !Matches(request.filter.get(), hit.record);
             });
           }
           return result;
         };
       },
       {"RareFilterGivesFullResults", "RandomFiltersInSearches"}},
      {"search ignores the filter",
       [](auto& store) {
         OnSearch(store, [](SearchRequest& request) { request.filter = nullptr; });
       },
       {"RandomFiltersInSearches", "RareFilterGivesFullResults"}},
      {"max_distance is ignored",
       [](auto& store) {
         OnSearch(store, [](SearchRequest& request) { request.max_distance.reset(); });
       },
       {"MaxDistance"}},
      {"a hit at max_distance is left out",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           for (auto& hits : result.hits) {
             std::erase_if(hits, [&](const Hit& hit) {
               return request.max_distance && hit.distance >= *request.max_distance;
             });
           }
         });
       },
       {"MaxDistanceIsIncluded"}},
      {"an approximate search finds every other record",
       [](auto& store) {
         OnSearch(store, {}, [](const SearchRequest& request, SearchResult& result) {
           for (auto& hits : result.hits) {
             size_t i = 0;
             std::erase_if(hits, [&](const Hit&) { return !request.exact && i++ % 2 == 1; });
           }
         });
       },
       {"ApproximateSearchRecall"}},
      {"hybrid search gives its first leg only",
       [](auto& store) {
         store.hybrid = [&store](const RequestContext& context, HybridSearchRequest request) {
           request.legs.resize(1);
           request.weights.resize(std::min<size_t>(request.weights.size(), 1));
           return store.inner.HybridSearch(context, request);
         };
       },
       {"HybridSearchFuses", "HybridOfWordsAndVectors"}},
      {"hybrid search ignores its weights",
       [](auto& store) {
         store.hybrid = [&store](const RequestContext& context, HybridSearchRequest request) {
           for (auto& weight : request.weights) {
             weight = 1;
           }
           return store.inner.HybridSearch(context, request);
         };
       },
       {"HybridSearchFuses"}},
      {"keyword search finds one word only",
       [](auto& store) {
         OnSearch(store, [](SearchRequest& request) {
           for (auto& text : request.texts) {
             text.resize(std::min(text.find(' '), text.size()));
           }
         });
       },
       {"KeywordSearchFindsRecordsWithAWord"}},
  };
}

}  // namespace

std::vector<Defect> SearchDefects() {
  auto all = OrderDefects();
  const auto selection = SelectionDefects();
  all.insert(all.end(), selection.begin(), selection.end());
  return all;
}

}  // namespace roost::conformance
