#include <bit>

#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/top_list.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {
namespace {

/// The slots [64 · word, 64 · word + 64) that hold a vector and may be returned.
uint64_t Candidates(const VectorColumn& column, SlotSet allowed, uint32_t word) {
  uint64_t bits = ~uint64_t{0};
  if (!allowed.empty()) {
    bits = word < allowed.size() ? allowed[word] : 0;
  }
  if (!column.present.empty()) {
    bits &= word < column.present.size() ? column.present[word] : 0;
  }
  const uint32_t left = column.count - word * 64;
  return left >= 64 ? bits : bits & ((uint64_t{1} << left) - 1);
}

}  // namespace

std::vector<Neighbor> ExactSearch(const VectorColumn& column, const IndexSearch& search) {
  const RowDistance distance(column, search.query);
  if (!distance.valid() || search.top_k == 0) {
    return {};
  }
  TopList best(search.top_k);
  // Distances are taken one block behind the bitmap, so that the rows are on their way by then.
  uint32_t pending[64];
  size_t count = 0;
  const auto flush = [&] {
    for (size_t i = 0; i < count; ++i) {
      best.Offer({.distance = distance.To(pending[i]), .slot = pending[i]});
    }
    count = 0;
  };
  constexpr size_t kAhead = 8;
  for (uint32_t word = 0; word * uint64_t{64} < column.count; ++word) {
    for (uint64_t bits = Candidates(column, search.allowed, word); bits != 0; bits &= bits - 1) {
      const auto slot = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      distance.Prefetch(slot);
      pending[count++] = slot;
      if (count == kAhead) {
        flush();
      }
    }
  }
  flush();
  return best.Take();
}

}  // namespace roost::embedded
