#include "base/random.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace roost {
namespace {

TEST(SeededRandom, GivesThePublishedSequence) {
  // Reference values of SplitMix64 for the seed 1234567.
  SeededRandom random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317U);
  EXPECT_EQ(random.Next(), 3203168211198807973U);
  EXPECT_EQ(random.Next(), 9817491932198370423U);
  EXPECT_EQ(random.Next(), 4593380528125082431U);
  EXPECT_EQ(random.Next(), 16408922859458223821U);
}

TEST(SeededRandom, OneSeedOneSequence) {
  SeededRandom a(42);
  SeededRandom b(42);
  SeededRandom c(43);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a.Next();
    EXPECT_EQ(value, b.Next());
    equal += value == c.Next() ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
}

TEST(SystemRandom, DoesNotRepeat) {
  SystemRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(random.Next());
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Random, BelowIsUniform) {
  SeededRandom random(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) {
    const uint64_t value = random.Below(7);
    ASSERT_LT(value, 7U);
    ++counts[value];
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 10'000, 500);  // Five standard deviations.
  }
  EXPECT_EQ(random.Below(1), 0U);
}

TEST(Random, NextDoubleIsInTheUnitInterval) {
  SeededRandom random(2);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double value = random.NextDouble();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(Random, HexHasTwoLowerCaseDigitsAByte) {
  SeededRandom random(3);
  EXPECT_EQ(random.Hex(0), "");
  for (const size_t bytes : {1, 7, 8, 9, 16, 33}) {
    const std::string text = random.Hex(bytes);
    EXPECT_EQ(text.size(), 2 * bytes);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  EXPECT_NE(random.Hex(16), random.Hex(16));
  // No part may be constant: a 16-byte identifier has two words' worth of randomness.
  const std::string id = random.Hex(16);
  EXPECT_NE(id.substr(0, 16), id.substr(16));
}

}  // namespace
}  // namespace roost
