#include <vector>

#include <gtest/gtest.h>

#include "migration/core/decisions.h"

namespace roost {
namespace {

using State = MigrationState;

const MigrationPolicy kPolicy;

RouteShape At(State state, uint32_t step = 0) {
  return ShapeOf({.state = state, .ramp_step = step}, kPolicy);
}

bool Same(const RouteShape& x, const RouteShape& y) {
  return x.authority_is_b == y.authority_is_b && x.mirror == y.mirror && x.capture == y.capture &&
         x.capture_payload == y.capture_payload && x.hold_writes == y.hold_writes &&
         x.read_percent_b == y.read_percent_b && x.shadow_percent == y.shadow_percent;
}

/// Why no gateway may read by `reader` while another one writes by `writer`; empty: it may. A read
/// from B under A's authority is checked against the ledger, so such writes must be captured.
std::string ReadConflict(const RouteShape& writer, const RouteShape& reader) {
  if (writer.hold_writes) {
    return "";
  }
  if (writer.authority_is_b && reader.read_percent_b < 100) {
    return "a read from A misses what was written to B";
  }
  if (!writer.authority_is_b && reader.read_percent_b > 0 && !writer.capture) {
    return "a read from B misses a write that no ledger knows";
  }
  if (!writer.authority_is_b && reader.authority_is_b) {
    return "a read from B as the authority misses what was written to A";
  }
  return "";
}

/// Why two gateways may not serve these shapes at the same time; empty: they may (I5).
std::string Conflict(const RouteShape& x, const RouteShape& y) {
  if (x.authority_is_b != y.authority_is_b && !(x.hold_writes && y.hold_writes)) {
    return "the authority changes while writes pass";
  }
  const std::string one = ReadConflict(x, y);
  return one.empty() ? ReadConflict(y, x) : one;
}

MigrationFacts Facts(uint32_t bits) {
  return {.epoch_acknowledged = true,
          .target_exists = true,
          .chunks_planned = true,
          .chunks_open = (bits >> 0) & 1,
          .dirty = (bits >> 1) & 1,
          .oldest_dirty_ms = 5'000,
          .dead_letters = (bits >> 2) & 1,
          .target_ready = (bits & 8) == 0,
          .verification_started = true,
          .verification_complete = true,
          .divergent = (bits >> 4) & 1,
          .time_in_state_ms = (bits & 32) != 0 ? 0u : 3'600'000u,
          .too_many_dirty = (bits & 64) != 0};
}

TEST(RouteShape, EveryPairOfShapesThatDecideCanPutSideBySideIsCompatible) {
  std::vector<std::vector<bool>> seen(13, std::vector<bool>(13));
  int pairs = 0;
  for (int s = 0; s <= static_cast<int>(State::kAborted); ++s) {
    for (const uint32_t step : {0u, 1u, 3u, 4u}) {
      for (const State goal : {State::kVerify, State::kShadow, State::kRamp, State::kReversed}) {
        for (const auto command : {MigrationCommand::kNone, MigrationCommand::kRollback,
                                   MigrationCommand::kCommit, MigrationCommand::kAbort}) {
          for (uint32_t bits = 0; bits < 256; ++bits) {
            const MigrationProgress from{.state = static_cast<State>(s),
                                         .goal = goal,
                                         .command = command,
                                         .ramp_step = step,
                                         .verified = (bits & 128) != 0};
            const Decision decision = Decide(from, kPolicy, Facts(bits));
            const RouteShape before = ShapeOf(from, kPolicy);
            const RouteShape after = ShapeOf(decision.next, kPolicy);
            ASSERT_EQ(Conflict(before, after), "")
                << MigrationStateName(from.state) << " " << step << " to "
                << MigrationStateName(decision.next.state) << " " << decision.next.ramp_step;
            if (decision.next.epoch == from.epoch) {
              EXPECT_TRUE(Same(before, after)) << "a changed route needs an epoch";
            } else if (!seen[s][static_cast<int>(decision.next.state)]) {
              seen[s][static_cast<int>(decision.next.state)] = true;
              ++pairs;
            }
          }
        }
      }
    }
  }
  EXPECT_GE(pairs, 25) << "the facts above must reach nearly every arrow of the diagram";
}

TEST(RouteShape, TheCheckItselfSeesConflicts) {
  EXPECT_NE(Conflict(At(State::kFence), At(State::kReversed)), "");
  EXPECT_NE(Conflict(At(State::kRamp, 1), At(State::kSwitched)), "");
  EXPECT_NE(Conflict(At(State::kRamp, 1), At(State::kAborted)), "");
  EXPECT_NE(Conflict(At(State::kRollingBack, 0), At(State::kRamp, 0)), "");
  EXPECT_NE(Conflict(At(State::kReversed), At(State::kRollingBack, 1)), "");
  EXPECT_EQ(Conflict(At(State::kFence), At(State::kSwitched)), "");
}

TEST(RouteShape, WritesAreCapturedWhereverTheTargetIsFilledOrRead) {
  for (const State state :
       {State::kCapture, State::kCopy, State::kMirror, State::kVerify, State::kShadow, State::kRamp,
        State::kFence, State::kSwitched, State::kReversed, State::kRollingBack}) {
    EXPECT_TRUE(At(state, 1).capture) << MigrationStateName(state);
  }
  EXPECT_TRUE(Same(At(State::kPlanned), {}));
  EXPECT_TRUE(Same(At(State::kAborted), {}));
}

TEST(RouteShape, FollowsTheTable) {
  EXPECT_TRUE(Same(At(State::kCopy), {.capture = true}));
  EXPECT_TRUE(Same(At(State::kVerify), {.mirror = true, .capture = true}));
  EXPECT_TRUE(Same(At(State::kShadow), {.mirror = true, .capture = true, .shadow_percent = 5}));
  EXPECT_TRUE(Same(At(State::kFence, 4), {.capture = true, .hold_writes = true}));
  const RouteShape reversed = At(State::kReversed);
  EXPECT_TRUE(reversed.authority_is_b && reversed.mirror && reversed.capture_payload);
  EXPECT_FALSE(reversed.hold_writes);
  EXPECT_TRUE(At(State::kSwitched).hold_writes);
  EXPECT_TRUE(Same(At(State::kCommitted), {.authority_is_b = true, .read_percent_b = 100}));
}

TEST(RouteShape, RampStepsFollowThePolicyAndSurviveAShorterList) {
  for (size_t i = 0; i < kPolicy.ramp_percents.size(); ++i) {
    EXPECT_EQ(At(State::kRamp, i + 1).read_percent_b, kPolicy.ramp_percents[i]);
  }
  EXPECT_EQ(At(State::kRamp, 0).read_percent_b, 0u);
  EXPECT_EQ(At(State::kRamp, 99).read_percent_b, 100u);
  EXPECT_EQ(ShapeOf({.state = State::kRamp, .ramp_step = 3}, {.ramp_percents = {}}).read_percent_b,
            0u);
  EXPECT_EQ(
      ShapeOf({.state = State::kRamp, .ramp_step = 1}, {.ramp_percents = {700}}).read_percent_b,
      100u);
}

}  // namespace
}  // namespace roost
