#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace roost::embedded {

inline constexpr size_t kWalFileHeader = 40;

struct WalFileHeader {
  uint64_t store_id = 0;
  uint64_t number = 0;
  uint64_t first_lsn = 0;
  uint32_t version = 1;
};
inline constexpr uint32_t kWalVersion = 1;

std::string EncodeWalFileHeader(const WalFileHeader& header);
/// Empty where magic or checksum are wrong.
std::optional<WalFileHeader> DecodeWalFileHeader(std::string_view file);

struct WalRecordView {
  uint64_t lsn = 0;
  uint64_t synced = 0;  ///< bytes of the file that were on disk when the record was written
  std::string_view payload;
  uint64_t end = 0;  ///< offset behind it

  bool is_mark() const { return payload.empty(); }
};

/// Fills in the header in front of the payload. Without a payload it is a mark, which carries the
/// LSN of the record before it.
void SealWalRecord(std::string& record, uint64_t lsn, uint64_t synced);
/// The record at `offset` of the file, if an intact one stands there.
std::optional<WalRecordView> ReadWalRecord(std::string_view file, uint64_t offset);

}  // namespace roost::embedded
