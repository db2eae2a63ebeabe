#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {

/// The order of all results.
inline bool Nearer(const Neighbor& a, const Neighbor& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
}

/// Keeps the nearest `limit` of what it is offered: a heap with the farthest in front.
class TopList {
 public:
  explicit TopList(size_t limit) : limit_(limit) { heap_.reserve(std::min<size_t>(limit, 1'024)); }

  bool full() const { return heap_.size() >= limit_; }
  /// Precondition: full() and a limit above 0.
  float farthest() const { return heap_.front().distance; }

  void Offer(const Neighbor& neighbor) {
    if (!full()) {
      heap_.push_back(neighbor);
      std::push_heap(heap_.begin(), heap_.end(), Nearer);
    } else if (limit_ > 0 && Nearer(neighbor, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), Nearer);
      heap_.back() = neighbor;
      std::push_heap(heap_.begin(), heap_.end(), Nearer);
    }
  }

  /// Nearest first; leaves the list empty.
  std::vector<Neighbor> Take() {
    std::sort_heap(heap_.begin(), heap_.end(), Nearer);
    return std::move(heap_);
  }

 private:
  size_t limit_;
  std::vector<Neighbor> heap_;
};

}  // namespace roost::embedded
