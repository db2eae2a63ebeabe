#include "base/hash.h"

#include <set>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace roost {
namespace {

std::string RandomBytes(Random& random, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) {
    bytes += static_cast<char>(random.Next());
  }
  return bytes;
}

TEST(Crc32c, HasThePublishedValues) {
  // RFC 3720, B.4, and the catalogue's check value.
  EXPECT_EQ(Crc32c(std::string_view("123456789")), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(Crc32c(std::string_view("")), 0U);
}

TEST(Crc32c, BothWaysAgree) {
  EXPECT_EQ(internal::Crc32cSoftware("123456789", 0), 0xe3069283U);
  if (!internal::HasCrc32cHardware()) {
    return;  // There is only one way on this machine.
  }
  SeededRandom random(1);
  for (size_t size = 0; size < 300; ++size) {
    const std::string data = RandomBytes(random, size + 1);
    const auto start = static_cast<uint32_t>(random.Next());
    const std::string_view unaligned = std::string_view(data).substr(1);
    ASSERT_EQ(internal::Crc32cSoftware(unaligned, start),
              internal::Crc32cHardware(unaligned, start));
  }
}

TEST(Crc32c, ContinuesWhereItStopped) {
  SeededRandom random(2);
  const std::string data = RandomBytes(random, 200);
  const uint32_t whole = Crc32c(data);
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    const std::string_view view = data;
    ASSERT_EQ(Crc32c(view.substr(cut), Crc32c(view.substr(0, cut))), whole);
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  SeededRandom random(3);
  std::string data = RandomBytes(random, 64);
  const uint32_t whole = Crc32c(data);
  for (size_t bit = 0; bit < 8 * data.size(); ++bit) {
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(Crc32c(data), whole);
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST(Hash64, IsWyhash) {
  // The test vectors of wyhash, final version 4.
  const std::pair<const char*, uint64_t> vectors[] = {
      {"", 0x0409638ee2bde459},
      {"a", 0xa8412d091b5fe0a9},
      {"abc", 0x32dd92e4b2915153},
      {"message digest", 0x8619124089a3a16b},
      {"abcdefghijklmnopqrstuvwxyz", 0x7a43afb61d7f5f40},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0xff42329b90e50d58},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       0xc39cab13b115aad3}};
  uint64_t seed = 0;
  for (const auto& [text, expected] : vectors) {
    EXPECT_EQ(Hash64(std::string_view(text), seed), expected) << text;
    ++seed;
  }
}

TEST(Hash64, HasNoCollisionsAmongManyShortKeys) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 100'000; ++i) {
    seen.insert(Hash64(std::string_view("key-" + std::to_string(i))));
  }
  EXPECT_EQ(seen.size(), 100'000U);
}

TEST(Hash64, EachInputBitChangesAboutHalfTheOutput) {
  SeededRandom random(4);
  for (const size_t size : {1, 3, 4, 8, 16, 17, 48, 49, 100}) {
    std::string data = RandomBytes(random, size);
    const uint64_t whole = Hash64(data);
    double changed = 0;
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
      changed += std::popcount(Hash64(data) ^ whole);
      data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
    }
    EXPECT_NEAR(changed / static_cast<double>(8 * size), 32.0, 6.0) << size;
  }
}

TEST(Hash128, IsMurmurHash3) {
  EXPECT_EQ(Hash128(std::string_view("")).ToString(), "00000000000000000000000000000000");
  EXPECT_EQ(Hash128(std::string_view("hello")).ToString(), "cbd8a7b341bd9b025b1e906a48ae1d19");
  EXPECT_EQ(Hash128(std::string_view("The quick brown fox jumps over the lazy dog")).ToString(),
            "e34bbc7bbc071b6c7a433ca9c49a9347");
}

TEST(Hash128, PassesTheReferenceVerification) {
  // SMHasher: hash the keys {}, {0}, {0,1}, … with the seeds 256, 255, …; then hash the hashes.
  std::string key;
  std::string hashes;
  for (uint32_t i = 0; i < 256; ++i) {
    const Digest128 digest = Hash128(key, 256 - i);
    PutU64(hashes, digest.high);
    PutU64(hashes, digest.low);
    key += static_cast<char>(i);
  }
  EXPECT_EQ(static_cast<uint32_t>(Hash128(hashes).high), 0x6384ba69U);
}

TEST(Hash128, BytesAndTextAgree) {
  const std::string text = "some bytes";
  EXPECT_EQ(Hash128(text), Hash128(std::as_bytes(std::span(text))));
  EXPECT_EQ(Hash64(text), Hash64(std::as_bytes(std::span(text))));
  EXPECT_EQ(Crc32c(text), Crc32c(std::as_bytes(std::span(text))));
}

}  // namespace
}  // namespace roost
