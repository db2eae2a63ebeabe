#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// A record as canonical bytes: two records are the same (SameRecord) exactly when their bytes are.
/// Null fields are left out, names are sorted, floats are kept bit for bit.
std::string EncodeRecord(const Record& record);
/// kDataLoss when the bytes were not made by EncodeRecord.
Result<Record> DecodeRecord(std::string_view bytes);

/// What a write left at a key, as kept for a rollback: a record, or that there is none.
std::string EncodePayload(const Record* record);
Result<std::optional<Record>> DecodePayload(std::string_view bytes);

/// The digest by which verification compares two records.
Digest128 DigestOf(const Record& record);

/// A sum of digests modulo 2^128: the same for the same records in any order. Two copies of a
/// record count twice (an exclusive-or would lose them).
class DigestSum {
 public:
  void Add(const Digest128& digest) {
    sum_ += static_cast<unsigned __int128>(digest.high) << 64 | digest.low;
  }
  /// 16 bytes, big endian.
  std::string Bytes() const;
  bool operator==(const DigestSum&) const = default;

 private:
  unsigned __int128 sum_ = 0;
};

}  // namespace roost
