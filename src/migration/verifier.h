#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "metadata/control_store.h"
#include "migration/bulk_copy.h"
#include "migration/chunk_table.h"
#include "migration/ledger_scope.h"
#include "migration/paired_scan.h"

namespace roost {

struct VerifierOptions {
  std::string migration;
  std::string collection;
  int recheck_attempts = 3;
  std::chrono::milliseconds recheck_pause{50};  ///< or the stores' visibility, if that is longer
  uint32_t page_rows = 1'000;
};

/// Compares every record of both stores, chunk by chunk, while writes go on. What differs is looked
/// at again until it is equal, or the ledger knows that it is not settled, or it is divergent: then
/// the key becomes dirty and is counted. Thread safe: several workers call VerifyNext.
class Verifier {
 public:
  /// Everything outlives it. `a` and `b` are the stores of the move, whoever is the authority.
  Verifier(VerifierOptions options, BulkOptions bulk, PairedScan::Stores stores, ChunkTable& chunks,
           LedgerScope& ledger, ControlStore& control, Clock& clock);

  /// Judges one chunk of the pass, durably. False when there is none to take. A chunk that was not
  /// finished has no verdict.
  Result<bool> VerifyNext(const RequestContext& context, uint64_t pass);

 private:
  struct Candidate {
    Difference::Kind kind;
    RecordKey key;
  };

  Result<VerificationRow> Compare(const RequestContext& context, const ChunkRow& chunk,
                                  std::vector<Candidate>& candidates);
  Status Recheck(const RequestContext& context, std::vector<Candidate>& candidates);
  Result<std::vector<Candidate>> LookAgain(const RequestContext& context,
                                           const std::vector<Candidate>& candidates);
  Status Judge(const RequestContext& context, VerificationRow row,
               const std::vector<Candidate>& divergent);
  Result<GetResult> Get(const RequestContext& context, VectorStore& store,
                        const std::vector<Candidate>& candidates);

  const VerifierOptions options_;
  const BulkOptions bulk_;
  const PairedScan::Stores stores_;
  ChunkTable& chunks_;
  LedgerScope& ledger_;
  ControlStore& control_;
  Clock& clock_;
};

}  // namespace roost
