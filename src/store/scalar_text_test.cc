#include "store/scalar_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace roost {
namespace {

TEST(ScalarText, ReadsTimestamps) {
  EXPECT_EQ(ParseTimestamp("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTimestamp("1970-01-01"), 0);
  EXPECT_EQ(ParseTimestamp("2025-01-01 00:00:00z"), 1'735'689'600'000'000);
  EXPECT_EQ(ParseTimestamp("2025-01-01T01:30:00.5+01:30"), 1'735'689'600'500'000);
  EXPECT_EQ(ParseTimestamp("2024-12-31T23:00:00-01:00"), 1'735'689'600'000'000);
  EXPECT_EQ(ParseTimestamp("1969-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(ParseTimestamp("2025-01-01T00:00:00.1234567899Z"), 1'735'689'600'123'456);
  EXPECT_EQ(ParseTimestamp("0001-01-01T00:00:00Z"), -62'135'596'800'000'000);
  EXPECT_EQ(ParseTimestamp("2024-02-29"), 1'709'164'800'000'000);
}

TEST(ScalarText, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2025", "2025-13-01", "2025-02-29", "2025-1-1", "2025-01-01T24:00:00Z",
        "2025-01-01T00:60:00Z", "2025-01-01T00:00:60Z", "2025-01-01T00:00:00",
        "2025-01-01T00:00:00.Z", "2025-01-01T00:00Z", "2025-01-01T00:00:00+1:00",
        "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00Z ", " 2025-01-01", "now"}) {
    EXPECT_FALSE(ParseTimestamp(text).has_value()) << text;
  }
}

TEST(ScalarText, TimestampsReadBack) {
  EXPECT_EQ(FormatTimestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTimestamp(1'735'689'600'500'000), "2025-01-01T00:00:00.500Z");
  for (const int64_t micros : {int64_t{1}, int64_t{-62'135'596'800'000'000},
                               int64_t{253'402'300'799'999'999}, int64_t{951'782'400'000'001}}) {
    EXPECT_EQ(ParseTimestamp(FormatTimestamp(micros)), micros);
  }
  // Out of range: some text, no crash.
  FormatTimestamp(std::numeric_limits<int64_t>::min());
  FormatTimestamp(std::numeric_limits<int64_t>::max());
}

TEST(ScalarText, NormalizesUuids) {
  EXPECT_EQ(NormalizeUuid("123E4567-E89B-12D3-A456-42661417400F"),
            "123e4567-e89b-12d3-a456-42661417400f");
  for (const char* text :
       {"", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g",
        "{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456_426614174000"}) {
    EXPECT_FALSE(NormalizeUuid(text).has_value()) << text;
  }
}

TEST(ScalarText, KnowsUtf8) {
  for (const char* text :
       {"", "a", "ü", "日本", "👍", "\x7f", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  EXPECT_TRUE(IsUtf8(std::string_view("a\0b", 3)));
  for (const char* text :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xff", "\xe2\x82", "a\xc3(", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(ScalarText, StepsThroughCodePoints) {
  const std::string_view text = "aü日👍";
  std::u32string found;
  for (size_t position = 0; position < text.size();) {
    found += NextCodePoint(text, position);
  }
  EXPECT_EQ(found, U"aü日👍");
}

}  // namespace
}  // namespace roost
