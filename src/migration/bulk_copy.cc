#include "migration/bulk_copy.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "router/mirror_writer.h"

namespace roost {
namespace {

std::chrono::milliseconds Backoff(const BulkOptions& options, uint32_t failures) {
  return std::min<std::chrono::milliseconds>(
      options.backoff_initial * (int64_t{1} << std::min<uint32_t>(failures, 20)),
      options.backoff_max);
}

Error Stopped() { return Cancelled("the work of the move was stopped"); }

/// The caller's fault: the same rows will be refused again.
bool RefusesRows(Code code) {
  return code == Code::kInvalidArgument || code == Code::kOutOfRange ||
         code == Code::kUnimplemented || code == Code::kFailedPrecondition;
}

}  // namespace

Status RateLimit::Take(size_t rows, const std::stop_token& stop) {
  if (rate_ == 0) {
    return {};
  }
  SteadyTime turn;
  {
    std::lock_guard lock(mutex_);
    turn = std::max(free_at_, clock_.Now());
    free_at_ = turn + std::chrono::nanoseconds(uint64_t{1'000'000'000} * rows / rate_);
  }
  return clock_.SleepUntil(turn, stop) ? Status() : Status(Stopped());
}

BulkWriter::BulkWriter(BulkOptions options, VectorStore& store, std::string collection,
                       std::optional<uint64_t> fence, Clock& clock)
    : options_(options),
      store_(store),
      collection_(std::move(collection)),
      fence_(store.capabilities().fenced_writes ? fence : std::nullopt),
      clock_(clock) {}

Status BulkWriter::Put(const RequestContext& context, std::vector<Record> records) {
  const Capabilities& likes = store_.capabilities();
  std::vector<Record> batch;
  uint64_t bytes = 0;
  for (Record& record : records) {
    const uint64_t size = ApproximateBytes(record);
    if (!batch.empty() &&
        (batch.size() >= likes.write_batch_rows || bytes + size > likes.write_batch_bytes)) {
      TRY(PutBatch(context, std::exchange(batch, {})));
      bytes = 0;
    }
    bytes += size;
    batch.push_back(std::move(record));
  }
  return batch.empty() ? Status() : PutBatch(context, std::move(batch));
}

Status BulkWriter::PutBatch(const RequestContext& context, std::vector<Record> batch) {
  WriteRequest request{.collection = collection_, .records = std::move(batch), .fence = fence_};
  while (!request.records.empty()) {
    const Result<WriteResult> result =
        store_.Upsert(context.WithTimeout(options_.store_timeout), request);
    if (!result.ok()) {
      const Code code = result.code();
      const bool too_large = code == Code::kResourceExhausted && failures_ > 2;
      if (request.records.size() > 1 && (RefusesRows(code) || too_large)) {
        return PutHalves(context, std::move(request.records));
      }
      if (RefusesRows(code) && !MayHaveLanded(result.error())) {
        refused_.push_back({request.records[0].key, result.error()});
        return {};
      }
      TRY(WaitFor(context, result.error()));
      continue;
    }
    failures_ = 0;
    std::vector<Record> again;
    const Error* worst = nullptr;
    for (const RowError& row : result->errors) {
      if (row.row >= request.records.size()) {
        continue;
      }
      if (RefusesRows(row.error.code)) {
        refused_.push_back({request.records[row.row].key, row.error});
        continue;
      }
      again.push_back(std::move(request.records[row.row]));
      if (worst == nullptr || MayHaveLanded(row.error)) {
        worst = &row.error;
      }
    }
    if (worst != nullptr) {
      TRY(WaitFor(context, *worst));
    }
    request.records = std::move(again);
  }
  return {};
}

Status BulkWriter::PutHalves(const RequestContext& context, std::vector<Record> batch) {
  const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
  std::vector<Record> second(std::make_move_iterator(middle), std::make_move_iterator(batch.end()));
  batch.erase(middle, batch.end());
  TRY(PutBatch(context, std::move(batch)));
  return PutBatch(context, std::move(second));
}

Status BulkWriter::Delete(const RequestContext& context, std::vector<RecordKey> keys) {
  const size_t limit = std::max<size_t>(store_.capabilities().write_batch_rows, 1);
  for (size_t at = 0; at < keys.size(); at += limit) {
    const size_t end = std::min(keys.size(), at + limit);
    TRY(DeleteBatch(context, {keys.begin() + static_cast<std::ptrdiff_t>(at),
                              keys.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  return {};
}

Status BulkWriter::DeleteBatch(const RequestContext& context, std::vector<RecordKey> batch) {
  DeleteRequest request{.collection = collection_, .keys = std::move(batch), .fence = fence_};
  while (!request.keys.empty()) {
    const Result<DeleteResult> result =
        store_.Delete(context.WithTimeout(options_.store_timeout), request);
    if (!result.ok()) {
      TRY(WaitFor(context, result.error()));
      continue;
    }
    failures_ = 0;
    std::vector<RecordKey> again;
    for (const RowError& row : result->errors) {
      if (row.row < request.keys.size()) {
        again.push_back(request.keys[row.row]);
        TRY(WaitFor(context, row.error));
      }
    }
    request.keys = std::move(again);
  }
  return {};
}

Status BulkWriter::WaitFor(const RequestContext& context, const Error& error) {
  if (error.code == Code::kNotFound) {
    return error;
  }
  const auto backoff = Backoff(options_, failures_++);
  const auto wait = MayHaveLanded(error) ? std::max(backoff, options_.horizon) : backoff;
  const bool slept = clock_.SleepFor(wait, context.stop);
  if (!slept && MayHaveLanded(error)) {
    // Told to stop, but whoever goes on with this range must not meet the late write.
    clock_.SleepFor(options_.horizon, {});
  }
  return slept ? Status() : Status(Stopped());
}

uint64_t ApproximateBytes(const Record& record) {
  uint64_t bytes = 64 + record.dynamic.size();
  for (const auto& [name, vector] : record.vectors) {
    bytes += name.size() + vector.bytes.size();
  }
  for (const auto& [name, value] : record.fields) {
    const auto* text = std::get_if<std::string>(&value);
    const auto* json = std::get_if<Json>(&value);
    bytes += name.size() + 16 + (text != nullptr ? text->size() : 0) +
             (json != nullptr ? json->text.size() : 0);
  }
  return bytes;
}

Result<ScanPage> ScanPatiently(const RequestContext& context, const BulkOptions& options,
                               Clock& clock, VectorStore& store, const ScanRequest& request) {
  for (uint32_t failures = 0;; ++failures) {
    Result<ScanPage> page = store.Scan(context.WithTimeout(options.store_timeout), request);
    if (page.ok()) {
      if (page->records.empty() && !page->done) {
        return DataLoss("a store ended a page of \"" + request.collection +
                        "\" without records but not at the end; its adapter is at fault");
      }
      return page;
    }
    if (context.stop.stop_requested()) {
      return Stopped();
    }
    if (!IsRetryable(page.code()) && page.code() != Code::kDeadlineExceeded) {
      return page;
    }
    if (!clock.SleepFor(Backoff(options, failures), context.stop)) {
      return Stopped();
    }
  }
}

}  // namespace roost
