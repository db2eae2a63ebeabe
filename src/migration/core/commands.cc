// What users may ask of a move, state by state.
#include <array>
#include <utility>

#include "migration/core/decisions.h"

namespace roost {
namespace {

using State = MigrationState;

constexpr std::array<std::pair<State, std::string_view>, 13> kNames = {{
    {State::kPlanned, "PLANNED"},
    {State::kCapture, "CAPTURE"},
    {State::kCopy, "COPY"},
    {State::kMirror, "MIRROR"},
    {State::kVerify, "VERIFY"},
    {State::kShadow, "SHADOW"},
    {State::kRamp, "RAMP"},
    {State::kFence, "FENCE"},
    {State::kSwitched, "SWITCHED"},
    {State::kReversed, "REVERSED"},
    {State::kRollingBack, "ROLLING_BACK"},
    {State::kCommitted, "COMMITTED"},
    {State::kAborted, "ABORTED"},
}};

constexpr std::array kGates = {State::kVerify, State::kShadow, State::kRamp, State::kReversed};

std::string Name(State state) { return std::string(MigrationStateName(state)); }

std::string PossibleNow(State state) {
  switch (state) {
    case State::kFence:
      return "writes wait for the cut-over, which ends by itself; rollback calls it off";
    case State::kSwitched:
      return "rollback is possible; commit is from REVERSED on";
    case State::kReversed:
      return "rollback or commit are possible";
    case State::kRollingBack:
      return "the rollback ends in RAMP, where abort and advance are possible";
    case State::kCommitted:
    case State::kAborted:
      return "it has ended; start a new move";
    case State::kRamp:
      return "advance, rollback and abort are possible";
    default:
      return "advance and abort are possible";
  }
}

Error Refuse(std::string_view what, State state) {
  return FailedPrecondition("cannot " + std::string(what) + " a move in " + Name(state) + ": " +
                            PossibleNow(state));
}

bool MayAbort(State state) { return state <= State::kRamp; }

/// A goal is a place where a move can stay: nobody may hold writes for long, and the two ends are
/// reached by commands.
bool CanBeGoal(State state) {
  return (state >= State::kCapture && state <= State::kRamp) || state == State::kReversed;
}

}  // namespace

std::string_view MigrationStateName(MigrationState state) {
  for (const auto& [value, name] : kNames) {
    if (value == state) {
      return name;
    }
  }
  return "UNKNOWN";
}

Result<MigrationState> ParseMigrationState(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) {
      return value;
    }
  }
  return InvalidArgument(
      "\"" + std::string(name.substr(0, 64)) +
      "\" is no state of a move; one is PLANNED, CAPTURE, COPY, MIRROR, VERIFY, "
      "SHADOW, RAMP, FENCE, SWITCHED, REVERSED, ROLLING_BACK, COMMITTED, ABORTED");
}

Result<MigrationProgress> ApplyCommand(const MigrationProgress& progress,
                                       MigrationCommand command) {
  MigrationProgress next = progress;
  next.command = command;
  const State state = progress.state;
  switch (command) {
    case MigrationCommand::kNone:
      if (state == State::kRollingBack || IsFinal(state)) {
        return Refuse("take back the command of", state);
      }
      return next;
    case MigrationCommand::kAbort:
      if (!MayAbort(state)) {
        return Refuse("abort", state);
      }
      return next;
    case MigrationCommand::kRollback:
      if (state == State::kRamp || state == State::kFence) {
        next.command = MigrationCommand::kNone;
        next.goal = State::kShadow;
        return next;
      }
      if (state != State::kSwitched && state != State::kReversed && state != State::kRollingBack) {
        return Refuse("roll back", state);
      }
      return next;
    case MigrationCommand::kCommit:
      if (state != State::kReversed) {
        return Refuse("commit", state);
      }
      return next;
  }
  return InvalidArgument("no such command of a move");
}

Result<MigrationProgress> ApplyAdvance(const MigrationProgress& progress,
                                       const MigrationState* to) {
  const State state = progress.state;
  if (IsFinal(state) || state == State::kRollingBack) {
    return Refuse("advance", state);
  }
  if (progress.command != MigrationCommand::kNone) {
    return FailedPrecondition("cannot advance a move in " + Name(state) +
                              ": another command is under way; take it back or wait for its end");
  }
  MigrationProgress next = progress;
  if (to != nullptr) {
    const bool call_off = state == State::kFence && *to == State::kRamp;
    if (!CanBeGoal(*to)) {
      return InvalidArgument("a move cannot be advanced to " + Name(*to) +
                             "; name a state from CAPTURE to RAMP, or REVERSED");
    }
    if (*to < state && !call_off) {
      return FailedPrecondition("the move is in " + Name(state) + ", past " + Name(*to) + "; " +
                                PossibleNow(state));
    }
    next.goal = *to;
    return next;
  }
  for (const State gate : kGates) {
    if (gate > progress.goal) {
      next.goal = gate;
      return next;
    }
  }
  return FailedPrecondition("the move's goal is " + Name(progress.goal) +
                            " already; from REVERSED on commit or roll back");
}

}  // namespace roost
