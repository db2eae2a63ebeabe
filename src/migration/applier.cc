#include "migration/applier.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "migration/key_codec.h"
#include "migration/record_codec.h"
#include "router/mirror_writer.h"

namespace roost {
namespace {

using Kind = ApplyOutcome::Kind;

/// What a failure means for a key. Only what the store says about the rows themselves counts as an
/// attempt: an outage must not make dead letters of everything.
Kind KindOf(const Error& error) {
  if (MayHaveLanded(error)) {
    return Kind::kUnknown;
  }
  return IsRetryable(error.code) || error.code == Code::kNotFound ? Kind::kUnavailable
                                                                  : Kind::kFailed;
}

}  // namespace

/// The keys of one claim, what the authority holds, and how each went.
struct Applier::Batch {
  LedgerClaims claims;
  std::vector<RecordKey> keys;
  std::vector<std::optional<Record>> state;
  std::vector<bool> known;  ///< state[i] is what the authority holds
  std::vector<ApplyOutcome> outcomes;

  void Fail(const std::vector<size_t>& rows, const Error& error) {
    for (const size_t row : rows) {
      outcomes[row] = {.kind = KindOf(error), .error = error.ToString()};
    }
  }
  void TakeRowErrors(const std::vector<size_t>& rows, const std::vector<RowError>& errors) {
    for (const size_t row : rows) {
      outcomes[row] = {};
    }
    for (const RowError& error : errors) {
      if (error.row < rows.size()) {
        Fail({rows[error.row]}, error.error);
      }
    }
  }
};

Applier::Applier(ApplierOptions options, std::string collection, LedgerScope& ledger)
    : options_(options), collection_(std::move(collection)), ledger_(ledger) {}

Result<Applier::Progress> Applier::ApplyBatch(const RequestContext& context,
                                              const std::function<Way()>& way) {
  Batch batch;
  batch.claims = TRY(ledger_.Claim(context, options_.batch_rows));
  const size_t size = batch.claims.keys.size();
  if (size == 0) {
    return Progress{};
  }
  batch.state.resize(size);
  batch.known.resize(size);
  batch.outcomes.resize(size, {.kind = Kind::kUnavailable});
  for (const LedgerClaims::One& one : batch.claims.keys) {
    Result<RecordKey> key = DecodeKey(one.key);
    batch.keys.push_back(key.ok() ? *key : RecordKey{});
  }
  const Way chosen = way();
  Status read;
  if (chosen.from_payloads) {
    ReadPayloads(batch);
  } else {
    read = ReadAuthority(context, chosen.ends.from, batch);
  }
  FAILPOINT("applier.after_read");
  WriteAll(context, chosen.ends.to, batch);
  FAILPOINT("applier.after_write");
  Progress progress{.claimed = size};
  for (const ApplyOutcome& outcome : batch.outcomes) {
    progress.copied += outcome.kind == Kind::kCopied ? 1 : 0;
    if (!outcome.error.empty()) {
      progress.error = outcome.error;
    }
  }
  if (!read.ok()) {
    progress.error = read.error().ToString();
  }
  ledger_.Release(batch.claims, batch.outcomes);
  applied_ += progress.copied;
  return progress;
}

Status Applier::ReadAuthority(const RequestContext& context, VectorStore& from, Batch& batch) {
  Result<GetResult> got = from.Get(context.WithTimeout(options_.store_timeout),
                                   {.collection = collection_, .keys = batch.keys});
  if (!got.ok()) {
    return got.error();
  }
  for (size_t i = 0; i < batch.keys.size() && i < got->records.size(); ++i) {
    batch.state[i] = std::move(got->records[i]);
    batch.known[i] = true;
  }
  return {};
}

void Applier::ReadPayloads(Batch& batch) {
  for (size_t i = 0; i < batch.keys.size(); ++i) {
    const Result<std::optional<std::string>> payload =
        ledger_.NewestPayload(batch.claims.keys[i].key);
    if (!payload.ok() || !payload->has_value()) {
      batch.outcomes[i].error = payload.ok()
                                    ? "no payload is kept for key " + ToString(batch.keys[i]) +
                                          "; the authority must come back"
                                    : payload.error().ToString();
      continue;
    }
    Result<std::optional<Record>> record = DecodePayload(**payload);
    if (!record.ok()) {
      batch.outcomes[i] = {.kind = Kind::kFailed, .error = record.error().ToString()};
      continue;
    }
    batch.state[i] = std::move(*record);
    batch.known[i] = true;
  }
}

void Applier::WriteAll(const RequestContext& context, VectorStore& to, Batch& batch) {
  const Capabilities& likes = to.capabilities();
  std::vector<size_t> puts;
  std::vector<size_t> deletes;
  uint64_t bytes = 0;
  for (size_t i = 0; i < batch.keys.size(); ++i) {
    if (!batch.known[i]) {
      continue;
    }
    if (!batch.state[i].has_value()) {
      deletes.push_back(i);
      continue;
    }
    const uint64_t size = ApproximateBytes(*batch.state[i]);
    if (!puts.empty() &&
        (puts.size() >= likes.write_batch_rows || bytes + size > likes.write_batch_bytes)) {
      Upsert(context, to, batch, std::exchange(puts, {}));
      bytes = 0;
    }
    bytes += size;
    puts.push_back(i);
  }
  Upsert(context, to, batch, puts);
  Delete(context, to, batch, deletes);
}

void Applier::Upsert(const RequestContext& context, VectorStore& to, Batch& batch,
                     const std::vector<size_t>& rows) {
  if (rows.empty()) {
    return;
  }
  WriteRequest request{.collection = collection_};
  for (const size_t row : rows) {
    request.records.push_back(*batch.state[row]);
  }
  if (to.capabilities().fenced_writes) {
    request.fence = batch.claims.fence;
  }
  const Result<WriteResult> result =
      to.Upsert(context.WithTimeout(options_.store_timeout), request);
  if (result.ok()) {
    batch.TakeRowErrors(rows, result->errors);
  } else if (rows.size() > 1 && KindOf(result.error()) == Kind::kFailed) {
    // One bad row makes stores refuse the whole batch: find it.
    const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
    Upsert(context, to, batch, {rows.begin(), middle});
    Upsert(context, to, batch, {middle, rows.end()});
  } else {
    batch.Fail(rows, result.error());
  }
}

void Applier::Delete(const RequestContext& context, VectorStore& to, Batch& batch,
                     const std::vector<size_t>& rows) {
  if (rows.empty()) {
    return;
  }
  DeleteRequest request{.collection = collection_};
  for (const size_t row : rows) {
    request.keys.push_back(batch.keys[row]);
  }
  if (to.capabilities().fenced_writes) {
    request.fence = batch.claims.fence;
  }
  const Result<DeleteResult> result =
      to.Delete(context.WithTimeout(options_.store_timeout), request);
  if (result.ok()) {
    batch.TakeRowErrors(rows, result->errors);
  } else {
    batch.Fail(rows, result.error());
  }
}

}  // namespace roost
