#pragma once

#include <cstdint>
#include <vector>

#include "adapters/embedded/catalog.h"
#include "adapters/embedded/slot_filter.h"
#include "base/context.h"
#include "store/vector_store.h"

namespace roost::embedded {

/// A block of rows a pin sees, with the segment it lies in: one of the two is set.
struct PinnedBlock {
  RowBlock block;
  SealedSegment* sealed = nullptr;
  const MutableSegment* growing = nullptr;

  /// Rows stand by rising key.
  bool sorted() const { return sealed != nullptr; }
};
/// Sealed segments first. Keys are verified.
Result<std::vector<PinnedBlock>> BlocksOf(const Pin& pin);

/// Checks what a read of these parts is going to touch. Damage quarantines the collection.
Status VerifyFor(const Pin& pin, const PinnedBlock& block, const Selection& selection);
Status VerifyForFilter(const Pin& pin, const PinnedBlock& block, const SlotFilter& filter);

// The calls of the store over one pin. Requests were validated.
Result<GetResult> RunGet(const RequestContext& context, const Pin& pin, const GetRequest& request);
Result<QueryResult> RunQuery(const RequestContext& context, const Pin& pin,
                             const QueryRequest& request);
Result<ScanPage> RunScan(const RequestContext& context, const Pin& pin, const ScanRequest& request);
Result<uint64_t> RunCount(const RequestContext& context, const Pin& pin,
                          const CountRequest& request);

}  // namespace roost::embedded
