#include "router/route_table.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/executor.h"
#include "base/hash.h"
#include "base/log.h"

namespace roost {

/// What is known of one collection: kept while it has a route of its own or writes that work.
struct RouteTable::Cell {
  std::shared_ptr<const Route> route;  ///< null: the default store's
  std::map<uint64_t, uint64_t> pins;   ///< how many writes work by each epoch
  uint64_t waiting = 0;                ///< writes that wait for the next route
};

struct RouteTable::Shard {
  mutable std::mutex mutex;
  std::condition_variable_any changed;  ///< a route was published
  std::unordered_map<std::string, Cell> cells;
  size_t waiting = 0;

  void Tidy(const std::string& collection) {
    const auto found = cells.find(collection);
    if (found != cells.end() && found->second.route == nullptr && found->second.pins.empty() &&
        found->second.waiting == 0) {
      cells.erase(found);
    }
  }
};

RouteTable::Pin::Pin(Pin&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)), route_(std::move(other.route_)) {}

RouteTable::Pin& RouteTable::Pin::operator=(Pin&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(route_, other.route_);
  return *this;
}

RouteTable::Pin::~Pin() {
  if (table_ != nullptr) {
    table_->Unpin(*route_);
  }
}

RouteTable::RouteTable(std::string default_store) : default_store_(std::move(default_store)) {
  for (auto& shard : shards_) {
    shard = std::make_unique<Shard>();
  }
}

RouteTable::~RouteTable() = default;

RouteTable::Shard& RouteTable::ShardOf(const std::string& collection) const {
  return *shards_[Hash64(collection) % kShards];
}

std::shared_ptr<const Route> RouteTable::RouteOf(const Cell& cell,
                                                 const std::string& collection) const {
  if (cell.route != nullptr) {
    return cell.route;
  }
  auto route = std::make_shared<Route>();
  route->collection = collection;
  route->authority = default_store_;
  return route;
}

RouteTable::Pin RouteTable::PinLocked(Cell& cell, const std::string& collection) {
  std::shared_ptr<const Route> route = RouteOf(cell, collection);
  ++cell.pins[route->epoch];
  return Pin(this, std::move(route));
}

Result<RouteTable::Pin> RouteTable::PinWrite(const RequestContext& context,
                                             const std::string& collection) {
  TRY(CheckGuard());
  Shard& shard = ShardOf(collection);
  std::unique_lock lock(shard.mutex);
  Cell& cell = shard.cells[collection];  // References to elements survive rehashing.
  const auto open = [&] { return cell.route == nullptr || !cell.route->hold_writes; };
  if (!open()) {
    if (shard.waiting >= kMaxWaiting / kShards) {
      return ResourceExhausted("too many writes wait for the cut-over of collection \"" +
                               collection + "\"; try again");
    }
    const BlockingSection blocking;
    ++cell.waiting;
    ++shard.waiting;
    const bool opened =
        context.deadline.infinite()
            ? shard.changed.wait(lock, context.stop, open)
            : shard.changed.wait_until(lock, context.stop, context.deadline.time, open);
    --cell.waiting;
    --shard.waiting;
    if (!opened) {
      shard.Tidy(collection);
      return Unavailable("writes of collection \"" + collection +
                         "\" are held for a cut-over; try again");
    }
    TRY(CheckGuard());
  }
  return PinLocked(cell, collection);
}

void RouteTable::Unpin(const Route& route) {
  Shard& shard = ShardOf(route.collection);
  std::lock_guard lock(shard.mutex);
  const auto cell = shard.cells.find(route.collection);
  if (cell == shard.cells.end()) {
    return;
  }
  const auto pins = cell->second.pins.find(route.epoch);
  if (pins != cell->second.pins.end() && --pins->second == 0) {
    cell->second.pins.erase(pins);
  }
  shard.Tidy(route.collection);
}

std::shared_ptr<const Route> RouteTable::Find(const std::string& collection) const {
  const Shard& shard = ShardOf(collection);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.cells.find(collection);
  return RouteOf(found == shard.cells.end() ? Cell{} : found->second, collection);
}

std::vector<std::shared_ptr<const Route>> RouteTable::List() const {
  std::vector<std::shared_ptr<const Route>> routes;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    for (const auto& [collection, cell] : shard->cells) {
      if (cell.route != nullptr) {
        routes.push_back(cell.route);
      }
    }
  }
  std::sort(routes.begin(), routes.end(),
            [](const auto& a, const auto& b) { return a->collection < b->collection; });
  return routes;
}

void RouteTable::Publish(std::shared_ptr<const Route> route) {
  Shard& shard = ShardOf(route->collection);
  std::lock_guard lock(shard.mutex);
  Cell& cell = shard.cells[route->collection];
  if (cell.route != nullptr && cell.route->epoch > route->epoch) {
    LogError("A route older than the one in force was not published",
             {{"collection", route->collection},
              {"epoch", route->epoch},
              {"in_force", cell.route->epoch}});
    return;
  }
  cell.route = std::move(route);
  shard.changed.notify_all();
}

void RouteTable::Remove(const std::string& collection) {
  Shard& shard = ShardOf(collection);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.cells.find(collection);
  if (found != shard.cells.end()) {
    found->second.route = nullptr;
    shard.changed.notify_all();
    shard.Tidy(collection);
  }
}

bool RouteTable::Drained(const std::string& collection, uint64_t epoch) const {
  const Shard& shard = ShardOf(collection);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.cells.find(collection);
  if (found == shard.cells.end()) {
    return epoch == 0;
  }
  const Cell& cell = found->second;
  const uint64_t in_force = cell.route == nullptr ? 0 : cell.route->epoch;
  return in_force == epoch && std::all_of(cell.pins.begin(), cell.pins.end(),
                                          [&](const auto& pin) { return pin.first == epoch; });
}

size_t RouteTable::waiting() const {
  size_t waiting = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    waiting += shard->waiting;
  }
  return waiting;
}

}  // namespace roost
