#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "adapters/embedded/core.h"

namespace roost::embedded {

/// Writes the rows of `blocks` that are alive at `lsn` as a new segment file of the collection, by
/// key, opens it, checks every byte and makes its keyword indexes. Null where no row is left. Ends
/// after `lsn` are not carried over (CarryEnds).
Result<std::shared_ptr<SealedSegment>> WriteSegment(Core& core, const Collection& collection,
                                                    const std::vector<RowBlock>& blocks,
                                                    uint64_t lsn, std::stop_token stop);
/// Gives the rows of `to` the ends that rows with their keys got in `from` since. Both are in use;
/// call it under the write lock at last.
void CarryEnds(const std::vector<RowBlock>& from, SealedSegment& to);

/// Makes the oldest frozen segment of the collection a segment file. True where there was one. One
/// flush of a collection at a time.
Result<bool> FlushOldest(Core& core, const std::shared_ptr<Collection>& collection);

}  // namespace roost::embedded
