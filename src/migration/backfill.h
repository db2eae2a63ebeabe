#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "metadata/control_store.h"
#include "migration/bulk_copy.h"
#include "migration/chunk_table.h"
#include "migration/ledger_scope.h"

namespace roost {

/// The two ends of a copy: `from` is the authority.
struct CopyEnds {
  VectorStore& from;
  VectorStore& to;
};

/// Copies the chunks of one move. Thread safe: several workers call CopyNext.
class Backfill {
 public:
  /// Everything outlives it.
  Backfill(BulkOptions options, std::string collection, ChunkTable& chunks, LedgerScope& ledger,
           ControlStore& control, Clock& clock, RateLimit& limit);

  /// Copies one chunk from beginning to end. False when there is none to take. On an error, and
  /// after a crash, the chunk is copied anew, by its first window.
  Result<bool> CopyNext(const RequestContext& context, CopyEnds ends);

  uint64_t rows() const { return rows_.load(std::memory_order_relaxed); }  ///< copied so far

 private:
  Status Copy(const RequestContext& context, CopyEnds ends, ChunkRow& chunk);
  Status Open(const RequestContext& context, ChunkRow& chunk);
  Status CopyRange(const RequestContext& context, CopyEnds ends, ChunkRow& chunk,
                   BulkWriter& writer);
  Status ReconcileRange(const RequestContext& context, CopyEnds ends, ChunkRow& chunk,
                        BulkWriter& writer);
  Status Close(const RequestContext& context, ChunkRow& chunk, const BulkWriter& writer);

  const BulkOptions options_;
  const std::string collection_;
  ChunkTable& chunks_;
  LedgerScope& ledger_;
  ControlStore& control_;
  Clock& clock_;
  RateLimit& limit_;
  std::atomic<uint64_t> rows_{0};
};

}  // namespace roost
