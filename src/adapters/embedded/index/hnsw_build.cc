#include "adapters/embedded/index/hnsw_build.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/hnsw_links.h"
#include "base/hash.h"

namespace roost::embedded {
namespace {

/// A neighbour is left out when another one, already taken, is nearer to it than the node itself by
/// this factor (of squared distances). Above 1, longer links survive when a full list is thinned.
constexpr float kOwnSlack = 1.0f;
constexpr float kBacklinkSlack = 1.2f;
/// So many nodes are inserted by one thread first: with fewer, threads would not see each other.
constexpr uint32_t kSerialNodes = 1'000;
constexpr size_t kLocks = 4'096;
constexpr uint32_t kNodesPerTurn = 64;

/// The same node gets the same layer in every build.
uint32_t LevelOf(uint32_t node, uint32_t m) {
  const uint64_t hash = Hash64(std::as_bytes(std::span(&node, 1)));
  const double uniform = (static_cast<double>(hash >> 11) + 1) * 0x1.0p-53;
  const double level = -std::log(uniform) / std::log(static_cast<double>(std::max(2u, m)));
  return static_cast<uint32_t>(std::min<double>(level, kMaxLevel));
}

/// A node in the place of a query.
struct NodeQuery {
  std::vector<int8_t> codes;
  float base = 0;  ///< to be added to measured distances to make them whole
};

/// What one thread needs.
struct Worker {
  Worker(NodeSpace space, const CodeTable& table) : distances(space, table), pairs(space, table) {}

  NodeDistances distances;  ///< from the node that is inserted, or whose list is thinned
  NodeDistances pairs;      ///< from one of its candidates
  NodeQuery query;
  NodeQuery pair_query;
  WalkScratch scratch;
  std::vector<WalkCandidate> candidates;
  std::vector<uint32_t> taken;
  std::vector<float> measured;
  std::array<std::vector<WalkCandidate>, kMaxLevel + 1> chosen;
};

class Builder {
 public:
  Builder(const VectorColumn& column, const IndexParameters& parameters, std::stop_token stop,
          const std::function<void(uint32_t)>& progress)
      : column_(column), stop_(std::move(stop)), progress_(progress), locks_(kLocks) {
    threads_ = std::max(1u, parameters.threads);
    ef_ = std::max(1u, parameters.ef_construction);
    m_ = std::clamp(parameters.m, 2u, kMaxM);
  }

  Result<std::unique_ptr<GraphMemory>> Run() {
    TRY(Allocate());
    if (header_.nodes > 0) {
      EncodeAll();
      TRY(InsertAll());
      ConnectAll();
    }
    SealChecksum({memory_->data(), memory_->size()});
    return std::move(memory_);
  }

 private:
  Status Allocate();
  void EncodeAll();
  Status InsertAll();
  void ConnectAll();

  /// Runs work(worker, i) for all i in [from, to) on the threads.
  template <typename Work>
  void Parallel(uint32_t from, uint32_t to, const Work& work);

  void AskFrom(uint32_t node, NodeQuery& query, NodeDistances& distances) const;
  void Insert(uint32_t node, Worker& worker);
  void AddBacklink(uint32_t to, uint32_t node, uint32_t layer, Worker& worker);
  void Select(std::span<const WalkCandidate> sorted, uint32_t limit, float slack,
              Worker& worker) const;
  void WriteList(uint32_t node, uint32_t layer, std::span<const uint32_t> links);
  void Bridge(uint32_t node, Worker& worker);

  std::mutex& LockOf(uint32_t node) { return locks_[node % kLocks]; }

  const VectorColumn& column_;
  std::stop_token stop_;
  const std::function<void(uint32_t)>& progress_;
  uint32_t threads_ = 1;
  uint32_t ef_ = 200;
  uint32_t m_ = 16;
  HnswHeader header_;
  std::unique_ptr<GraphMemory> memory_;
  HnswSections<std::byte> graph_;
  HnswView view_;
  std::vector<float> lifts_;
  std::vector<std::mutex> locks_;
};

Status Builder::Allocate() {
  NodeList list = ListNodes(column_);
  header_ = DescribeColumn(column_);
  header_.m = m_;
  header_.ef_construction = ef_;
  header_.nodes = static_cast<uint32_t>(list.slots.size());
  header_.twins = static_cast<uint32_t>(list.twins.size());
  std::vector<uint8_t> levels(header_.nodes);
  for (uint32_t node = 0; node < header_.nodes; ++node) {
    levels[node] = static_cast<uint8_t>(LevelOf(node, m_));
    header_.upper_lists += levels[node];
    if (header_.entry == kNoNode || levels[node] > levels[header_.entry]) {
      header_.entry = node;
    }
  }
  SpaceFit fit;
  if (header_.space == NodeSpace::kCodes) {
    std::vector<uint32_t> rows(list.slots);
    for (uint32_t& slot : rows) {
      slot &= ~kHasTwins;
    }
    fit = CodeSpace::Fit(column_, rows);
    header_.radius = fit.radius;
    header_.typical_scale = fit.typical_scale;
    header_.typical_length = fit.typical_length;
  }
  header_.file_bytes = TRY(HnswFileBytes(header_));
  memory_ = std::make_unique<GraphMemory>(header_.file_bytes);
  graph_ = MutableSections(memory_->data(), header_);
  view_ = ViewSections(memory_->data(), header_);
  *graph_.header = header_;
  std::copy(fit.center.begin(), fit.center.end(), graph_.center);
  std::copy(list.slots.begin(), list.slots.end(), graph_.slots);
  std::copy(list.twins.begin(), list.twins.end(), graph_.twins);
  std::copy(levels.begin(), levels.end(), graph_.levels);
  std::fill_n(graph_.node_of, header_.count, kNoNode);
  for (uint32_t node = 0; node < header_.nodes; ++node) {
    graph_.node_of[list.slots[node] & ~kHasTwins] = node;
  }
  for (const Twin& twin : list.twins) {
    graph_.node_of[twin.slot] = twin.node;
  }
  uint32_t at = 0;
  for (uint32_t node = 0; node < header_.nodes; ++node) {
    graph_.upper_at[node] = at;
    at += levels[node];
  }
  std::fill_n(graph_.upper, size_t{header_.upper_lists} * m_, kNoNode);
  std::fill_n(graph_.ground, size_t{header_.nodes} * m_ * 2, kNoNode);
  return {};
}

template <typename Work>
void Builder::Parallel(uint32_t from, uint32_t to, const Work& work) {
  std::atomic<uint32_t> next = from;
  const auto run = [&] {
    Worker worker(header_.space, view_.codes_table());
    for (;;) {
      const uint32_t begin = next.fetch_add(kNodesPerTurn, std::memory_order_relaxed);
      if (begin >= to || stop_.stop_requested()) {
        return;
      }
      for (uint32_t i = begin; i < std::min(to, begin + kNodesPerTurn); ++i) {
        work(worker, i);
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (uint32_t i = 1; i < threads_ && to - from > kNodesPerTurn; ++i) {
    helpers.emplace_back(run);
  }
  run();
}

void Builder::EncodeAll() {
  const size_t stride = view_.stride();
  if (header_.space != NodeSpace::kCodes) {
    const size_t bytes = NodeCodeBytes(header_);
    for (uint32_t node = 0; node < header_.nodes; ++node) {
      const uint32_t slot = graph_.slots[node] & ~kHasTwins;
      std::memcpy(graph_.codes + node * stride, column_.data + slot * column_.stride, bytes);
    }
    return;
  }
  const CodeSpace space(column_.type, column_.metric, ReadFit(view_));
  const bool lifted = column_.metric == Metric::kInnerProduct;
  lifts_.resize(lifted ? header_.nodes : 0);
  Parallel(0, header_.nodes, [&](Worker& worker, uint32_t node) {
    const uint32_t slot = graph_.slots[node] & ~kHasTwins;
    const CodeSpace::Row row = space.EncodeRow(column_.data + slot * column_.stride,
                                               graph_.codes + node * stride, worker.measured);
    graph_.scales[node] = row.scale;
    if (lifted) {
      lifts_[node] = row.lift;
    }
  });
}

Status Builder::InsertAll() {
  std::atomic<uint32_t> done = 1;
  const auto insert = [&](Worker& worker, uint32_t i) {
    // The entry is in its place from the start; node 0 takes its turn.
    Insert(i == header_.entry ? 0 : i, worker);
    const uint32_t count = done.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count % 1'024 == 0 && progress_) {
      progress_(count);
    }
  };
  const uint32_t serial = std::min(header_.nodes, kSerialNodes);
  Worker worker(header_.space, view_.codes_table());
  for (uint32_t i = 1; i < serial && !stop_.stop_requested(); ++i) {
    insert(worker, i);
  }
  Parallel(std::max(1u, serial), header_.nodes, insert);
  if (stop_.stop_requested()) {
    return Cancelled("building a vector index was stopped");
  }
  return {};
}

void Builder::AskFrom(uint32_t node, NodeQuery& query, NodeDistances& distances) const {
  const CodeTable table = view_.codes_table();
  const uint8_t* code = table.codes + node * table.stride;
  if (header_.space != NodeSpace::kCodes) {
    distances.SetBits(code);
    return;
  }
  query.codes.resize(table.stride);
  const int32_t sum = ActiveKernelTable().flip(code, table.stride, query.codes.data());
  query.base = table.scales[node].bias;
  distances.SetQuery(
      {.codes = query.codes.data(), .factor = 2 * table.scales[node].scale, .offset = 128 * sum});
  if (!lifts_.empty()) {
    distances.SetLift(lifts_.data(), lifts_[node]);
  }
}

void Builder::Insert(uint32_t node, Worker& worker) {
  AskFrom(node, worker.query, worker.distances);
  const uint32_t level = graph_.levels[node];
  uint32_t start = Descend(view_, worker.distances, level, worker.scratch);
  for (uint32_t layer = level + 1; layer-- > 0;) {
    WalkLayer(view_, worker.distances, start, layer, ef_, worker.scratch);
    const CandidatePool& pool = worker.scratch.pool;
    start = pool[0].node();
    worker.candidates.clear();
    for (size_t i = 0; i < pool.size(); ++i) {
      worker.candidates.push_back(
          {std::max(0.0f, pool[i].distance + worker.query.base), pool[i].node()});
    }
    Select(worker.candidates, m_, kOwnSlack, worker);
    worker.chosen[layer].clear();
    for (uint32_t neighbor : worker.taken) {
      worker.chosen[layer].push_back({0, neighbor});
    }
    WriteList(node, layer, worker.taken);
  }
  // Others can find this node only from here on, when its own links stand on all layers: a walk
  // that came down to a node without links would end there.
  for (uint32_t layer = 0; layer <= level; ++layer) {
    for (const WalkCandidate& neighbor : worker.chosen[layer]) {
      AddBacklink(neighbor.id, node, layer, worker);
    }
  }
}

/// Takes, of candidates by rising distance, those that no nearer taken one hides: `worker.taken`.
void Builder::Select(std::span<const WalkCandidate> sorted, uint32_t limit, float slack,
                     Worker& worker) const {
  constexpr size_t kBatch = 8;  // Most candidates are hidden by one of the first.
  worker.taken.clear();
  float measured[kBatch];
  for (const WalkCandidate& candidate : sorted) {
    if (worker.taken.size() == limit) {
      return;
    }
    AskFrom(candidate.id, worker.pair_query, worker.pairs);
    bool hidden = false;
    for (size_t i = 0; i < worker.taken.size() && !hidden; i += kBatch) {
      const size_t count = std::min(kBatch, worker.taken.size() - i);
      worker.pairs.Measure(worker.taken.data() + i, count, measured);
      for (size_t j = 0; j < count; ++j) {
        const float between = std::max(0.0f, measured[j] + worker.pair_query.base);
        hidden = hidden || slack * between < candidate.distance;
      }
    }
    if (!hidden) {
      worker.taken.push_back(candidate.id);
    }
  }
}

void Builder::WriteList(uint32_t node, uint32_t layer, std::span<const uint32_t> links) {
  uint32_t* list = graph_.List(node, layer);
  const uint32_t width = view_.Width(layer);
  const std::lock_guard lock(LockOf(node));
  for (uint32_t i = 0; i < width; ++i) {
    StoreLink(list + i, i < links.size() ? links[i] : kNoNode);
  }
}

void Builder::AddBacklink(uint32_t to, uint32_t node, uint32_t layer, Worker& worker) {
  const uint32_t width = view_.Width(layer);
  uint32_t* list = graph_.List(to, layer);
  const std::lock_guard lock(LockOf(to));
  std::vector<uint32_t>& links = worker.scratch.nodes;
  std::vector<float>& measured = worker.scratch.distances;
  links.resize(std::max<size_t>(links.size(), width + 1));
  measured.resize(std::max<size_t>(measured.size(), width + 1));
  size_t count = CopyLinks(list, width, links.data());
  if (std::find(links.data(), links.data() + count, node) != links.data() + count) {
    return;
  }
  if (count < width) {
    StoreLink(list + count, node);
    return;
  }
  links[count++] = node;
  AskFrom(to, worker.query, worker.distances);
  worker.distances.Measure(links.data(), count, measured.data());
  worker.candidates.clear();
  for (size_t i = 0; i < count; ++i) {
    worker.candidates.push_back({std::max(0.0f, measured[i] + worker.query.base), links[i]});
  }
  std::sort(worker.candidates.begin(), worker.candidates.end(), CloserWalkCandidate);
  Select(worker.candidates, width, kBacklinkSlack, worker);
  for (uint32_t i = 0; i < width; ++i) {
    StoreLink(list + i, i < worker.taken.size() ? worker.taken[i] : kNoNode);
  }
}

/// Marks what can be reached from a node along the ground layer.
void MarkReachable(const HnswView& view, uint32_t from, std::vector<uint8_t>& reached) {
  std::vector<uint32_t> open{from};
  reached[from] = 1;
  while (!open.empty()) {
    const uint32_t* list = view.List(open.back(), 0);
    open.pop_back();
    for (uint32_t i = 0; i < view.ground_width() && list[i] != kNoNode; ++i) {
      if (reached[list[i]] == 0) {
        reached[list[i]] = 1;
        open.push_back(list[i]);
      }
    }
  }
}

/// Thinning may have cut the last link to a node; every such node gets a new one.
void Builder::ConnectAll() {
  std::vector<uint8_t> reached(header_.nodes, 0);
  MarkReachable(view_, header_.entry, reached);
  Worker worker(header_.space, view_.codes_table());
  for (uint32_t node = 0; node < header_.nodes; ++node) {
    if (reached[node] == 0) {
      Bridge(node, worker);
      MarkReachable(view_, node, reached);
    }
  }
}

void Builder::Bridge(uint32_t node, Worker& worker) {
  AskFrom(node, worker.query, worker.distances);
  // From the entry: what the walk meets is reachable itself.
  WalkLayer(view_, worker.distances, header_.entry, 0, ef_, worker.scratch);
  const CandidatePool& pool = worker.scratch.pool;
  const uint32_t width = view_.ground_width();
  for (size_t i = 0; i < pool.size(); ++i) {
    uint32_t* list = graph_.List(pool[i].node(), 0);
    uint32_t* free = std::find(list, list + width, kNoNode);
    if (free != list + width) {
      *free = node;
      return;
    }
  }
  // All full: the node goes in between the nearest and its last neighbour, so nothing is cut off.
  uint32_t* from = graph_.List(pool[0].node(), 0);
  uint32_t* own = graph_.List(node, 0);
  uint32_t* place = std::find(own, own + width, kNoNode);
  place = place == own + width ? place - 1 : place;
  *place = from[width - 1];
  from[width - 1] = node;
}

}  // namespace

Result<std::unique_ptr<GraphMemory>> BuildGraph(const VectorColumn& column,
                                                const IndexParameters& parameters,
                                                std::stop_token stop,
                                                const std::function<void(uint32_t)>& progress) {
  return Builder(column, parameters, std::move(stop), progress).Run();
}

uint32_t CountUnreachable(const HnswView& view) {
  if (view.header->nodes == 0) {
    return 0;
  }
  std::vector<uint8_t> reached(view.header->nodes, 0);
  MarkReachable(view, view.header->entry, reached);
  return static_cast<uint32_t>(std::count(reached.begin(), reached.end(), 0));
}

}  // namespace roost::embedded
