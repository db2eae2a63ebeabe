#include "router/mirror_writer.h"

#include <future>
#include <utility>

#include "base/executor.h"
#include "base/failpoint.h"

namespace roost {
namespace {

/// The outcomes of the rows that were tried, from the store's answer.
void TakeRowErrors(const std::vector<RowError>& errors, const std::vector<size_t>& keys,
                   std::vector<MirrorOutcome>& outcomes) {
  for (const size_t key : keys) {
    outcomes[key] = MirrorOutcome::kMirrored;
  }
  for (const RowError& row : errors) {
    if (row.row < keys.size()) {
      outcomes[keys[row.row]] =
          MayHaveLanded(row.error) ? MirrorOutcome::kUnknown : MirrorOutcome::kNotMirrored;
    }
  }
}

void TakeFailure(const Error& error, const std::vector<size_t>& keys,
                 std::vector<MirrorOutcome>& outcomes) {
  for (const size_t key : keys) {
    outcomes[key] = MayHaveLanded(error) ? MirrorOutcome::kUnknown : MirrorOutcome::kNotMirrored;
  }
}

}  // namespace

bool MayHaveLanded(const Error& error) {
  switch (error.code) {
    case Code::kCancelled:
    case Code::kUnknown:
    case Code::kDeadlineExceeded:
    case Code::kInternal:
    case Code::kDataLoss:
    case Code::kAborted:
      return true;
    default:
      return error.outcome_unknown;
  }
}

MirrorWriter::MirrorWriter(MirrorOptions options, Metrics& metrics)
    : options_(options),
      mirrored_(metrics.GetCounter("roost_router_mirrored_rows_total",
                                   "Rows written to the other store of a move inline")),
      errors_(metrics.GetCounter("roost_router_mirror_errors_total",
                                 "Rows that the other store of a move did not take inline")),
      dropped_(metrics.GetCounter("roost_router_mirror_dropped_total",
                                  "Inline writes left to the applier because the pool was full")),
      executor_({.name = "mirror", .max_threads = options.threads, .max_queue = options.queue}) {}

void MirrorWriter::Post(MirrorJob job, bool wait) {
  if (job.keys.empty()) {
    job.bracket->Finish(std::vector(job.bracket_keys, MirrorOutcome::kNotMirrored));
    return;
  }
  auto shared = std::make_shared<MirrorJob>(std::move(job));
  auto finished = std::make_shared<std::promise<void>>();
  std::future<void> done = finished->get_future();
  const Status posted = executor_.Submit([this, shared, finished] {
    Run(*shared);
    finished->set_value();
  });
  if (!posted.ok()) {
    dropped_.Increment();
    shared->bracket->Finish(std::vector(shared->bracket_keys, MirrorOutcome::kNotMirrored));
    return;
  }
  if (wait) {
    const BlockingSection blocking;
    done.wait_for(options_.wait);
  }
}

void MirrorWriter::Run(MirrorJob& job) {
  FAILPOINT("router.mirror.before");
  const std::vector<MirrorOutcome> outcomes = Write(job);
  uint64_t mirrored = 0;
  for (const MirrorOutcome outcome : outcomes) {
    mirrored += outcome == MirrorOutcome::kMirrored ? 1 : 0;
  }
  // Counted before the bracket ends: a ledger at rest has all its counts.
  Note(job.collection, mirrored, job.keys.size() - mirrored);
  FAILPOINT("router.mirror.after");
  job.bracket->Finish(outcomes);
}

std::vector<MirrorOutcome> MirrorWriter::Write(MirrorJob& job) {
  std::vector<MirrorOutcome> outcomes(job.bracket_keys, MirrorOutcome::kNotMirrored);
  RequestContext context{.principal = "roost-mirror"};
  context.deadline = Deadline::After(options_.timeout);
  const std::optional<uint64_t> fence =
      job.store->capabilities().fenced_writes ? std::optional(job.bracket->fence()) : std::nullopt;
  if (!job.deletes.empty()) {
    const Result<DeleteResult> result = job.store->Delete(
        context, {.collection = job.collection, .keys = std::move(job.deletes), .fence = fence});
    result.ok() ? TakeRowErrors(result->errors, job.keys, outcomes)
                : TakeFailure(result.error(), job.keys, outcomes);
  } else {
    const Result<WriteResult> result = job.store->Upsert(
        context, {.collection = job.collection, .records = std::move(job.upserts), .fence = fence});
    result.ok() ? TakeRowErrors(result->errors, job.keys, outcomes)
                : TakeFailure(result.error(), job.keys, outcomes);
  }
  return outcomes;
}

void MirrorWriter::Note(const std::string& collection, uint64_t mirrored, uint64_t errors) {
  mirrored_.Add(static_cast<double>(mirrored));
  errors_.Add(static_cast<double>(errors));
  std::lock_guard lock(mutex_);
  MirrorCounts& counts = counts_[collection];
  counts.mirrored += mirrored;
  counts.errors += errors;
}

MirrorCounts MirrorWriter::Counts(const std::string& collection) const {
  std::lock_guard lock(mutex_);
  const auto found = counts_.find(collection);
  return found == counts_.end() ? MirrorCounts{} : found->second;
}

void MirrorWriter::Reset(const std::string& collection) {
  std::lock_guard lock(mutex_);
  counts_.erase(collection);
}

}  // namespace roost
