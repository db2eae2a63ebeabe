#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "router/route_table.h"

namespace roost {

/// Brings a route to every gateway and tells when all of them work by it. With one gateway that is
/// this process; several would announce epochs through the control store and hold leases. Thread
/// safe.
class ReplicaCoordinator {
 public:
  virtual ~ReplicaCoordinator() = default;
  /// The route is durable already. Takes effect here at once.
  virtual void Publish(std::shared_ptr<const Route> route) = 0;
  /// True when every live gateway serves `epoch` of the collection and no write works by an older
  /// one.
  virtual bool AllAcknowledged(const std::string& collection, uint64_t epoch) = 0;
};

/// The coordinator of a single gateway. `table` outlives it.
std::unique_ptr<ReplicaCoordinator> MakeLocalCoordinator(RouteTable& table);

}  // namespace roost
