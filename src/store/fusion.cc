#include "store/fusion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace roost {
namespace {

Status CheckHybrid(const HybridSearchRequest& request) {
  if (request.legs.empty()) {
    return InvalidArgument("the hybrid search has no legs; give one or more");
  }
  if (request.top_k < 1) {
    return InvalidArgument("top_k is 0; at least 1");
  }
  for (size_t i = 0; i < request.legs.size(); ++i) {
    const auto& leg = request.legs[i];
    if (leg.vectors.size() + leg.texts.size() != 1) {
      return InvalidArgument("leg " + std::to_string(i) + " has " +
                             std::to_string(leg.vectors.size() + leg.texts.size()) +
                             " queries; exactly 1");
    }
    if (leg.collection != request.legs[0].collection) {
      return InvalidArgument("leg " + std::to_string(i) + " searches collection \"" +
                             leg.collection + "\", leg 0 \"" + request.legs[0].collection +
                             "\"; all legs search one collection");
    }
  }
  if (request.fusion != HybridSearchRequest::Fusion::kWeighted) {
    return {};
  }
  if (request.weights.size() != request.legs.size()) {
    return InvalidArgument("there are " + std::to_string(request.weights.size()) + " weights for " +
                           std::to_string(request.legs.size()) + " legs; one each");
  }
  for (const double weight : request.weights) {
    if (!std::isfinite(weight) || weight < 0) {
      return InvalidArgument("a weight is negative or not finite; 0 or more");
    }
  }
  return {};
}

/// What each hit of one leg adds to its record's fused score, in the order of the hits.
std::vector<double> Parts(const HybridSearchRequest& request, size_t leg,
                          const std::vector<Hit>& hits) {
  std::vector<double> parts;
  if (request.fusion == HybridSearchRequest::Fusion::kRrf) {
    for (size_t rank = 1; rank <= hits.size(); ++rank) {
      parts.push_back(1.0 / static_cast<double>(request.rrf_k + rank));
    }
    return parts;
  }
  if (hits.empty()) {
    return parts;
  }
  const auto [low, high] = std::minmax_element(
      hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score < b.score; });
  const double range = high->score - low->score;
  for (const auto& hit : hits) {
    // Equal scores are all the best there is.
    const double normal = range > 0 ? (hit.score - low->score) / range : 1;
    parts.push_back(request.weights[leg] * normal);
  }
  return parts;
}

}  // namespace

Result<SearchResult> FuseSearches(VectorStore& store, const RequestContext& context,
                                  const HybridSearchRequest& request) {
  TRY(CheckHybrid(request));
  constexpr uint64_t kMinHits = 50;
  const uint64_t wanted = std::max(4 * (uint64_t{request.top_k} + request.offset), kMinHits);
  std::map<RecordKey, Hit> fused;
  for (size_t i = 0; i < request.legs.size(); ++i) {
    SearchRequest leg = request.legs[i];
    leg.top_k = static_cast<uint32_t>(
        std::min<uint64_t>(wanted, std::max(1u, store.capabilities().max_top_k)));
    leg.offset = 0;
    auto found = store.Search(context, leg);
    if (!found.ok()) {
      return found.error().Within("leg " + std::to_string(i));
    }
    auto& hits = found->hits.at(0);
    const auto parts = Parts(request, i, hits);
    for (size_t rank = 0; rank < hits.size(); ++rank) {
      auto& entry = fused.try_emplace(hits[rank].record.key).first->second;
      if (entry.score == 0 && entry.record.fields.empty()) {
        entry.record = std::move(hits[rank].record);
      }
      entry.score += parts[rank];
    }
  }
  std::vector<Hit> hits;
  for (auto& [key, hit] : fused) {
    hit.distance = -hit.score;
    hits.push_back(std::move(hit));
  }
  // The map is in key order, which a stable sort keeps among equals.
  std::stable_sort(hits.begin(), hits.end(),
                   [](const Hit& a, const Hit& b) { return a.score > b.score; });
  hits.erase(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(
                                              std::min<size_t>(hits.size(), request.offset)));
  hits.resize(std::min<size_t>(hits.size(), request.top_k));
  SearchResult result;
  result.hits.push_back(std::move(hits));
  return result;
}

}  // namespace roost
