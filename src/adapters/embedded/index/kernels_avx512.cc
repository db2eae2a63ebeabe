#include "adapters/embedded/index/kernels.h"

#if defined(__x86_64__)

// g++ 12 takes the don't-care operands of its own intrinsics for uninitialised reads (GCC 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>

// Each function carries its target: nothing here may be inlined into, or shared with, code that
// runs on machines without AVX-512. For the same reason no templates of the standard library are
// used.
#define ROOST_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,popcnt")))
#define ROOST_POPCOUNT __attribute__((target("avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt")))

namespace roost::embedded {
namespace {

/// Elements [i, i + 16) as floats; those without a bit in `mask` are not read and count as 0.
template <Element kElement>
ROOST_AVX512 inline __m512 LoadMasked(const void* row, size_t i, __mmask16 mask) {
  if constexpr (kElement == Element::kFloat) {
    return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(row) + i);
  } else {
    const __m256i bits = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(row) + i);
    if constexpr (kElement == Element::kHalf) {
      return _mm512_cvtph_ps(bits);
    } else {
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    }
  }
}

template <Element kElement>
ROOST_AVX512 inline __m512 Load(const void* row, size_t i) {
  if constexpr (kElement == Element::kFloat) {
    return _mm512_loadu_ps(static_cast<const float*>(row) + i);
  } else {
    return LoadMasked<kElement>(row, i, 0xffff);
  }
}

ROOST_AVX512 inline __mmask16 Tail(size_t left) {
  return left >= 16 ? static_cast<__mmask16>(0xffff)
                    : static_cast<__mmask16>((uint32_t{1} << left) - 1);
}

template <Element kElement>
ROOST_AVX512 float Dot(const float* query, const void* row, size_t n) {
  __m512 a = _mm512_setzero_ps();
  __m512 b = a;
  __m512 c = a;
  __m512 d = a;
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    a = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), Load<kElement>(row, i), a);
    b = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16), Load<kElement>(row, i + 16), b);
    c = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 32), Load<kElement>(row, i + 32), c);
    d = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 48), Load<kElement>(row, i + 48), d);
  }
  for (; i < n; i += 16) {
    const __mmask16 mask = Tail(n - i);
    a = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, query + i), LoadMasked<kElement>(row, i, mask),
                        a);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
}

template <Element kElement>
ROOST_AVX512 float Squares(const float* query, const void* row, size_t n) {
  __m512 a = _mm512_setzero_ps();
  __m512 b = a;
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 x = _mm512_sub_ps(_mm512_loadu_ps(query + i), Load<kElement>(row, i));
    const __m512 y = _mm512_sub_ps(_mm512_loadu_ps(query + i + 16), Load<kElement>(row, i + 16));
    a = _mm512_fmadd_ps(x, x, a);
    b = _mm512_fmadd_ps(y, y, b);
  }
  for (; i < n; i += 16) {
    const __mmask16 mask = Tail(n - i);
    const __m512 x =
        _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, query + i), LoadMasked<kElement>(row, i, mask));
    a = _mm512_fmadd_ps(x, x, a);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(a, b));
}

template <Element kElement>
ROOST_AVX512 DotNorm DotAndNorm(const float* query, const void* row, size_t n) {
  __m512 a = _mm512_setzero_ps();
  __m512 b = a;
  __m512 c = a;
  __m512 d = a;
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 x = Load<kElement>(row, i);
    const __m512 y = Load<kElement>(row, i + 16);
    a = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), x, a);
    b = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16), y, b);
    c = _mm512_fmadd_ps(x, x, c);
    d = _mm512_fmadd_ps(y, y, d);
  }
  for (; i < n; i += 16) {
    const __mmask16 mask = Tail(n - i);
    const __m512 x = LoadMasked<kElement>(row, i, mask);
    a = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, query + i), x, a);
    c = _mm512_fmadd_ps(x, x, c);
  }
  return {_mm512_reduce_add_ps(_mm512_add_ps(a, b)), _mm512_reduce_add_ps(_mm512_add_ps(c, d))};
}

ROOST_AVX512 inline __mmask32 Tail32(size_t left) {
  return left >= 32 ? 0xffffffffu : (__mmask32{1} << left) - 1;
}

ROOST_AVX512 inline __m512i Widen(const int8_t* p, __mmask32 mask) {
  return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, p));
}

ROOST_AVX512 int32_t Int8Dot(const int8_t* query, const int8_t* row, size_t n) {
  __m512i a = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 32) {
    const __mmask32 mask = Tail32(n - i);
    a = _mm512_dpwssd_epi32(a, Widen(query + i, mask), Widen(row + i, mask));
  }
  return _mm512_reduce_add_epi32(a);
}

ROOST_AVX512 int32_t Int8Squares(const int8_t* query, const int8_t* row, size_t n) {
  __m512i a = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 32) {
    const __mmask32 mask = Tail32(n - i);
    const __m512i x = _mm512_sub_epi16(Widen(query + i, mask), Widen(row + i, mask));
    a = _mm512_dpwssd_epi32(a, x, x);
  }
  return _mm512_reduce_add_epi32(a);
}

ROOST_AVX512 DotNormInt Int8DotNorm(const int8_t* query, const int8_t* row, size_t n) {
  __m512i a = _mm512_setzero_si512();
  __m512i b = a;
  for (size_t i = 0; i < n; i += 32) {
    const __mmask32 mask = Tail32(n - i);
    const __m512i x = Widen(row + i, mask);
    a = _mm512_dpwssd_epi32(a, Widen(query + i, mask), x);
    b = _mm512_dpwssd_epi32(b, x, x);
  }
  return {_mm512_reduce_add_epi32(a), _mm512_reduce_add_epi32(b)};
}

ROOST_POPCOUNT inline __m512i LoadBits(const uint8_t* p, size_t left) {
  return left >= 64 ? _mm512_loadu_si512(p)
                    : _mm512_maskz_loadu_epi8((__mmask64{1} << left) - 1, p);
}

ROOST_POPCOUNT uint32_t Hamming(const uint8_t* a, const uint8_t* b, size_t bytes) {
  __m512i count = _mm512_setzero_si512();
  for (size_t i = 0; i < bytes; i += 64) {
    const __m512i bits = _mm512_xor_si512(LoadBits(a + i, bytes - i), LoadBits(b + i, bytes - i));
    count = _mm512_add_epi64(count, _mm512_popcnt_epi64(bits));
  }
  return static_cast<uint32_t>(_mm512_reduce_add_epi64(count));
}

ROOST_POPCOUNT BitCounts Jaccard(const uint8_t* a, const uint8_t* b, size_t bytes) {
  __m512i both = _mm512_setzero_si512();
  __m512i either = both;
  for (size_t i = 0; i < bytes; i += 64) {
    const __m512i x = LoadBits(a + i, bytes - i);
    const __m512i y = LoadBits(b + i, bytes - i);
    both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, y)));
    either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, y)));
  }
  return {static_cast<uint32_t>(_mm512_reduce_add_epi64(both)),
          static_cast<uint32_t>(_mm512_reduce_add_epi64(either))};
}

ROOST_POPCOUNT void HammingCodes(const uint8_t* query, const CodeTable& table,
                                 const uint32_t* nodes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    out[i] =
        static_cast<float>(Hamming(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

ROOST_POPCOUNT void JaccardCodes(const uint8_t* query, const CodeTable& table,
                                 const uint32_t* nodes, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    out[i] = JaccardDistance(Jaccard(query, table.codes + nodes[i] * table.stride, table.stride));
  }
}

/// The four sums of four accumulators.
ROOST_AVX512 inline __m128i Sum4(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i all =
      _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

ROOST_AVX512 void CodeDistances(const CodeQuery& query, const CodeTable& table,
                                const uint32_t* nodes, size_t count, float* out) {
  // About as many cache lines are asked for ahead as a core can wait for.
  const size_t ahead = table.stride >= 1024 ? 4 : 4096 / table.stride;
  for (size_t i = 0; i < ahead && i < count; ++i) {
    PrefetchCode(table, nodes[i]);
  }
  for (size_t i = 0; i < count; i += 4) {
    for (size_t j = i + ahead; j < i + ahead + 4 && j < count; ++j) {
      PrefetchCode(table, nodes[j]);
    }
    // Four at a time share the loads of the query and the sums; the last group repeats a node.
    uint32_t group[4];
    const uint8_t* code[4];
    for (size_t j = 0; j < 4; ++j) {
      group[j] = nodes[i + j < count ? i + j : count - 1];
      code[j] = table.codes + group[j] * table.stride;
    }
    __m512i a = _mm512_setzero_si512();
    __m512i b = a;
    __m512i c = a;
    __m512i d = a;
    for (size_t j = 0; j < table.stride; j += 64) {
      const __m512i q = _mm512_loadu_si512(query.codes + j);
      a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(code[0] + j), q);
      b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(code[1] + j), q);
      c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(code[2] + j), q);
      d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(code[3] + j), q);
    }
    const __m128 sums =
        _mm_cvtepi32_ps(_mm_sub_epi32(Sum4(a, b, c, d), _mm_set1_epi32(query.offset)));
    const CodeScale s[4] = {table.scales[group[0]], table.scales[group[1]], table.scales[group[2]],
                            table.scales[group[3]]};
    const __m128 scales = _mm_mul_ps(_mm_set1_ps(query.factor),
                                     _mm_setr_ps(s[0].scale, s[1].scale, s[2].scale, s[3].scale));
    const __m128 biases = _mm_setr_ps(s[0].bias, s[1].bias, s[2].bias, s[3].bias);
    const __mmask8 mask = static_cast<__mmask8>(count - i >= 4 ? 0xf : (1u << (count - i)) - 1);
    _mm_mask_storeu_ps(out + i, mask, _mm_fnmadd_ps(scales, sums, biases));
  }
}

ROOST_AVX512 Encoded Encode(const float* values, size_t n, int8_t* codes) {
  __m512 most = _mm512_setzero_ps();
  for (size_t i = 0; i < n; i += 16) {
    most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(Tail(n - i), values + i)));
  }
  const float largest = _mm512_reduce_max_ps(most);
  const bool zero = largest < kSmallestScale;
  const __m512 factor = _mm512_set1_ps(zero ? 0 : 127.0f / largest);
  __m512i sums = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 mask = Tail(n - i);
    const __m512i x =
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(mask, values + i), factor));
    sums = _mm512_add_epi32(sums, x);
    _mm_mask_storeu_epi8(codes + i, mask, _mm512_cvtsepi32_epi8(x));
  }
  return {.scale = zero ? 0 : largest / 127.0f, .sum = _mm512_reduce_add_epi32(sums)};
}

ROOST_AVX512 float Shift(const float* values, float factor, const float* center, size_t n,
                         float* out) {
  const __m512 factors = _mm512_set1_ps(factor);
  __m512 squares = _mm512_setzero_ps();
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 mask = Tail(n - i);
    const __m512 x = _mm512_fmsub_ps(factors, _mm512_maskz_loadu_ps(mask, values + i),
                                     _mm512_maskz_loadu_ps(mask, center + i));
    _mm512_mask_storeu_ps(out + i, mask, x);
    squares = _mm512_fmadd_ps(x, x, squares);
  }
  return _mm512_reduce_add_ps(squares);
}

ROOST_AVX512 int32_t Flip(const uint8_t* codes, size_t n, int8_t* out) {
  const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sums = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 64) {
    const __m512i x = _mm512_loadu_si512(codes + i);
    sums = _mm512_add_epi64(sums, _mm512_sad_epu8(x, _mm512_setzero_si512()));
    _mm512_storeu_si512(out + i, _mm512_xor_si512(x, sign));
  }
  return static_cast<int32_t>(_mm512_reduce_add_epi64(sums)) - 128 * static_cast<int32_t>(n);
}

constexpr auto kF = Element::kFloat;
constexpr auto kH = Element::kHalf;
constexpr auto kB = Element::kBrain;

constexpr Kernels kWithPopcount{
    .name = "avx512",
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

/// Cascade Lake has the dot products but not the vector popcount.
Kernels WithoutPopcount(const Kernels& avx2) {
  Kernels kernels = kWithPopcount;
  kernels.hamming = avx2.hamming;
  kernels.jaccard = avx2.jaccard;
  kernels.hamming_codes = avx2.hamming_codes;
  kernels.jaccard_codes = avx2.jaccard_codes;
  return kernels;
}

bool Supported() {
  __builtin_cpu_init();
  return Avx2Kernels() != nullptr && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

}  // namespace

const Kernels* Avx512Kernels() {
  static const bool supported = Supported();
  if (!supported) {
    return nullptr;
  }
  static const Kernels kernels =
      __builtin_cpu_supports("avx512vpopcntdq") ? kWithPopcount : WithoutPopcount(*Avx2Kernels());
  return &kernels;
}

}  // namespace roost::embedded

#else

namespace roost::embedded {
const Kernels* Avx512Kernels() { return nullptr; }
}  // namespace roost::embedded

#endif
