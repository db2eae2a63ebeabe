#include "base/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include <array>
#include <bit>

#include "base/bytes.h"

namespace roost {

namespace {

// --- CRC-32C -----------------------------------------------------------------------------------

constexpr uint32_t kCastagnoli = 0x82f63b78;  // The polynomial, bits reversed.

/// Table k gives the effect of a byte that is followed by k others ("slicing by 8").
constexpr std::array<std::array<uint32_t, 256>, 8> MakeCrcTables() {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCastagnoli : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr auto kCrcTables = MakeCrcTables();

// --- wyhash ------------------------------------------------------------------------------------

constexpr uint64_t kWy0 = 0xa0761d6478bd642f;
constexpr uint64_t kWy1 = 0xe7037ed1a0b428db;
constexpr uint64_t kWy2 = 0x8ebc6af09c88c6e3;
constexpr uint64_t kWy3 = 0x589965cc75374cc3;

/// The two halves of a × b.
void Multiply(uint64_t& a, uint64_t& b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  a = static_cast<uint64_t>(product);
  b = static_cast<uint64_t>(product >> 64);
}

uint64_t Mix(uint64_t a, uint64_t b) {
  Multiply(a, b);
  return a ^ b;
}

/// 1 to 3 bytes as one number.
uint64_t LoadUpTo3(const char* p, size_t size) {
  const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(p[i])}; };
  return (byte(0) << 16) | (byte(size >> 1) << 8) | byte(size - 1);
}

// --- MurmurHash3 -------------------------------------------------------------------------------

constexpr uint64_t kMurmur1 = 0x87c37b91114253d5;
constexpr uint64_t kMurmur2 = 0x4cf5ad432745937f;

uint64_t MurmurFirst(uint64_t k) { return std::rotl(k * kMurmur1, 31) * kMurmur2; }
uint64_t MurmurSecond(uint64_t k) { return std::rotl(k * kMurmur2, 33) * kMurmur1; }

uint64_t MurmurFinish(uint64_t k) {
  k = (k ^ (k >> 33)) * 0xff51afd7ed558ccd;
  k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53;
  return k ^ (k >> 33);
}

/// Up to 8 bytes, little endian, missing ones zero.
uint64_t LoadPartial(const char* p, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, p, size);
  return value;
}

std::string_view AsText(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

}  // namespace

namespace internal {

uint32_t Crc32cSoftware(std::string_view data, uint32_t crc) {
  const char* p = data.data();
  size_t left = data.size();
  crc = ~crc;
  for (; left >= 8; p += 8, left -= 8) {
    const uint64_t word = LoadU64(p) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) {
      crc ^= kCrcTables[7 - i][(word >> (8 * i)) & 0xff];
    }
  }
  for (; left > 0; ++p, --left) {
    crc = (crc >> 8) ^ kCrcTables[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff];
  }
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Crc32cHardware(std::string_view data, uint32_t crc) {
  const char* p = data.data();
  size_t left = data.size();
  uint64_t state = ~crc;
  for (; left >= 8; p += 8, left -= 8) {
    state = _mm_crc32_u64(state, LoadU64(p));
  }
  auto low = static_cast<uint32_t>(state);
  for (; left > 0; ++p, --left) {
    low = _mm_crc32_u8(low, static_cast<unsigned char>(*p));
  }
  return ~low;
}

bool HasCrc32cHardware() { return __builtin_cpu_supports("sse4.2") != 0; }
#else
uint32_t Crc32cHardware(std::string_view data, uint32_t crc) { return Crc32cSoftware(data, crc); }

bool HasCrc32cHardware() { return false; }
#endif

}  // namespace internal

uint32_t Crc32c(std::string_view data, uint32_t crc) {
  static const auto chosen =
      internal::HasCrc32cHardware() ? internal::Crc32cHardware : internal::Crc32cSoftware;
  return chosen(data, crc);
}

uint32_t Crc32c(std::span<const std::byte> data, uint32_t crc) { return Crc32c(AsText(data), crc); }

uint64_t Hash64(std::string_view data, uint64_t seed) {
  const char* p = data.data();
  const size_t size = data.size();
  seed ^= Mix(seed ^ kWy0, kWy1);
  uint64_t a = 0;
  uint64_t b = 0;
  if (size <= 16) {
    if (size >= 4) {
      const size_t middle = (size >> 3) << 2;
      a = (uint64_t{LoadU32(p)} << 32) | LoadU32(p + middle);
      b = (uint64_t{LoadU32(p + size - 4)} << 32) | LoadU32(p + size - 4 - middle);
    } else if (size > 0) {
      a = LoadUpTo3(p, size);
    }
  } else {
    size_t left = size;
    if (left >= 48) {
      uint64_t lane1 = seed;
      uint64_t lane2 = seed;
      do {
        seed = Mix(LoadU64(p) ^ kWy1, LoadU64(p + 8) ^ seed);
        lane1 = Mix(LoadU64(p + 16) ^ kWy2, LoadU64(p + 24) ^ lane1);
        lane2 = Mix(LoadU64(p + 32) ^ kWy3, LoadU64(p + 40) ^ lane2);
        p += 48;
        left -= 48;
      } while (left >= 48);
      seed ^= lane1 ^ lane2;
    }
    for (; left > 16; p += 16, left -= 16) {
      seed = Mix(LoadU64(p) ^ kWy1, LoadU64(p + 8) ^ seed);
    }
    // The last 16 bytes, which may overlap what was read.
    a = LoadU64(p + left - 16);
    b = LoadU64(p + left - 8);
  }
  a ^= kWy1;
  b ^= seed;
  Multiply(a, b);
  return Mix(a ^ kWy0 ^ size, b ^ kWy1);
}

uint64_t Hash64(std::span<const std::byte> data, uint64_t seed) {
  return Hash64(AsText(data), seed);
}

Digest128 Hash128(std::string_view data, uint32_t seed) {
  const char* p = data.data();
  size_t left = data.size();
  uint64_t h1 = seed;
  uint64_t h2 = seed;
  for (; left >= 16; p += 16, left -= 16) {
    h1 ^= MurmurFirst(LoadU64(p));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= MurmurSecond(LoadU64(p + 8));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  if (left > 8) {
    h2 ^= MurmurSecond(LoadPartial(p + 8, left - 8));
  }
  if (left > 0) {
    h1 ^= MurmurFirst(LoadPartial(p, left < 8 ? left : 8));
  }
  h1 ^= data.size();
  h2 ^= data.size();
  h1 += h2;
  h2 += h1;
  h1 = MurmurFinish(h1);
  h2 = MurmurFinish(h2);
  h1 += h2;
  h2 += h1;
  return {.high = h1, .low = h2};
}

Digest128 Hash128(std::span<const std::byte> data, uint32_t seed) {
  return Hash128(AsText(data), seed);
}

std::string Digest128::ToString() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t half : {high, low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      text += kDigits[(half >> shift) & 15];
    }
  }
  return text;
}

}  // namespace roost
