#include "base/failpoint.h"

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace roost {
namespace {

class FailpointTest : public testing::Test {
 protected:
  void SetUp() override { Failpoints::Clear(); }
  void TearDown() override { Failpoints::Clear(); }
};

using FailpointDeathTest = FailpointTest;

TEST_F(FailpointTest, PassesAreCountedEvenWhenNotArmed) {
  EXPECT_EQ(Failpoints::Hits("a"), 0U);
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_EQ(Failpoints::Hits("a"), 2U);
  EXPECT_EQ(Failpoints::Hits("b"), 0U);
}

TEST_F(FailpointTest, ErrorFailsUntilOff) {
  ASSERT_TRUE(Failpoints::Set("a=error").ok());
  EXPECT_TRUE(Failpoints::Pass("a"));
  EXPECT_TRUE(Failpoints::Pass("a"));
  EXPECT_FALSE(Failpoints::Pass("b"));
  ASSERT_TRUE(Failpoints::Set("a=off").ok());
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_EQ(Failpoints::Hits("a"), 3U);
}

TEST_F(FailpointTest, ErrorCanEndAfterSomeTimes) {
  ASSERT_TRUE(Failpoints::Set("a=error*2").ok());
  EXPECT_TRUE(Failpoints::Pass("a"));
  EXPECT_TRUE(Failpoints::Pass("a"));
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_FALSE(Failpoints::Pass("a"));
}

TEST_F(FailpointTest, SetArmsSeveralAndLeavesOthers) {
  ASSERT_TRUE(Failpoints::Set("a=error;b=error*1;").ok());
  ASSERT_TRUE(Failpoints::Set("c=error").ok());
  EXPECT_TRUE(Failpoints::Pass("a"));
  EXPECT_TRUE(Failpoints::Pass("b"));
  EXPECT_TRUE(Failpoints::Pass("c"));
  Failpoints::Clear();
  EXPECT_FALSE(Failpoints::Pass("a"));
}

TEST_F(FailpointTest, SleepDelays) {
  ASSERT_TRUE(Failpoints::Set("a=sleep:20").ok());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

TEST_F(FailpointTest, BadSpecificationChangesNothing) {
  for (const char* bad : {"a", "=error", "a=", "a=explode", "a=error*", "a=error*x", "a=sleep:-1",
                          "a=kill@0", "a=error;b=nonsense"}) {
    const Status status = Failpoints::Set(bad);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(Failpoints::Pass("a"));
  EXPECT_NE(Failpoints::Set("x=explode").error().message.find("x=explode"), std::string::npos);
}

TEST_F(FailpointDeathTest, KillAndAbortEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static_cast<void>(Failpoints::Set("a=kill"));
        Failpoints::Pass("a");
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(
      {
        static_cast<void>(Failpoints::Set("a=abort"));
        Failpoints::Pass("a");
      },
      testing::KilledBySignal(SIGABRT), "");
}

TEST_F(FailpointDeathTest, KillAtTheNthPassLetsEarlierOnesThrough) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static_cast<void>(Failpoints::Set("a=kill@3"));
        Failpoints::Pass("a");
        Failpoints::Pass("a");
        std::fputs("two passed", stderr);
        Failpoints::Pass("a");
        std::fputs("three passed", stderr);
      },
      testing::KilledBySignal(SIGKILL), "two passed$");
}

// Without the fixture, whose Clear() would disarm what the environment armed.
TEST(FailpointEnvironmentDeathTest, ArmsAtStart) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // The threadsafe style starts the test anew, so the child reads its environment afresh.
  ASSERT_EQ(setenv("ROOST_FAILPOINTS", "from.env=abort", 1), 0);
  EXPECT_EXIT(Failpoints::Pass("from.env"), testing::KilledBySignal(SIGABRT), "");
  ASSERT_EQ(setenv("ROOST_FAILPOINTS", "from.env", 1), 0);
  EXPECT_EXIT(Failpoints::Pass("x"), testing::KilledBySignal(SIGABRT),
              "ROOST_FAILPOINTS cannot be read");
  ASSERT_EQ(unsetenv("ROOST_FAILPOINTS"), 0);
}

#ifdef ROOST_FAILPOINTS
Status Work() {
  FAILPOINT("work.begin");
  FAILPOINT_ERROR("work.end");
  return {};
}

TEST_F(FailpointTest, MacroReturnsUnavailableFromItsFunction) {
  EXPECT_TRUE(Work().ok());
  ASSERT_TRUE(Failpoints::Set("work.end=error*1").ok());
  const Status failed = Work();
  EXPECT_EQ(failed.code(), Code::kUnavailable);
  EXPECT_EQ(failed.error().message, "failpoint work.end");
  EXPECT_TRUE(Work().ok());
  EXPECT_EQ(Failpoints::Hits("work.begin"), 3U);
}
#endif

}  // namespace
}  // namespace roost
