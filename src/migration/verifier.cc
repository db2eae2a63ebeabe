#include "migration/verifier.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "migration/key_codec.h"
#include "migration/record_codec.h"

namespace roost {
namespace {

constexpr size_t kSampleKeys = 5;
constexpr size_t kGetBatch = 500;

std::string_view KindName(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::kMissing:
      return "missing ";
    case Difference::Kind::kExtra:
      return "extra ";
    case Difference::Kind::kDifferent:
      break;
  }
  return "different ";
}

/// How the second store differs from the first; nothing when it does not.
std::optional<Difference::Kind> CompareRecords(const std::optional<Record>& a,
                                               const std::optional<Record>& b) {
  if (a.has_value() != b.has_value()) {
    return a.has_value() ? Difference::Kind::kMissing : Difference::Kind::kExtra;
  }
  if (a.has_value() && DigestOf(*a) != DigestOf(*b)) {
    return Difference::Kind::kDifferent;
  }
  return std::nullopt;
}

}  // namespace

Verifier::Verifier(VerifierOptions options, BulkOptions bulk, PairedScan::Stores stores,
                   ChunkTable& chunks, LedgerScope& ledger, ControlStore& control, Clock& clock)
    : options_(std::move(options)),
      bulk_(bulk),
      stores_(stores),
      chunks_(chunks),
      ledger_(ledger),
      control_(control),
      clock_(clock) {}

Result<bool> Verifier::VerifyNext(const RequestContext& context, uint64_t pass) {
  const std::optional<ChunkRow> chunk = chunks_.TakeToVerify();
  if (!chunk.has_value()) {
    return false;
  }
  const auto judge = [&]() -> Status {
    std::vector<Candidate> candidates;
    VerificationRow row = TRY(Compare(context, *chunk, candidates));
    FAILPOINT("migration.verify.compared");
    TRY(Recheck(context, candidates));
    row.pass = pass;
    TRY(Judge(context, std::move(row), candidates));
    FAILPOINT("migration.verify.judged");
    return {};
  };
  const Status status = judge();
  if (!status.ok()) {
    chunks_.ReturnUnverified(chunk->number);
    return status.error();
  }
  return true;
}

Result<VerificationRow> Verifier::Compare(const RequestContext& context, const ChunkRow& chunk,
                                          std::vector<Candidate>& candidates) {
  VerificationRow row{.migration = options_.migration, .chunk = chunk.number};
  PairedScan scan = TRY(PairedScan::Make(bulk_, clock_, stores_, options_.collection,
                                         {chunk.lo, chunk.hi}, options_.page_rows));
  DigestSum sum_a;
  DigestSum sum_b;
  while (true) {
    const PairedScan::Piece piece = TRY(scan.Next(context));
    row.records_a += piece.first.size();
    row.records_b += piece.second.size();
    for (const Record& record : piece.first) {
      sum_a.Add(DigestOf(record));
    }
    for (const Record& record : piece.second) {
      sum_b.Add(DigestOf(record));
    }
    for (const Difference& difference : Differences(piece)) {
      candidates.push_back({.kind = difference.kind, .key = difference.key});
    }
    if (piece.last) {
      break;
    }
  }
  row.digest_a = sum_a.Bytes();
  row.digest_b = sum_b.Bytes();
  return row;
}

/// Leaves the divergent ones.
Status Verifier::Recheck(const RequestContext& context, std::vector<Candidate>& candidates) {
  const auto visibility =
      std::max(stores_.first.capabilities().visibility, stores_.second.capabilities().visibility);
  const auto pause = std::max(options_.recheck_pause, visibility);
  for (int attempt = 0; attempt < options_.recheck_attempts && !candidates.empty(); ++attempt) {
    if (!clock_.SleepFor(pause, context.stop)) {
      return Cancelled("the verification was stopped");
    }
    std::vector<Candidate> left;
    for (size_t at = 0; at < candidates.size(); at += kGetBatch) {
      const size_t end = std::min(candidates.size(), at + kGetBatch);
      const std::vector<Candidate> batch(candidates.begin() + static_cast<std::ptrdiff_t>(at),
                                         candidates.begin() + static_cast<std::ptrdiff_t>(end));
      std::vector<Candidate> still = TRY(LookAgain(context, batch));
      std::move(still.begin(), still.end(), std::back_inserter(left));
    }
    candidates = std::move(left);
  }
  return {};
}

/// Those that differ although the ledger says that they are at rest. What is not at rest the ledger
/// brings over; a later pass sees it.
Result<std::vector<Verifier::Candidate>> Verifier::LookAgain(
    const RequestContext& context, const std::vector<Candidate>& candidates) {
  const Seq window = TRY(ledger_.OpenWindow());
  const auto look = [&]() -> Result<std::vector<Candidate>> {
    const GetResult a = TRY(Get(context, stores_.first, candidates));
    const GetResult b = TRY(Get(context, stores_.second, candidates));
    std::vector<Candidate> left;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const auto kind = CompareRecords(a.records[i], b.records[i]);
      if (kind.has_value() && ledger_.QuietSince(EncodeKey(candidates[i].key), window)) {
        left.push_back({.kind = *kind, .key = candidates[i].key});
      }
    }
    return left;
  };
  Result<std::vector<Candidate>> left = look();
  ledger_.EndWindow(window);
  return left;
}

Result<GetResult> Verifier::Get(const RequestContext& context, VectorStore& store,
                                const std::vector<Candidate>& candidates) {
  GetRequest request{.collection = options_.collection};
  for (const Candidate& candidate : candidates) {
    request.keys.push_back(candidate.key);
  }
  GetResult result = TRY(store.Get(context.WithTimeout(bulk_.store_timeout), request));
  if (result.records.size() != candidates.size()) {
    return DataLoss("a store answered " + std::to_string(result.records.size()) + " of " +
                    std::to_string(candidates.size()) + " keys; its adapter is at fault");
  }
  return result;
}

Status Verifier::Judge(const RequestContext& context, VerificationRow row,
                       const std::vector<Candidate>& divergent) {
  std::vector<std::string> keys;
  for (const Candidate& candidate : divergent) {
    keys.push_back(EncodeKey(candidate.key));
    row.missing += candidate.kind == Difference::Kind::kMissing ? 1 : 0;
    row.extra += candidate.kind == Difference::Kind::kExtra ? 1 : 0;
    row.different += candidate.kind == Difference::Kind::kDifferent ? 1 : 0;
    if (keys.size() <= kSampleKeys) {
      row.sample += std::string(row.sample.empty() ? "" : ", ") +
                    std::string(KindName(candidate.kind)) + ToString(candidate.key);
    }
  }
  if (!divergent.empty()) {
    LogWarning("Verification found records that differ; they are copied again",
               {{"collection", options_.collection},
                {"records", divergent.size()},
                {"for_example", row.sample}});
  }
  ControlTransaction transaction;
  transaction.put_verifications = {row};
  TRY(ledger_.MakeDirty(context, keys, std::move(transaction)));
  chunks_.Judge(row);
  return {};
}

}  // namespace roost
