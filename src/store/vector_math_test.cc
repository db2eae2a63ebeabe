#include "store/vector_math.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"

namespace roost {
namespace {

Vector F(std::vector<float> values) { return Vector::Floats(values); }

TEST(VectorMath, EveryHalfReadsBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if (!std::isnan(value)) {
      ASSERT_EQ(FloatToHalf(value), half) << bits;
    }
    const float brain = BFloat16ToFloat(half);
    if (!std::isnan(brain)) {
      ASSERT_EQ(FloatToBFloat16(brain), half) << bits;
    }
  }
  EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(std::nanf("")))));
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(std::nanf("")))));
}

TEST(VectorMath, HalvesRoundToTheNearest) {
  // Against all neighbours: no other half may be closer.
  SeededRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<float>(
        std::ldexp(random.NextDouble() - 0.5, static_cast<int>(random.Below(40)) - 26));
    const uint16_t half = FloatToHalf(value);
    const double error = std::fabs(static_cast<double>(HalfToFloat(half)) - value);
    for (const int step : {-1, 1}) {
      const float other = HalfToFloat(static_cast<uint16_t>(half + step));
      if (std::isfinite(other)) {
        ASSERT_LE(error, std::fabs(static_cast<double>(other) - value)) << value;
      }
    }
  }
  EXPECT_EQ(FloatToHalf(65'519.0f), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65'520.0f), 0x7C00);
  EXPECT_EQ(FloatToHalf(1.0f + 0x1p-11f), 0x3C00) << "ties go to even";
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
}

TEST(VectorMath, FloatsAndBack) {
  const std::vector<float> values = {1, -2, 0, 127, -128, 3, 4, 5};
  for (const DataType type : {DataType::kFloatVector, DataType::kFloat16Vector,
                              DataType::kBFloat16Vector, DataType::kInt8Vector}) {
    EXPECT_EQ(ToFloats(FromFloats(type, values)), values) << DataTypeName(type);
  }
  const auto bits = FromFloats(DataType::kBinaryVector, values);
  EXPECT_EQ(bits.bytes, "\xdf") << "the first dimension is the highest bit";
  EXPECT_EQ(ToFloats(bits), (std::vector<float>{1, 1, 0, 1, 1, 1, 1, 1}));
  const std::vector<SparseEntry> entries = {{1, 0.5f}, {900, -2.0f}};
  EXPECT_EQ(ToSparseEntries(FromSparseEntries(entries)), entries);
}

TEST(VectorMath, WorkedDistances) {
  const Vector a = F({1, 2, 3, 4});
  const Vector b = F({0.5f, -1, 2, 0.25f});
  const Vector q = F({2, 1, -1, 3});
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kL2, a, q), std::sqrt(19.0));
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kL2, b, q), std::sqrt(22.8125));
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kInnerProduct, a, q), -13);
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kInnerProduct, b, q), 1.25);
  EXPECT_NEAR(ReferenceDistance(Metric::kCosine, a, q), 1 - 0.612826, 1e-6);
  EXPECT_NEAR(ReferenceDistance(Metric::kCosine, b, q), 1 + 0.140028, 1e-6);
  EXPECT_EQ(ReferenceDistance(Metric::kCosine, a, a), 0);
  EXPECT_EQ(ReferenceDistance(Metric::kCosine, a, F({0, 0, 0, 0})), 1);
}

TEST(VectorMath, BinaryDistances) {
  const Vector a{.type = DataType::kBinaryVector, .bytes = "\xF0"};
  const Vector b{.type = DataType::kBinaryVector, .bytes = "\x3C"};
  const Vector zero{.type = DataType::kBinaryVector, .bytes = std::string(1, '\0')};
  EXPECT_EQ(ReferenceDistance(Metric::kHamming, a, b), 4);
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kJaccard, a, b), 1 - 2.0 / 6);
  EXPECT_EQ(ReferenceDistance(Metric::kJaccard, zero, zero), 1);
}

TEST(VectorMath, SparseDistances) {
  const auto a = FromSparseEntries(std::vector<SparseEntry>{{1, 2.0f}, {5, 1.0f}, {9, 3.0f}});
  const auto b = FromSparseEntries(std::vector<SparseEntry>{{0, 7.0f}, {5, 4.0f}, {9, -1.0f}});
  EXPECT_EQ(ReferenceDistance(Metric::kInnerProduct, a, b), -1);
  EXPECT_DOUBLE_EQ(ReferenceDistance(Metric::kL2, a, b), std::sqrt(49 + 4 + 9 + 16.0));
}

}  // namespace
}  // namespace roost
