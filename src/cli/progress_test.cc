#include "cli/progress.h"

#include <sstream>

#include <gtest/gtest.h>

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(DescribeProgress, TellsRateAndTimeLeftByTheTotal) {
  EXPECT_EQ(DescribeProgress({.done = 2'500, .total = 10'000}, "rows", seconds(5)),
            "2.5 k of 10 k rows, 25 %, 500/s, 15 s left");
}

TEST(DescribeProgress, TellsTimeLeftByThePartOfTheFile) {
  EXPECT_EQ(DescribeProgress({.done = 100, .fraction = 0.5, .failed = 3}, "rows", seconds(10)),
            "100 rows, 50 %, 10/s, 10 s left, 3 refused");
}

TEST(DescribeProgress, GuessesNothing) {
  EXPECT_EQ(DescribeProgress({}, "rows", seconds(0)), "0 rows");
  EXPECT_EQ(DescribeProgress({.done = 100}, "rows", seconds(10)), "100 rows, 10/s");
  EXPECT_EQ(DescribeProgress({.done = 100, .total = 100}, "rows", seconds(10)),
            "100 of 100 rows, 100 %, 10/s");
}

TEST(Progress, RedrawsOneLineOnATerminalAndTakesItAway) {
  FakeClock clock;
  std::ostringstream out;
  {
    Progress progress({.label = "books", .live = true}, out, clock);
    progress.Update({.done = 1});
    EXPECT_EQ(out.str(), "");  // Too early.
    clock.Advance(milliseconds(200));
    progress.Update({.done = 2});
    EXPECT_EQ(out.str(), "\r\033[Kbooks: 2 rows, 10/s");
  }
  EXPECT_TRUE(out.str().ends_with("\r\033[K"));
}

TEST(Progress, WritesALineNowAndThenElsewhere) {
  FakeClock clock;
  std::ostringstream out;
  Progress progress({.label = "books"}, out, clock);
  for (int i = 1; i <= 60; ++i) {
    clock.Advance(milliseconds(200));
    progress.Update({.done = static_cast<uint64_t>(i)});
  }
  progress.Clear();
  EXPECT_EQ(out.str(), "books: 25 rows, 5/s\nbooks: 50 rows, 5/s\n");
}

TEST(Progress, IsSilentWhenQuiet) {
  FakeClock clock;
  std::ostringstream out;
  Progress progress({.live = true, .quiet = true}, out, clock);
  clock.Advance(seconds(10));
  progress.Update({.done = 1});
  progress.Clear();
  EXPECT_EQ(out.str(), "");
}

TEST(Bar, StaysWithinItsWidth) {
  EXPECT_EQ(Bar(0.5, 4), "##--");
  EXPECT_EQ(Bar(-1, 2), "--");
  EXPECT_EQ(Bar(7, 2), "##");
}

}  // namespace
}  // namespace roost
