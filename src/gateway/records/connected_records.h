#pragma once

#include "gateway/gateway.h"
#include "gateway/records/record_types.h"

namespace roost {

/// Where and how far to look. The references outlive the search.
struct ConnectionSearch {
  Gateway& gateway;
  const RecordScope& scope;
  const RecordLayout& layout;
  uint32_t limit = 10'000;  ///< connected records; beyond it `complete` becomes false
  bool include_vector = false;
};

/// Fills `connected`, `links` and `complete` for `result.records`: by one read for what they refer
/// to, and one query for each property that may refer to them. Deleted records are no part of it.
Status FindConnected(const RequestContext& context, const ConnectionSearch& search,
                     ConnectedRecords& result);

}  // namespace roost
