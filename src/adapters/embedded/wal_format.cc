#include "adapters/embedded/wal_format.h"

#include <cstring>

#include "adapters/embedded/wal.h"
#include "base/bytes.h"
#include "base/hash.h"

namespace roost::embedded {

namespace {

constexpr std::string_view kMagic = "ROOSTWAL";

/// Over everything but the checksum itself (bytes 4 to 7).
uint32_t RecordChecksum(std::string_view record) {
  return Crc32c(record.substr(8), Crc32c(record.substr(0, 4)));
}

}  // namespace

std::string EncodeWalFileHeader(const WalFileHeader& header) {
  std::string bytes(kMagic);
  PutU32(bytes, header.version);
  PutU64(bytes, header.store_id);
  PutU64(bytes, header.number);
  PutU64(bytes, header.first_lsn);
  PutU32(bytes, Crc32c(bytes));
  CHECK(bytes.size() == kWalFileHeader);
  return bytes;
}

std::optional<WalFileHeader> DecodeWalFileHeader(std::string_view file) {
  if (file.size() < kWalFileHeader || !file.starts_with(kMagic)) {
    return std::nullopt;
  }
  const char* data = file.data();
  if (LoadU32(data + kWalFileHeader - 4) != Crc32c(file.substr(0, kWalFileHeader - 4))) {
    return std::nullopt;
  }
  return WalFileHeader{.store_id = LoadU64(data + 12),
                       .number = LoadU64(data + 20),
                       .first_lsn = LoadU64(data + 28),
                       .version = LoadU32(data + 8)};
}

void SealWalRecord(std::string& record, uint64_t lsn, uint64_t synced) {
  const auto length = static_cast<uint32_t>(record.size() - kWalRecordHeader);
  std::memcpy(record.data(), &length, sizeof(length));
  std::memcpy(record.data() + 8, &lsn, sizeof(lsn));
  std::memcpy(record.data() + 16, &synced, sizeof(synced));
  const uint32_t crc = RecordChecksum(record);
  std::memcpy(record.data() + 4, &crc, sizeof(crc));
}

std::optional<WalRecordView> ReadWalRecord(std::string_view file, uint64_t offset) {
  if (offset > file.size() || file.size() - offset < kWalRecordHeader) {
    return std::nullopt;
  }
  const char* data = file.data() + offset;
  const uint32_t length = LoadU32(data);
  const uint64_t synced = LoadU64(data + 16);
  // Cheap tests first: the search for records behind damage comes here for every byte.
  if (length > file.size() - offset - kWalRecordHeader || synced > offset ||
      synced < kWalFileHeader) {
    return std::nullopt;
  }
  const std::string_view record = file.substr(offset, kWalRecordHeader + length);
  if (RecordChecksum(record) != LoadU32(data + 4)) {
    return std::nullopt;
  }
  return WalRecordView{.lsn = LoadU64(data + 8),
                       .synced = synced,
                       .payload = record.substr(kWalRecordHeader),
                       .end = offset + record.size()};
}

}  // namespace roost::embedded
