#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "metadata/control_store.h"
#include "migration/mapping/mapping_table.h"
#include "migration/migration.h"
#include "router/replica_coordinator.h"
#include "router/routed_store.h"
#include "telemetry/metrics.h"

namespace roost {

/// Limits of the machinery; those of one move are in MigrationPolicy.
struct MigrationServiceOptions {
  std::chrono::milliseconds tick{20};                ///< between two looks at each move
  std::chrono::milliseconds fast_tick{2};            ///< while writes wait
  std::chrono::milliseconds store_timeout{30'000};   ///< of one call to a store, fences included
  std::chrono::milliseconds applier_timeout{3'000};  ///< of one call of the applier
  std::chrono::milliseconds probe_interval{500};     ///< of the target's health and index
  std::chrono::milliseconds probe_timeout{1'000};
  size_t applier_batch_rows = 500;
  std::chrono::milliseconds backoff_initial{50};
  std::chrono::milliseconds backoff_max{5'000};
  int recheck_attempts = 3;                        ///< of records that verification found different
  std::chrono::milliseconds recheck_pause{50};     ///< at least; or the stores' visibility
  uint64_t max_payload_bytes = uint64_t{8} << 30;  ///< of one move; above: writes are refused
  double shadow_recall_tolerance = 0.02;           ///< the target may be worse by this much
  uint64_t shadow_min_exact_reads = 20;            ///< before recall is judged
  size_t max_moves = 64;                           ///< active at once
};

/// What the service works with; everything outlives it.
struct MigrationParts {
  RoutedStore& routed;
  RouteTable& routes;
  ReplicaCoordinator& coordinator;
  ControlStore& control;
  MappingTable& mappings;  ///< loaded; the stores of `routed` read by it (MakeMappedStore)
  Clock& clock;
  Random& random;
  Metrics& metrics;
};

/// Loads the moves of the control store, publishes their routes (RoutedStore::LoadRoutes must have
/// run) and goes on with their work. Serve requests only after this returned: before, writes of
/// moving collections would not be marked. Destroy it after the last request has ended.
Result<std::unique_ptr<MigrationService>> MakeMigrationService(MigrationServiceOptions options,
                                                               MigrationParts parts);

}  // namespace roost
