#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "migration/core/decisions.h"
#include "migration/core/ledger_rules.h"

namespace roost::simulation {

/// What can go wrong in a schedule. Each is counted with the state of the move in which it hit.
enum class Fault : uint8_t {
  kGatewayCrash,
  kLeaseLapse,   ///< a gateway cut off from the control store until its lease ran out
  kLostMessage,  ///< a request or reply of a store is gone
  kLateWrite,    ///< a write whose sender had given up or died lands
  kDuplicate,    ///< a fenced store gets a write twice, the second time late
  kSourceFails,  ///< A refuses a request for certain
  kTargetFails,  ///< B refuses a request for certain (in a batch: a partial failure)
  kTargetDown,   ///< B is away for a while
  kTargetLies,   ///< B acknowledges a chunk's put and drops it
  kApplierCrash,
  kChunkCrash,
  kVerifierCrash,
  kCoordinatorCrash,  ///< between reading the facts and persisting the decision
  kLostRace,          ///< another coordinator or user changed the progress first
  kOverflow,          ///< too many dirty rows
  kAdvance,
  kRollback,
  kCommit,
  kAbort,
};
constexpr int kFaults = 19;
constexpr int kStates = 13;
std::string_view FaultName(Fault fault);
/// Whether a large run has to meet the fault in the state. The other pairs cannot happen, or only
/// by what an earlier state left behind.
bool MustBeCovered(MigrationState state, Fault fault);

/// Single mistakes, each with its defence alone taken away; every one must be caught.
enum class PlantedBug : uint8_t {
  kNone,
  // The ten of the ledger's rules, in the order of LedgerMutation.
  kNoRedirtyAtClose,
  kCompareStampAtClose,
  kIgnoreInflightAtClose,
  kOnlyReturnedKeysAtClose,
  kFreshWindowOnRestart,
  kRedirtyWithoutStamp,
  kDropAlone,
  kFinishWithoutStampCheck,
  kApplierClearWithoutStampCheck,
  kClaimWhileInflight,
  // Those of what surrounds them.
  kMirrorFailureIgnored,
  kForgetDeletes,
  kVerifyByCount,
  kSwitchWhileDirty,
  kCheckThenAct,
  kNoAcknowledgement,
  kRollbackWithoutPayload,
  kPayloadReplacedAtMark,
  kFailedPayloadKept,
  kWritesNotSerial,
  kMarkInMemory,
  kStaleReads,
  kLapseForgotten,
  kUncheckedReads,
  kOneWayAfterCutover,
  kNoHorizon,
  kRestartKeepsIdentity,
  kEarlyFailure,
  kWindowAsFence,
  kPayloadDroppedInWindow,
};
constexpr int kPlantedBugs = 30;
std::string_view PlantedBugName(PlantedBug bug);
LedgerMutation MutationOf(PlantedBug bug);

using Coverage = std::array<std::array<uint64_t, kFaults>, kStates>;

struct ScheduleOptions {
  uint64_t seed = 0;
  PlantedBug bug = PlantedBug::kNone;
  bool log = false;                         ///< keep the list of events
  const std::vector<bool>* skip = nullptr;  ///< steps that do nothing: for shrinking
};

struct ScheduleResult {
  std::string violation;  ///< empty: every invariant held
  uint64_t trace = 0;     ///< hash of all that happened
  uint32_t steps = 0;
  uint32_t faulty_steps = 0;  ///< steps before the faults ended
  bool cutover_under_load = false;
  MigrationState end = MigrationState::kPlanned;
  std::vector<std::string> events;  ///< "step: what happened"
};

/// Runs one seeded schedule from start to end. Counts faults into `coverage` where given.
ScheduleResult RunSchedule(const ScheduleOptions& options, Coverage* coverage = nullptr);

/// SplitMix64 without a lock.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint32_t Below(uint32_t bound) {
    return static_cast<uint32_t>(((Next() >> 32) * uint64_t{bound}) >> 32);
  }
  bool Chance(uint32_t per_mille) { return Below(1000) < per_mille; }

 private:
  uint64_t state_;
};

}  // namespace roost::simulation
