#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace roost {

/// CRC-32C (Castagnoli, as in iSCSI and ext4): finds damage on disk. `crc` continues an earlier
/// one: Crc32c(b, Crc32c(a)) is the checksum of a then b. Uses SSE4.2 where the processor has it.
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);
uint32_t Crc32c(std::span<const std::byte> data, uint32_t crc = 0);

/// Fast 64-bit hash for tables and sampling: wyhash final version 4 (Wang Yi, public domain). The
/// value is the same on every machine and in every version, so it may be stored. Not for
/// adversaries.
uint64_t Hash64(std::string_view data, uint64_t seed = 0);
uint64_t Hash64(std::span<const std::byte> data, uint64_t seed = 0);

/// 128 bits; the order is that of (high, low).
struct Digest128 {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const Digest128&) const = default;
  /// 32 lower-case hex digits, high half first.
  std::string ToString() const;
};

/// MurmurHash3 x64 128 (Austin Appleby, public domain): the digest by which two copies of a record
/// are compared. `high` is the reference's first word, `low` its second. Stable, may be stored. Not
/// for adversaries.
Digest128 Hash128(std::string_view data, uint32_t seed = 0);
Digest128 Hash128(std::span<const std::byte> data, uint32_t seed = 0);

namespace internal {
/// The two ways behind Crc32c, for tests. Crc32cHardware needs HasCrc32cHardware().
uint32_t Crc32cSoftware(std::string_view data, uint32_t crc);
uint32_t Crc32cHardware(std::string_view data, uint32_t crc);
bool HasCrc32cHardware();
}  // namespace internal

}  // namespace roost
