#include "adapters/embedded/index/hnsw_links.h"

namespace roost::embedded {

size_t CopyLinks(const uint32_t* list, uint32_t width, uint32_t* out) {
  size_t count = 0;
  for (uint32_t i = 0; i < width; ++i) {
    const uint32_t node = LoadLink(list + i);
    if (node == kNoNode) {
      break;
    }
    out[count++] = node;
  }
  return count;
}

uint32_t Descend(const HnswView& view, const NodeDistances& distances, uint32_t layer,
                 WalkScratch& scratch) {
  const uint32_t m = view.header->m;
  if (scratch.nodes.size() < m) {
    scratch.nodes.resize(m);
    scratch.distances.resize(m);
  }
  uint32_t best = view.header->entry;
  float nearest = distances.MeasureOne(best);
  for (uint32_t on = view.levels[best]; on > layer; --on) {
    for (bool closer = true; closer;) {
      closer = false;
      const size_t count = CopyLinks(view.List(best, on), m, scratch.nodes.data());
      distances.Measure(scratch.nodes.data(), count, scratch.distances.data());
      for (size_t i = 0; i < count; ++i) {
        if (scratch.distances[i] < nearest) {
          nearest = scratch.distances[i];
          best = scratch.nodes[i];
          closer = true;
        }
      }
    }
  }
  return best;
}

void WalkLayer(const HnswView& view, const NodeDistances& distances, uint32_t start, uint32_t layer,
               size_t ef, WalkScratch& scratch) {
  const uint32_t width = view.Width(layer);
  scratch.Prepare(view.header->nodes, width);
  uint32_t* nodes = scratch.nodes.data();
  float* measured = scratch.distances.data();
  CandidatePool& pool = scratch.pool;
  pool.Reset(ef);
  scratch.visited.Visit(start);
  pool.Insert(distances.MeasureOne(start), start);
  for (uint32_t node = pool.Follow(); node != kNoNode; node = pool.Follow()) {
    const size_t count = CollectUnvisited(view.List(node, layer), width, scratch);
    distances.Measure(nodes, count, measured);
    for (size_t i = 0; i < count; ++i) {
      if (pool.Insert(measured[i], nodes[i])) {
        PrefetchList(view.List(nodes[i], layer));
      }
    }
    if (const uint32_t next = pool.Upcoming(); next != kNoNode) {
      PrefetchList(view.List(next, layer));
    }
  }
}

}  // namespace roost::embedded
