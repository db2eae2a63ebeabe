#include "base/strings.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using std::chrono::nanoseconds;
using testing::ElementsAre;

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(Split("a,b,,c", ','), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(Split("", ','), ElementsAre(""));
  EXPECT_THAT(Split(",", ','), ElementsAre("", ""));
  EXPECT_THAT(Split("abc", ','), ElementsAre("abc"));
}

TEST(Join, IsTheReverseOfSplit) {
  for (const char* text : {"a,b,,c", "", ",", "abc"}) {
    EXPECT_EQ(Join(Split(text, ','), ","), text);
  }
  const std::vector<std::string> parts = {"x", "y"};
  EXPECT_EQ(Join(parts, ", "), "x, y");
  EXPECT_EQ(Join(std::vector<std::string>(), ", "), "");
}

TEST(Trim, TakesWhiteSpaceOffBothEnds) {
  EXPECT_EQ(Trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(Trim(" \n "), "");
  EXPECT_EQ(Trim(""), "");
  EXPECT_EQ(Trim("x"), "x");
}

TEST(ToLower, LeavesOtherBytesAlone) { EXPECT_EQ(ToLower("AbZ-19É"), "abz-19É"); }

TEST(ParseInt64, TakesTheWholeText) {
  EXPECT_EQ(*ParseInt64("0"), 0);
  EXPECT_EQ(*ParseInt64("-42"), -42);
  EXPECT_EQ(*ParseInt64("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(*ParseInt64("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "0x10", "12a", "-", "1e3"}) {
    EXPECT_EQ(ParseInt64(bad).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParseInt64("12a").error().message, "\"12a\" is not a whole number");
  EXPECT_EQ(ParseInt64("9223372036854775808").error().message,
            "\"9223372036854775808\" does not fit 64 bits");
}

TEST(ParseUint64, HasNoSign) {
  EXPECT_EQ(*ParseUint64("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ParseUint64("-1").code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseUint64("18446744073709551616").code(), Code::kInvalidArgument);
}

TEST(ParseDouble, TakesFiniteNumbersOnly) {
  EXPECT_EQ(*ParseDouble("0.5"), 0.5);
  EXPECT_EQ(*ParseDouble("-1e3"), -1000.0);
  EXPECT_EQ(*ParseDouble("7"), 7.0);
  for (const char* bad : {"", "nan", "inf", "-infinity", "1,5", "1.5x", " 1", "+1", "1e400"}) {
    EXPECT_EQ(ParseDouble(bad).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(ParseDouble("abc").error().message, "\"abc\" is not a number");
}

TEST(Parse, MessagesQuoteOnlyTheStartOfLongTexts) {
  const std::string message = ParseInt64(std::string(10'000, 'x')).error().message;
  EXPECT_LT(message.size(), 120U);
}

TEST(HumanBytes, IsShort) {
  const std::pair<uint64_t, const char*> cases[] = {{0, "0 B"},
                                                    {1023, "1023 B"},
                                                    {1024, "1 KiB"},
                                                    {1536, "1.5 KiB"},
                                                    {1024 * 1024 - 1, "1 MiB"},
                                                    {64 << 20, "64 MiB"},
                                                    {uint64_t{9} << 28, "2.25 GiB"},
                                                    {~uint64_t{0}, "16 EiB"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(HumanBytes(bytes), text);
  }
}

TEST(HumanDuration, PicksTheUnit) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  const std::pair<nanoseconds, const char*> cases[] = {
      {nanoseconds(0), "0 ns"},        {nanoseconds(350), "350 ns"},
      {nanoseconds(1'234), "1.23 µs"}, {nanoseconds(1'200'000), "1.2 ms"},
      {milliseconds(3'400), "3.4 s"},  {milliseconds(59'400), "59.4 s"},
      {milliseconds(59'600), "1 min"}, {seconds(60), "1 min"},
      {seconds(310), "5 min 10 s"},    {minutes(125), "2 h 5 min"},
      {hours(76), "3 d 4 h"},          {hours(48), "2 d"},
      {-milliseconds(5), "-5 ms"}};
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(HumanDuration(duration), text);
  }
  EXPECT_EQ(HumanDuration(nanoseconds::min()).front(), '-');
  EXPECT_EQ(HumanDuration(nanoseconds::max()), "106751 d 23 h");
}

TEST(HumanCount, KeepsThreeDigits) {
  const std::pair<uint64_t, const char*> cases[] = {
      {0, "0"},           {999, "999"},     {1000, "1 k"},         {12'345, "12.3 k"},
      {999'499, "999 k"}, {999'999, "1 M"}, {4'560'000, "4.56 M"}, {7'890'000'000, "7.89 G"}};
  for (const auto& [count, text] : cases) {
    EXPECT_EQ(HumanCount(count), text);
  }
}

}  // namespace
}  // namespace roost
