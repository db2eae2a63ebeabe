#include "router/replica_coordinator.h"

#include <utility>

namespace roost {
namespace {

class LocalCoordinator final : public ReplicaCoordinator {
 public:
  explicit LocalCoordinator(RouteTable& table) : table_(table) {}

  void Publish(std::shared_ptr<const Route> route) override { table_.Publish(std::move(route)); }

  bool AllAcknowledged(const std::string& collection, uint64_t epoch) override {
    return table_.Drained(collection, epoch);
  }

 private:
  RouteTable& table_;
};

}  // namespace

std::unique_ptr<ReplicaCoordinator> MakeLocalCoordinator(RouteTable& table) {
  return std::make_unique<LocalCoordinator>(table);
}

}  // namespace roost
