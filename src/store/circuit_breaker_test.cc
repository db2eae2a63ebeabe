#include "store/circuit_breaker.h"

#include <vector>

#include <gtest/gtest.h>

#include "telemetry/metrics.h"

namespace roost {
namespace {

using namespace std::chrono_literals;
using Outcome = CircuitBreaker::Outcome;

const ResilienceOptions kOptions = {.breaker_failure_ratio = 0.5,
                                    .breaker_min_calls = 10,
                                    .breaker_window = 10s,
                                    .breaker_open = 5s,
                                    .breaker_open_max = 15s,
                                    .breaker_probes = 3};

class CircuitBreakerTest : public testing::Test {
 protected:
  void Call(Outcome outcome, int times = 1) {
    for (int i = 0; i < times; ++i) {
      const auto ticket = breaker_.Admit();
      ASSERT_TRUE(ticket.has_value()) << "call " << i << " is not let in";
      breaker_.Record(*ticket, outcome);
    }
  }
  /// From closed.
  void Open() {
    Call(Outcome::kBad, kOptions.breaker_min_calls);
    ASSERT_EQ(breaker_.state(), BreakerState::kOpen);
  }

  FakeClock clock_;
  SeededRandom random_{1};
  CircuitBreaker breaker_{kOptions, clock_, random_};
};

TEST_F(CircuitBreakerTest, StaysClosedBelowTheSmallestNumberOfCalls) {
  Call(Outcome::kBad, kOptions.breaker_min_calls - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  EXPECT_EQ(breaker_.RetryAfter(), 0ns);
  Call(Outcome::kBad);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, StaysClosedBelowTheRatio) {
  for (int i = 0; i < 100; ++i) {
    Call(Outcome::kGood, 6);
    Call(Outcome::kBad, 4);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, NeutralOutcomesDoNotCount) {
  Call(Outcome::kNeutral, 100);
  Call(Outcome::kBad, kOptions.breaker_min_calls - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, FailuresOutsideTheWindowAreForgotten) {
  Call(Outcome::kBad, kOptions.breaker_min_calls - 1);
  clock_.Advance(11s);
  Call(Outcome::kBad, kOptions.breaker_min_calls - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  clock_.Advance(5s);  // these are still in the window
  Call(Outcome::kBad);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
}

TEST_F(CircuitBreakerTest, OpenLetsNobodyInUntilItsTimeIsOver) {
  Open();
  EXPECT_GE(breaker_.RetryAfter(), 5s);
  EXPECT_LE(breaker_.RetryAfter(), 5'500ms) << "at most a tenth longer";
  clock_.Advance(4'999ms);
  EXPECT_FALSE(breaker_.Admit().has_value());
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
  clock_.Advance(501ms);
  EXPECT_TRUE(breaker_.Admit().has_value());
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, HalfOpenLetsAFewProbesIn) {
  Open();
  clock_.Advance(6s);
  for (int i = 0; i < kOptions.breaker_probes; ++i) {
    EXPECT_TRUE(breaker_.Admit().has_value());
  }
  EXPECT_FALSE(breaker_.Admit().has_value());
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
}

TEST_F(CircuitBreakerTest, GoodProbesCloseIt) {
  Open();
  clock_.Advance(6s);
  Call(Outcome::kGood, kOptions.breaker_probes - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
  Call(Outcome::kGood);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  Call(Outcome::kBad, kOptions.breaker_min_calls - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed) << "it starts with an empty window";
}

TEST_F(CircuitBreakerTest, NeutralProbesMakeRoomForOthers) {
  Open();
  clock_.Advance(6s);
  Call(Outcome::kNeutral, 50);
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
  Call(Outcome::kGood, kOptions.breaker_probes);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(CircuitBreakerTest, BadProbeOpensItForTwiceAsLongUpToTheLimit) {
  Open();
  for (const auto expected : {10'000ms, 15'000ms, 15'000ms}) {
    clock_.Advance(17s);
    Call(Outcome::kGood, kOptions.breaker_probes - 1);
    Call(Outcome::kBad);
    ASSERT_EQ(breaker_.state(), BreakerState::kOpen);
    EXPECT_GE(breaker_.RetryAfter(), expected);
    EXPECT_LE(breaker_.RetryAfter(), expected * 11 / 10);
  }
  clock_.Advance(17s);
  Call(Outcome::kGood, kOptions.breaker_probes);
  Open();
  EXPECT_LE(breaker_.RetryAfter(), 5'500ms) << "a recovery starts anew";
}

TEST_F(CircuitBreakerTest, CallsThatBeganBeforeAChangeDoNotCount) {
  const auto early = breaker_.Admit();
  ASSERT_TRUE(early.has_value());
  Open();
  clock_.Advance(6s);
  const auto probe = breaker_.Admit();
  ASSERT_TRUE(probe.has_value());
  breaker_.Record(*early, Outcome::kBad);
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen) << "a straggler is no probe";
  breaker_.Record(*probe, Outcome::kGood);
  Call(Outcome::kGood, kOptions.breaker_probes - 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST(RetryBudget, AllowsAShareOfTheCallsAndAFewMore) {
  FakeClock clock;
  RetryBudget budget(0.1, clock);
  for (int i = 0; i < 200; ++i) {
    budget.CountCall();
  }
  const auto take_all = [&] {
    int taken = 0;
    while (taken < 1'000 && budget.TakeRetry()) {
      ++taken;
    }
    return taken;
  };
  EXPECT_EQ(take_all(), 50) << "a tenth of 200 calls, and 3 a second for 10 s";
  clock.Advance(5s);
  EXPECT_EQ(take_all(), 0);
  clock.Advance(6s);
  EXPECT_EQ(take_all(), 30) << "the calls are forgotten";
}

TEST(RollingCount, ForgetsByAndBy) {
  RollingCount count(10s);
  const SteadyTime start(1h);
  count.Add(start, 5);
  count.Add(start + 5s, 7);
  EXPECT_EQ(count.Sum(start + 9s), 12u);
  EXPECT_EQ(count.Sum(start + 11s), 7u);
  count.Add(start + 2s, 1);  // a clock that is behind
  EXPECT_EQ(count.Sum(start + 11s), 8u);
  EXPECT_EQ(count.Sum(start + 1'000h), 0u);
}

TEST_F(CircuitBreakerTest, TellsItsStateAlsoWhenNoCallIsThrough) {
  const auto metrics = MakeMetrics();
  Gauge& state = metrics->GetGauge("state", "");
  CircuitBreaker breaker(kOptions, clock_, random_, &state);
  for (int i = 0; i < kOptions.breaker_min_calls; ++i) {
    breaker.Record(*breaker.Admit(), Outcome::kBad);
  }
  EXPECT_EQ(state.value(), 2);
  clock_.Advance(6s);
  std::vector<uint64_t> probes;
  for (int i = 0; i < kOptions.breaker_probes; ++i) {
    probes.push_back(*breaker.Admit());
  }
  EXPECT_EQ(state.value(), 1) << "half open, though none has come back";
  for (const uint64_t probe : probes) {
    breaker.Record(probe, Outcome::kGood);
  }
  EXPECT_EQ(state.value(), 0);
}

}  // namespace
}  // namespace roost
