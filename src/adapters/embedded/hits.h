#pragma once

#include <cstdint>
#include <vector>

#include "adapters/embedded/index/keyword_index.h"
#include "adapters/embedded/reads.h"
#include "store/vector_store.h"

namespace roost::embedded {

/// A row that may be a hit.
struct Candidate {
  double distance = 0;
  uint32_t block = 0;
  uint32_t slot = 0;
};

/// How many rows a search must find: those it skips and those it returns.
inline size_t WantedHits(const SearchRequest& request) {
  return size_t{request.offset} + request.top_k;
}

/// Best first, ties by key; cuts to the page asked for and reads the records.
Result<std::vector<Hit>> TakeHits(const Pin& pin, const std::vector<PinnedBlock>& blocks,
                                  const SearchRequest& request, Metric metric,
                                  std::vector<Candidate> candidates);

inline bool SameRank(const Neighbor& a, const Neighbor& b) { return a.distance == b.distance; }
inline bool SameRank(const KeywordHit& a, const KeywordHit& b) { return a.score == b.score; }

/// Runs `search(count)`, which returns the best `count` rows of a block, ties by slot. Where slots
/// are not in key order, a tie at the end might leave out the wrong row: then all ties are fetched.
template <typename Search>
auto BestWithTies(bool sorted, size_t wanted, size_t rows, Search search) {
  if (sorted || wanted >= rows) {
    return search(wanted);
  }
  auto found = search(wanted + 1);
  if (found.size() > wanted && SameRank(found[wanted], found[wanted - 1])) {
    return search(rows);
  }
  return found;
}
}  // namespace roost::embedded
