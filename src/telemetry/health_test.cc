#include "telemetry/health.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace roost {
namespace {

using testing::HasSubstr;

Status Fine() { return {}; }
Status Away() { return Unavailable("store \"main\" does not answer"); }

TEST(Health, StartsAliveButNotReady) {
  const HealthRegistry health;
  EXPECT_TRUE(health.Live().ok);
  EXPECT_EQ(health.Live().json, R"({"status":"ok","checks":[]})");
  EXPECT_FALSE(health.Ready().ok);
  EXPECT_EQ(health.Ready().json, R"({"status":"starting","checks":[]})");
}

TEST(Health, ReadyOnceSaidSo) {
  HealthRegistry health;
  health.AddCheck("store/main", HealthImpact::kNotReady, Fine);
  health.SetReady(true);
  EXPECT_TRUE(health.Ready().ok);
  EXPECT_EQ(health.Ready().json,
            R"({"status":"ready","checks":[{"name":"store/main","status":"ok"}]})");
  health.SetReady(false);
  EXPECT_FALSE(health.Ready().ok);
}

TEST(Health, DrainingTurnsRequestsAwayButDoesNotKill) {
  HealthRegistry health;
  health.SetReady(true);
  health.SetDraining(true);
  EXPECT_FALSE(health.Ready().ok);
  EXPECT_THAT(health.Ready().json, HasSubstr(R"("status":"draining")"));
  EXPECT_TRUE(health.Live().ok);
  EXPECT_TRUE(health.draining());
}

TEST(Health, LostStoreMakesNotReadyButIsNoReasonToRestart) {
  HealthRegistry health;
  health.SetReady(true);
  health.AddCheck("store/main", HealthImpact::kNotReady, Away);
  const HealthReport ready = health.Ready();
  EXPECT_FALSE(ready.ok);
  EXPECT_EQ(ready.json, R"({"status":"failing","checks":[{"name":"store/main","status":"failing",)"
                        R"("code":"UNAVAILABLE","message":"store \"main\" does not answer"}]})");
  EXPECT_TRUE(CanonicalJson(ready.json).ok());
  EXPECT_TRUE(health.Live().ok);
  EXPECT_THAT(health.Live().json, HasSubstr(R"({"status":"degraded")"));
}

TEST(Health, RestartCheckFailsBoth) {
  HealthRegistry health;
  health.SetReady(true);
  health.AddCheck("disk", HealthImpact::kRestart, Away);
  EXPECT_FALSE(health.Live().ok);
  EXPECT_THAT(health.Live().json, HasSubstr(R"({"status":"failing")"));
  EXPECT_FALSE(health.Ready().ok);
}

TEST(Health, DegradedCheckFailsNeither) {
  HealthRegistry health;
  health.SetReady(true);
  health.AddCheck("cache", HealthImpact::kDegraded, Away);
  EXPECT_TRUE(health.Live().ok);
  EXPECT_TRUE(health.Ready().ok);
  EXPECT_THAT(health.Ready().json, HasSubstr(R"({"status":"degraded")"));
}

TEST(Health, CheckThatThrowsFails) {
  HealthRegistry health;
  health.SetReady(true);
  health.AddCheck("odd", HealthImpact::kNotReady,
                  []() -> Status { throw std::runtime_error("no luck"); });
  EXPECT_FALSE(health.Ready().ok);
  EXPECT_THAT(health.Ready().json, HasSubstr("no luck"));
}

TEST(Health, ChecksCanBeReplacedAndRemoved) {
  HealthRegistry health;
  health.SetReady(true);
  health.AddCheck("a", HealthImpact::kNotReady, Away);
  health.AddCheck("b", HealthImpact::kNotReady, Fine);
  health.AddCheck("a", HealthImpact::kNotReady, Fine);
  EXPECT_EQ(
      health.Ready().json,
      R"({"status":"ready","checks":[{"name":"a","status":"ok"},{"name":"b","status":"ok"}]})");
  health.RemoveCheck("a");
  health.RemoveCheck("never there");
  EXPECT_EQ(health.Ready().json, R"({"status":"ready","checks":[{"name":"b","status":"ok"}]})");
}

TEST(Health, CheckMayCallBack) {
  HealthRegistry health;
  health.AddCheck("self", HealthImpact::kDegraded,
                  [&]() -> Status { return health.ready() ? Status() : Unavailable("not yet"); });
  EXPECT_THAT(health.Live().json, HasSubstr("not yet"));
}

TEST(Health, ManyThreadsMayAskAndChange) {
  HealthRegistry health;
  std::atomic<int> answers = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          answers += health.Live().ok ? 1 : 0;
          static_cast<void>(health.Ready());
        }
      });
    }
    for (int i = 0; i < 200; ++i) {
      health.AddCheck("c" + std::to_string(i % 5), HealthImpact::kNotReady, Away);
      health.RemoveCheck("c" + std::to_string((i + 2) % 5));
      health.SetReady(i % 2 == 0);
    }
  }
  EXPECT_EQ(answers, 600);
}

}  // namespace
}  // namespace roost
