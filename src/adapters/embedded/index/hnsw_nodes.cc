#include <algorithm>
#include <cstring>

#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/hnsw_build.h"
#include "base/hash.h"

namespace roost::embedded {
namespace {

struct HashedSlot {
  uint64_t hash = 0;
  uint32_t slot = 0;
};

}  // namespace

NodeList ListNodes(const VectorColumn& column) {
  const size_t row_bytes = RowBytes(column.type, column.dimension);
  const auto row = [&](uint32_t slot) { return column.data + slot * column.stride; };
  std::vector<HashedSlot> hashed;
  hashed.reserve(column.count);
  for (uint32_t slot = 0; slot < column.count; ++slot) {
    if (column.present.empty() || HasBit(column.present, slot)) {
      hashed.push_back({Hash64({row(slot), row_bytes}), slot});
    }
  }
  std::sort(hashed.begin(), hashed.end(), [](const HashedSlot& a, const HashedSlot& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.slot < b.slot;
  });
  // Each slot's first equal; different vectors with one hash simply stay apart.
  struct Pair {
    uint32_t first;
    uint32_t slot;
  };
  std::vector<Pair> copies;
  NodeList list;
  for (size_t i = 0; i < hashed.size();) {
    const uint32_t first = hashed[i].slot;
    size_t end = i;
    bool has_twins = false;
    for (; end < hashed.size() && hashed[end].hash == hashed[i].hash; ++end) {
      const uint32_t slot = hashed[end].slot;
      if (slot == first) {
        continue;
      }
      if (std::memcmp(row(slot), row(first), row_bytes) == 0) {
        copies.push_back({first, slot});
        has_twins = true;
      } else {
        list.slots.push_back(slot);
      }
    }
    list.slots.push_back(first | (has_twins ? kHasTwins : 0));
    i = end;
  }
  std::sort(list.slots.begin(), list.slots.end(),
            [](uint32_t a, uint32_t b) { return (a & ~kHasTwins) < (b & ~kHasTwins); });
  std::sort(copies.begin(), copies.end(), [](const Pair& a, const Pair& b) {
    return a.first != b.first ? a.first < b.first : a.slot < b.slot;
  });
  list.twins.reserve(copies.size());
  uint32_t node = 0;
  for (const Pair& copy : copies) {
    while ((list.slots[node] & ~kHasTwins) != copy.first) {
      ++node;
    }
    list.twins.push_back({node, copy.slot});
  }
  return list;
}

}  // namespace roost::embedded
