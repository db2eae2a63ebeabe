#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "adapters/embedded/index/hnsw_file.h"

namespace roost::embedded {

/// A node and how far it is; in pools the highest bit of `id` says that its links were followed.
struct WalkCandidate {
  float distance = 0;
  uint32_t id = 0;

  static constexpr uint32_t kFollowed = 0x80000000u;
  uint32_t node() const { return id & ~kFollowed; }
  bool followed() const { return (id & kFollowed) != 0; }
};
inline bool CloserWalkCandidate(const WalkCandidate& a, const WalkCandidate& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.node() < b.node();
}

/// The nearest `limit` candidates so far, nearest first.
class CandidatePool {
 public:
  void Reset(size_t limit) {
    limit_ = limit;
    items_.resize(limit + 1);
    size_ = 0;
    next_ = 0;
  }
  size_t size() const { return size_; }
  WalkCandidate& operator[](size_t i) { return items_[i]; }
  const WalkCandidate& operator[](size_t i) const { return items_[i]; }
  /// True where a candidate at this distance would be dropped.
  bool Rejects(float distance) const {
    return size_ == limit_ && distance >= items_[size_ - 1].distance;
  }

  /// True when the node is the nearest whose links were not followed.
  bool Insert(float distance, uint32_t node) {
    if (Rejects(distance)) {
      return false;
    }
    WalkCandidate* begin = items_.data();
    WalkCandidate* at =
        std::upper_bound(begin, begin + size_, distance,
                         [](float wanted, const WalkCandidate& c) { return wanted < c.distance; });
    size_ += size_ < limit_ ? 1 : 0;
    std::memmove(at + 1, at, static_cast<size_t>(begin + size_ - 1 - at) * sizeof(WalkCandidate));
    *at = {distance, node};
    const auto position = static_cast<size_t>(at - begin);
    const bool first = position <= next_;
    next_ = std::min(next_, position);
    return first;
  }

  /// The nearest candidate whose links were not followed yet, marked as followed; kNoNode when all
  /// were.
  uint32_t Follow() {
    while (next_ < size_ && items_[next_].followed()) {
      ++next_;
    }
    if (next_ == size_) {
      return kNoNode;
    }
    WalkCandidate& candidate = items_[next_++];
    candidate.id |= WalkCandidate::kFollowed;
    return candidate.node();
  }
  /// The node that Follow would return if nothing were inserted before, or kNoNode.
  uint32_t Upcoming() const {
    for (size_t i = next_; i < size_; ++i) {
      if (!items_[i].followed()) {
        return items_[i].id;
      }
    }
    return kNoNode;
  }

 private:
  std::vector<WalkCandidate> items_;
  size_t limit_ = 0;
  size_t size_ = 0;
  size_t next_ = 0;  ///< everything before was followed
};

}  // namespace roost::embedded
