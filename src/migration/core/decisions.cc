#include "migration/core/decisions.h"

#include <optional>
#include <string_view>
#include <utility>

namespace roost {
namespace {

using State = MigrationState;
using Work = Decision::Work;

constexpr std::string_view kTargetNotReady =
    "the target is not ready: it is away, or its index is being built";

/// One decision in the making.
struct Case {
  const MigrationProgress& progress;
  const MigrationPolicy& policy;
  const MigrationFacts& facts;
};

std::string Count(uint64_t count, const char* what) { return std::to_string(count) + what; }

Decision Stay(const Case& c, Work work, std::string waiting_for) {
  return {.work = work, .next = c.progress, .waiting_for = std::move(waiting_for)};
}

/// A change of the route: the next epoch.
Decision GoTo(const Case& c, State state, uint32_t ramp_step = 0) {
  Decision decision{.change = true, .next = c.progress};
  decision.next.state = state;
  decision.next.ramp_step = ramp_step;
  ++decision.next.epoch;
  return decision;
}

/// A change that no gateway needs to know of.
Decision SetVerified(const Case& c, bool verified, Work work) {
  Decision decision{.work = work, .change = true, .next = c.progress};
  decision.next.verified = verified;
  return decision;
}

bool Drained(const Case& c) { return c.facts.dirty == 0 && c.facts.inflight == 0; }

bool Young(const Case& c) {
  return c.facts.dirty == 0 || c.facts.oldest_dirty_ms < c.policy.oldest_dirty_max_ms;
}

/// What stands against leaving a state that every gateway must know; empty: nothing.
std::string Unacknowledged(const Case& c) {
  return c.facts.epoch_acknowledged ? "" : "a gateway does not serve the present route yet";
}

/// The gates that B must pass before it answers (more) reads; empty: all open.
std::string ReadGate(const Case& c) {
  const MigrationFacts& facts = c.facts;
  if (!facts.epoch_acknowledged) {
    return Unacknowledged(c);
  }
  if (facts.chunks_open > 0) {
    return Count(facts.chunks_open, " chunks are not copied");
  }
  if (!c.progress.verified) {
    return "the records are not verified";
  }
  if (!facts.target_ready) {
    return std::string(kTargetNotReady);
  }
  if (!facts.shadow_gate_open) {
    return "what was measured speaks against the target";
  }
  if (!Young(c)) {
    return "the oldest of " + Count(facts.dirty, " dirty keys waits too long");
  }
  return "";
}

/// The gates to FENCE; empty: all open.
std::string FenceGate(const Case& c) {
  if (std::string closed = ReadGate(c); !closed.empty()) {
    return closed;
  }
  if (c.facts.dead_letters > 0) {
    return Count(c.facts.dead_letters, " dead letters are neither applied nor waived");
  }
  if (c.facts.since_fence_failed_ms < c.policy.fence_retry_ms) {
    return "the last fence was not through in time; the next one comes soon";
  }
  return "";
}

/// COPY anew when the ledger grew too large. First no read may depend on the ledger's rows.
Decision StartOver(const Case& c) {
  if (!c.facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (c.progress.state == State::kRamp && c.progress.ramp_step > 0) {
    return GoTo(c, State::kRamp, 0);
  }
  Decision decision = GoTo(c, State::kCopy);
  decision.next.verified = false;
  return decision;
}

Decision Abort(const Case& c) {
  if (!c.facts.epoch_acknowledged) {
    return Stay(c, Work::kNone, Unacknowledged(c));
  }
  // After ABORTED writes pass the ledger no more, so no gateway may still read from B then.
  if (c.progress.state == State::kRamp && c.progress.ramp_step > 0) {
    return GoTo(c, State::kRamp, 0);
  }
  Decision decision = GoTo(c, State::kAborted);
  decision.next.command = MigrationCommand::kNone;
  decision.next.verified = false;
  return decision;
}

/// The next piece of a verification. Precondition: not verified.
Decision Verify(const Case& c) {
  const MigrationFacts& facts = c.facts;
  if (facts.chunks_open > 0) {
    return Stay(c, Work::kCopy, Count(facts.chunks_open, " chunks are not copied"));
  }
  if (!facts.verification_started) {
    return Stay(c, Work::kStartVerification, "the verification begins");
  }
  if (!facts.verification_complete) {
    return Stay(c, Work::kVerify, "the verification is not complete");
  }
  if (facts.verification_unresolved > 0) {
    return Stay(c, Work::kVerify,
                Count(facts.verification_unresolved, " records are compared again"));
  }
  if (facts.divergent > 0) {
    // Repaired by the applier. Only a whole pass without a find says that the stores are equal.
    return Stay(c, Work::kStartVerification,
                Count(facts.divergent, " records were different; all are verified again"));
  }
  return SetVerified(c, true, Work::kApply);
}

Decision DecidePlanned(const Case& c) {
  if (c.progress.goal <= State::kPlanned) {
    return Stay(c, Work::kNone, "advance starts the move");
  }
  if (!c.facts.epoch_acknowledged) {
    return Stay(c, Work::kNone, Unacknowledged(c));
  }
  return GoTo(c, State::kCapture);
}

Decision DecideCapture(const Case& c) {
  if (!c.facts.epoch_acknowledged) {
    return Stay(c, Work::kNone, Unacknowledged(c));
  }
  if (c.progress.goal <= State::kCapture) {
    return Stay(c, Work::kNone, "advance starts the copy");
  }
  return GoTo(c, State::kCopy);
}

Decision DecideCopy(const Case& c) {
  const MigrationFacts& facts = c.facts;
  if (!facts.target_exists) {
    return Stay(c, Work::kCreateTarget, "the target does not exist yet");
  }
  if (!facts.chunks_planned) {
    return Stay(c, Work::kPlanChunks, "the chunks are not planned yet");
  }
  if (facts.too_many_dirty) {
    return Stay(c, Work::kReconcile, "too many dirty keys: the chunks are copied anew");
  }
  if (facts.chunks_open > 0) {
    return Stay(c, Work::kCopy, Count(facts.chunks_open, " chunks are not copied"));
  }
  if (!facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (c.progress.goal <= State::kCopy) {
    return Stay(c, Work::kApply, "advance starts the dual write");
  }
  return GoTo(c, State::kMirror);
}

Decision DecideMirror(const Case& c) {
  const MigrationFacts& facts = c.facts;
  if (facts.too_many_dirty) {
    return StartOver(c);
  }
  if (facts.chunks_open > 0) {
    return Stay(c, Work::kCopy, Count(facts.chunks_open, " chunks are not copied"));
  }
  if (!facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (!Young(c)) {
    return Stay(c, Work::kApply, Count(facts.dirty, " dirty keys are brought over"));
  }
  if (c.progress.goal <= State::kMirror) {
    return Stay(c, Work::kApply, "advance starts the verification");
  }
  return GoTo(c, State::kVerify);
}

/// What comes before anything else in VERIFY and SHADOW; nothing once all records are verified.
std::optional<Decision> VerifyFirst(const Case& c) {
  if (c.facts.too_many_dirty) {
    return StartOver(c);
  }
  if (!c.progress.verified) {
    return Verify(c);
  }
  if (c.facts.divergent > 0) {
    return SetVerified(c, false, Work::kStartVerification);
  }
  return std::nullopt;
}

Decision DecideVerify(const Case& c) {
  if (std::optional<Decision> first = VerifyFirst(c)) {
    return *std::move(first);
  }
  if (!c.facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (c.progress.goal <= State::kVerify) {
    return Stay(c, Work::kApply, "all records are verified; advance starts shadow reads");
  }
  if (!c.facts.target_ready) {
    // Searches without an index would slow the building of that index.
    return Stay(c, Work::kApply, std::string(kTargetNotReady));
  }
  return GoTo(c, State::kShadow);
}

Decision DecideShadow(const Case& c) {
  if (std::optional<Decision> first = VerifyFirst(c)) {
    return *std::move(first);
  }
  if (c.facts.time_in_state_ms < c.policy.shadow_hold_ms) {
    return Stay(c, Work::kApply, "shadow reads are collected");
  }
  if (std::string closed = ReadGate(c); !closed.empty()) {
    return Stay(c, Work::kApply, std::move(closed));
  }
  if (c.progress.goal <= State::kShadow) {
    return Stay(c, Work::kApply, "advance lets the target answer reads");
  }
  return GoTo(c, State::kRamp, c.policy.ramp_percents.empty() ? 0 : 1);
}

/// RAMP with all reads that are allowed on B by now: the next step, or the fence.
Decision ClimbRamp(const Case& c) {
  const uint32_t step = c.progress.ramp_step;
  const auto steps = static_cast<uint32_t>(c.policy.ramp_percents.size());
  if (step > 0 && c.facts.time_in_state_ms < c.policy.ramp_hold_ms) {
    return Stay(c, Work::kApply, "this share of reads is held for a while");
  }
  if (step < steps) {
    if (std::string closed = ReadGate(c); !closed.empty()) {
      return Stay(c, Work::kApply, std::move(closed));
    }
    return GoTo(c, State::kRamp, step + 1);
  }
  if (c.progress.goal <= State::kRamp) {
    return Stay(c, Work::kApply, "advance starts the cut-over");
  }
  if (std::string closed = FenceGate(c); !closed.empty()) {
    return Stay(c, Work::kApply, std::move(closed));
  }
  return GoTo(c, State::kFence, step);
}

Decision DecideRamp(const Case& c) {
  if (c.facts.too_many_dirty) {
    return StartOver(c);
  }
  if (c.progress.verified && c.facts.divergent > 0) {
    return SetVerified(c, false, Work::kStartVerification);
  }
  const bool off = c.progress.goal < State::kRamp || !c.progress.verified;
  if (off && c.progress.ramp_step > 0) {
    return c.facts.epoch_acknowledged ? GoTo(c, State::kRamp, 0)
                                      : Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (c.progress.goal < State::kRamp) {
    return Stay(c, Work::kApply, "the source answers all reads; advance starts the ramp again");
  }
  return c.progress.verified ? ClimbRamp(c) : Verify(c);
}

Decision DecideFence(const Case& c) {
  const MigrationFacts& facts = c.facts;
  const bool void_now = !c.progress.verified || facts.divergent > 0 || facts.chunks_open > 0 ||
                        facts.too_many_dirty || facts.dead_letters > 0;
  const bool called_off =
      c.progress.goal < State::kSwitched || c.progress.command == MigrationCommand::kAbort;
  if (void_now || called_off) {
    return GoTo(c, State::kRamp, c.progress.ramp_step);
  }
  if (Drained(c) && facts.epoch_acknowledged && facts.target_ready) {
    return GoTo(c, State::kSwitched);
  }
  if (facts.time_in_state_ms >= c.policy.fence_max_ms) {
    return GoTo(c, State::kRamp, c.progress.ramp_step);
  }
  if (!facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  return Stay(c, Work::kApply,
              facts.target_ready
                  ? Count(facts.dirty, " dirty keys and ") + Count(facts.inflight, " writes drain")
                  : std::string(kTargetNotReady));
}

Decision DecideReversed(const Case& c) {
  const MigrationFacts& facts = c.facts;
  // A reconcile drops payloads, which are all that is left of B's newest writes while B is dead.
  if (facts.too_many_dirty && facts.target_ready) {
    return Stay(c, Work::kReconcile, "too many dirty keys: the source is filled anew");
  }
  if (facts.chunks_open > 0) {
    return Stay(c, Work::kCopy, Count(facts.chunks_open, " chunks are not copied back"));
  }
  if (!facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  if (c.progress.command == MigrationCommand::kRollback) {
    // With B dead the payloads are all there is to drain, and waiting makes nothing better.
    if (facts.target_ready && !Young(c)) {
      return Stay(c, Work::kApply, Count(facts.dirty, " dirty keys are brought back"));
    }
    if (facts.since_fence_failed_ms < c.policy.fence_retry_ms) {
      return Stay(c, Work::kApply,
                  "the last fence was not through in time; the next one comes soon");
    }
    return GoTo(c, State::kRollingBack);
  }
  if (c.progress.command == MigrationCommand::kCommit) {
    if (facts.dirty > 0) {
      return Stay(c, Work::kApply, Count(facts.dirty, " dirty keys are brought back first"));
    }
    Decision decision = GoTo(c, State::kCommitted);
    decision.next.command = MigrationCommand::kNone;
    return decision;
  }
  return Stay(c, Work::kApply, "commit ends the move, rollback takes it back");
}

Decision DecideRollingBack(const Case& c) {
  const MigrationFacts& facts = c.facts;
  if (c.progress.ramp_step > 0) {
    if (!facts.epoch_acknowledged) {
      return Stay(c, Work::kNone, Unacknowledged(c));
    }
    Decision decision = GoTo(c, State::kRamp, 0);
    decision.next.command = MigrationCommand::kNone;
    decision.next.goal = State::kShadow;  // No read goes to B until the user advances again.
    decision.next.verified = false;       // B may have lost data while it was dead.
    return decision;
  }
  if (facts.chunks_open > 0) {
    return GoTo(c, State::kReversed);  // A is not complete: a reconcile began in between.
  }
  if (Drained(c) && facts.epoch_acknowledged) {
    return GoTo(c, State::kRollingBack, 1);
  }
  // With B dead there is nothing to fall back to.
  if (facts.target_ready && facts.time_in_state_ms >= c.policy.fence_max_ms) {
    return GoTo(c, State::kReversed);
  }
  if (!facts.epoch_acknowledged) {
    return Stay(c, Work::kApply, Unacknowledged(c));
  }
  return Stay(c, Work::kApply,
              Count(facts.dirty, " dirty keys and ") + Count(facts.inflight, " writes drain"));
}

}  // namespace

Decision Decide(const MigrationProgress& progress, const MigrationPolicy& policy,
                const MigrationFacts& facts) {
  const Case c{progress, policy, facts};
  if (progress.command == MigrationCommand::kAbort && progress.state <= State::kRamp) {
    return Abort(c);
  }
  switch (progress.state) {
    case State::kPlanned:
      return DecidePlanned(c);
    case State::kCapture:
      return DecideCapture(c);
    case State::kCopy:
      return DecideCopy(c);
    case State::kMirror:
      return DecideMirror(c);
    case State::kVerify:
      return DecideVerify(c);
    case State::kShadow:
      return DecideShadow(c);
    case State::kRamp:
      return DecideRamp(c);
    case State::kFence:
      return DecideFence(c);
    case State::kSwitched:
      return facts.epoch_acknowledged ? GoTo(c, State::kReversed)
                                      : Stay(c, Work::kNone, Unacknowledged(c));
    case State::kReversed:
      return DecideReversed(c);
    case State::kRollingBack:
      return DecideRollingBack(c);
    case State::kCommitted:
    case State::kAborted:
      return Stay(c, Work::kNone, "");
  }
  return Stay(c, Work::kNone, "");
}

}  // namespace roost
