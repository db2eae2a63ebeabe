#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roost::embedded {

// The loops over vector elements, once for each instruction set. Every function reads exactly the
// elements it is told of, at any alignment.

/// Element types that are compared as float.
enum class Element : uint8_t { kFloat, kHalf, kBrain };
inline constexpr size_t kElements = 3;

struct DotNorm {
  float dot = 0;
  float norm = 0;  ///< sum of squares of the row
};
struct DotNormInt {
  int32_t dot = 0;
  int32_t norm = 0;
};
/// What encoding a vector gave.
struct Encoded {
  float scale = 0;  ///< 0 when all values are 0
  int32_t sum = 0;  ///< of the codes
};
struct BitCounts {
  uint32_t both = 0;    ///< bits set in both
  uint32_t either = 0;  ///< bits set in at least one
};

/// What a code stands for: element i is scale · (code[i] − 128). `bias` is the part of the squared
/// distance that does not depend on the query.
struct CodeScale {
  float scale = 0;
  float bias = 0;
};
/// Codes of all nodes, node n at codes + n · stride; stride is a multiple of 64.
struct CodeTable {
  const uint8_t* codes = nullptr;
  const CodeScale* scales = nullptr;  ///< not used by bits
  size_t stride = 0;
};
/// A query against a CodeTable. `codes` has `stride` bytes, zero behind the dimension.
struct CodeQuery {
  const int8_t* codes = nullptr;
  float factor = 0;    ///< 2 · scale of the query
  int32_t offset = 0;  ///< 128 · sum of the query's codes
};

/// Dimensions up to 32,768 do not overflow the integer sums.
struct Kernels {
  using Float = float (*)(const float* query, const void* row, size_t n);
  using Norm = DotNorm (*)(const float* query, const void* row, size_t n);
  using Int8 = int32_t (*)(const int8_t* query, const int8_t* row, size_t n);
  using Int8Norm = DotNormInt (*)(const int8_t* query, const int8_t* row, size_t n);
  using Bits = uint32_t (*)(const uint8_t* a, const uint8_t* b, size_t bytes);
  using BitsBoth = BitCounts (*)(const uint8_t* a, const uint8_t* b, size_t bytes);
  using Codes = void (*)(const CodeQuery& query, const CodeTable& table, const uint32_t* nodes,
                         size_t count, float* out);
  using BitCodes = void (*)(const uint8_t* query, const CodeTable& table, const uint32_t* nodes,
                            size_t count, float* out);
  using Encode = Encoded (*)(const float* values, size_t n, int8_t* codes);
  using Shift = float (*)(const float* values, float factor, const float* center, size_t n,
                          float* out);
  using Flip = int32_t (*)(const uint8_t* codes, size_t n, int8_t* out);

  std::string_view name;
  Float dot[kElements];
  Float squares[kElements];  ///< sum of (query − row)²
  Norm dot_norm[kElements];
  Int8 int8_dot;
  Int8 int8_squares;
  Int8Norm int8_dot_norm;
  Bits hamming;
  BitsBoth jaccard;
  /// out[i] = bias − factor · scale · (codes · query − offset) of nodes[i]. Prefetches ahead.
  Codes code_distances;
  /// out[i] = bits that differ; jaccard_codes: 1 − |∩|/|∪| (1 for two empty sets).
  BitCodes hamming_codes;
  BitCodes jaccard_codes;
  /// codes[i] = values[i] / scale, rounded; the scale makes the largest magnitude 127. The codes
  /// are the same with every instruction set. Precondition: finite values.
  Encode encode;
  /// out[i] = factor · values[i] − center[i]; returns the sum of squares of out.
  Shift shift;
  /// out[i] = codes[i] − 128; returns the sum of out. Precondition: n is a multiple of 64.
  Flip flip;
};

/// Encode takes vectors without any larger magnitude for zero: 127 / x would overflow.
inline constexpr float kSmallestScale = 1e-30f;

/// Null where this machine (or this build) does not have the instructions.
const Kernels* ScalarKernels();
const Kernels* Avx2Kernels();
const Kernels* Avx512Kernels();

/// The kernels in use: the best of the machine unless ForceKernels or ROOST_SIMD chose others.
const Kernels& ActiveKernelTable();

inline float JaccardDistance(BitCounts counts) {
  return counts.either == 0
             ? 1.0f
             : 1.0f - static_cast<float>(counts.both) / static_cast<float>(counts.either);
}

/// Loads the lines of one code into the cache.
inline void PrefetchCode(const CodeTable& table, uint32_t node) {
  const uint8_t* code = table.codes + node * table.stride;
  const size_t bytes = table.stride < 1024 ? table.stride : 1024;  // The hardware does the rest.
  for (size_t i = 0; i < bytes; i += 64) {
    __builtin_prefetch(code + i);
  }
}

}  // namespace roost::embedded
