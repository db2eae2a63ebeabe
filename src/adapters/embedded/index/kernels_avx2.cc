#include "adapters/embedded/index/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Each function carries its target: nothing here may be inlined into, or shared with, code that
// runs on machines without AVX2. For the same reason no templates of the standard library are used.
#define ROOST_AVX2 __attribute__((target("avx2,fma,f16c,popcnt")))

namespace roost::embedded {
namespace {

template <Element kElement>
ROOST_AVX2 inline __m256 Load8(const void* row, size_t i) {
  if constexpr (kElement == Element::kFloat) {
    return _mm256_loadu_ps(static_cast<const float*>(row) + i);
  } else {
    const __m128i bits =
        _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(static_cast<const uint16_t*>(row) + i));
    if constexpr (kElement == Element::kHalf) {
      return _mm256_cvtph_ps(bits);
    } else {
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
    }
  }
}

template <Element kElement>
ROOST_AVX2 inline float Load1(const void* row, size_t i) {
  if constexpr (kElement == Element::kFloat) {
    float value;
    __builtin_memcpy(&value, static_cast<const char*>(row) + i * 4, 4);
    return value;
  } else {
    uint16_t bits;
    __builtin_memcpy(&bits, static_cast<const char*>(row) + i * 2, 2);
    if constexpr (kElement == Element::kHalf) {
      return _cvtsh_ss(bits);
    } else {
      return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(bits) << 16)));
    }
  }
}

ROOST_AVX2 inline float Sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

ROOST_AVX2 inline int32_t Sum(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

template <Element kElement>
ROOST_AVX2 float Dot(const float* query, const void* row, size_t n) {
  __m256 a = _mm256_setzero_ps();
  __m256 b = a;
  __m256 c = a;
  __m256 d = a;
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    a = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), Load8<kElement>(row, i), a);
    b = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8), Load8<kElement>(row, i + 8), b);
    c = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 16), Load8<kElement>(row, i + 16), c);
    d = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 24), Load8<kElement>(row, i + 24), d);
  }
  for (; i + 8 <= n; i += 8) {
    a = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), Load8<kElement>(row, i), a);
  }
  float sum = Sum(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
  for (; i < n; ++i) {
    sum += query[i] * Load1<kElement>(row, i);
  }
  return sum;
}

template <Element kElement>
ROOST_AVX2 float Squares(const float* query, const void* row, size_t n) {
  __m256 a = _mm256_setzero_ps();
  __m256 b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 x = _mm256_sub_ps(_mm256_loadu_ps(query + i), Load8<kElement>(row, i));
    const __m256 y = _mm256_sub_ps(_mm256_loadu_ps(query + i + 8), Load8<kElement>(row, i + 8));
    a = _mm256_fmadd_ps(x, x, a);
    b = _mm256_fmadd_ps(y, y, b);
  }
  float sum = Sum(_mm256_add_ps(a, b));
  for (; i < n; ++i) {
    const float difference = query[i] - Load1<kElement>(row, i);
    sum += difference * difference;
  }
  return sum;
}

template <Element kElement>
ROOST_AVX2 DotNorm DotAndNorm(const float* query, const void* row, size_t n) {
  __m256 a = _mm256_setzero_ps();
  __m256 b = a;
  __m256 c = a;
  __m256 d = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 x = Load8<kElement>(row, i);
    const __m256 y = Load8<kElement>(row, i + 8);
    a = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), x, a);
    b = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8), y, b);
    c = _mm256_fmadd_ps(x, x, c);
    d = _mm256_fmadd_ps(y, y, d);
  }
  DotNorm result{Sum(_mm256_add_ps(a, b)), Sum(_mm256_add_ps(c, d))};
  for (; i < n; ++i) {
    const float value = Load1<kElement>(row, i);
    result.dot += query[i] * value;
    result.norm += value * value;
  }
  return result;
}

ROOST_AVX2 inline __m256i Widen(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
}

ROOST_AVX2 int32_t Int8Dot(const int8_t* query, const int8_t* row, size_t n) {
  __m256i a = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    a = _mm256_add_epi32(a, _mm256_madd_epi16(Widen(query + i), Widen(row + i)));
  }
  int32_t sum = Sum(a);
  for (; i < n; ++i) {
    sum += query[i] * row[i];
  }
  return sum;
}

ROOST_AVX2 int32_t Int8Squares(const int8_t* query, const int8_t* row, size_t n) {
  __m256i a = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i x = _mm256_sub_epi16(Widen(query + i), Widen(row + i));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(x, x));
  }
  int32_t sum = Sum(a);
  for (; i < n; ++i) {
    const int32_t difference = query[i] - row[i];
    sum += difference * difference;
  }
  return sum;
}

ROOST_AVX2 DotNormInt Int8DotNorm(const int8_t* query, const int8_t* row, size_t n) {
  __m256i a = _mm256_setzero_si256();
  __m256i b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i x = Widen(row + i);
    a = _mm256_add_epi32(a, _mm256_madd_epi16(Widen(query + i), x));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(x, x));
  }
  DotNormInt result{Sum(a), Sum(b)};
  for (; i < n; ++i) {
    result.dot += query[i] * row[i];
    result.norm += row[i] * row[i];
  }
  return result;
}

ROOST_AVX2 inline uint64_t Word(const uint8_t* bytes, size_t left) {
  uint64_t word = 0;
  if (left >= 8) {
    __builtin_memcpy(&word, bytes, 8);
  } else {
    __builtin_memcpy(&word, bytes, left);
  }
  return word;
}

ROOST_AVX2 uint32_t Hamming(const uint8_t* a, const uint8_t* b, size_t bytes) {
  uint64_t count = 0;
  for (size_t i = 0; i < bytes; i += 8) {
    count += static_cast<uint64_t>(
        __builtin_popcountll(Word(a + i, bytes - i) ^ Word(b + i, bytes - i)));
  }
  return static_cast<uint32_t>(count);
}

ROOST_AVX2 BitCounts Jaccard(const uint8_t* a, const uint8_t* b, size_t bytes) {
  BitCounts counts;
  for (size_t i = 0; i < bytes; i += 8) {
    const uint64_t x = Word(a + i, bytes - i);
    const uint64_t y = Word(b + i, bytes - i);
    counts.both += static_cast<uint32_t>(__builtin_popcountll(x & y));
    counts.either += static_cast<uint32_t>(__builtin_popcountll(x | y));
  }
  return counts;
}

ROOST_AVX2 inline int32_t CodeDot(const uint8_t* code, const int8_t* query, size_t n) {
  // Not maddubs: its 16-bit sums of u8 · s8 saturate.
  __m256i a = _mm256_setzero_si256();
  __m256i b = a;
  for (size_t i = 0; i < n; i += 32) {
    const __m256i x =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(code + i)));
    const __m256i y =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(code + i + 16)));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(x, Widen(query + i)));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(y, Widen(query + i + 16)));
  }
  return Sum(_mm256_add_epi32(a, b));
}

ROOST_AVX2 void CodeDistances(const CodeQuery& query, const CodeTable& table, const uint32_t* nodes,
                              size_t count, float* out) {
  constexpr size_t kAhead = 4;
  for (size_t i = 0; i < kAhead && i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) {
      PrefetchCode(table, nodes[i + kAhead]);
    }
    const CodeScale scale = table.scales[nodes[i]];
    const int32_t sum = CodeDot(table.codes + nodes[i] * table.stride, query.codes, table.stride);
    out[i] = scale.bias - query.factor * scale.scale * static_cast<float>(sum - query.offset);
  }
}

ROOST_AVX2 void HammingCodes(const uint8_t* query, const CodeTable& table, const uint32_t* nodes,
                             size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    out[i] =
        static_cast<float>(Hamming(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

ROOST_AVX2 void JaccardCodes(const uint8_t* query, const CodeTable& table, const uint32_t* nodes,
                             size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    out[i] = JaccardDistance(Jaccard(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

ROOST_AVX2 float Largest(const float* values, size_t n) {
  const __m256 positive = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  __m256 most = _mm256_setzero_ps();
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    most = _mm256_max_ps(most, _mm256_and_ps(positive, _mm256_loadu_ps(values + i)));
  }
  float lanes[8];
  _mm256_storeu_ps(lanes, most);
  float largest = 0;
  for (float lane : lanes) {
    largest = lane > largest ? lane : largest;
  }
  for (; i < n; ++i) {
    const float magnitude = __builtin_fabsf(values[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

ROOST_AVX2 Encoded Encode(const float* values, size_t n, int8_t* codes) {
  const float largest = Largest(values, n);
  const bool zero = largest < kSmallestScale;
  const float inverse = zero ? 0 : 127.0f / largest;
  const __m256 factor = _mm256_set1_ps(inverse);
  __m256i sums = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i x = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + i), factor));
    sums = _mm256_add_epi32(sums, x);
    const __m128i y = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i_u*>(codes + i), _mm_packs_epi16(y, y));
  }
  Encoded encoded{.scale = zero ? 0 : largest / 127.0f, .sum = Sum(sums)};
  for (; i < n; ++i) {
    codes[i] = static_cast<int8_t>(_mm_cvtss_si32(_mm_set_ss(values[i] * inverse)));
    encoded.sum += codes[i];
  }
  return encoded;
}

ROOST_AVX2 float Shift(const float* values, float factor, const float* center, size_t n,
                       float* out) {
  const __m256 factors = _mm256_set1_ps(factor);
  __m256 squares = _mm256_setzero_ps();
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 x =
        _mm256_fmsub_ps(factors, _mm256_loadu_ps(values + i), _mm256_loadu_ps(center + i));
    _mm256_storeu_ps(out + i, x);
    squares = _mm256_fmadd_ps(x, x, squares);
  }
  float sum = Sum(squares);
  for (; i < n; ++i) {
    out[i] = factor * values[i] - center[i];
    sum += out[i] * out[i];
  }
  return sum;
}

ROOST_AVX2 int32_t Flip(const uint8_t* codes, size_t n, int8_t* out) {
  const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i sums = _mm256_setzero_si256();
  for (size_t i = 0; i < n; i += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes + i));
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(x, _mm256_setzero_si256()));
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + i), _mm256_xor_si256(x, sign));
  }
  return Sum(sums) - 128 * static_cast<int32_t>(n);
}

constexpr auto kF = Element::kFloat;
constexpr auto kH = Element::kHalf;
constexpr auto kB = Element::kBrain;

constexpr Kernels kKernels{
    .name = "avx2",
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

bool Supported() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c") && __builtin_cpu_supports("popcnt");
}

}  // namespace

const Kernels* Avx2Kernels() {
  static const bool supported = Supported();
  return supported ? &kKernels : nullptr;
}

}  // namespace roost::embedded

#else

namespace roost::embedded {
const Kernels* Avx2Kernels() { return nullptr; }
}  // namespace roost::embedded

#endif
