#include "base/clock.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/context.h"

namespace roost {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(FakeClock, StandsStillUntilMoved) {
  FakeClock clock;
  const SteadyTime start = clock.Now();
  const WallTime wall = clock.WallNow();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(seconds(90));
  EXPECT_EQ(clock.Now() - start, seconds(90));
  EXPECT_EQ(clock.WallNow() - wall, seconds(90));
}

TEST(FakeClock, SleeperWakesWhenItsTimePasses) {
  FakeClock clock;
  std::atomic<bool> woke = false;
  std::jthread sleeper([&](std::stop_token stop) { woke = clock.SleepFor(seconds(10), stop); });
  clock.AwaitSleepers(1);
  clock.Advance(seconds(9));
  clock.AwaitSleepers(1);
  EXPECT_FALSE(woke);
  clock.Advance(seconds(1));
  sleeper.join();
  EXPECT_TRUE(woke);
}

TEST(FakeClock, StopEndsTheSleepEarly) {
  FakeClock clock;
  std::atomic<bool> reached = true;
  std::jthread sleeper([&](std::stop_token stop) { reached = clock.SleepFor(seconds(10), stop); });
  clock.AwaitSleepers(1);
  sleeper.request_stop();
  sleeper.join();
  EXPECT_FALSE(reached);
}

TEST(SystemClock, SleepReachesItsTime) {
  SystemClock clock;
  const SteadyTime until = clock.Now() + milliseconds(5);
  EXPECT_TRUE(clock.SleepUntil(until, {}));
  EXPECT_GE(clock.Now(), until);
}

TEST(SystemClock, StopEndsTheSleepEarly) {
  SystemClock clock;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(clock.SleepFor(hours(1), stop.get_token()));
}

TEST(SystemClock, SleepUntilTheEndOfTimeStillStops) {
  SystemClock clock;
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(clock.SleepUntil(SteadyTime::max(), stop.get_token()));
}

TEST(Clock, UnixMicrosRoundDownAlsoBefore1970) {
  EXPECT_EQ(ToUnixMicros(WallTime(microseconds(1'700'000'000'123'456))), 1'700'000'000'123'456);
  EXPECT_EQ(ToUnixMicros(WallTime(std::chrono::nanoseconds(1999))), 1);
  EXPECT_EQ(ToUnixMicros(WallTime(std::chrono::nanoseconds(-1))), -1);
}

TEST(Deadline, InfiniteNeverPasses) {
  const Deadline deadline;
  EXPECT_TRUE(deadline.infinite());
  EXPECT_FALSE(deadline.Passed());
  EXPECT_EQ(deadline.Remaining(), hours(24));
}

TEST(Deadline, PassedHasNothingRemaining) {
  const Deadline deadline = Deadline::After(-seconds(1));
  EXPECT_TRUE(deadline.Passed());
  EXPECT_EQ(deadline.Remaining(), std::chrono::nanoseconds::zero());
}

TEST(Deadline, RemainingCountsDown) {
  const Deadline deadline = Deadline::After(hours(1));
  EXPECT_FALSE(deadline.Passed());
  EXPECT_LE(deadline.Remaining(), hours(1));
  EXPECT_GT(deadline.Remaining(), std::chrono::minutes(50));
}

TEST(Deadline, TooLongADurationIsInfinite) {
  EXPECT_TRUE(Deadline::After(std::chrono::nanoseconds::max()).infinite());
}

TEST(Deadline, MinTakesTheEarlier) {
  const Deadline soon = Deadline::After(seconds(1));
  const Deadline late = Deadline::After(seconds(100));
  EXPECT_EQ(soon.Min(late).time, soon.time);
  EXPECT_EQ(late.Min(soon).time, soon.time);
  EXPECT_EQ(Deadline::Infinite().Min(soon).time, soon.time);
}

TEST(RequestContext, AliveUntilStoppedOrLate) {
  RequestContext context;
  EXPECT_TRUE(context.CheckAlive("searching").ok());

  context.deadline = Deadline::After(-seconds(1));
  const Status late = context.CheckAlive("searching");
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
  EXPECT_NE(late.error().message.find("searching"), std::string::npos);

  std::stop_source stop;
  context.stop = stop.get_token();
  stop.request_stop();
  const Status cancelled = context.CheckAlive("waiting for a slot");
  EXPECT_EQ(cancelled.code(), Code::kCancelled);
  EXPECT_NE(cancelled.error().message.find("waiting for a slot"), std::string::npos);
}

TEST(RequestContext, WithTimeoutOnlyShortens) {
  RequestContext context{.request_id = "r1", .principal = "ann"};
  const RequestContext shorter = context.WithTimeout(seconds(5));
  EXPECT_FALSE(shorter.deadline.infinite());
  EXPECT_LE(shorter.deadline.Remaining(), seconds(5));
  EXPECT_EQ(shorter.request_id, "r1");
  EXPECT_EQ(shorter.principal, "ann");
  EXPECT_EQ(shorter.WithTimeout(hours(1)).deadline.time, shorter.deadline.time);
}

}  // namespace
}  // namespace roost
