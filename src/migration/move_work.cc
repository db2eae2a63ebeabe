// What the workers of a move do: bulk pieces, the applier, the probe of the target.
#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "migration/chunk_planner.h"
#include "migration/move.h"

namespace roost {
namespace {

constexpr std::chrono::milliseconds kApplierPause{5};  ///< when nothing is dirty
constexpr std::chrono::milliseconds kBulkPause{20};    ///< when every chunk is taken
constexpr std::chrono::milliseconds kErrorPause{200};
constexpr int kCleanUpAttempts = 10;

/// A thread's context: ends with the thread, or with the piece.
RequestContext WorkContext(std::stop_token stop) {
  return {.principal = "roost-move", .stop = std::move(stop)};
}

}  // namespace

void Move::SetMode(Mode mode, bool apply) {
  std::lock_guard lock(mutex_);
  apply_ = apply;
  if (mode != mode_) {
    piece_.request_stop();
    piece_ = std::stop_source();
    mode_ = mode;
    mode_done_ = false;
    ++mode_number_;
  }
  changed_.notify_all();
}

void Move::Bulk(size_t worker, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Mode mode = Mode::kIdle;
    uint64_t number = 0;
    std::stop_token piece;
    {
      std::unique_lock lock(mutex_);
      const auto has_work = [&] {
        const bool shared = mode_ == Mode::kCopy || mode_ == Mode::kVerify;
        return mode_ != Mode::kIdle && !mode_done_ && (shared || worker == 0);
      };
      if (!changed_.wait(lock, stop, has_work)) {
        return;
      }
      mode = mode_;
      number = mode_number_;
      piece = piece_.get_token();
      ++bulk_busy_;
    }
    const Result<bool> done = RunPiece(mode, WorkContext(piece));
    {
      std::lock_guard lock(mutex_);
      --bulk_busy_;
      // What is done once is done until the mode is set anew.
      const bool once = mode != Mode::kCopy && mode != Mode::kVerify;
      mode_done_ = mode_done_ || (once && done.ok() && *done && number == mode_number_);
    }
    if (!done.ok() && done.code() != Code::kCancelled) {
      NoteError(done.error().message);
      parts_.clock.SleepFor(kErrorPause, piece);
    } else if (done.ok() && *done) {
      NoteWork();
    } else {
      parts_.clock.SleepFor(kBulkPause, piece);
    }
  }
}

/// One bounded piece. False when there was nothing to do.
Result<bool> Move::RunPiece(Mode mode, const RequestContext& context) {
  if (mode != Mode::kCreateTarget && mode != Mode::kCleanUp &&
      !parts_.clock.SleepUntil(bulk_from_, context.stop)) {
    return false;
  }
  switch (mode) {
    case Mode::kCopy:
      return backfill_->CopyNext(context, ChooseWay().ends);
    case Mode::kVerify:
      return verifier_->VerifyNext(context, pass_);
    case Mode::kCreateTarget:
      TRY(CreateTarget(context));
      return true;
    case Mode::kPlanChunks:
      TRY(MakePlan(context));
      return true;
    case Mode::kReconcile:
      TRY(Reconcile(context));
      return true;
    case Mode::kCleanUp:
      TRY(CleanUp(context));
      return true;
    case Mode::kIdle:
      break;
  }
  return false;
}

Applier::Way Move::ChooseWay() const {
  if (authority_is_b_) {
    return {.ends = {target_, source_}, .from_payloads = rolling_back_ && !target_ready_};
  }
  return {.ends = {source_, target_}};
}

void Move::Apply(const std::stop_token& stop) {
  const RequestContext context = WorkContext(stop);
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return apply_; })) {
        return;
      }
      apply_busy_ = true;
    }
    const Result<Applier::Progress> progress =
        applier_->ApplyBatch(context, [this] { return ChooseWay(); });
    {
      std::lock_guard lock(mutex_);
      apply_busy_ = false;
    }
    if (!progress.ok()) {
      NoteError(progress.error().message);
      parts_.clock.SleepFor(kErrorPause, stop);
    } else if (progress->claimed == 0) {
      parts_.clock.SleepFor(kApplierPause, stop);
    } else if (!progress->error.empty()) {
      NoteError(progress->error);
    } else {
      NoteWork();
    }
  }
}

void Move::Probe(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const RequestContext context = WorkContext(stop).WithTimeout(options_.probe_timeout);
    bool ready = target_.CheckHealth(context).ok();
    if (ready && Document().target_exists) {
      const Result<CollectionDescription> description =
          target_.DescribeCollection(context, collection_);
      ready = description.ok() && description->index_ready;
    }
    target_ready_ = ready;
    parts_.clock.SleepFor(options_.probe_interval, stop);
  }
}

Status Move::CreateTarget(const RequestContext& context) {
  const MoveDocument document = Document();
  if (document.target_exists) {
    return {};
  }
  const RequestContext call = context.WithTimeout(options_.store_timeout);
  bool adopted = document.target_adopted;
  if (!document.target_begun) {
    const auto there = target_.DescribeCollection(call, collection_);
    if (!there.ok() && there.code() != Code::kNotFound) {
      return there.error();
    }
    adopted = there.ok();
    if (adopted && !document.spec.allow_existing_target) {
      return FailedPrecondition("collection \"" + collection_ + "\" appeared on store \"" +
                                document.spec.target + "\"; drop it there or abort the move");
    }
    TRY(Change(context, [&](MoveDocument& d) -> Status {
      d.target_begun = true;
      d.target_adopted = adopted;
      return {};
    }));
    FAILPOINT("migration.target.begun");
  }
  if (!adopted) {
    const Status created = target_.CreateCollection(call, {.schema = document.schema});
    // It may be there from a try that ended before it was noted.
    if (!created.ok() && created.code() != Code::kAlreadyExists) {
      return created;
    }
  }
  FAILPOINT("migration.target.created");
  return Change(context, [](MoveDocument& d) -> Status {
    d.target_exists = true;
    return {};
  });
}

Status Move::MakePlan(const RequestContext& context) {
  const MoveDocument document = Document();
  std::vector<ChunkRow> chunks = TRY(PlanChunks(context,
                                                {.migration = id_,
                                                 .collection = collection_,
                                                 .chunk_rows = document.spec.policy.chunk_rows,
                                                 .reconcile = document.target_adopted},
                                                {.store_timeout = options_.store_timeout,
                                                 .backoff_initial = options_.backoff_initial,
                                                 .backoff_max = options_.backoff_max,
                                                 .horizon = horizon_},
                                                parts_.clock, source_));
  FAILPOINT("migration.plan.before_persist");
  ControlTransaction with;
  with.erase = {{.migration = id_, .chunks = true, .verifications = true}};
  with.put_chunks = chunks;
  // The table first: once the document says that chunks are planned, it is looked at.
  chunks_.SetChunks(std::move(chunks));
  TRY(Change(
      context,
      [](MoveDocument& d) -> Status {
        d.chunks_planned = true;
        return {};
      },
      std::move(with)));
  FAILPOINT("migration.plan.after_persist");
  return {};
}

/// All chunks back to the beginning, to be compared and made equal; the ledger keeps only what is
/// in use.
Status Move::Reconcile(const RequestContext& context) {
  // No earlier copy of a chunk may be at work or land late: its rows are about to be forgotten.
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (bulk_busy_ == 1) {
        break;  // Only this one. The applier's keys are claimed and so kept.
      }
    }
    if (!parts_.clock.SleepFor(kBulkPause, context.stop)) {
      return Cancelled("the reconciliation was stopped");
    }
  }
  if (!parts_.clock.SleepFor(horizon_, context.stop)) {
    return Cancelled("the reconciliation was stopped");
  }
  std::vector<ChunkRow> chunks = chunks_.Chunks();
  std::vector<Seq> reopened;
  for (ChunkRow& chunk : chunks) {
    if (chunk.state == ChunkState::kClosed && chunk.window.has_value()) {
      reopened.push_back(*chunk.window);
      ledger_->RestoreWindow(*chunk.window);
    }
    chunk.state = ChunkState::kTodo;
    chunk.reconcile = true;
    chunk.records = 0;
  }
  const Status stored = Change(
      context,
      [](MoveDocument& document) -> Status {
        document.pass_started = false;
        document.progress.verified = false;
        return {};
      },
      [&](ControlTransaction transaction) {
        transaction.put_chunks = chunks;
        return ledger_->DropIdle(context, std::move(transaction));
      });
  if (!stored.ok()) {
    for (const Seq window : reopened) {
      ledger_->EndWindow(window);
    }
    return stored.error();
  }
  LogWarning("Too many keys were dirty; all chunks are compared and copied anew", {{"move", id_}});
  chunks_.SetChunks(std::move(chunks));
  return {};
}

/// After a final state: an aborted move leaves nothing on the target that it made itself. The
/// source's copy of a committed move stays: only people drop data.
Status Move::CleanUp(const RequestContext& context) {
  const MoveDocument document = Document();
  std::string left;
  const bool drop = document.progress.state == MigrationState::kAborted && document.target_begun &&
                    !document.target_adopted;
  for (int attempt = 1; drop; ++attempt) {
    FAILPOINT("migration.cleanup.before_drop");
    const Status dropped = target_.DropCollection(context.WithTimeout(options_.store_timeout),
                                                  {.collection = collection_});
    if (dropped.ok() || dropped.code() == Code::kNotFound) {
      break;
    }
    if (attempt >= kCleanUpAttempts) {
      left = "collection \"" + collection_ + "\" stays on store \"" + document.spec.target +
             "\" because it could not be dropped: " + dropped.error().message;
      LogWarning("An aborted move left its copy behind", {{"move", id_}, {"why", left}});
      break;
    }
    if (!parts_.clock.SleepFor(kErrorPause * attempt, context.stop)) {
      return Cancelled("the clean-up was stopped");
    }
  }
  FAILPOINT("migration.cleanup.before_persist");
  const MigrationStatus status = GetStatus();
  ControlTransaction with;
  with.erase = {{.migration = id_,
                 .chunks = true,
                 .ledger = true,
                 .payloads = true,
                 .verifications = true,
                 .dead_letters = true}};
  return Change(
      context,
      [&](MoveDocument& d) -> Status {
        d.ended = true;
        d.counts = status.counts;
        d.last_error = left;
        return {};
      },
      std::move(with));
}

void Move::NoteError(const std::string& error) {
  std::lock_guard lock(mutex_);
  last_error_ = error;
}

void Move::NoteWork() {
  std::lock_guard lock(mutex_);
  last_error_.clear();
}

}  // namespace roost
