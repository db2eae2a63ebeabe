#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "adapters/embedded/core.h"

namespace roost::embedded {

// Changes of what the store consists of. All need the structure lock, which is released by nobody
// in between: ends on disk, manifest and memory change together.

/// What a collection consists of after a change.
struct CollectionChange {
  std::shared_ptr<Collection> collection;
  std::vector<std::shared_ptr<SealedSegment>> sealed;
  uint64_t flushed_lsn = 0;
};
/// Writes the ends of the segments' rows that are not on disk yet, then the manifest, then removes
/// what it does not name any more (deletes files, log files).
Status PublishCollection(Core& core, const CollectionChange& change);

/// Adds an empty collection to the manifest, then to the catalog.
Status PublishNewCollection(Core& core, const CollectionSchema& schema);
/// Takes the collection out of manifest and catalog; its files go when the last reader is done.
Status PublishDrop(Core& core, const std::shared_ptr<Collection>& collection);
/// Lets go of log files that are not needed, where there are any.
Status PublishCoverage(Core& core);

}  // namespace roost::embedded
