#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// Where a move stands.
///
///   PLANNED → CAPTURE → COPY → MIRROR → VERIFY → SHADOW → RAMP → FENCE → SWITCHED → REVERSED
///
///   abort:     PLANNED to RAMP → ABORTED
///   overflow:  MIRROR to RAMP → COPY, all chunks anew
///   FENCE not through in time → RAMP, the step it came from; tried again later
///   commit:    REVERSED → COMMITTED
///   rollback:  REVERSED → ROLLING_BACK → RAMP with no reads on B
///   ROLLING_BACK not through in time → REVERSED; tried again later
///
/// A is the store that held the collection, B the one it moves to. Every arrow raises the epoch by
/// one and waits until every gateway serves the present one, so that at most two adjacent route
/// shapes are served at a time. The one exception is a fence that is not through in time: it falls
/// back to the very shape it came from without waiting.
enum class MigrationState : uint8_t {
  kPlanned,
  kCapture,      ///< writes are marked; waiting until every gateway does it
  kCopy,         ///< chunks A → B, applier for dirty keys
  kMirror,       ///< writes go to B inline too; the applier drains
  kVerify,       ///< every record compared, both directions
  kShadow,       ///< a sample of reads goes to B too, off the client's path
  kRamp,         ///< a share of reads is answered by B
  kFence,        ///< writes wait, the ledger drains
  kSwitched,     ///< B answers; writes still wait until all gateways know
  kReversed,     ///< B is the authority, A follows: rollback loses nothing
  kRollingBack,  ///< the fence in the other direction; then A answers, then RAMP with no reads on B
  kCommitted,
  kAborted,
};
std::string_view MigrationStateName(MigrationState state);  ///< "PLANNED", …
Result<MigrationState> ParseMigrationState(std::string_view name);
inline bool IsFinal(MigrationState s) {
  return s == MigrationState::kCommitted || s == MigrationState::kAborted;
}

/// What the user asked for and has not got yet.
enum class MigrationCommand : uint8_t { kNone, kRollback, kCommit, kAbort };

/// The durable part of a move that decisions need.
struct MigrationProgress {
  MigrationState state = MigrationState::kPlanned;
  MigrationState goal = MigrationState::kVerify;  ///< go no further without the user (advance)
  MigrationCommand command = MigrationCommand::kNone;
  uint64_t epoch = 0;  ///< of the route that belongs to `state`
  /// In RAMP and FENCE: 0: B answers no read; n: ramp_percents[n - 1]. In ROLLING_BACK: 0: B is the
  /// authority and the ledger drains; 1: A is, writes wait until all gateways know. Else 0.
  uint32_t ramp_step = 0;
  bool verified = false;  ///< a full verification passed since the last reconcile
  bool operator==(const MigrationProgress&) const = default;
};

/// Limits and choices of one move.
struct MigrationPolicy {
  double shadow_percent = 5;  ///< of reads, in SHADOW and RAMP
  std::vector<uint32_t> ramp_percents = {1, 10, 50, 100};
  uint32_t ramp_hold_ms = 5'000;  ///< at least this long at each step
  uint32_t shadow_hold_ms = 5'000;
  uint32_t fence_max_ms = 1'000;  ///< then back to RAMP; tried again later
  uint32_t fence_retry_ms = 5'000;
  uint32_t chunk_rows = 2'000;
  uint32_t backfill_workers = 2;
  uint32_t backfill_rows_per_second = 0;  ///< 0: as fast as the stores allow
  uint64_t max_dirty_rows = 5'000'000;    ///< above: COPY is reconciled anew
  uint32_t applier_attempts = 8;          ///< then the key is also a dead letter
  uint32_t oldest_dirty_max_ms = 1'000;   ///< gate to FENCE
};

/// What is true now, read off before each decision. Ages are measured on the monotonic clock.
struct MigrationFacts {
  bool epoch_acknowledged = false;  ///< every live gateway serves `epoch`, older requests ended
  bool target_exists = false;
  bool chunks_planned = false;
  uint64_t chunks_open = 0;  ///< not closed yet
  /// Rows that are dirty and not waived. In ROLLING_BACK with B dead (target_ready false): rows
  /// whose newest payload A does not hold yet (PayloadToApply); they stay dirty for B's return.
  uint64_t dirty = 0;
  uint64_t inflight = 0;  ///< brackets open; claims held count in FENCE and ROLLING_BACK
  uint64_t oldest_dirty_ms = 0;
  uint64_t dead_letters = 0;           ///< not waived
  bool target_ready = false;           ///< B is reachable and its index ready
  bool verification_started = false;   ///< a pass was begun and not made void by a reconcile
  bool verification_complete = false;  ///< 100 % of the chunks compared in this pass
  uint64_t verification_unresolved = 0;
  uint64_t divergent = 0;         ///< records of this pass that were different and made dirty
  uint64_t time_in_state_ms = 0;  ///< since `epoch` was published: each ramp step starts anew
  uint64_t since_fence_failed_ms = ~uint64_t{0};  ///< FENCE or ROLLING_BACK not through in time
  bool shadow_gate_open = true;                   ///< nothing measured speaks against B
  bool too_many_dirty = false;
};

/// What the engine shall do next: at most one change of state, and the work of the state.
struct Decision {
  enum class Work : uint8_t {
    kNone,
    kCreateTarget,
    kPlanChunks,
    kCopy,               ///< chunks and applier
    kApply,              ///< applier only
    kStartVerification,  ///< a new pass from the first chunk on, its counts at 0
    kVerify,             ///< go on with the pass, and applier
    /// All chunks back to todo in mode reconcile, their windows as they are, idle rows dropped, the
    /// verification void. In REVERSED the chunks go from B to A.
    kReconcile,
  };
  Work work = Work::kNone;
  /// `next` differs from the present progress and must be persisted, then published. Persist it
  /// only if the stored progress still equals the one that was decided on (compare and set).
  bool change = false;
  MigrationProgress next;
  std::string waiting_for;  ///< for people, when nothing changes: "3 chunks are not copied"
};

/// The one place where a move's next step is decided. Pure: same input, same output.
Decision Decide(const MigrationProgress& progress, const MigrationPolicy& policy,
                const MigrationFacts& facts);

/// What each state means for requests (architecture.md's table); a pure function.
struct RouteShape {
  bool authority_is_b = false;
  bool mirror = false;  ///< the other store is written inline
  bool capture = false;
  bool capture_payload = false;
  bool hold_writes = false;
  uint32_t read_percent_b = 0;
  double shadow_percent = 0;  ///< of reads, to the store that does not answer
};
RouteShape ShapeOf(const MigrationProgress& progress, const MigrationPolicy& policy);

/// Checks a user's command against the state: kFailedPrecondition says what is possible now.
/// kAbort: PLANNED to RAMP. kRollback: RAMP and FENCE (reads go back to A, the goal becomes
/// SHADOW), SWITCHED and REVERSED. kCommit: REVERSED. kNone takes back what has not begun.
Result<MigrationProgress> ApplyCommand(const MigrationProgress& progress, MigrationCommand command);
/// Moves the goal: to `to` (CAPTURE to RAMP or REVERSED, not behind the present state; RAMP calls a
/// cut-over off that is in FENCE), or to the next gate (VERIFY, SHADOW, RAMP, REVERSED).
Result<MigrationProgress> ApplyAdvance(const MigrationProgress& progress, const MigrationState* to);

}  // namespace roost
