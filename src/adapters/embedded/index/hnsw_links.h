#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "adapters/embedded/index/candidate_pool.h"
#include "adapters/embedded/index/hnsw_file.h"
#include "adapters/embedded/index/kernels.h"

namespace roost::embedded {

// Walking the graph: what building and searching share.

/// Which nodes a walk has met. A byte a node, so that the marks of a large graph stay in the cache.
class VisitedSet {
 public:
  /// Forgets all marks; cheap but for one call in 255.
  void Reset(size_t nodes) {
    if (marks_.size() < nodes || ++epoch_ == 0) {
      marks_.assign(std::max(nodes, marks_.size()), 0);
      epoch_ = 1;
    }
  }
  /// False when it was visited before. Without a branch: which it is cannot be foreseen.
  bool Visit(uint32_t node) {
    const bool first = marks_[node] != epoch_;
    marks_[node] = epoch_;
    return first;
  }
  size_t bytes() const { return marks_.capacity(); }

 private:
  std::vector<uint8_t> marks_;
  uint8_t epoch_ = 0;
};

/// Distances from one query to nodes, in the order that the graph is walked by.
class NodeDistances {
 public:
  NodeDistances(NodeSpace space, const CodeTable& table)
      : kernels_(&ActiveKernelTable()), space_(space), table_(table) {}

  void SetQuery(const CodeQuery& query) { query_ = query; }
  void SetBits(const uint8_t* bits) { bits_ = bits; }
  /// Inner product while building: rows have one more coordinate.
  void SetLift(const float* lifts, float query_lift) {
    lifts_ = lifts;
    query_lift_ = query_lift;
  }

  void Measure(const uint32_t* nodes, size_t count, float* out) const {
    switch (space_) {
      case NodeSpace::kCodes:
        kernels_->code_distances(query_, table_, nodes, count, out);
        break;
      case NodeSpace::kHamming:
        kernels_->hamming_codes(bits_, table_, nodes, count, out);
        break;
      case NodeSpace::kJaccard:
        kernels_->jaccard_codes(bits_, table_, nodes, count, out);
        break;
    }
    if (lifts_ != nullptr) {
      for (size_t i = 0; i < count; ++i) {
        out[i] -= 2 * query_lift_ * lifts_[nodes[i]];
      }
    }
  }
  float MeasureOne(uint32_t node) const {
    float distance = 0;
    Measure(&node, 1, &distance);
    return distance;
  }

 private:
  const Kernels* kernels_;
  NodeSpace space_;
  CodeTable table_;
  CodeQuery query_;
  const uint8_t* bits_ = nullptr;
  const float* lifts_ = nullptr;
  float query_lift_ = 0;
};

/// Links are read while other threads build: single entries are whole, a list may be a mix of its
/// old and new state, and both are fine to walk.
inline uint32_t LoadLink(const uint32_t* link) { return __atomic_load_n(link, __ATOMIC_RELAXED); }
inline void StoreLink(uint32_t* link, uint32_t node) {
  __atomic_store_n(link, node, __ATOMIC_RELAXED);
}
/// The entries of a list, into `out` (room for `width`). Returns how many.
size_t CopyLinks(const uint32_t* list, uint32_t width, uint32_t* out);

inline void PrefetchList(const uint32_t* list) {
  __builtin_prefetch(list);
  __builtin_prefetch(list + 16);
}

/// Memory of one walk, reused by the next.
struct WalkScratch {
  VisitedSet visited;
  CandidatePool pool;
  CandidatePool found;  ///< filtered search: candidates that may be returned
  std::vector<uint32_t> nodes;
  std::vector<float> distances;

  void Prepare(uint32_t graph_nodes, size_t batch) {
    visited.Reset(graph_nodes);
    if (nodes.size() < batch) {
      nodes.resize(batch);
      distances.resize(batch);
    }
  }
};

/// The entries of a list that were not visited yet, into scratch.nodes. Returns how many.
inline size_t CollectUnvisited(const uint32_t* list, uint32_t width, WalkScratch& scratch) {
  uint32_t* nodes = scratch.nodes.data();
  size_t count = 0;
  for (uint32_t i = 0; i < width; ++i) {
    const uint32_t node = LoadLink(list + i);
    if (node == kNoNode) {
      break;
    }
    nodes[count] = node;
    count += static_cast<size_t>(scratch.visited.Visit(node));
  }
  return count;
}

/// Goes down from the entry: the nearest node found on the layers above `layer`.
uint32_t Descend(const HnswView& view, const NodeDistances& distances, uint32_t layer,
                 WalkScratch& scratch);
/// Best-first search of one layer from `start` with `ef` candidates, into scratch.pool.
void WalkLayer(const HnswView& view, const NodeDistances& distances, uint32_t start, uint32_t layer,
               size_t ef, WalkScratch& scratch);

}  // namespace roost::embedded
