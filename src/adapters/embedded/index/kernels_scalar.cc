#include <bit>
#include <cmath>
#include <cstring>

#include "adapters/embedded/index/kernels.h"
#include "store/half.h"

// The reference in plain C++: runs on any machine, and the compiler may use what all x86-64 have.

namespace roost::embedded {
namespace {

template <Element kElement>
float Load(const void* row, size_t i) {
  if constexpr (kElement == Element::kFloat) {
    float value;
    std::memcpy(&value, static_cast<const char*>(row) + i * 4, 4);
    return value;
  } else {
    uint16_t bits;
    std::memcpy(&bits, static_cast<const char*>(row) + i * 2, 2);
    return kElement == Element::kHalf ? HalfToFloat(bits) : BFloat16ToFloat(bits);
  }
}

constexpr size_t kLanes = 8;  // Independent sums: less rounding, and the loop can be vectorised.

float Sum(const float (&lanes)[kLanes]) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

template <Element kElement>
DotNorm DotAndNorm(const float* query, const void* row, size_t n) {
  float dots[kLanes] = {};
  float norms[kLanes] = {};
  for (size_t i = 0; i < n; ++i) {
    const float value = Load<kElement>(row, i);
    dots[i % kLanes] += query[i] * value;
    norms[i % kLanes] += value * value;
  }
  return {Sum(dots), Sum(norms)};
}

template <Element kElement>
float Dot(const float* query, const void* row, size_t n) {
  float dots[kLanes] = {};
  for (size_t i = 0; i < n; ++i) {
    dots[i % kLanes] += query[i] * Load<kElement>(row, i);
  }
  return Sum(dots);
}

template <Element kElement>
float Squares(const float* query, const void* row, size_t n) {
  float sums[kLanes] = {};
  for (size_t i = 0; i < n; ++i) {
    const float difference = query[i] - Load<kElement>(row, i);
    sums[i % kLanes] += difference * difference;
  }
  return Sum(sums);
}

int32_t Int8Dot(const int8_t* query, const int8_t* row, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) {
    sum += query[i] * row[i];
  }
  return sum;
}

int32_t Int8Squares(const int8_t* query, const int8_t* row, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) {
    const int32_t difference = query[i] - row[i];
    sum += difference * difference;
  }
  return sum;
}

DotNormInt Int8DotNorm(const int8_t* query, const int8_t* row, size_t n) {
  DotNormInt result;
  for (size_t i = 0; i < n; ++i) {
    result.dot += query[i] * row[i];
    result.norm += row[i] * row[i];
  }
  return result;
}

uint64_t Word(const uint8_t* bytes, size_t count) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

BitCounts Jaccard(const uint8_t* a, const uint8_t* b, size_t bytes) {
  BitCounts counts;
  for (size_t i = 0; i < bytes; i += 8) {
    const size_t left = bytes - i < 8 ? bytes - i : 8;
    const uint64_t x = Word(a + i, left);
    const uint64_t y = Word(b + i, left);
    counts.both += static_cast<uint32_t>(std::popcount(x & y));
    counts.either += static_cast<uint32_t>(std::popcount(x | y));
  }
  return counts;
}

uint32_t Hamming(const uint8_t* a, const uint8_t* b, size_t bytes) {
  uint32_t count = 0;
  for (size_t i = 0; i < bytes; i += 8) {
    const size_t left = bytes - i < 8 ? bytes - i : 8;
    count += static_cast<uint32_t>(std::popcount(Word(a + i, left) ^ Word(b + i, left)));
  }
  return count;
}

void CodeDistances(const CodeQuery& query, const CodeTable& table, const uint32_t* nodes,
                   size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    if (i + 2 < count) {
      PrefetchCode(table, nodes[i + 2]);
    }
    const uint8_t* code = table.codes + nodes[i] * table.stride;
    int32_t sum = 0;
    for (size_t j = 0; j < table.stride; ++j) {
      sum += code[j] * query.codes[j];
    }
    const CodeScale& scale = table.scales[nodes[i]];
    out[i] = scale.bias - query.factor * scale.scale * static_cast<float>(sum - query.offset);
  }
}

void HammingCodes(const uint8_t* query, const CodeTable& table, const uint32_t* nodes, size_t count,
                  float* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] =
        static_cast<float>(Hamming(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

void JaccardCodes(const uint8_t* query, const CodeTable& table, const uint32_t* nodes, size_t count,
                  float* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = JaccardDistance(Jaccard(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

Encoded Encode(const float* values, size_t n, int8_t* codes) {
  float largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(values[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  const bool zero = largest < kSmallestScale;
  const float inverse = zero ? 0 : 127.0f / largest;
  Encoded encoded{.scale = zero ? 0 : largest / 127.0f};
  for (size_t i = 0; i < n; ++i) {
    codes[i] = static_cast<int8_t>(std::lrintf(values[i] * inverse));
    encoded.sum += codes[i];
  }
  return encoded;
}

float Shift(const float* values, float factor, const float* center, size_t n, float* out) {
  float squares[kLanes] = {};
  for (size_t i = 0; i < n; ++i) {
    out[i] = factor * values[i] - center[i];
    squares[i % kLanes] += out[i] * out[i];
  }
  return Sum(squares);
}

int32_t Flip(const uint8_t* codes, size_t n, int8_t* out) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(codes[i] - 128);
    sum += out[i];
  }
  return sum;
}

constexpr auto kF = Element::kFloat;
constexpr auto kH = Element::kHalf;
constexpr auto kB = Element::kBrain;

constexpr Kernels kKernels{
    .name = "scalar",
    .dot = {Dot<kF>, Dot<kH>, Dot<kB>},
    .squares = {Squares<kF>, Squares<kH>, Squares<kB>},
    .dot_norm = {DotAndNorm<kF>, DotAndNorm<kH>, DotAndNorm<kB>},
    .int8_dot = Int8Dot,
    .int8_squares = Int8Squares,
    .int8_dot_norm = Int8DotNorm,
    .hamming = Hamming,
    .jaccard = Jaccard,
    .code_distances = CodeDistances,
    .hamming_codes = HammingCodes,
    .jaccard_codes = JaccardCodes,
    .encode = Encode,
    .shift = Shift,
    .flip = Flip,
};

}  // namespace

const Kernels* ScalarKernels() { return &kKernels; }

}  // namespace roost::embedded
