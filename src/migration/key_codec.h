#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// A record's key as bytes whose order (of unsigned bytes) is the order of RecordKey, for the
/// ledger and the bounds of chunks. Keys of one collection are of one type.
std::string EncodeKey(const RecordKey& key);
/// kDataLoss when the bytes were not made by EncodeKey.
Result<RecordKey> DecodeKey(std::string_view bytes);

}  // namespace roost
