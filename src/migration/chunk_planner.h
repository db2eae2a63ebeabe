#pragma once

#include <string>
#include <vector>

#include "metadata/control_types.h"
#include "migration/bulk_copy.h"

namespace roost {

struct ChunkPlanOptions {
  std::string migration;
  std::string collection;
  uint32_t chunk_rows = 2'000;
  bool reconcile = false;
  size_t max_chunks = 1'000'000;  ///< above: kResourceExhausted, ask for larger chunks
};

/// Cuts the collection's keys into ranges of `chunk_rows` records that together hold every possible
/// key; the last one is open. Reads keys only. Once stored the ranges never change.
Result<std::vector<ChunkRow>> PlanChunks(const RequestContext& context,
                                         const ChunkPlanOptions& options, const BulkOptions& bulk,
                                         Clock& clock, VectorStore& store);

}  // namespace roost
