// Decide over random inputs: total, deterministic, and never past a closed gate.
#include <gtest/gtest.h>

#include "base/random.h"
#include "migration/core/decisions.h"

namespace roost {
namespace {

using State = MigrationState;

constexpr int kRounds = 300'000;

class Inputs {
 public:
  explicit Inputs(uint64_t seed) : random_(seed) {}

  MigrationProgress Progress() {
    return {.state = static_cast<State>(random_.Below(13)),
            .goal = static_cast<State>(random_.Below(13)),
            .command = static_cast<MigrationCommand>(random_.Below(4)),
            .epoch = random_.Next(),
            .ramp_step = static_cast<uint32_t>(random_.Below(7)),
            .verified = Coin()};
  }
  MigrationFacts Facts() {
    return {.epoch_acknowledged = Coin(),
            .target_exists = Coin(),
            .chunks_planned = Coin(),
            .chunks_open = Often0(),
            .dirty = Often0(),
            .inflight = Often0(),
            .oldest_dirty_ms = random_.Below(2'000),
            .dead_letters = Often0(),
            .target_ready = Coin(),
            .verification_started = Coin(),
            .verification_complete = Coin(),
            .verification_unresolved = Often0(),
            .divergent = Often0(),
            .time_in_state_ms = random_.Below(10'000),
            .since_fence_failed_ms = Coin() ? ~uint64_t{0} : random_.Below(10'000),
            .shadow_gate_open = Coin(),
            .too_many_dirty = random_.Below(8) == 0};
  }
  MigrationPolicy Policy() {
    MigrationPolicy policy;
    policy.ramp_percents.resize(random_.Below(5), 10);
    return policy;
  }

 private:
  bool Coin() { return random_.Below(4) != 0; }
  uint64_t Often0() { return random_.Below(4) == 0 ? random_.Below(9) : 0; }

  SeededRandom random_;
};

/// The arrows of the diagram.
bool IsArrow(const MigrationProgress& from, const MigrationProgress& to) {
  if (to.state == State::kAborted) {
    return from.state <= State::kRamp && from.command == MigrationCommand::kAbort;
  }
  switch (from.state) {
    case State::kPlanned:
    case State::kCapture:
    case State::kCopy:
      return static_cast<int>(to.state) == static_cast<int>(from.state) + 1;
    case State::kMirror:
    case State::kVerify:
    case State::kShadow:
      return static_cast<int>(to.state) == static_cast<int>(from.state) + 1 ||
             to.state == State::kCopy;
    case State::kRamp:
      return to.state == State::kFence || to.state == State::kCopy ||
             (to.state == State::kRamp &&
              (to.ramp_step == 0 || to.ramp_step == from.ramp_step + 1));
    case State::kFence:
      return to.state == State::kSwitched ||
             (to.state == State::kRamp && to.ramp_step == from.ramp_step);
    case State::kSwitched:
      return to.state == State::kReversed;
    case State::kReversed:
      return (to.state == State::kRollingBack && from.command == MigrationCommand::kRollback) ||
             (to.state == State::kCommitted && from.command == MigrationCommand::kCommit);
    case State::kRollingBack:
      return from.ramp_step == 0 ? (to.state == State::kReversed ||
                                    (to.state == State::kRollingBack && to.ramp_step == 1))
                                 : (to.state == State::kRamp && to.ramp_step == 0);
    case State::kCommitted:
    case State::kAborted:
      return false;
  }
  return false;
}

TEST(DecideProperty, IsDeterministicAndOnlyWalksArrowsOfTheDiagram) {
  Inputs inputs(1);
  for (int round = 0; round < kRounds; ++round) {
    const MigrationProgress progress = inputs.Progress();
    const MigrationPolicy policy = inputs.Policy();
    const MigrationFacts facts = inputs.Facts();
    const Decision one = Decide(progress, policy, facts);
    const Decision two = Decide(progress, policy, facts);
    ASSERT_TRUE(one.work == two.work && one.change == two.change && one.next == two.next &&
                one.waiting_for == two.waiting_for);
    ASSERT_EQ(one.change, !(one.next == progress));
    ASSERT_EQ(one.change || IsFinal(progress.state), one.waiting_for.empty());
    const bool route = one.next.state != progress.state || one.next.ramp_step != progress.ramp_step;
    ASSERT_EQ(one.next.epoch, progress.epoch + (route ? 1 : 0));
    if (route) {
      ASSERT_TRUE(IsArrow(progress, one.next))
          << MigrationStateName(progress.state) << " " << progress.ramp_step << " to "
          << MigrationStateName(one.next.state) << " " << one.next.ramp_step;
    }
  }
}

bool Forward(const MigrationProgress& from, const MigrationProgress& to) {
  return from.state <= State::kReversed && to.state <= State::kReversed &&
         (to.state > from.state || (to.state == from.state && to.ramp_step > from.ramp_step));
}

TEST(DecideProperty, NoDecisionPassesAClosedGate) {
  Inputs inputs(2);
  int fences = 0, switches = 0, climbs = 0, backs = 0;
  for (int round = 0; round < kRounds; ++round) {
    const MigrationProgress from = inputs.Progress();
    const MigrationPolicy policy = inputs.Policy();
    const MigrationFacts facts = inputs.Facts();
    const MigrationProgress to = Decide(from, policy, facts).next;
    if (to.verified && !from.verified) {
      ASSERT_TRUE(facts.verification_complete && facts.verification_unresolved == 0 &&
                  facts.divergent == 0 && facts.chunks_open == 0);
    }
    if (Forward(from, to)) {
      ASSERT_TRUE(facts.epoch_acknowledged);
      ASSERT_TRUE(from.state >= State::kFence || to.state <= from.goal ||
                  (to.state == State::kFence && from.goal > State::kRamp));
    }
    if (to.state == State::kRamp && Forward(from, to)) {
      ++climbs;
      ASSERT_TRUE(from.verified && facts.chunks_open == 0 && facts.target_ready &&
                  facts.shadow_gate_open);
    }
    if (to.state == State::kFence && from.state != State::kFence) {
      ++fences;
      ASSERT_TRUE(from.verified && facts.chunks_open == 0 && facts.target_ready &&
                  facts.shadow_gate_open && facts.dead_letters == 0 &&
                  (facts.dirty == 0 || facts.oldest_dirty_ms < policy.oldest_dirty_max_ms) &&
                  facts.since_fence_failed_ms >= policy.fence_retry_ms);
    }
    if (ShapeOf(from, policy).authority_is_b != ShapeOf(to, policy).authority_is_b) {
      ++switches;
      ASSERT_TRUE(facts.dirty == 0 && facts.inflight == 0 && facts.epoch_acknowledged);
      ASSERT_TRUE(ShapeOf(from, policy).hold_writes && ShapeOf(to, policy).hold_writes);
    }
    if (to.state == State::kCommitted && from.state != State::kCommitted) {
      ++backs;
      ASSERT_EQ(facts.dirty, 0u);
    }
  }
  EXPECT_GT(fences, 100);
  EXPECT_GT(switches, 1'000);
  EXPECT_GT(climbs, 100);
  EXPECT_GT(backs, 100);
}

TEST(DecideProperty, HealthyFactsReachTheGoalFromAnywhereInBoundedSteps) {
  Inputs inputs(3);
  for (int round = 0; round < 50'000; ++round) {
    MigrationProgress progress = inputs.Progress();
    const MigrationPolicy policy = inputs.Policy();
    const MigrationFacts facts{.epoch_acknowledged = true,
                               .target_exists = true,
                               .chunks_planned = true,
                               .target_ready = true,
                               .verification_started = true,
                               .verification_complete = true,
                               .time_in_state_ms = 100'000};
    progress.goal = State::kReversed;
    int steps = 0;
    for (; steps < 40; ++steps) {
      const Decision decision = Decide(progress, policy, facts);
      if (!decision.change) {
        break;
      }
      progress = decision.next;
    }
    const bool rolled_back = progress.state == State::kRamp && progress.goal == State::kShadow;
    ASSERT_TRUE(progress.state == State::kReversed || IsFinal(progress.state) || rolled_back)
        << MigrationStateName(progress.state);
    ASSERT_LT(steps, 30);
  }
}

}  // namespace
}  // namespace roost
