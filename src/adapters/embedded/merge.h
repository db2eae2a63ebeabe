#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "adapters/embedded/core.h"

namespace roost::embedded {

using SealedList = std::vector<std::shared_ptr<SealedSegment>>;

/// Segments that should become one, by the size-tiered rule (merge_fan_in of about one size) or
/// since one has too many dead rows; empty when all is well. With `idle` segments of any size.
SealedList ChooseMerge(const EmbeddedOptions& options, const Version& version, bool idle);

/// Makes one segment of several, graph included, and swaps it in. Rows dead by now are left out.
/// Readers of the old segments keep them. kCancelled when stopped.
Status MergeSegments(Core& core, const std::shared_ptr<Collection>& collection,
                     const SealedList& sources, std::stop_token stop);

/// Opens or builds the graphs the segment shall have. kCancelled when stopped; what cannot be built
/// is logged and searched by scan.
Status PrepareIndexes(Core& core, SealedSegment& segment, const CollectionSchema& schema,
                      std::stop_token stop);

}  // namespace roost::embedded
