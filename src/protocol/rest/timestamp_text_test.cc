#include "protocol/rest/timestamp_text.h"

#include <gtest/gtest.h>

namespace roost::rest {
namespace {

TEST(ParseRfc3339, ReadsZonesAndFractions) {
  EXPECT_EQ(*ParseRfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*ParseRfc3339("1970-01-01T01:00:00+01:00"), 0);
  EXPECT_EQ(*ParseRfc3339("1969-12-31T23:59:59.5-00:00"), -500'000);
  EXPECT_EQ(*ParseRfc3339("2024-02-29t12:34:56.123456789z"), 1'709'210'096'123'456);
}

TEST(ParseRfc3339, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2024", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00Z ", "2024-01-01T00:00:00+1:00",
        "-024-01-01T00:00:00Z", "2024-01-01T00:00:60Z"}) {
    EXPECT_EQ(ParseRfc3339(text).code(), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace roost::rest
