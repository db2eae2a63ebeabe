#include "migration/service.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "migration/key_codec.h"
#include "migration/migration_plan.h"
#include "migration/move.h"

namespace roost {
namespace {

constexpr size_t kIdBytes = 6;
constexpr size_t kMaxDeadLetters = 1'000;  ///< shown at once

/// What is kept of a move that has ended.
MigrationStatus StatusOf(const MoveDocument& document) {
  return {.id = document.id,
          .spec = document.spec,
          .source = document.source,
          .progress = document.progress,
          .counts = document.counts,
          .last_error = document.last_error,
          .created_micros = document.created_micros,
          .changed_micros = document.changed_micros};
}

class Service final : public MigrationService {
 public:
  Service(MigrationServiceOptions options, MigrationParts parts);
  ~Service() override;

  /// Takes up the moves that an earlier process left.
  Status Resume();

  Result<MigrationPlan> Plan(const RequestContext& context, const MigrationSpec& spec) override;
  Result<MigrationStatus> Create(const RequestContext& context, const MigrationSpec& spec) override;
  Result<MigrationStatus> Get(const RequestContext& context, const std::string& id) override;
  Result<std::vector<MigrationStatus>> List(const RequestContext& context) override;
  Result<MigrationStatus> Advance(const RequestContext& context, const std::string& id,
                                  std::optional<MigrationState> to) override;
  Result<MigrationStatus> Command(const RequestContext& context, const std::string& id,
                                  MigrationCommand command) override;
  Result<std::vector<DeadLetter>> DeadLetters(const RequestContext& context,
                                              const std::string& id) override;
  Status Redrive(const RequestContext& context, const std::string& id) override;

 private:
  using Moves = std::map<std::string, std::shared_ptr<Move>>;

  void Run(const std::stop_token& stop);
  Moves Active() const;
  Result<std::shared_ptr<Move>> FindActive(const std::string& id) const;
  Result<MoveDocument> NewDocument(const RequestContext& context, const MigrationSpec& spec,
                                   std::shared_ptr<const RecordMapper>& mapper);
  void Measure(const Moves& moves);
  void Wake();

  const MigrationServiceOptions options_;
  const MigrationParts parts_;
  Gauge& active_;
  Gauge& dirty_;
  Gauge& inflight_;
  Gauge& oldest_;
  Gauge& dead_letters_;

  std::mutex create_mutex_;  ///< one creation at a time

  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  bool wake_ = false;
  Moves moves_;

  std::jthread engine_;  ///< last: it uses everything above
};

Service::Service(MigrationServiceOptions options, MigrationParts parts)
    : options_(options),
      parts_(parts),
      active_(parts.metrics.GetGauge("roost_migrations_active", "Moves that are not at their end")),
      dirty_(parts.metrics.GetGauge("roost_migration_dirty_keys",
                                    "Keys that may differ between the two stores of a move")),
      inflight_(parts.metrics.GetGauge("roost_migration_inflight_writes",
                                       "Writes between mark and finish")),
      oldest_(parts.metrics.GetGauge("roost_migration_oldest_dirty_seconds",
                                     "Age of the oldest dirty key over all moves")),
      dead_letters_(parts.metrics.GetGauge("roost_migration_dead_letters",
                                           "Keys that could not be brought over")) {}

Service::~Service() {
  engine_.request_stop();
  engine_ = {};
}

Status Service::Resume() {
  const std::vector<MigrationRow> rows = TRY(parts_.control.ListMigrations());
  for (const MigrationRow& row : rows) {
    if (!row.active) {
      continue;
    }
    MoveDocument document = TRY(FromRow(row));
    LogInfo("A move goes on", {{"move", row.id},
                               {"collection", row.collection},
                               {"state", MigrationStateName(document.progress.state)}});
    std::shared_ptr<Move> move = TRY(Move::Start(options_, parts_, std::move(document), true));
    std::lock_guard lock(mutex_);
    moves_[row.id] = std::move(move);
  }
  engine_ = std::jthread([this](std::stop_token stop) { Run(stop); });
  return {};
}

void Service::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Moves moves = Active();
    bool urgent = false;
    for (const auto& [id, move] : moves) {
      move->Step();
      urgent = urgent || move->urgent();
      if (move->ended()) {
        std::lock_guard lock(mutex_);
        moves_.erase(id);
      }
    }
    Measure(moves);
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, stop, urgent ? options_.fast_tick : options_.tick, [&] { return wake_; });
    wake_ = false;
  }
}

void Service::Measure(const Moves& moves) {
  LedgerCounts sum;
  for (const auto& [id, move] : moves) {
    const LedgerCounts counts = move->Ledger();
    sum.dirty += counts.dirty;
    sum.inflight += counts.inflight;
    sum.dead_letters += counts.dead_letters;
    sum.oldest_dirty_ms = std::max(sum.oldest_dirty_ms, counts.oldest_dirty_ms);
  }
  active_.Set(static_cast<double>(moves.size()));
  dirty_.Set(static_cast<double>(sum.dirty));
  inflight_.Set(static_cast<double>(sum.inflight));
  dead_letters_.Set(static_cast<double>(sum.dead_letters));
  oldest_.Set(static_cast<double>(sum.oldest_dirty_ms) / 1'000);
}

Service::Moves Service::Active() const {
  std::lock_guard lock(mutex_);
  return moves_;
}

void Service::Wake() {
  std::lock_guard lock(mutex_);
  wake_ = true;
  woken_.notify_all();
}

Result<std::shared_ptr<Move>> Service::FindActive(const std::string& id) const {
  {
    std::lock_guard lock(mutex_);
    const auto found = moves_.find(id);
    if (found != moves_.end()) {
      return found->second;
    }
  }
  const std::optional<MigrationRow> row = TRY(parts_.control.FindMigration(id));
  if (!row.has_value()) {
    return NotFound("there is no move \"" + id + "\"");
  }
  return FailedPrecondition("move \"" + id + "\" has ended in " + row->state +
                            "; start a new move");
}

Result<MigrationPlan> Service::Plan(const RequestContext& context, const MigrationSpec& spec) {
  PlannedMove planned = TRY(PlanMove(context, spec, parts_.routed, parts_.mappings));
  if (parts_.routes.Find(spec.collection)->moving()) {
    planned.plan.refusals.push_back("collection \"" + spec.collection +
                                    "\" is being moved already");
  }
  return std::move(planned.plan);
}

/// Checks the plan and makes what is stored; `mapper` becomes how the target keeps the collection,
/// null for as it is. Under create_mutex_.
Result<MoveDocument> Service::NewDocument(const RequestContext& context, const MigrationSpec& spec,
                                          std::shared_ptr<const RecordMapper>& mapper) {
  const std::shared_ptr<const Route> route = parts_.routes.Find(spec.collection);
  if (route->moving()) {
    return AlreadyExists("collection \"" + spec.collection + "\" is being moved already");
  }
  const Moves moves = Active();
  for (const auto& [id, move] : moves) {
    if (move->collection() == spec.collection && !move->ended()) {
      return AlreadyExists("what move " + id + " of collection \"" + spec.collection +
                           "\" left is still being cleaned up; try again in a moment");
    }
  }
  if (moves.size() >= options_.max_moves) {
    return ResourceExhausted("there are " + std::to_string(options_.max_moves) +
                             " active moves, the limit; end one first");
  }
  PlannedMove planned = TRY(PlanMove(context, spec, parts_.routed, parts_.mappings));
  if (!planned.plan.refusals.empty()) {
    std::string reasons;
    for (const std::string& refusal : planned.plan.refusals) {
      reasons += (reasons.empty() ? "" : "; ") + refusal;
    }
    return FailedPrecondition("the move cannot be done: " + reasons);
  }
  mapper = planned.mapper->identity() ? nullptr : planned.mapper;
  MoveDocument document{.id = parts_.random.Hex(kIdBytes),
                        .spec = spec,
                        .source = planned.plan.source,
                        .schema = std::move(planned.schema)};
  if (spec.automatic) {
    document.progress.goal = MigrationState::kReversed;
  }
  document.progress.epoch = route->epoch + 1;
  document.counts.source_records = planned.plan.records;
  document.created_micros = ToUnixMicros(parts_.clock.WallNow());
  document.changed_micros = document.created_micros;
  return document;
}

Result<MigrationStatus> Service::Create(const RequestContext& context, const MigrationSpec& spec) {
  std::lock_guard creating(create_mutex_);
  std::shared_ptr<const RecordMapper> mapper;
  MoveDocument document = TRY(NewDocument(context, spec, mapper));
  const std::string id = document.id;
  ControlTransaction transaction;
  transaction.put_migrations = {ToRow(document)};
  transaction.put_routes = {
      {.collection = spec.collection, .store = document.source, .epoch = document.progress.epoch}};
  if (mapper != nullptr) {
    transaction.put_mappings = {MappingTable::Row(spec.target, *mapper)};
  } else {
    transaction.delete_mappings = {{.store = spec.target, .collection = spec.collection}};
  }
  FAILPOINT("migration.create.before_persist");
  TRY(parts_.control.Commit(context, std::move(transaction)));
  FAILPOINT("migration.create.after_persist");
  parts_.mappings.Publish(spec.target, spec.collection, std::move(mapper));
  parts_.routed.ResetMirror(spec.collection);
  parts_.routed.ResetShadow(spec.collection);
  std::shared_ptr<Move> move = TRY(Move::Start(options_, parts_, std::move(document), false));
  {
    std::lock_guard lock(mutex_);
    moves_[id] = move;
  }
  Wake();
  return move->GetStatus();
}

Result<MigrationStatus> Service::Get(const RequestContext&, const std::string& id) {
  {
    std::unique_lock lock(mutex_);
    const auto found = moves_.find(id);
    if (found != moves_.end()) {
      const std::shared_ptr<Move> move = found->second;
      lock.unlock();
      return move->GetStatus();
    }
  }
  const std::optional<MigrationRow> row = TRY(parts_.control.FindMigration(id));
  if (!row.has_value()) {
    return NotFound("there is no move \"" + id + "\"");
  }
  const MoveDocument document = TRY(FromRow(*row));
  return StatusOf(document);
}

Result<std::vector<MigrationStatus>> Service::List(const RequestContext&) {
  const std::vector<MigrationRow> rows = TRY(parts_.control.ListMigrations());
  const Moves moves = Active();
  std::vector<MigrationStatus> list;
  for (const MigrationRow& row : rows) {
    const auto active = moves.find(row.id);
    if (active != moves.end()) {
      list.push_back(active->second->GetStatus());
      continue;
    }
    const MoveDocument document = TRY(FromRow(row));
    list.push_back(StatusOf(document));
  }
  return list;
}

Result<MigrationStatus> Service::Advance(const RequestContext& context, const std::string& id,
                                         std::optional<MigrationState> to) {
  const std::shared_ptr<Move> move = TRY(FindActive(id));
  TRY(move->Command(context, [&](const MigrationProgress& progress) {
    return ApplyAdvance(progress, to.has_value() ? &*to : nullptr);
  }));
  Wake();
  return move->GetStatus();
}

Result<MigrationStatus> Service::Command(const RequestContext& context, const std::string& id,
                                         MigrationCommand command) {
  const std::shared_ptr<Move> move = TRY(FindActive(id));
  TRY(move->Command(
      context, [&](const MigrationProgress& progress) { return ApplyCommand(progress, command); }));
  Wake();
  return move->GetStatus();
}

Result<std::vector<DeadLetter>> Service::DeadLetters(const RequestContext&, const std::string& id) {
  const std::optional<MigrationRow> row = TRY(parts_.control.FindMigration(id));
  if (!row.has_value()) {
    return NotFound("there is no move \"" + id + "\"");
  }
  const std::vector<DeadLetterRow> rows = TRY(parts_.control.ListDeadLetters(id, kMaxDeadLetters));
  std::vector<DeadLetter> letters;
  for (const DeadLetterRow& letter : rows) {
    const Result<RecordKey> key = DecodeKey(letter.key);
    letters.push_back({.key = key.ok() ? ToString(*key) : "(damaged)",
                       .error = letter.error,
                       .attempts = letter.attempts,
                       .since_micros = letter.since_micros});
  }
  return letters;
}

Status Service::Redrive(const RequestContext&, const std::string& id) {
  const std::shared_ptr<Move> move = TRY(FindActive(id));
  move->Redrive();
  return {};
}

}  // namespace

Result<std::unique_ptr<MigrationService>> MakeMigrationService(MigrationServiceOptions options,
                                                               MigrationParts parts) {
  auto service = std::make_unique<Service>(options, parts);
  TRY(service->Resume());
  return std::unique_ptr<MigrationService>(std::move(service));
}

}  // namespace roost
