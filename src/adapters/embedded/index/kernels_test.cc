#include "adapters/embedded/index/kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/test_vectors.h"
#include "store/half.h"

namespace roost::embedded {
namespace {

std::vector<size_t> Dimensions() {
  std::vector<size_t> dimensions;
  for (size_t n = 1; n <= 130; ++n) {
    dimensions.push_back(n);
  }
  dimensions.insert(dimensions.end(), {768, 32'768});
  return dimensions;
}

/// Each instruction set that this machine has.
class KernelsOf : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const Status forced = ForceKernels(GetParam());
    if (!forced.ok()) {
      // A machine without the instructions must say so, and keep what it has.
      EXPECT_EQ(forced.error().code, Code::kInvalidArgument);
      EXPECT_NE(ActiveKernels(), GetParam());
    }
  }
  void TearDown() override { ASSERT_TRUE(ForceKernels("").ok()); }

  const Kernels& kernels() const { return ActiveKernelTable(); }
  SeededRandom random_{42};
};

/// Elements of one type that start in the middle of nowhere: `offset` bytes into a buffer.
struct Row {
  std::vector<char> buffer;
  std::vector<double> values;
  const void* data() const { return buffer.data() + 2; }
};

Row MakeRow(Element element, size_t n, Random& random) {
  Row row;
  const size_t size = element == Element::kFloat ? 4 : 2;
  row.buffer.resize(2 + n * size);
  for (size_t i = 0; i < n; ++i) {
    const float value = Normal(random);
    char* at = row.buffer.data() + 2 + i * size;
    if (element == Element::kFloat) {
      std::memcpy(at, &value, 4);
      row.values.push_back(value);
      continue;
    }
    const uint16_t bits = element == Element::kHalf ? FloatToHalf(value) : FloatToBFloat16(value);
    std::memcpy(at, &bits, 2);
    row.values.push_back(element == Element::kHalf ? HalfToFloat(bits) : BFloat16ToFloat(bits));
  }
  return row;
}

TEST_P(KernelsOf, FloatSumsAreThoseOfTheReference) {
  for (const auto element : {Element::kFloat, Element::kHalf, Element::kBrain}) {
    for (const size_t n : Dimensions()) {
      const Row row = MakeRow(element, n, random_);
      std::vector<float> query(n);
      double dot = 0;
      double squares = 0;
      double norm = 0;
      double magnitude = 0;
      for (size_t i = 0; i < n; ++i) {
        query[i] = Normal(random_);
        dot += query[i] * row.values[i];
        magnitude += std::fabs(query[i] * row.values[i]);
        squares += (query[i] - row.values[i]) * (query[i] - row.values[i]);
        norm += row.values[i] * row.values[i];
      }
      const auto e = static_cast<size_t>(element);
      const double tolerance = 1e-5 * (magnitude + norm + squares);
      EXPECT_NEAR(kernels().dot[e](query.data(), row.data(), n), dot, tolerance) << n;
      EXPECT_NEAR(kernels().squares[e](query.data(), row.data(), n), squares, tolerance) << n;
      const DotNorm both = kernels().dot_norm[e](query.data(), row.data(), n);
      EXPECT_NEAR(both.dot, dot, tolerance) << n;
      EXPECT_NEAR(both.norm, norm, tolerance) << n;
    }
  }
}

TEST_P(KernelsOf, HalvesOfEveryKindAreReadExactly) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float one = 1;
    if (std::isfinite(HalfToFloat(half))) {
      ASSERT_EQ(kernels().dot[1](&one, &half, 1), HalfToFloat(half)) << bits;
    }
    if (std::isfinite(BFloat16ToFloat(half))) {
      ASSERT_EQ(kernels().dot[2](&one, &half, 1), BFloat16ToFloat(half)) << bits;
    }
  }
}

TEST_P(KernelsOf, Int8SumsAreExact) {
  for (const size_t n : Dimensions()) {
    // The extremes are the ones that overflow where something is too narrow.
    for (const bool extreme : {false, true}) {
      std::vector<int8_t> a(n + 1);
      std::vector<int8_t> b(n + 1);
      int64_t dot = 0;
      int64_t squares = 0;
      int64_t norm = 0;
      for (size_t i = 1; i <= n; ++i) {
        a[i] = extreme ? int8_t{-128} : static_cast<int8_t>(random_.Next());
        b[i] = extreme ? int8_t{127} : static_cast<int8_t>(random_.Next());
        dot += a[i] * b[i];
        squares += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
      }
      EXPECT_EQ(kernels().int8_dot(&a[1], &b[1], n), dot) << n;
      EXPECT_EQ(kernels().int8_squares(&a[1], &b[1], n), squares) << n;
      const DotNormInt both = kernels().int8_dot_norm(&a[1], &b[1], n);
      EXPECT_EQ(both.dot, dot) << n;
      EXPECT_EQ(both.norm, norm) << n;
    }
  }
}

TEST_P(KernelsOf, BitsAreCountedExactly) {
  for (const size_t bytes : Dimensions()) {
    std::vector<uint8_t> a(bytes + 1);
    std::vector<uint8_t> b(bytes + 1);
    uint32_t differ = 0;
    BitCounts expected;
    for (size_t i = 1; i <= bytes; ++i) {
      a[i] = static_cast<uint8_t>(random_.Next());
      b[i] = static_cast<uint8_t>(random_.Next());
      differ += static_cast<uint32_t>(std::popcount(static_cast<unsigned>(a[i] ^ b[i])));
      expected.both += static_cast<uint32_t>(std::popcount(static_cast<unsigned>(a[i] & b[i])));
      expected.either += static_cast<uint32_t>(std::popcount(static_cast<unsigned>(a[i] | b[i])));
    }
    EXPECT_EQ(kernels().hamming(&a[1], &b[1], bytes), differ) << bytes;
    const BitCounts counts = kernels().jaccard(&a[1], &b[1], bytes);
    EXPECT_EQ(counts.both, expected.both) << bytes;
    EXPECT_EQ(counts.either, expected.either) << bytes;
  }
}

TEST_P(KernelsOf, CodesAreTheNearestAndTheSameEverywhere) {
  for (const size_t n : Dimensions()) {
    std::vector<float> values(n);
    for (float& value : values) {
      value = Normal(random_);
    }
    std::vector<int8_t> codes(n);
    const Encoded encoded = kernels().encode(values.data(), n, codes.data());
    std::vector<int8_t> reference(n);
    const Encoded expected = ScalarKernels()->encode(values.data(), n, reference.data());
    EXPECT_EQ(codes, reference) << n;
    EXPECT_EQ(encoded.scale, expected.scale) << n;
    EXPECT_EQ(encoded.sum, expected.sum) << n;
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(encoded.scale * codes[i], values[i], 0.501f * encoded.scale) << n;
    }
  }
}

TEST_P(KernelsOf, VectorsWithoutLengthGetTheZeroCode) {
  for (const float tiny : {0.0f, 1e-38f, -1e-40f}) {
    const std::vector<float> values(70, tiny);
    std::vector<int8_t> codes(70, 5);
    EXPECT_EQ(kernels().encode(values.data(), 70, codes.data()).scale, 0);
    EXPECT_EQ(codes, std::vector<int8_t>(70, 0));
  }
}

TEST_P(KernelsOf, ShiftSubtractsTheCentreAndMeasuresWhatIsLeft) {
  for (const size_t n : Dimensions()) {
    std::vector<float> values(n);
    std::vector<float> center(n);
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
      values[i] = Normal(random_);
      center[i] = Normal(random_);
      squares += std::pow(0.5 * values[i] - center[i], 2);
    }
    std::vector<float> out(n);
    EXPECT_NEAR(kernels().shift(values.data(), 0.5f, center.data(), n, out.data()), squares,
                1e-5 * squares + 1e-6);
    for (size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(out[i], 0.5f * values[i] - center[i], 1e-5);
    }
  }
}

TEST_P(KernelsOf, CodeDistancesAreThoseOfTheReference) {
  constexpr uint32_t kNodes = 37;
  for (const size_t stride : {64, 128, 192, 256, 768, 1'536, 32'768}) {
    std::vector<uint8_t> codes(kNodes * stride);
    std::vector<int8_t> query(stride);
    std::vector<CodeScale> scales(kNodes);
    for (uint8_t& code : codes) {
      code = static_cast<uint8_t>(random_.Next());
    }
    int32_t sum = 0;
    for (int8_t& code : query) {
      code = static_cast<int8_t>(random_.Below(255));
      code = code == -128 ? int8_t{127} : code;
      sum += code;
    }
    for (CodeScale& scale : scales) {
      scale = {.scale = 0.01f, .bias = Normal(random_)};
    }
    const CodeTable table{.codes = codes.data(), .scales = scales.data(), .stride = stride};
    const CodeQuery asked{.codes = query.data(), .factor = 0.02f, .offset = 128 * sum};
    for (const size_t count : {0, 1, 2, 3, 4, 5, 31, 37}) {
      std::vector<uint32_t> nodes(count);
      for (uint32_t& node : nodes) {
        node = static_cast<uint32_t>(random_.Below(kNodes));
      }
      std::vector<float> out(count + 1, -1);
      kernels().code_distances(asked, table, nodes.data(), count, out.data());
      for (size_t i = 0; i < count; ++i) {
        int64_t dot = 0;
        for (size_t j = 0; j < stride; ++j) {
          dot += (codes[nodes[i] * stride + j] - 128) * query[j];
        }
        const double expected = scales[nodes[i]].bias - 0.02 * 0.01 * static_cast<double>(dot);
        ASSERT_NEAR(out[i], expected, 1e-5 * std::fabs(expected) + 1e-3) << stride << " " << i;
      }
      EXPECT_EQ(out[count], -1) << "nothing is written behind the end";
    }
  }
}

TEST_P(KernelsOf, BitCodesAndFlipAreExact) {
  constexpr size_t kStride = 128;
  std::vector<uint8_t> codes(3 * kStride);
  std::vector<uint8_t> query(kStride);
  for (uint8_t& code : codes) {
    code = static_cast<uint8_t>(random_.Next());
  }
  for (uint8_t& code : query) {
    code = static_cast<uint8_t>(random_.Next());
  }
  const CodeTable table{.codes = codes.data(), .stride = kStride};
  const uint32_t nodes[] = {2, 0, 1};
  float hamming[3];
  float jaccard[3];
  kernels().hamming_codes(query.data(), table, nodes, 3, hamming);
  kernels().jaccard_codes(query.data(), table, nodes, 3, jaccard);
  for (size_t i = 0; i < 3; ++i) {
    const uint8_t* row = codes.data() + nodes[i] * kStride;
    EXPECT_EQ(hamming[i], static_cast<float>(ScalarKernels()->hamming(query.data(), row, kStride)));
    EXPECT_EQ(jaccard[i], JaccardDistance(ScalarKernels()->jaccard(query.data(), row, kStride)));
  }
  std::vector<int8_t> flipped(kStride);
  const int32_t sum = kernels().flip(codes.data(), kStride, flipped.data());
  int32_t expected = 0;
  for (size_t i = 0; i < kStride; ++i) {
    ASSERT_EQ(flipped[i], codes[i] - 128);
    expected += flipped[i];
  }
  EXPECT_EQ(sum, expected);
}

INSTANTIATE_TEST_SUITE_P(Isa, KernelsOf, testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(ForceKernels, RefusesWhatItDoesNotKnow) {
  const std::string before(ActiveKernels());
  EXPECT_EQ(ForceKernels("mmx").code(), Code::kInvalidArgument);
  EXPECT_EQ(ActiveKernels(), before);
}

}  // namespace
}  // namespace roost::embedded
