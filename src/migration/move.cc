// What the engine's thread does for one move: facts, decision, persist, publish.
#include "migration/move.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"

namespace roost {
namespace {

constexpr double kMaxShadowErrorShare = 0.05;

BulkOptions BulkOf(const MigrationServiceOptions& options, std::chrono::milliseconds horizon) {
  return {.store_timeout = options.store_timeout,
          .backoff_initial = options.backoff_initial,
          .backoff_max = options.backoff_max,
          .horizon = horizon};
}

LedgerScope::Options LedgerOf(const MigrationServiceOptions& options, const MoveDocument& document,
                              std::chrono::milliseconds horizon) {
  return {.migration = document.id,
          // Rows at rest stay while a window is open, so there are more than dirty ones.
          .max_rows = std::max<uint64_t>(document.spec.policy.max_dirty_rows, 1'000) * 4,
          .max_payload_bytes = options.max_payload_bytes,
          .horizon = horizon,
          .applier_attempts = document.spec.policy.applier_attempts,
          .backoff_initial = options.backoff_initial,
          .backoff_max = options.backoff_max};
}

uint64_t Milliseconds(SteadyTime::duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

/// "migration.before_persist.FENCE"
[[maybe_unused]] std::string PointName(std::string_view point, MigrationState state) {
  return "migration." + std::string(point) + "." + std::string(MigrationStateName(state));
}

}  // namespace

Move::Move(const MigrationServiceOptions& options, const MigrationParts& parts,
           MoveDocument document, VectorStore& source, VectorStore& target, bool resumed)
    : options_(options),
      parts_(parts),
      source_(source),
      target_(target),
      id_(document.id),
      collection_(document.spec.collection),
      horizon_(
          std::max(source.capabilities().zombie_horizon, target.capabilities().zombie_horizon)),
      earlier_(document.counts),
      bulk_from_(parts.clock.Now() + (resumed ? horizon_ : std::chrono::milliseconds(0))),
      ledger_(std::make_shared<LedgerScope>(LedgerOf(options, document, horizon_), parts.control,
                                            parts.clock)),
      limit_(document.spec.policy.backfill_rows_per_second, parts.clock),
      backfill_(std::make_unique<Backfill>(BulkOf(options, horizon_), collection_, chunks_,
                                           *ledger_, parts.control, parts.clock, limit_)),
      applier_(std::make_unique<Applier>(ApplierOptions{.store_timeout = options.applier_timeout,
                                                        .batch_rows = options.applier_batch_rows},
                                         collection_, *ledger_)),
      verifier_(
          std::make_unique<Verifier>(VerifierOptions{.migration = id_,
                                                     .collection = collection_,
                                                     .recheck_attempts = options.recheck_attempts,
                                                     .recheck_pause = options.recheck_pause},
                                     BulkOf(options, horizon_), PairedScan::Stores{source, target},
                                     chunks_, *ledger_, parts.control, parts.clock)),
      document_(std::move(document)),
      entered_(parts.clock.Now()),
      measured_at_(entered_) {}

Result<std::unique_ptr<Move>> Move::Start(const MigrationServiceOptions& options,
                                          const MigrationParts& parts, MoveDocument document,
                                          bool resumed) {
  VectorStore* source = parts.routed.FindStore(document.source);
  VectorStore* target = parts.routed.FindStore(document.spec.target);
  if (source == nullptr || target == nullptr) {
    return FailedPrecondition("move " + document.id + " of collection \"" +
                              document.spec.collection + "\" needs store \"" +
                              (source == nullptr ? document.source : document.spec.target) +
                              "\", which is not configured; add it");
  }
  std::unique_ptr<Move> move(
      new Move(options, parts, std::move(document), *source, *target, resumed));
  TRY(move->Load());
  move->Publish(move->document_);
  const size_t bulk = std::max<uint32_t>(move->document_.spec.policy.backfill_workers, 1);
  Move* self = move.get();
  for (size_t i = 0; i < bulk; ++i) {
    move->workers_.emplace_back([self, i](std::stop_token stop) { self->Bulk(i, stop); });
  }
  move->workers_.emplace_back([self](std::stop_token stop) { self->Apply(stop); });
  move->workers_.emplace_back([self](std::stop_token stop) { self->Probe(stop); });
  return move;
}

Move::~Move() {
  for (std::jthread& worker : workers_) {
    worker.request_stop();
  }
  {
    std::lock_guard lock(mutex_);
    piece_.request_stop();
    changed_.notify_all();
  }
  workers_.clear();
}

Status Move::Load() {
  std::vector<ChunkRow> chunks = TRY(parts_.control.ListChunks(id_));
  for (const ChunkRow& chunk : chunks) {
    if (chunk.state != ChunkState::kClosed && chunk.window.has_value()) {
      ledger_->RestoreWindow(*chunk.window);
    }
  }
  chunks_.SetChunks(std::move(chunks));
  if (document_.pass_started) {
    chunks_.SetPass(document_.pass, TRY(parts_.control.ListVerifications(id_, document_.pass)));
  }
  pass_ = document_.pass;
  last_error_ = document_.last_error;
  last_fence_ms_ = document_.counts.last_fence_ms;
  return ledger_->Load();
}

MoveDocument Move::Document() const {
  std::lock_guard lock(document_mutex_);
  return document_;
}

Status Move::Change(const RequestContext& context,
                    const std::function<Status(MoveDocument&)>& change, ControlTransaction with) {
  return Change(context, change, [&](ControlTransaction transaction) {
    with.put_migrations = std::move(transaction.put_migrations);
    with.put_routes = std::move(transaction.put_routes);
    return parts_.control.Commit(context, std::move(with));
  });
}

Status Move::Change(const RequestContext& context,
                    const std::function<Status(MoveDocument&)>& change,
                    const std::function<Status(ControlTransaction)>& commit) {
  TRY(context.CheckAlive("changing a move"));
  std::lock_guard lock(document_mutex_);
  MoveDocument next = document_;
  TRY(change(next));
  next.changed_micros = ToUnixMicros(parts_.clock.WallNow());
  const bool on_b = ShapeOf(next.progress, next.spec.policy).authority_is_b;
  ControlTransaction transaction;
  transaction.put_migrations = {ToRow(next)};
  transaction.put_routes = {{.collection = collection_,
                             .store = on_b ? next.spec.target : next.source,
                             .epoch = next.progress.epoch}};
  TRY(commit(std::move(transaction)));
  document_ = std::move(next);
  return {};
}

Status Move::Command(
    const RequestContext& context,
    const std::function<Result<MigrationProgress>(const MigrationProgress&)>& change) {
  return Change(context, [&](MoveDocument& document) -> Status {
    document.progress = TRY(change(document.progress));
    return {};
  });
}

bool Move::ended() const { return Document().ended; }

void Move::Step() {
  ledger_->Tick();
  MeasureRate();
  const MoveDocument document = Document();
  if (IsFinal(document.progress.state)) {
    StepFinal(document);
    return;
  }
  const Decision decision = Decide(document.progress, document.spec.policy, Facts(document));
  {
    std::lock_guard lock(mutex_);
    waiting_for_ = decision.waiting_for;
  }
  if (decision.change && !Persist(document, decision.next)) {
    return;
  }
  Assign(decision, document);
}

MigrationFacts Move::Facts(const MoveDocument& document) {
  const SteadyTime now = parts_.clock.Now();
  const ChunkTable::Counts chunks = chunks_.counts();
  const LedgerCounts ledger = ledger_->Counts();
  MigrationFacts facts;
  facts.epoch_acknowledged =
      parts_.coordinator.AllAcknowledged(collection_, document.progress.epoch);
  facts.target_exists = document.target_exists;
  facts.chunks_planned = document.chunks_planned;
  facts.chunks_open = chunks.chunks - chunks.closed;
  facts.dirty = ledger.dirty;
  facts.inflight = ledger.inflight;
  facts.oldest_dirty_ms = ledger.oldest_dirty_ms;
  facts.dead_letters = ledger.dead_letters;
  facts.target_ready = target_ready_;
  facts.verification_started = document.pass_started;
  facts.verification_complete = document.pass_started && chunks.judged == chunks.chunks;
  facts.divergent = document.pass_started ? chunks.missing + chunks.extra + chunks.different : 0;
  facts.time_in_state_ms = Milliseconds(now - entered_);
  if (fence_failed_.has_value()) {
    facts.since_fence_failed_ms = Milliseconds(now - *fence_failed_);
  }
  facts.shadow_gate_open = ShadowGateOpen();
  facts.too_many_dirty = ledger.dirty > document.spec.policy.max_dirty_rows;
  return facts;
}

bool Move::ShadowGateOpen() const {
  const ShadowReport report = parts_.routed.ShadowOf(collection_);
  const auto answered = static_cast<double>(report.reads + report.errors);
  const bool failing = answered >= static_cast<double>(options_.shadow_min_exact_reads) &&
                       static_cast<double>(report.errors) > kMaxShadowErrorShare * answered;
  const bool worse = report.exact_reads >= options_.shadow_min_exact_reads &&
                     report.recall_difference_low < -options_.shadow_recall_tolerance;
  return !failing && !worse;
}

/// Durable first, then in force. False when it could not be stored: the next step tries again.
bool Move::Persist(const MoveDocument& before, const MigrationProgress& next) {
  FAILPOINT(PointName("before_persist", next.state));
  MoveDocument stored;
  const Status status = Change(
      RequestContext{}.WithTimeout(options_.store_timeout), [&](MoveDocument& document) -> Status {
        if (document.progress != before.progress) {
          return Aborted("a command came between");
        }
        if (before.progress.verified && !next.verified) {
          document.pass_started = false;
        }
        document.progress = next;
        const MirrorCounts mirror = parts_.routed.MirrorOf(collection_);
        document.counts.mirrored = earlier_.mirrored + mirror.mirrored;
        document.counts.mirror_errors = earlier_.mirror_errors + mirror.errors;
        document.counts.applied = earlier_.applied + applier_->applied();
        std::lock_guard lock(mutex_);
        document.counts.last_fence_ms = last_fence_ms_;
        stored = document;
        return {};
      });
  if (!status.ok()) {
    if (status.code() != Code::kAborted) {
      NoteError("the next state could not be stored: " + status.error().message);
    }
    return false;
  }
  FAILPOINT(PointName("after_persist", next.state));
  if (next.epoch != before.progress.epoch) {
    NoteTimes(before.progress, next);
    Publish(stored);
    LogInfo("A move changed its state", {{"move", id_},
                                         {"collection", collection_},
                                         {"from", MigrationStateName(before.progress.state)},
                                         {"to", MigrationStateName(next.state)},
                                         {"epoch", next.epoch}});
  }
  FAILPOINT(PointName("after_publish", next.state));
  return true;
}

void Move::NoteTimes(const MigrationProgress& before, const MigrationProgress& next) {
  using State = MigrationState;
  const SteadyTime now = parts_.clock.Now();
  entered_ = now;
  const auto holds = [](State state) {
    return state == State::kFence || state == State::kSwitched || state == State::kRollingBack;
  };
  if (holds(next.state) && !holds(before.state)) {
    fence_began_ = now;
    // Rows that wait for their next try are wanted now.
    ledger_->RetryNow(false);
  }
  const bool failed = (before.state == State::kFence && next.state == State::kRamp) ||
                      (before.state == State::kRollingBack && next.state == State::kReversed);
  if (failed) {
    fence_failed_ = now;
  }
  if (!holds(next.state) && holds(before.state) && fence_began_.has_value()) {
    std::lock_guard lock(mutex_);
    last_fence_ms_ = std::chrono::duration<double, std::milli>(now - *fence_began_).count();
    fence_began_.reset();
  }
  if (next.state == State::kShadow && before.state != State::kShadow) {
    parts_.routed.ResetShadow(collection_);
  }
}

void Move::Publish(const MoveDocument& document) {
  const RouteShape shape = ShapeOf(document.progress, document.spec.policy);
  const bool moving = !IsFinal(document.progress.state);
  auto route = std::make_shared<Route>();
  route->collection = collection_;
  route->epoch = document.progress.epoch;
  route->authority = shape.authority_is_b ? document.spec.target : document.source;
  route->other = !moving ? "" : shape.authority_is_b ? document.source : document.spec.target;
  route->mirror = shape.mirror;
  route->hold_writes = shape.hold_writes;
  route->read_percent_other = !moving                ? 0
                              : shape.authority_is_b ? 100 - shape.read_percent_b
                                                     : shape.read_percent_b;
  route->shadow_percent = shape.shadow_percent;
  route->capture = shape.capture ? ledger_ : nullptr;
  route->capture_payload = shape.capture_payload;
  route->schema = std::make_shared<CollectionSchema>(document.schema);
  // All of this before the first write by the new route.
  authority_is_b_ = shape.authority_is_b;
  rolling_back_ = document.progress.state == MigrationState::kRollingBack;
  ledger_->SetSerial(shape.capture_payload);
  holds_writes_ = shape.hold_writes;
  parts_.coordinator.Publish(std::move(route));
}

void Move::Assign(const Decision& decision, const MoveDocument& document) {
  using Work = Decision::Work;
  const bool apply = document.target_exists;
  switch (decision.work) {
    case Work::kNone:
      return SetMode(Mode::kIdle, false);
    case Work::kCreateTarget:
      return SetMode(Mode::kCreateTarget, apply);
    case Work::kPlanChunks:
      return SetMode(Mode::kPlanChunks, apply);
    case Work::kCopy:
      return SetMode(Mode::kCopy, apply);
    case Work::kApply:
      return SetMode(Mode::kIdle, apply);
    case Work::kVerify:
      return SetMode(Mode::kVerify, apply);
    case Work::kReconcile:
      return SetMode(Mode::kReconcile, apply);
    case Work::kStartVerification:
      SetMode(Mode::kIdle, apply);
      return BeginPass();
  }
}

void Move::BeginPass() {
  ControlTransaction with;
  with.erase = {{.migration = id_, .verifications = true}};
  const Status status = Change(
      RequestContext{}.WithTimeout(options_.store_timeout),
      [](MoveDocument& document) -> Status {
        ++document.pass;
        document.pass_started = true;
        return {};
      },
      std::move(with));
  if (!status.ok()) {
    return NoteError("the verification could not be started: " + status.error().message);
  }
  pass_ = Document().pass;
  chunks_.SetPass(pass_, {});
}

/// The state is final: what is left is to clean up, once nobody works by an older route.
void Move::StepFinal(const MoveDocument& document) {
  bool quiet = !document.ended &&
               parts_.coordinator.AllAcknowledged(collection_, document.progress.epoch) &&
               ledger_->Counts().inflight == 0;
  {
    std::lock_guard lock(mutex_);
    quiet = quiet && (mode_ == Mode::kCleanUp || (bulk_busy_ == 0 && !apply_busy_));
  }
  SetMode(quiet ? Mode::kCleanUp : Mode::kIdle, false);
}

void Move::MeasureRate() {
  const SteadyTime now = parts_.clock.Now();
  const double seconds = std::chrono::duration<double>(now - measured_at_).count();
  if (seconds < 1) {
    return;
  }
  const uint64_t rows = backfill_->rows();
  std::lock_guard lock(mutex_);
  rows_per_second_ = static_cast<double>(rows - measured_rows_) / seconds;
  measured_rows_ = rows;
  measured_at_ = now;
}

MigrationStatus Move::GetStatus() const {
  const MoveDocument document = Document();
  const ChunkTable::Counts chunks = chunks_.counts();
  const LedgerCounts ledger = ledger_->Counts();
  const MirrorCounts mirror = parts_.routed.MirrorOf(collection_);
  const ShadowReport shadow = parts_.routed.ShadowOf(collection_);
  MigrationStatus status{.id = document.id,
                         .spec = document.spec,
                         .source = document.source,
                         .progress = document.progress,
                         .counts = document.counts,
                         .created_micros = document.created_micros,
                         .changed_micros = document.changed_micros};
  MigrationCounts& counts = status.counts;
  counts.copied = chunks.copied;
  counts.chunks = chunks.chunks;
  counts.chunks_closed = chunks.closed;
  counts.applied = earlier_.applied + applier_->applied();
  counts.dirty = ledger.dirty;
  counts.inflight = ledger.inflight;
  counts.mirrored = earlier_.mirrored + mirror.mirrored;
  counts.mirror_errors = earlier_.mirror_errors + mirror.errors;
  counts.verified = chunks.verified;
  counts.missing = chunks.missing;
  counts.extra = chunks.extra;
  counts.different = chunks.different;
  counts.verified_equal =
      chunks.verified - std::min(chunks.verified, chunks.missing + chunks.extra + chunks.different);
  counts.dead_letters = ledger.dead_letters;
  counts.shadow_reads = shadow.reads;
  counts.shadow_dropped = shadow.dropped;
  counts.shadow_overlap = shadow.overlap;
  std::lock_guard lock(mutex_);
  counts.copy_rows_per_second = rows_per_second_;
  counts.last_fence_ms = last_fence_ms_;
  status.waiting_for = !IsFinal(document.progress.state) ? waiting_for_
                       : document.ended                  ? ""
                                                         : "what the move left is cleaned up";
  status.last_error = last_error_;
  if (mode_ == Mode::kCopy && rows_per_second_ > 0) {
    const auto left =
        counts.source_records > counts.copied ? counts.source_records - counts.copied : 0;
    status.seconds_left = static_cast<double>(left) / rows_per_second_;
  }
  return status;
}

}  // namespace roost
