#pragma once

#include <vector>

#include "adapters/embedded/index/code_space.h"
#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/hnsw_links.h"
#include "adapters/embedded/index/top_list.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {

/// Memory of one search, reused by the next.
struct SearchScratch {
  WalkScratch walk;
  EncodedQuery query;
  std::vector<uint8_t> bits;  ///< a binary query, padded as codes are
};

/// One search of one graph. Which way it goes depends on how many slots are allowed:
///
///   all                              walk the graph
///   few                              compare the codes of all of them
///   under half                       walk from allowed node to allowed node, over up to one that
///                                    is not ("two-hop")
///   half and more                    walk the graph and keep what is allowed
///   less common near the query than  compare the codes of all of them: the walk would not get to
///   elsewhere                        where they are
///
/// The nearest candidates by code are then compared exactly.
class HnswSearch {
 public:
  HnswSearch(const VectorColumn& column, const CodeSpace* space, const HnswView& view,
             const IndexSearch& search, SearchScratch& scratch);
  std::vector<Neighbor> Run();

 private:
  void Prepare();
  bool Allowed(uint32_t node) const;
  std::span<const Twin> TwinsOf(uint32_t node) const;
  bool WalkGated(uint32_t start, double share);
  bool WalkTwoHop(uint32_t start, double share);
  size_t CollectTwoHop(uint32_t node);
  std::vector<Neighbor> ScanAllowed();
  /// Compares the pool's candidates exactly, as far as one of them could still be among the best.
  std::vector<Neighbor> Rescore(const CandidatePool& pool);
  /// Nothing with a code distance above can be among the best.
  float Limit(const TopList& best) const;
  uint32_t SlotOf(uint32_t node) const { return view_.slots[node] & ~kHasTwins; }
  void Offer(uint32_t node, float distance, TopList& best) const;

  const VectorColumn& column_;
  const CodeSpace* space_;  ///< null for binary vectors
  const HnswView& view_;
  const IndexSearch& search_;
  SearchScratch& scratch_;
  RowDistance exact_;
  NodeDistances distances_;
  size_t ef_ = 0;
};

}  // namespace roost::embedded
