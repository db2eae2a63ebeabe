#include "metadata/postgres_control_store.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "metadata/postgres_schema.h"
#include "metadata/postgres_session.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

/// Between two signs of life of an owner who has nothing to commit.
milliseconds IdleInterval(const PostgresControlOptions& options) {
  return std::clamp(options.lease / 4, milliseconds(20), milliseconds(1'000));
}

class PostgresRow final : public ControlRow {
 public:
  PostgresRow(const PgResult& result, size_t row) : result_(result), row_(row) {}
  std::string Text(int column) const override {
    return result_.Text(row_, static_cast<size_t>(column));
  }
  int64_t Signed(int column) const override {
    return result_.Int(row_, static_cast<size_t>(column));
  }
  bool Null(int column) const override { return result_.IsNull(row_, static_cast<size_t>(column)); }

 private:
  const PgResult& result_;
  const size_t row_;
};

Status WarnWhereCommitsMayVanish(const RequestContext& context, PgConnection& session) {
  const PgResult fsync = TRY(session.Run(context, "SELECT current_setting('fsync')"));
  if (fsync.Text(0, 0) != "on") {
    LogWarning("The control store's server does not sync its commits to disk (fsync is off)",
               {{"server", session.name()}});
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ControlStore>> OpenPostgresControlStore(PostgresControlOptions options,
                                                               Metrics& metrics) {
  const PgOptions sessions = ControlSessions(TRY(ParsePgUri(options.uri)));
  if (options.gateway_id.empty()) {
    options.gateway_id = SystemRandom().Hex(16);
  }
  // The schema and a vanished owner's lease may take their time beside the ordinary calls.
  const RequestContext context{.deadline =
                                   Deadline::After(2 * options.lease + 6 * options.call_timeout)};
  auto session = OpenControlSession(context, sessions);
  if (!session.ok()) {
    return session.error().Within("control store");
  }
  TRY(PreparePostgresSchema(context, **session));
  TRY(WarnWhereCommitsMayVanish(context, **session));
  PostgresClaim claim(
      {.id = options.gateway_id, .exclusive = options.exclusive, .lease = options.lease});
  TRY(claim.Take(context, **session));
  auto writer =
      std::make_unique<PostgresWriter>(options, sessions, std::move(claim), *std::move(session));
  return std::unique_ptr<ControlStore>(
      std::make_unique<PostgresControlStore>(options, sessions, std::move(writer), metrics));
}

PostgresControlStore::PostgresControlStore(const PostgresControlOptions& options,
                                           const PgOptions& sessions,
                                           std::unique_ptr<PostgresWriter> writer, Metrics& metrics)
    : options_(options),
      readers_(sessions, {.max_connections = options.read_connections}, clock_,
               [](const RequestContext& context, PgConnection& session) {
                 return PrepareControlSession(context, session);
               }),
      writer_(std::move(writer)),
      queue_(
          {.max_queued = options.max_queued,
           .max_group = options.max_group,
           .sequence_block = options.exclusive ? options.sequence_block : 0,
           .waits_for = "the control store's server",
           .idle_interval = IdleInterval(options)},
          [this](std::span<CommitQueue::Job> jobs) { writer_->CarryOut(jobs); },
          [this] { writer_->KeepAlive(); }, metrics) {}

Status PostgresControlStore::Query(const char* sql, std::span<const ControlValue> values,
                                   const VisitRow& visit) {
  const RequestContext context{.deadline = Deadline::After(options_.call_timeout)};
  const auto read = [&]() -> Result<PgResult> {
    const PgPool::Lease session = TRY(readers_.Acquire(context));
    return session->Run(context, sql, ToPostgres(values));
  };
  Result<PgResult> result = read();
  if (!result.ok() && result.code() == Code::kUnavailable) {
    // Sessions that stood idle may have died unseen, all of them.
    readers_.CloseIdle();
    result = read();
  }
  if (!result.ok()) {
    return result.error().Within("control store");
  }
  for (size_t row = 0; row < result->rows(); ++row) {
    TRY(visit(PostgresRow(*result, row)));
  }
  return {};
}

Status PostgresControlStore::CheckHealth() {
  TRY(CheckHeld());
  // A commit of nothing: it fails where a real one would.
  return Commit(RequestContext{.deadline = Deadline::After(options_.call_timeout)}, {});
}

}  // namespace roost
