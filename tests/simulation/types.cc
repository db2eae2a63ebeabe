#include "types.h"

namespace roost::simulation {

std::string_view FaultName(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "gateway crash",     "lease lapse",   "lost message", "late write",
      "duplicate",         "source fails",  "target fails", "target down",
      "target lies",       "applier crash", "chunk crash",  "verifier crash",
      "coordinator crash", "lost race",     "overflow",     "advance",
      "rollback",          "commit",        "abort"};
  return kNames[static_cast<size_t>(fault)];
}

bool MustBeCovered(MigrationState state, Fault fault) {
  using S = MigrationState;
  const bool ended = IsFinal(state);
  // SWITCHED is drained: nobody writes and no write is under way.
  const bool moves = state >= S::kCopy && state <= S::kRollingBack && state != S::kSwitched;
  switch (fault) {
    case Fault::kTargetLies:
      return state == S::kCopy;
    case Fault::kChunkCrash:  // REVERSED: a reconcile after an overflow.
      return state == S::kCopy || state == S::kReversed;
    case Fault::kVerifierCrash:
      return state == S::kVerify || state == S::kRamp;  // RAMP: after a rollback.
    case Fault::kApplierCrash:
    case Fault::kDuplicate:
      return moves;
    case Fault::kLateWrite:
      return state != S::kSwitched;
    case Fault::kOverflow:
      return moves || state == S::kCapture;
    case Fault::kSourceFails:
      return state != S::kCommitted;
    case Fault::kTargetFails:
      return state >= S::kCopy && state != S::kAborted;
    case Fault::kTargetDown:
      return state >= S::kCopy && !ended;
    case Fault::kAdvance:
      return state <= S::kReversed && state != S::kSwitched;
    case Fault::kRollback:
      return state >= S::kRamp && state <= S::kReversed;
    case Fault::kCommit:
      return state == S::kReversed;
    case Fault::kAbort:
      return state <= S::kRamp;
    case Fault::kCoordinatorCrash:
    case Fault::kLostRace:
      return !ended;
    default:
      return true;
  }
}

std::string_view PlantedBugName(PlantedBug bug) {
  static constexpr std::array<std::string_view, kPlantedBugs + 1> kNames = {
      "none",
      "no re-dirty at close",
      "stamp instead of done at close",
      "in-flight writes ignored at close",
      "only returned keys at close",
      "fresh window on restart",
      "re-dirty without a new stamp",
      "every writer counts as alone",
      "finish without stamp check",
      "applier clears without stamp check",
      "claim while a write is in flight",
      "mirror failure ignored",
      "rows of deletes forgotten",
      "verification by count",
      "switch while dirty",
      "check, then act",
      "no wait for acknowledgements",
      "rollback without payload",
      "payload replaced at mark",
      "payload of a failed write kept",
      "writes of a key not serial",
      "mark in memory only",
      "stale gateway answers reads",
      "lapsed lease forgotten",
      "reads from B not checked by the ledger",
      "one way after cut-over",
      "no zombie horizon",
      "restart keeps its identity",
      "failure told before the payload is withdrawn",
      "window used as the chunk's fence",
      "payload dropped while a window is open"};
  return kNames[static_cast<size_t>(bug)];
}

LedgerMutation MutationOf(PlantedBug bug) {
  return bug >= PlantedBug::kNoRedirtyAtClose && bug <= PlantedBug::kClaimWhileInflight
             ? static_cast<LedgerMutation>(bug)
             : LedgerMutation::kNone;
}

}  // namespace roost::simulation
