#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "migration/backfill.h"
#include "migration/bulk_copy.h"
#include "migration/ledger_scope.h"

namespace roost {

struct ApplierOptions {
  std::chrono::milliseconds store_timeout{30'000};
  size_t batch_rows = 500;
};

/// Brings dirty keys over: reads the authority's present state and writes it, or its absence, to
/// the other store. Thread safe.
class Applier {
 public:
  /// Everything outlives it.
  Applier(ApplierOptions options, std::string collection, LedgerScope& ledger);

  /// What one batch did.
  struct Progress {
    size_t claimed = 0;  ///< 0: nothing was due
    size_t copied = 0;
    std::string error;  ///< of a key or a store; empty: none
  };
  struct Way {
    CopyEnds ends;
    /// The authority is not asked: the newest kept payloads are applied. Only while writes are
    /// held.
    bool from_payloads = false;
  };
  /// `way` is asked after the keys are claimed: from then on the authority cannot change, as it
  /// changes only with a clean ledger.
  Result<Progress> ApplyBatch(const RequestContext& context, const std::function<Way()>& way);

  uint64_t applied() const { return applied_.load(std::memory_order_relaxed); }

 private:
  struct Batch;

  Status ReadAuthority(const RequestContext& context, VectorStore& from, Batch& batch);
  void ReadPayloads(Batch& batch);
  void WriteAll(const RequestContext& context, VectorStore& to, Batch& batch);
  void Upsert(const RequestContext& context, VectorStore& to, Batch& batch,
              const std::vector<size_t>& rows);
  void Delete(const RequestContext& context, VectorStore& to, Batch& batch,
              const std::vector<size_t>& rows);

  const ApplierOptions options_;
  const std::string collection_;
  LedgerScope& ledger_;
  std::atomic<uint64_t> applied_{0};
};

}  // namespace roost
