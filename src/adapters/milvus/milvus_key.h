#pragma once

#include <string>
#include <string_view>

#include "adapters/milvus/milvus_layout.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// Milvus' primary key of a record. Where there are no tenants it is the key itself; else a string
/// of tenant and key whose byte order is that of RecordKey.
Key StoredKey(const MilvusLayout& layout, const RecordKey& key);
/// kDataLoss when Roost never wrote such a key.
Result<RecordKey> FromStoredKey(const MilvusLayout& layout, Key stored);

/// What the stored keys of one tenant begin with.
std::string TenantPrefix(std::string_view tenant);

/// A string in Milvus' filter language, with its quotes.
std::string MilvusString(std::string_view text);

/// Conditions over the stored key. A bound is never written as the smallest INT64, which Milvus
/// cannot read.
std::string KeyEquals(const MilvusLayout& layout, const Key& stored);
std::string KeyAbove(const MilvusLayout& layout, const Key& stored);
std::string KeyUpTo(const MilvusLayout& layout, const Key& stored);

/// "`field` in […]" for integers, with what the smallest, which Milvus cannot read, needs.
/// Precondition: not empty.
std::string IntegersIn(std::string_view field, std::span<const int64_t> values);

}  // namespace roost
