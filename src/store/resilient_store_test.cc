#include "store/resilient_store.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/scripted_store.h"

namespace roost {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

Error WithUnknownOutcome(Error error) {
  error.outcome_unknown = true;
  return error;
}

class ResilientStoreTest : public testing::Test {
 protected:
  void SetUp() override { Make({}, random_); }
  void Make(ResilienceOptions options, Random& random) {
    store_ = MakeResilientStore("s", inner_, options, clock_, random, *metrics_);
  }
  std::string Rendered() const { return metrics_->Render(); }

  RequestContext context_;
  ScriptedStore inner_;
  LeapingClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<ResilientStore> store_;
};

TEST_F(ResilientStoreTest, ReadsAreRepeated) {
  inner_.Fail(Unavailable("away"), 2);
  EXPECT_TRUE(store_->ListCollections(context_).ok());
  EXPECT_EQ(inner_.calls(), 3);
  EXPECT_THAT(Rendered(), HasSubstr("roost_store_retries_total{store=\"s\"} 2"));
}

TEST_F(ResilientStoreTest, RepetitionsHaveALimit) {
  inner_.Fail(Unavailable("away"), 10);
  EXPECT_EQ(store_->ListCollections(context_).code(), Code::kUnavailable);
  EXPECT_EQ(inner_.calls(), 3);
}

TEST_F(ResilientStoreTest, OnlyRetryableErrorsAreRepeated) {
  for (int code = 1; code <= 16; ++code) {
    ScriptedStore inner;
    const auto store = MakeResilientStore("s", inner, {}, clock_, random_, *metrics_);
    const Error error{.code = static_cast<Code>(code), .message = "no"};
    inner.Fail(error);
    const auto result = store->ListCollections(context_);
    const bool repeats = IsRetryable(error.code) || error.code == Code::kDeadlineExceeded;
    EXPECT_EQ(inner.calls(), repeats ? 2 : 1) << CodeName(error.code);
    EXPECT_EQ(result.code(), repeats ? Code::kOk : error.code);
  }
}

TEST_F(ResilientStoreTest, WritesOfUnknownOutcomeAreNotRepeated) {
  const auto expect_once = [&](auto call) {
    for (const auto& error : {Unavailable("lost"), DeadlineExceeded("slow"), Aborted("conflict")}) {
      const int before = inner_.calls();
      inner_.Fail(WithUnknownOutcome(error));
      const auto result = call();
      EXPECT_EQ(result.code(), error.code);
      EXPECT_TRUE(!result.ok() && result.error().outcome_unknown) << "the caller must know";
      EXPECT_EQ(inner_.calls(), before + 1);
    }
  };
  expect_once([&] { return store_->Insert(context_, {.collection = "c"}); });
  expect_once([&] { return store_->Upsert(context_, {.collection = "c"}); });
  expect_once([&] { return store_->Delete(context_, {.collection = "c"}); });
  expect_once([&] { return store_->CreateCollection(context_, {}); });
  expect_once([&] { return store_->DropCollection(context_, {.collection = "c"}); });
}

TEST_F(ResilientStoreTest, WritesThatDidNothingAreRepeated) {
  inner_.Fail(Unavailable("not connected"));
  EXPECT_EQ(store_->Upsert(context_, {.collection = "c"}).code(), Code::kNotFound);
  EXPECT_EQ(inner_.calls(), 2);
  inner_.Fail(DeadlineExceeded("may have landed"));
  EXPECT_EQ(store_->Upsert(context_, {.collection = "c"}).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(inner_.calls(), 3);
}

TEST_F(ResilientStoreTest, HealthChecksAreNotRepeated) {
  inner_.Fail(Unavailable("away"));
  EXPECT_EQ(store_->CheckHealth(context_).code(), Code::kUnavailable);
  EXPECT_EQ(inner_.calls(), 1);
}

TEST_F(ResilientStoreTest, PausesGrowUpToTheirLimit) {
  ConstantRandom most(0.5);
  Make({.max_attempts = 6, .backoff_initial = 100ms, .backoff_max = 500ms}, most);
  inner_.Fail(Unavailable("away"), 10);
  EXPECT_FALSE(store_->ListCollections(context_).ok());
  EXPECT_THAT(clock_.sleeps(), ElementsAre(50ms, 100ms, 200ms, 250ms, 250ms));
}

TEST_F(ResilientStoreTest, PausesAreSpreadOverTheirWholeRange) {
  Make({.max_attempts = 2, .backoff_initial = 100ms, .breaker_min_calls = 1'000}, random_);
  for (int i = 0; i < 25; ++i) {
    inner_.Fail(Unavailable("away"));
    EXPECT_TRUE(store_->ListCollections(context_).ok());
  }
  const auto sleeps = clock_.sleeps();
  ASSERT_EQ(sleeps.size(), 25u);
  EXPECT_LT(*std::min_element(sleeps.begin(), sleeps.end()), 30ms);
  EXPECT_GT(*std::max_element(sleeps.begin(), sleeps.end()), 70ms);
  EXPECT_LE(*std::max_element(sleeps.begin(), sleeps.end()), 100ms);
}

TEST_F(ResilientStoreTest, NoPauseReachesBeyondTheDeadline) {
  ConstantRandom half(0.5);
  Make({.backoff_initial = std::chrono::hours(4), .backoff_max = std::chrono::hours(4)}, half);
  context_.deadline = Deadline::After(1h);
  inner_.Fail(Unavailable("away"));
  const auto result = store_->ListCollections(context_);
  EXPECT_EQ(result.code(), Code::kUnavailable) << "the store's own error, at once";
  EXPECT_EQ(inner_.calls(), 1);
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ResilientStoreTest, CancelledRequestsAreNotRepeated) {
  std::stop_source stop;
  context_.stop = stop.get_token();
  inner_.on_call = [&](const RequestContext&, StoreCall) { stop.request_stop(); };
  inner_.Fail(Unavailable("away"));
  EXPECT_FALSE(store_->ListCollections(context_).ok());
  EXPECT_EQ(inner_.calls(), 1);
}

TEST_F(ResilientStoreTest, AStopAtTheDeadlineCountsAsTheDeadline) {
  Make({.breaker_min_calls = 5, .slow_call = 1s}, random_);
  std::stop_source stop;
  context_.stop = stop.get_token();
  stop.request_stop();  // as the edge does when it has answered the client
  inner_.on_call = [&](const RequestContext&, StoreCall) { clock_.Advance(2s); };
  inner_.Fail(Cancelled("stopped"), 10);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(store_->ListCollections(context_).ok());
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kClosed) << "callers who go away say nothing";
  context_.deadline = {SteadyTime()};  // passed
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(store_->ListCollections(context_).ok());
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kOpen);
}

TEST_F(ResilientStoreTest, RetryBudgetEndsRetryStorms) {
  // The time of all pauses together must stay below the budget's 10 s.
  Make({.max_attempts = 2,
        .backoff_initial = 1ms,
        .retry_budget_ratio = 0.1,
        .breaker_min_calls = 10'000},
       random_);
  inner_.Fail(Unavailable("away"), 10'000);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(store_->ListCollections(context_).ok());
  }
  EXPECT_EQ(inner_.calls(), 1'000 + 130) << "a tenth of the calls, and 3 a second for 10 s";
}

TEST_F(ResilientStoreTest, EveryAttemptHasATimeout) {
  Make({.call_timeout = 10min, .bulk_timeout = 30min}, random_);
  std::chrono::nanoseconds left{};
  inner_.on_call = [&](const RequestContext& c, StoreCall) { left = c.deadline.Remaining(); };
  static_cast<void>(store_->ListCollections(context_));
  EXPECT_LE(left, 10min);
  EXPECT_GT(left, 9min);
  static_cast<void>(store_->Upsert(context_, {.collection = "c"}));
  EXPECT_GT(left, 29min) << "writes and scans get more time";
  static_cast<void>(store_->Scan(context_, {.collection = "c"}));
  EXPECT_GT(left, 29min);
  context_.deadline = Deadline::After(1min);
  static_cast<void>(store_->Scan(context_, {.collection = "c"}));
  EXPECT_LE(left, 1min) << "never more than the request has";
}

TEST_F(ResilientStoreTest, FullStoreSaysTryLaterAtOnce) {
  Make({.max_concurrent_calls = 2}, random_);
  // Calls from inside a call: this also shows that no lock is held while the store is called.
  int depth = 0;
  Code deepest = Code::kOk;
  std::string message;
  inner_.on_call = [&](const RequestContext& c, StoreCall) {
    ++depth;
    const auto nested = store_->ListCollections(c);
    if (!nested.ok()) {
      deepest = nested.code();
      message = nested.error().message;
    }
  };
  EXPECT_TRUE(store_->ListCollections(context_).ok());
  EXPECT_EQ(depth, 2);
  EXPECT_EQ(deepest, Code::kResourceExhausted);
  EXPECT_THAT(message, HasSubstr("2 calls in flight; try again later"));
  EXPECT_TRUE(clock_.sleeps().empty()) << "nobody waits for a place";
  EXPECT_EQ(inner_.calls(), 2);
  EXPECT_THAT(Rendered(), HasSubstr("roost_store_in_flight{store=\"s\"} 0"));
  EXPECT_THAT(Rendered(), HasSubstr("roost_store_refused_total{reason=\"limit\",store=\"s\"} 1"));
}

TEST_F(ResilientStoreTest, BreakerKeepsCallsAway) {
  Make({.max_attempts = 1, .breaker_min_calls = 5, .breaker_open = 5s, .breaker_probes = 2},
       random_);
  inner_.Fail(Unavailable("away"), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(store_->ListCollections(context_).ok());
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kOpen);
  EXPECT_THAT(Rendered(), HasSubstr("roost_store_breaker_state{store=\"s\"} 2"));
  const auto refused = store_->ListCollections(context_);
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  ASSERT_FALSE(refused.ok());
  EXPECT_FALSE(refused.error().outcome_unknown);
  EXPECT_THAT(refused.error().message, HasSubstr("try again later"));
  EXPECT_EQ(inner_.calls(), 5) << "the store is left alone";
  EXPECT_THAT(Rendered(), HasSubstr("reason=\"breaker\",store=\"s\"} 1"));
  clock_.Advance(6s);
  EXPECT_TRUE(store_->ListCollections(context_).ok());
  EXPECT_EQ(store_->breaker(), BreakerState::kHalfOpen);
  EXPECT_TRUE(store_->ListCollections(context_).ok());
  EXPECT_EQ(store_->breaker(), BreakerState::kClosed);
  EXPECT_THAT(Rendered(), HasSubstr("roost_store_breaker_state{store=\"s\"} 0"));
}

TEST_F(ResilientStoreTest, CallersMistakesDoNotOpenTheBreaker) {
  Make({.max_attempts = 1, .breaker_min_calls = 5}, random_);
  for (const auto& error :
       {InvalidArgument("no"), NotFound("no"), AlreadyExists("no"), FailedPrecondition("no"),
        Unimplemented("no"), ResourceExhausted("busy"), Cancelled("gone"), Aborted("again")}) {
    inner_.Fail(error, 20);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(store_->ListCollections(context_).code(), error.code);
    }
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kClosed);
}

TEST_F(ResilientStoreTest, DeadlinesCountOnlyWhereTheStoreWasSlow) {
  Make({.max_attempts = 1, .breaker_min_calls = 5, .slow_call = 1s}, random_);
  auto took = 10ms;
  inner_.on_call = [&](const RequestContext&, StoreCall) { clock_.Advance(took); };
  inner_.Fail(DeadlineExceeded("slow"), 40);
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(store_->ListCollections(context_));
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kClosed) << "the callers were impatient";
  took = 1'000ms;
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(store_->ListCollections(context_));
  }
  EXPECT_EQ(store_->breaker(), BreakerState::kOpen);
}

TEST_F(ResilientStoreTest, DeadlinesDoNotCountWhereTheStoreAnsweredOthersMeanwhile) {
  Make({.max_attempts = 1, .breaker_failure_ratio = 0.2, .breaker_min_calls = 5, .slow_call = 1s},
       random_);
  // While a call waits, one of the other kind, one of its own, or a health check comes through.
  std::function<void(const RequestContext&)> other;
  bool inside = false;
  inner_.on_call = [&](const RequestContext& context, StoreCall) {
    if (std::exchange(inside, true)) {
      return;
    }
    clock_.Advance(1s);
    other(context);
    clock_.Advance(1s);
  };
  const auto run = [&] {
    for (int i = 0; i < 20; ++i) {
      inside = false;
      inner_.Fail(DeadlineExceeded("slow"));
      static_cast<void>(store_->Get(context_, {.collection = "c"}));
    }
  };
  other = [&](const RequestContext& context) {
    EXPECT_TRUE(store_->ListCollections(context).ok());
  };
  run();
  EXPECT_EQ(store_->breaker(), BreakerState::kClosed) << "slow, but there";
  other = [&](const RequestContext& context) {
    static_cast<void>(store_->CheckHealth(context));
    static_cast<void>(store_->Upsert(context, {.collection = "c"}));
  };
  run();
  EXPECT_EQ(store_->breaker(), BreakerState::kOpen) << "no read came through";
}

}  // namespace
}  // namespace roost
