#include "migration/core/decisions.h"

#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace roost {
namespace {

using State = MigrationState;
using Work = Decision::Work;

/// Nothing stands in the way, everything is done.
MigrationFacts Healthy() {
  return {.epoch_acknowledged = true,
          .target_exists = true,
          .chunks_planned = true,
          .target_ready = true,
          .verification_started = true,
          .verification_complete = true,
          .time_in_state_ms = 3'600'000};
}

MigrationProgress At(State state, State goal = State::kReversed) {
  MigrationProgress progress{.state = state, .goal = goal, .epoch = 40};
  progress.verified = state >= State::kShadow && state <= State::kReversed;
  if (state == State::kRamp || state == State::kFence) {
    progress.ramp_step = 4;
  }
  return progress;
}

Decision DecideNow(const MigrationProgress& progress, const MigrationFacts& facts) {
  return Decide(progress, MigrationPolicy{}, facts);
}

/// Steps until nothing changes any more; the states passed, the first and last included.
std::vector<MigrationProgress> Walk(MigrationProgress progress, const MigrationFacts& facts) {
  std::vector<MigrationProgress> path = {progress};
  for (int step = 0; step < 40; ++step) {
    const Decision decision = DecideNow(progress, facts);
    if (!decision.change) {
      return path;
    }
    progress = decision.next;
    path.push_back(progress);
  }
  ADD_FAILURE() << "no rest after 40 changes, in " << MigrationStateName(progress.state);
  return path;
}

TEST(Decide, HealthyMoveReachesReversedThroughEveryStateInOrder) {
  std::vector<State> states;
  const auto path = Walk({.goal = State::kReversed}, Healthy());
  for (const MigrationProgress& progress : path) {
    if (states.empty() || states.back() != progress.state) {
      states.push_back(progress.state);
    }
  }
  EXPECT_EQ(states, (std::vector{State::kPlanned, State::kCapture, State::kCopy, State::kMirror,
                                 State::kVerify, State::kShadow, State::kRamp, State::kFence,
                                 State::kSwitched, State::kReversed}));
  EXPECT_TRUE(path.back().verified);
}

TEST(Decide, EveryChangeOfTheRouteRaisesTheEpochByOneAndNothingElseDoes) {
  const auto path = Walk({.goal = State::kReversed}, Healthy());
  for (size_t i = 1; i < path.size(); ++i) {
    const bool route =
        path[i].state != path[i - 1].state || path[i].ramp_step != path[i - 1].ramp_step;
    EXPECT_EQ(path[i].epoch, path[i - 1].epoch + (route ? 1 : 0));
  }
}

TEST(Decide, MoveStopsAtItsGoal) {
  for (const State goal : {State::kCapture, State::kCopy, State::kMirror, State::kVerify,
                           State::kShadow, State::kRamp, State::kReversed}) {
    EXPECT_EQ(Walk({.goal = goal}, Healthy()).back().state, goal);
  }
}

TEST(Decide, FromEveryStateTheGoalIsReached) {
  for (const State state :
       {State::kPlanned, State::kCapture, State::kCopy, State::kMirror, State::kVerify,
        State::kShadow, State::kRamp, State::kFence, State::kSwitched, State::kReversed}) {
    EXPECT_EQ(Walk(At(state), Healthy()).back().state, State::kReversed);
    MigrationProgress unverified = At(state);
    unverified.verified = false;
    EXPECT_EQ(Walk(unverified, Healthy()).back().state, State::kReversed);
  }
}

TEST(Decide, CommandsReachTheirEnds) {
  for (const State state : {State::kPlanned, State::kCapture, State::kCopy, State::kMirror,
                            State::kVerify, State::kShadow, State::kRamp}) {
    const auto aborted = ApplyCommand(At(state), MigrationCommand::kAbort);
    ASSERT_TRUE(aborted.ok());
    EXPECT_EQ(Walk(*aborted, Healthy()).back().state, State::kAborted);
  }
  const auto committed = ApplyCommand(At(State::kReversed), MigrationCommand::kCommit);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(Walk(*committed, Healthy()).back().state, State::kCommitted);
  for (const State state : {State::kSwitched, State::kReversed}) {
    const auto back = ApplyCommand(At(state), MigrationCommand::kRollback);
    ASSERT_TRUE(back.ok());
    const MigrationProgress end = Walk(*back, Healthy()).back();
    EXPECT_EQ(end.state, State::kRamp);
    EXPECT_EQ(end.ramp_step, 0u);
    EXPECT_EQ(end.command, MigrationCommand::kNone);
    EXPECT_FALSE(end.verified);
    EXPECT_EQ(ShapeOf(end, {}).read_percent_b, 0u);
    const auto again = ApplyAdvance(end, nullptr);
    ASSERT_TRUE(again.ok());
    const auto goal = State::kReversed;
    const auto all = ApplyAdvance(*again, &goal);
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(Walk(*all, Healthy()).back().state, State::kReversed);
  }
}

TEST(Decide, NoStateIsLeftBeforeItsEpochIsAcknowledgedExceptAFenceThatFallsBack) {
  MigrationFacts facts = Healthy();
  facts.epoch_acknowledged = false;
  for (int s = 0; s <= static_cast<int>(State::kAborted); ++s) {
    for (const auto command : {MigrationCommand::kNone, MigrationCommand::kRollback,
                               MigrationCommand::kCommit, MigrationCommand::kAbort}) {
      for (const uint32_t step : {0u, 1u, 4u}) {
        MigrationProgress progress = At(static_cast<State>(s));
        progress.command = command;
        progress.ramp_step = step;
        const Decision decision = DecideNow(progress, facts);
        if (decision.next.epoch == progress.epoch) {
          continue;
        }
        const bool fell_back =
            (progress.state == State::kFence && decision.next.state == State::kRamp &&
             decision.next.ramp_step == step) ||
            (progress.state == State::kRollingBack && step == 0 &&
             decision.next.state == State::kReversed);
        EXPECT_TRUE(fell_back) << MigrationStateName(progress.state);
      }
    }
  }
}

TEST(Decide, CopyDoesItsWorkInOrder) {
  MigrationFacts facts = Healthy();
  facts.target_exists = facts.chunks_planned = false;
  facts.chunks_open = 3;
  EXPECT_EQ(DecideNow(At(State::kCopy), facts).work, Work::kCreateTarget);
  facts.target_exists = true;
  EXPECT_EQ(DecideNow(At(State::kCopy), facts).work, Work::kPlanChunks);
  facts.chunks_planned = true;
  const Decision copying = DecideNow(At(State::kCopy), facts);
  EXPECT_EQ(copying.work, Work::kCopy);
  EXPECT_FALSE(copying.change);
  EXPECT_EQ(copying.waiting_for, "3 chunks are not copied");
  facts.chunks_open = 0;
  EXPECT_EQ(DecideNow(At(State::kCopy), facts).next.state, State::kMirror);
}

TEST(Decide, MirrorWaitsUntilOldDirtyKeysAreBroughtOver) {
  MigrationFacts facts = Healthy();
  facts.dirty = 5;
  facts.oldest_dirty_ms = 1'000;
  EXPECT_FALSE(DecideNow(At(State::kMirror), facts).change);
  facts.oldest_dirty_ms = 999;
  EXPECT_TRUE(DecideNow(At(State::kMirror), facts).change);
}

TEST(Decide, OnlyACompletePassWithoutAFindVerifies) {
  MigrationFacts facts = Healthy();
  facts.verification_started = facts.verification_complete = false;
  EXPECT_EQ(DecideNow(At(State::kVerify), facts).work, Work::kStartVerification);
  facts.verification_started = true;
  EXPECT_EQ(DecideNow(At(State::kVerify), facts).work, Work::kVerify);
  facts.verification_complete = true;
  facts.verification_unresolved = 1;
  EXPECT_EQ(DecideNow(At(State::kVerify), facts).work, Work::kVerify);
  facts.verification_unresolved = 0;
  facts.divergent = 2;
  const Decision again = DecideNow(At(State::kVerify), facts);
  EXPECT_EQ(again.work, Work::kStartVerification);
  EXPECT_FALSE(again.change);
  facts.divergent = 0;
  const Decision verified = DecideNow(At(State::kVerify), facts);
  EXPECT_TRUE(verified.next.verified);
  EXPECT_EQ(verified.next.state, State::kVerify);
  EXPECT_EQ(verified.next.epoch, 40u);
}

TEST(Decide, ShadowReadsWaitForTheTargetsIndex) {
  MigrationFacts facts = Healthy();
  MigrationProgress progress = At(State::kVerify);
  progress.verified = true;
  facts.target_ready = false;
  EXPECT_FALSE(DecideNow(progress, facts).change);
  facts.target_ready = true;
  EXPECT_EQ(DecideNow(progress, facts).next.state, State::kShadow);
}

TEST(Decide, AFindAfterVerificationTakesReadsOffTheTarget) {
  MigrationFacts facts = Healthy();
  facts.divergent = 1;
  const Decision first = DecideNow(At(State::kRamp), facts);
  EXPECT_FALSE(first.next.verified);
  const Decision second = DecideNow(first.next, facts);
  EXPECT_EQ(second.next.state, State::kRamp);
  EXPECT_EQ(second.next.ramp_step, 0u);
}

TEST(Decide, ShadowAndRampHoldForTheirTime) {
  MigrationFacts facts = Healthy();
  facts.time_in_state_ms = 4'999;
  EXPECT_FALSE(DecideNow(At(State::kShadow), facts).change);
  EXPECT_FALSE(DecideNow(At(State::kRamp), facts).change);
  facts.time_in_state_ms = 5'000;
  EXPECT_EQ(DecideNow(At(State::kShadow), facts).next.ramp_step, 1u);
  EXPECT_EQ(DecideNow(At(State::kRamp), facts).next.state, State::kFence);
}

/// Every fact of the gate, alone against healthy ones.
std::vector<MigrationFacts> ClosedReadGates() {
  std::vector<MigrationFacts> gates(5, Healthy());
  gates[0].epoch_acknowledged = false;
  gates[1].chunks_open = 1;
  gates[2].target_ready = false;
  gates[3].shadow_gate_open = false;
  gates[4].dirty = 1;
  gates[4].oldest_dirty_ms = 1'000;
  return gates;
}

TEST(Decide, EachClosedGateAloneKeepsReadsAndTheFenceBack) {
  for (const MigrationFacts& facts : ClosedReadGates()) {
    EXPECT_FALSE(DecideNow(At(State::kShadow), facts).change);
    MigrationProgress low = At(State::kRamp);
    low.ramp_step = 2;
    EXPECT_FALSE(DecideNow(low, facts).change);
    const Decision fence = DecideNow(At(State::kRamp), facts);
    EXPECT_FALSE(fence.change);
    EXPECT_FALSE(fence.waiting_for.empty());
  }
  MigrationFacts letters = Healthy();
  letters.dead_letters = 1;
  EXPECT_FALSE(DecideNow(At(State::kRamp), letters).change);
  MigrationFacts soon = Healthy();
  soon.since_fence_failed_ms = 4'999;
  EXPECT_FALSE(DecideNow(At(State::kRamp), soon).change);
  MigrationProgress unverified = At(State::kRamp);
  unverified.verified = false;
  EXPECT_EQ(DecideNow(unverified, Healthy()).next.ramp_step, 0u);
}

TEST(Decide, FenceSwitchesOnlyDrainedAndAcknowledged) {
  std::vector<MigrationFacts> closed(4, Healthy());
  closed[0].dirty = 1;
  closed[1].inflight = 1;
  closed[2].epoch_acknowledged = false;
  closed[3].target_ready = false;
  for (MigrationFacts& facts : closed) {
    facts.time_in_state_ms = 999;
    EXPECT_FALSE(DecideNow(At(State::kFence), facts).change);
    facts.time_in_state_ms = 1'000;
    const Decision late = DecideNow(At(State::kFence), facts);
    EXPECT_EQ(late.next.state, State::kRamp);
    EXPECT_EQ(late.next.ramp_step, 4u);
  }
  EXPECT_EQ(DecideNow(At(State::kFence), Healthy()).next.state, State::kSwitched);
}

TEST(Decide, FenceIsCalledOffByTheUserAndByWhatVoidsItsGate) {
  std::vector<MigrationFacts> voids(3, Healthy());
  voids[0].divergent = 1;
  voids[1].chunks_open = 1;
  voids[2].dead_letters = 1;
  for (const MigrationFacts& facts : voids) {
    EXPECT_EQ(DecideNow(At(State::kFence), facts).next.state, State::kRamp);
  }
  const State ramp = State::kRamp;
  const auto off = ApplyAdvance(At(State::kFence), &ramp);
  ASSERT_TRUE(off.ok());
  EXPECT_EQ(DecideNow(*off, Healthy()).next.state, State::kRamp);
}

TEST(Decide, RollbackWithTheNewStoreDeadDoesNotFallBack) {
  MigrationProgress progress = At(State::kRollingBack);
  progress.command = MigrationCommand::kRollback;
  MigrationFacts facts = Healthy();
  facts.dirty = 3;
  EXPECT_EQ(DecideNow(progress, facts).next.state, State::kReversed);
  facts.target_ready = false;
  EXPECT_FALSE(DecideNow(progress, facts).change);
  facts.dirty = 0;
  const Decision switched = DecideNow(progress, facts);
  EXPECT_EQ(switched.next.state, State::kRollingBack);
  EXPECT_TRUE(ShapeOf(progress, {}).authority_is_b);
  EXPECT_FALSE(ShapeOf(switched.next, {}).authority_is_b);
  EXPECT_TRUE(ShapeOf(switched.next, {}).hold_writes);
}

TEST(Decide, PayloadsAreKeptWhileTheNewStoreIsDead) {
  MigrationFacts facts = Healthy();
  facts.too_many_dirty = true;
  facts.target_ready = false;
  EXPECT_NE(DecideNow(At(State::kReversed), facts).work, Work::kReconcile);
  MigrationProgress back = At(State::kReversed);
  back.command = MigrationCommand::kRollback;
  EXPECT_EQ(DecideNow(back, facts).next.state, State::kRollingBack);
}

TEST(Decide, RollbackFallsBackWhereTheSourceIsNotComplete) {
  MigrationProgress progress = At(State::kRollingBack);
  progress.command = MigrationCommand::kRollback;
  MigrationFacts facts = Healthy();
  facts.chunks_open = 1;
  facts.target_ready = false;
  EXPECT_EQ(DecideNow(progress, facts).next.state, State::kReversed);
}

TEST(Decide, CommitWaitsForTheLastDirtyKey) {
  MigrationProgress progress = At(State::kReversed);
  progress.command = MigrationCommand::kCommit;
  MigrationFacts facts = Healthy();
  facts.dirty = 1;
  EXPECT_FALSE(DecideNow(progress, facts).change);
}

TEST(Decide, TooManyDirtyRowsStartTheCopyAnewAndVoidTheVerification) {
  MigrationFacts facts = Healthy();
  facts.too_many_dirty = true;
  EXPECT_EQ(DecideNow(At(State::kCopy), facts).work, Work::kReconcile);
  EXPECT_EQ(DecideNow(At(State::kReversed), facts).work, Work::kReconcile);
  const auto path = Walk(At(State::kRamp), facts);
  ASSERT_EQ(path.size(), 3u);
  EXPECT_EQ(path[1].state, State::kRamp);
  EXPECT_EQ(path[1].ramp_step, 0u);
  EXPECT_EQ(path[2].state, State::kCopy);
  EXPECT_FALSE(path[2].verified);
}

TEST(Commands, AreRefusedWhereTheyDoNotFitAndSayWhatDoes) {
  for (const State state : {State::kFence, State::kSwitched, State::kReversed, State::kRollingBack,
                            State::kCommitted, State::kAborted}) {
    const auto refused = ApplyCommand(At(state), MigrationCommand::kAbort);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
    EXPECT_NE(refused.error().message.find(MigrationStateName(state)), std::string::npos);
  }
  for (const State state : {State::kPlanned, State::kRamp, State::kFence, State::kSwitched,
                            State::kRollingBack, State::kCommitted}) {
    EXPECT_FALSE(ApplyCommand(At(state), MigrationCommand::kCommit).ok());
  }
  EXPECT_FALSE(ApplyCommand(At(State::kCopy), MigrationCommand::kRollback).ok());
  EXPECT_FALSE(ApplyCommand(At(State::kRollingBack), MigrationCommand::kNone).ok());
  EXPECT_TRUE(ApplyCommand(At(State::kReversed), MigrationCommand::kNone).ok());
}

TEST(Commands, RollbackInRampTakesReadsBackToTheSource) {
  for (const State state : {State::kRamp, State::kFence}) {
    const auto back = ApplyCommand(At(state), MigrationCommand::kRollback);
    ASSERT_TRUE(back.ok());
    const MigrationProgress end = Walk(*back, Healthy()).back();
    EXPECT_EQ(end.state, State::kRamp);
    EXPECT_EQ(end.ramp_step, 0u);
  }
}

TEST(Advance, MovesTheGoalFromGateToGate) {
  MigrationProgress progress{.state = State::kCopy, .goal = State::kCopy};
  for (const State gate : {State::kVerify, State::kShadow, State::kRamp, State::kReversed}) {
    const auto next = ApplyAdvance(progress, nullptr);
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(next->goal, gate);
    progress = *next;
  }
  EXPECT_EQ(ApplyAdvance(progress, nullptr).code(), Code::kFailedPrecondition);
}

TEST(Advance, RefusesGoalsThatAreNoRestingPlaceOrLieBehind) {
  for (const State to : {State::kPlanned, State::kFence, State::kSwitched, State::kRollingBack,
                         State::kCommitted, State::kAborted}) {
    EXPECT_EQ(ApplyAdvance(At(State::kCopy), &to).code(), Code::kInvalidArgument);
  }
  const State behind = State::kCopy;
  EXPECT_EQ(ApplyAdvance(At(State::kVerify), &behind).code(), Code::kFailedPrecondition);
  MigrationProgress aborting = At(State::kCopy);
  aborting.command = MigrationCommand::kAbort;
  EXPECT_EQ(ApplyAdvance(aborting, nullptr).code(), Code::kFailedPrecondition);
}

TEST(MigrationStateName, ParsesBack) {
  std::set<std::string_view> names;
  for (int s = 0; s <= static_cast<int>(State::kAborted); ++s) {
    const auto name = MigrationStateName(static_cast<State>(s));
    names.insert(name);
    const auto parsed = ParseMigrationState(name);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, static_cast<State>(s));
  }
  EXPECT_EQ(names.size(), 13u);
  EXPECT_EQ(ParseMigrationState("ramp ").code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace roost
