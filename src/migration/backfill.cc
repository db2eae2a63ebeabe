#include "migration/backfill.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "migration/key_codec.h"
#include "migration/paired_scan.h"

namespace roost {

Backfill::Backfill(BulkOptions options, std::string collection, ChunkTable& chunks,
                   LedgerScope& ledger, ControlStore& control, Clock& clock, RateLimit& limit)
    : options_(options),
      collection_(std::move(collection)),
      chunks_(chunks),
      ledger_(ledger),
      control_(control),
      clock_(clock),
      limit_(limit) {}

Result<bool> Backfill::CopyNext(const RequestContext& context, CopyEnds ends) {
  std::optional<ChunkRow> chunk = chunks_.TakeToCopy();
  if (!chunk.has_value()) {
    return false;
  }
  const Status status = Copy(context, ends, *chunk);
  chunks_.Return(*chunk);
  if (!status.ok()) {
    return status.error();
  }
  return true;
}

Status Backfill::Copy(const RequestContext& context, CopyEnds ends, ChunkRow& chunk) {
  TRY(Open(context, chunk));
  FAILPOINT("migration.copy.opened");
  // A plain copy must not beat any write since its window opened, not even when it is repeated. A
  // reconciling one must beat what is there, for the ledger's rows of it were dropped.
  const uint64_t fence = chunk.reconcile ? TRY(control_.NextSeq()) : *chunk.window;
  BulkWriter writer(options_, ends.to, collection_, fence, clock_);
  chunk.records = 0;
  TRY(chunk.reconcile ? ReconcileRange(context, ends, chunk, writer)
                      : CopyRange(context, ends, chunk, writer));
  return Close(context, chunk, writer);
}

Status Backfill::Open(const RequestContext& context, ChunkRow& chunk) {
  if (chunk.state == ChunkState::kOpen && chunk.window.has_value()) {
    return {};
  }
  ChunkRow opened = chunk;
  // The first window stays: a row that an earlier run copied and that was deleted since would be
  // found by no later window.
  const bool fresh = !opened.window.has_value();
  if (fresh) {
    opened.window = TRY(ledger_.OpenWindow());
  }
  opened.state = ChunkState::kOpen;
  ControlTransaction transaction;
  transaction.put_chunks = {opened};
  const Status stored = control_.Commit(context, std::move(transaction));
  if (!stored.ok() && fresh && !stored.error().outcome_unknown) {
    ledger_.EndWindow(*opened.window);
    return stored;
  }
  chunk = std::move(opened);
  return stored;
}

Status Backfill::CopyRange(const RequestContext& context, CopyEnds ends, ChunkRow& chunk,
                           BulkWriter& writer) {
  ScanRequest request{.collection = collection_,
                      .limit = std::max<uint32_t>(ends.to.capabilities().write_batch_rows, 1)};
  if (chunk.lo.has_value()) {
    request.after = TRY(DecodeKey(*chunk.lo));
  }
  if (chunk.hi.has_value()) {
    request.until = TRY(DecodeKey(*chunk.hi));
  }
  while (true) {
    ScanPage page = TRY(ScanPatiently(context, options_, clock_, ends.from, request));
    FAILPOINT("migration.copy.after_read");
    TRY(limit_.Take(page.records.size(), context.stop));
    if (!page.records.empty()) {
      request.after = page.records.back().key;
    }
    const uint64_t rows = page.records.size();
    TRY(writer.Put(context, std::move(page.records)));
    chunk.records += rows;
    rows_ += rows;
    FAILPOINT("migration.copy.after_put");
    if (page.done) {
      return {};
    }
  }
}

Status Backfill::ReconcileRange(const RequestContext& context, CopyEnds ends, ChunkRow& chunk,
                                BulkWriter& writer) {
  PairedScan scan = TRY(
      PairedScan::Make(options_, clock_, {ends.from, ends.to}, collection_, {chunk.lo, chunk.hi},
                       std::max<uint32_t>(ends.to.capabilities().write_batch_rows, 1)));
  while (true) {
    const PairedScan::Piece piece = TRY(scan.Next(context));
    FAILPOINT("migration.copy.after_read");
    TRY(limit_.Take(piece.first.size(), context.stop));
    std::vector<Record> puts;
    std::vector<RecordKey> deletes;
    for (const Difference& difference : Differences(piece)) {
      if (difference.first == nullptr) {
        deletes.push_back(difference.key);
      } else {
        puts.push_back(*difference.first);
      }
    }
    TRY(writer.Put(context, std::move(puts)));
    TRY(writer.Delete(context, std::move(deletes)));
    chunk.records += piece.first.size();
    rows_ += piece.first.size();
    FAILPOINT("migration.copy.after_put");
    if (piece.last) {
      return {};
    }
  }
}

Status Backfill::Close(const RequestContext& context, ChunkRow& chunk, const BulkWriter& writer) {
  FAILPOINT("migration.copy.before_close");
  std::vector<std::string> failed;
  for (const BulkWriter::Refused& refused : writer.refused()) {
    // The applier tries them again, one by one, and makes dead letters of those that stay refused.
    LogWarning(
        "A record could not be copied",
        {{"collection", collection_}, {"key", ToString(refused.key)}, {"error", refused.error}});
    failed.push_back(EncodeKey(refused.key));
  }
  ChunkRow closed = chunk;
  closed.state = ChunkState::kClosed;
  ControlTransaction transaction;
  transaction.put_chunks = {closed};
  TRY(ledger_.CloseRange(context, {chunk.lo, chunk.hi}, *chunk.window, failed,
                         std::move(transaction)));
  chunk = std::move(closed);
  FAILPOINT("migration.copy.after_close");
  return {};
}

}  // namespace roost
