#include "adapters/embedded/index/hnsw_search.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace roost::embedded {
namespace {

/// At most so many allowed slots are compared one by one: as fast as a walk, and exact.
constexpr uint64_t kScanPerEf = 150;
constexpr uint64_t kScanAlways = 2'000;
/// From this share of allowed slots on, plain walks meet enough of them.
constexpr double kPlainShare = 0.5;
/// Width of the walk that finds out how common allowed nodes are around the query.
constexpr size_t kProbeEf = 16;
/// Allowed slots are thought to lie elsewhere when they are this much rarer around the query.
constexpr double kRarer = 1.0 / 3.0;
/// Codes may err by this many standard deviations before a neighbour is lost.
constexpr float kErrors = 3.0f;
constexpr size_t kRescoreAhead = 4;

}  // namespace

HnswSearch::HnswSearch(const VectorColumn& column, const CodeSpace* space, const HnswView& view,
                       const IndexSearch& search, SearchScratch& scratch)
    : column_(column),
      space_(space),
      view_(view),
      search_(search),
      scratch_(scratch),
      exact_(column, search.query),
      distances_(view.header->space, view.codes_table()),
      ef_(std::max(search.ef, search.top_k)) {}

std::vector<Neighbor> HnswSearch::Run() {
  const HnswHeader& header = *view_.header;
  if (!exact_.valid() || search_.top_k == 0 || header.nodes == 0) {
    return {};
  }
  Prepare();
  ef_ = std::min<size_t>(ef_, header.nodes);
  CandidatePool& pool = scratch_.walk.pool;
  if (search_.allowed.empty()) {
    WalkLayer(view_, distances_, Descend(view_, distances_, 0, scratch_.walk), 0, ef_,
              scratch_.walk);
    return Rescore(pool);
  }
  const double share = static_cast<double>(search_.allowed_count) / header.count;
  if (search_.allowed_count <= std::max(kScanAlways, kScanPerEf * ef_)) {
    return ScanAllowed();
  }
  const uint32_t start = Descend(view_, distances_, 0, scratch_.walk);
  const bool far = share < kPlainShare ? !WalkTwoHop(start, share) : !WalkGated(start, share);
  if (far) {
    return ScanAllowed();
  }
  std::vector<Neighbor> best = Rescore(share < kPlainShare ? pool : scratch_.walk.found);
  const uint64_t stored = uint64_t{header.nodes} + header.twins;
  if (best.size() < std::min({uint64_t{search_.top_k}, search_.allowed_count, stored})) {
    return ExactSearch(column_, search_);
  }
  return best;
}

void HnswSearch::Prepare() {
  if (space_ != nullptr) {
    space_->EncodeQuery(search_.query.data(), scratch_.query);
    distances_.SetQuery({.codes = scratch_.query.codes.data(),
                         .factor = scratch_.query.factor,
                         .offset = scratch_.query.offset});
    return;
  }
  scratch_.bits.assign(view_.stride(), 0);
  std::memcpy(scratch_.bits.data(), search_.query.data(), search_.query.size());
  distances_.SetBits(scratch_.bits.data());
}

std::span<const Twin> HnswSearch::TwinsOf(uint32_t node) const {
  const Twin* begin = view_.twins;
  const Twin* end = begin + view_.header->twins;
  const auto before = [](const Twin& a, const Twin& b) { return a.node < b.node; };
  const auto range = std::equal_range(begin, end, Twin{.node = node}, before);
  return {range.first, range.second};
}

bool HnswSearch::Allowed(uint32_t node) const {
  const uint32_t slot = view_.slots[node];
  if (HasBit(search_.allowed, slot & ~kHasTwins)) {
    return true;
  }
  if ((slot & kHasTwins) == 0) {
    return false;
  }
  const auto twins = TwinsOf(node);
  return std::any_of(twins.begin(), twins.end(),
                     [&](const Twin& twin) { return HasBit(search_.allowed, twin.slot); });
}

/// A plain walk that also collects allowed nodes in `found`. False when they are rare among the
/// nearest.
bool HnswSearch::WalkGated(uint32_t start, double share) {
  WalkScratch& walk = scratch_.walk;
  const uint32_t width = view_.ground_width();
  walk.Prepare(view_.header->nodes, width);
  walk.pool.Reset(ef_);
  walk.found.Reset(ef_);
  const auto meet = [&](float distance, uint32_t node) {
    walk.pool.Insert(distance, node);
    if (!walk.found.Rejects(distance) && Allowed(node)) {
      walk.found.Insert(distance, node);
    }
  };
  walk.visited.Visit(start);
  meet(distances_.MeasureOne(start), start);
  for (uint32_t node = walk.pool.Follow(); node != kNoNode; node = walk.pool.Follow()) {
    const size_t count = CollectUnvisited(view_.List(node, 0), width, walk);
    distances_.Measure(walk.nodes.data(), count, walk.distances.data());
    for (size_t i = 0; i < count; ++i) {
      meet(walk.distances[i], walk.nodes[i]);
    }
  }
  size_t allowed = 0;
  for (size_t i = 0; i < walk.pool.size(); ++i) {
    allowed += Allowed(walk.pool[i].node()) ? 1 : 0;
  }
  return static_cast<double>(allowed) >= kRarer * share * static_cast<double>(walk.pool.size());
}

/// Into walk.nodes: allowed nodes that were not met yet and are one link from `node`, or two with
/// one between that is not allowed. At most as many as a list is wide.
size_t HnswSearch::CollectTwoHop(uint32_t node) {
  WalkScratch& walk = scratch_.walk;
  const uint32_t width = view_.ground_width();
  const uint32_t* list = view_.List(node, 0);
  for (uint32_t i = 0; i < width && list[i] != kNoNode; ++i) {
    PrefetchList(view_.List(list[i], 0));
  }
  size_t count = 0;
  size_t between = width;  // The nodes between stand in the second half of the buffer.
  for (uint32_t i = 0; i < width && list[i] != kNoNode; ++i) {
    if (walk.visited.Visit(list[i])) {
      walk.nodes[Allowed(list[i]) ? count++ : between++] = list[i];
    }
  }
  for (size_t i = width; i < between && count < width; ++i) {
    const uint32_t* second = view_.List(walk.nodes[i], 0);
    for (uint32_t j = 0; j < width && second[j] != kNoNode && count < width; ++j) {
      if (Allowed(second[j]) && walk.visited.Visit(second[j])) {
        walk.nodes[count++] = second[j];
      }
    }
  }
  return count;
}

/// False when allowed nodes are rarer around the query than `share` promises.
bool HnswSearch::WalkTwoHop(uint32_t start, double share) {
  WalkScratch& walk = scratch_.walk;
  const size_t width = view_.ground_width();
  // A short plain walk shows what the surroundings are like, and finds places to begin.
  WalkLayer(view_, distances_, start, 0, std::min(kProbeEf, ef_), walk);
  std::vector<uint32_t> seeds;
  seeds.reserve(walk.pool.size());
  for (size_t i = 0; i < walk.pool.size(); ++i) {
    seeds.push_back(walk.pool[i].node());
  }
  walk.Prepare(view_.header->nodes, width * 2);
  walk.pool.Reset(ef_);
  size_t met = 0;
  size_t allowed = 0;
  for (uint32_t seed : seeds) {
    const uint32_t* list = view_.List(seed, 0);
    for (uint32_t i = 0; i < width && list[i] != kNoNode; ++i) {
      if (walk.visited.Visit(list[i])) {
        ++met;
        if (Allowed(list[i])) {
          ++allowed;
          walk.pool.Insert(distances_.MeasureOne(list[i]), list[i]);
        }
      }
    }
  }
  if (static_cast<double>(allowed) < kRarer * share * static_cast<double>(met)) {
    return false;
  }
  for (uint32_t node = walk.pool.Follow(); node != kNoNode; node = walk.pool.Follow()) {
    const size_t count = CollectTwoHop(node);
    distances_.Measure(walk.nodes.data(), count, walk.distances.data());
    for (size_t i = 0; i < count; ++i) {
      walk.pool.Insert(walk.distances[i], walk.nodes[i]);
    }
  }
  return true;
}

/// Compares the codes of every allowed node, and exactly those that may be among the best.
std::vector<Neighbor> HnswSearch::ScanAllowed() {
  WalkScratch& walk = scratch_.walk;
  constexpr size_t kBatch = 64;
  walk.Prepare(view_.header->nodes, kBatch);
  TopList best(search_.top_k);
  size_t count = 0;
  const auto flush = [&] {
    distances_.Measure(walk.nodes.data(), count, walk.distances.data());
    size_t kept = 0;
    const float limit = Limit(best);
    for (size_t i = 0; i < count; ++i) {
      if (walk.distances[i] <= limit) {
        exact_.Prefetch(SlotOf(walk.nodes[i]));
        walk.nodes[kept] = walk.nodes[i];
        walk.distances[kept++] = walk.distances[i];
      }
    }
    for (size_t i = 0; i < kept; ++i) {
      if (walk.distances[i] <= Limit(best)) {
        Offer(walk.nodes[i], exact_.To(SlotOf(walk.nodes[i])), best);
      }
    }
    count = 0;
  };
  const uint32_t slots = view_.header->count;
  const size_t words = std::min<size_t>(search_.allowed.size(), (size_t{slots} + 63) / 64);
  for (size_t word = 0; word < words; ++word) {
    for (uint64_t bits = search_.allowed[word]; bits != 0; bits &= bits - 1) {
      const auto slot =
          static_cast<uint32_t>(word * 64) + static_cast<uint32_t>(std::countr_zero(bits));
      const uint32_t node = slot < slots ? view_.node_of[slot] : kNoNode;
      // Several slots of one node are one candidate.
      if (node == kNoNode || ((view_.slots[node] & kHasTwins) != 0 && !walk.visited.Visit(node))) {
        continue;
      }
      walk.nodes[count++] = node;
      if (count == kBatch) {
        flush();
      }
    }
  }
  flush();
  return best.Take();
}

float HnswSearch::Limit(const TopList& best) const {
  if (!best.full()) {
    return std::numeric_limits<float>::infinity();
  }
  return space_ == nullptr
             ? best.farthest()
             : space_->Rank(scratch_.query, best.farthest()) + kErrors * scratch_.query.error;
}

std::vector<Neighbor> HnswSearch::Rescore(const CandidatePool& pool) {
  TopList best(search_.top_k);
  for (size_t i = 0; i < std::min(kRescoreAhead, pool.size()); ++i) {
    exact_.Prefetch(SlotOf(pool[i].node()));
  }
  for (size_t i = 0; i < pool.size(); ++i) {
    if (pool[i].distance > Limit(best)) {
      break;  // The pool is sorted by code distance: nothing behind can be nearer either.
    }
    if (i + kRescoreAhead < pool.size()) {
      exact_.Prefetch(SlotOf(pool[i + kRescoreAhead].node()));
    }
    Offer(pool[i].node(), exact_.To(SlotOf(pool[i].node())), best);
  }
  return best.Take();
}

void HnswSearch::Offer(uint32_t node, float distance, TopList& best) const {
  const auto allowed = [&](uint32_t slot) {
    return search_.allowed.empty() || HasBit(search_.allowed, slot);
  };
  const uint32_t slot = view_.slots[node];
  if (allowed(slot & ~kHasTwins)) {
    best.Offer({.distance = distance, .slot = slot & ~kHasTwins});
  }
  if ((slot & kHasTwins) == 0) {
    return;
  }
  for (const Twin& twin : TwinsOf(node)) {
    if (best.full() && best.farthest() < distance) {
      return;
    }
    if (allowed(twin.slot)) {
      best.Offer({.distance = distance, .slot = twin.slot});
    }
  }
}

}  // namespace roost::embedded
