#include "adapters/embedded/index/keyword_scores.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "adapters/embedded/index/distance.h"
#include "store/tokenizer.h"

namespace roost::embedded {
namespace {

bool Better(const KeywordHit& a, const KeywordHit& b) {
  return a.score != b.score ? a.score > b.score : a.slot < b.slot;
}

}  // namespace

KeywordQuery ParseKeywordQuery(std::string_view text) {
  KeywordQuery query;
  std::unordered_map<std::string, size_t> seen;
  for (std::string& word : Tokenize(text)) {
    const auto found = seen.find(word);
    if (found != seen.end()) {
      ++query.repeats[found->second];
    } else if (query.words.size() < kMaxQueryWords) {
      seen.emplace(word, query.words.size());
      query.words.push_back(std::move(word));
      query.repeats.push_back(1);
    }
  }
  return query;
}

std::vector<KeywordHit> SearchKeywords(const KeywordQuery& query, std::span<const KeywordLeg> legs,
                                       const KeywordLimits& limits) {
  // Kept by the thread: making it anew for every search would cost more than the search.
  thread_local ScoreBoard board;
  board.Clear();
  for (const KeywordLeg& leg : legs) {
    leg.index->AddScores(query, *leg.corpus, board);
  }
  std::vector<KeywordHit> heap;  // The worst of the best in front.
  for (const uint32_t slot : board.touched()) {
    const KeywordHit hit{.score = board.score(slot), .slot = slot};
    const bool full = heap.size() >= limits.top_k;
    if (full && (limits.top_k == 0 || !Better(hit, heap.front()))) {
      continue;
    }
    if ((!limits.allowed.empty() && !HasBit(limits.allowed, slot)) ||
        (limits.max_distance && -hit.score > *limits.max_distance)) {
      continue;
    }
    if (full) {
      std::pop_heap(heap.begin(), heap.end(), Better);
      heap.back() = hit;
    } else {
      heap.push_back(hit);
    }
    std::push_heap(heap.begin(), heap.end(), Better);
  }
  std::sort_heap(heap.begin(), heap.end(), Better);
  return heap;
}

}  // namespace roost::embedded
