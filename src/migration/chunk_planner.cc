#include "migration/chunk_planner.h"

#include <algorithm>

#include "migration/key_codec.h"

namespace roost {

Result<std::vector<ChunkRow>> PlanChunks(const RequestContext& context,
                                         const ChunkPlanOptions& options, const BulkOptions& bulk,
                                         Clock& clock, VectorStore& store) {
  std::vector<ChunkRow> chunks;
  const auto add = [&](std::optional<std::string> hi) {
    std::optional<std::string> lo = chunks.empty() ? std::nullopt : chunks.back().hi;
    chunks.push_back({.migration = options.migration,
                      .number = chunks.size(),
                      .lo = std::move(lo),
                      .hi = std::move(hi),
                      .reconcile = options.reconcile});
  };
  ScanRequest request{.collection = options.collection,
                      .limit = std::max<uint32_t>(options.chunk_rows, 1),
                      .vectors = false,
                      .barrier = false};
  while (true) {
    const ScanPage page = TRY(ScanPatiently(context, bulk, clock, store, request));
    if (page.done || page.records.empty()) {
      break;
    }
    request.after = page.records.back().key;
    add(EncodeKey(*request.after));
    if (chunks.size() >= options.max_chunks) {
      return ResourceExhausted("the move needs more than " + std::to_string(options.max_chunks) +
                               " chunks; raise chunk_rows");
    }
  }
  add(std::nullopt);
  return chunks;
}

}  // namespace roost
