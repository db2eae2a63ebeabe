#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "router/route.h"

namespace roost {

/// The routes in force in this process. Thread safe.
///
/// Every write pins the route it works by; the table counts the pins of each epoch, so that a
/// change of route can wait until nobody writes by an older one. Reads need no pin: they look again
/// when they end and start anew if their store would not be asked any more (routed_reader.h). A
/// collection without a route of its own is answered by the default store, with epoch 0.
class RouteTable {
  struct Cell;
  struct Shard;

 public:
  /// Keeps one route pinned. Movable; released by the destructor.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept;
    Pin& operator=(Pin&& other) noexcept;
    ~Pin();
    const Route& operator*() const { return *route_; }
    const Route* operator->() const { return route_.get(); }
    const std::shared_ptr<const Route>& route() const { return route_; }

   private:
    friend class RouteTable;
    Pin(RouteTable* table, std::shared_ptr<const Route> route)
        : table_(table), route_(std::move(route)) {}
    RouteTable* table_ = nullptr;
    std::shared_ptr<const Route> route_;
  };

  explicit RouteTable(std::string default_store);
  ~RouteTable();

  /// Asked before each read and write whether the routes here may still be relied on; its error is
  /// the request's. Call before serving. `guard` is thread safe and does not wait.
  void GuardWith(std::function<Status()> guard) { guard_ = std::move(guard); }
  Status CheckGuard() const { return guard_ ? guard_() : Status(); }

  /// Waits while the route holds writes; kUnavailable when the request ends first,
  /// kResourceExhausted when `max_waiting` wait already. The guard's error.
  Result<Pin> PinWrite(const RequestContext& context, const std::string& collection);

  /// The route in force; never null.
  std::shared_ptr<const Route> Find(const std::string& collection) const;
  /// Those of their own, sorted by collection.
  std::vector<std::shared_ptr<const Route>> List() const;

  /// Takes effect for every request that starts after the call; wakes held writes.
  void Publish(std::shared_ptr<const Route> route);
  /// Back to the default store.
  void Remove(const std::string& collection);
  /// True when `epoch` is in force and no write works by another one.
  bool Drained(const std::string& collection, uint64_t epoch) const;

  const std::string& default_store() const { return default_store_; }
  /// Writes that wait for a route now, over all collections.
  size_t waiting() const;

  static constexpr size_t kMaxWaiting = 16'384;

 private:
  static constexpr size_t kShards = 16;

  Shard& ShardOf(const std::string& collection) const;
  std::shared_ptr<const Route> RouteOf(const Cell& cell, const std::string& collection) const;
  Pin PinLocked(Cell& cell, const std::string& collection);
  void Unpin(const Route& route);

  const std::string default_store_;
  std::function<Status()> guard_;
  mutable std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace roost
