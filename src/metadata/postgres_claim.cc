#include "metadata/postgres_claim.h"

#include <thread>
#include <utility>

#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

/// Between two looks at a lock that another session holds.
constexpr milliseconds kLook{20};

int64_t Key(const std::string& text) { return static_cast<int64_t>(Hash64(text)); }

PgParams One(int64_t number) {
  PgParams params;
  params.Int64(number);
  return params;
}

/// What people shall find when they look for the process.
std::string ProcessName() {
  char host[256] = "unknown host";
  gethostname(host, sizeof(host) - 1);
  return std::string(host) + ", process " + std::to_string(getpid());
}

Status Pause(const RequestContext& context, milliseconds time) {
  std::this_thread::sleep_for(time);
  return context.CheckAlive("waiting for the control store's lock");
}

}  // namespace

Status PostgresClaim::FindKeys(const RequestContext& context, PgConnection& session) {
  const PgResult found = TRY(session.Run(
      context, "SELECT (SELECT oid FROM pg_namespace WHERE nspname = current_schema())::bigint"));
  const std::string name = "roost control store " + std::to_string(found.Int(0, 0));
  store_key_ = Key(name);
  writer_key_ = options_.exclusive ? store_key_ : Key(name + " writer " + options_.id);
  return {};
}

Result<bool> PostgresClaim::TryLock(const RequestContext& context, PgConnection& session) {
  if (!options_.exclusive) {
    const PgResult shared =
        TRY(session.Run(context, "SELECT pg_try_advisory_lock_shared($1)", One(store_key_)));
    if (shared.Int(0, 0) == 0) {
      return false;
    }
  }
  const PgResult got =
      TRY(session.Run(context, "SELECT pg_try_advisory_lock($1)", One(writer_key_)));
  return got.Int(0, 0) != 0;
}

void PostgresClaim::Unlock(const RequestContext& context, PgConnection& session) {
  (void)session.Run(context, "SELECT pg_advisory_unlock_all()");
}

/// The server's process that holds the writer's lock; 0: none.
Result<int64_t> PostgresClaim::Holder(const RequestContext& context, PgConnection& session) {
  const PgResult found =
      TRY(session.Run(context,
                      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
                      "AND mode = 'ExclusiveLock' AND objsubid = 1 AND database = "
                      "(SELECT oid FROM pg_database WHERE datname = current_database()) "
                      "AND classid::bigint = (($1 >> 32) & 4294967295) "
                      "AND objid::bigint = ($1 & 4294967295)",
                      One(writer_key_)));
  return found.rows() == 0 ? int64_t{0} : found.Int(0, 0);
}

Result<PostgresClaim::Owner> PostgresClaim::ReadOwner(const RequestContext& context,
                                                      PgConnection& session) {
  const PgResult found =
      TRY(session.Run(context, "SELECT id, name, commits FROM gateway WHERE owner = 1"));
  Owner owner;
  if (found.rows() > 0) {
    owner = {.known = true,
             .id = found.Text(0, 0),
             .name = found.Text(0, 1),
             .commits = static_cast<uint64_t>(found.Int(0, 2))};
  }
  return owner;
}

Status PostgresClaim::WriteRow(const RequestContext& context, PgConnection& session) {
  std::vector<PgStatement> statements(2);
  statements[0].sql = "DELETE FROM gateway WHERE id <> $1 AND (owner = 1 OR $2 = 1)";
  statements[0].params.Text(options_.id);
  statements[0].params.Int64(options_.exclusive ? 1 : 0);
  statements[1].sql =
      "INSERT INTO gateway (id, name, owner, commits) VALUES ($1, $2, $3, 0) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, owner = excluded.owner "
      "RETURNING commits";
  statements[1].params.Text(options_.id);
  statements[1].params.Text(ProcessName());
  statements[1].params.Int64(options_.exclusive ? 1 : 0);
  const auto results = TRY(session.Run(context, statements, PgEffect::kWrite));
  commits_ = static_cast<uint64_t>(results[1].Int(0, 0));
  session_ = session.backend_pid();
  return {};
}

/// Waits for the lock while a session that is known to be dead holds it (0: any), and ends that.
Status PostgresClaim::AwaitLock(const RequestContext& context, PgConnection& session,
                                int64_t dead_session) {
  while (!TRY(TryLock(context, session))) {
    const int64_t holder = TRY(Holder(context, session));
    if (holder != 0 && (dead_session == 0 || holder == dead_session)) {
      TRY(session.Run(context, "SELECT pg_terminate_backend($1::int)", One(holder)));
    } else if (options_.exclusive) {
      const Owner owner = TRY(ReadOwner(context, session));
      if (owner.known && owner.id != options_.id) {
        return InUse(session, owner);
      }
    }
    TRY(Pause(context, kLook));
  }
  return {};
}

Error PostgresClaim::InUse(const PgConnection& session, const Owner& owner) const {
  return FailedPrecondition(
      "the control store in " + session.name() + " belongs to another gateway" +
      (owner.known ? " (" + owner.name + ")" : std::string()) +
      "; one gateway at a time may use it: stop that one, or give this one a database of its own");
}

Status PostgresClaim::Take(const RequestContext& context, PgConnection& session) {
  TRY(FindKeys(context, session));
  const bool locked = TRY(TryLock(context, session));
  Owner owner = TRY(ReadOwner(context, session));
  if (owner.known && owner.id == options_.id) {
    if (!locked) {
      TRY(AwaitLock(context, session, 0));
    }
    return WriteRow(context, session);
  }
  if (!locked) {
    return InUse(session, owner);
  }
  if (owner.known) {
    LogWarning("The gateway that held the control store has vanished; waiting for its lease to end",
               {{"gateway", owner.name}});
  }
  // It may only have lost its session: the lock is left to it between two looks.
  const Deadline free = Deadline::After(options_.lease * 3 / 2);
  while (owner.known && !free.Passed()) {
    Unlock(context, session);
    TRY(Pause(context, kLook * 4));
    const bool again = TRY(TryLock(context, session));
    const Owner now = TRY(ReadOwner(context, session));
    if (!again || (now.known && (now.id != owner.id || now.commits != owner.commits))) {
      return InUse(session, now);
    }
    owner = now;
  }
  return WriteRow(context, session);
}

Status PostgresClaim::TakeAgain(const RequestContext& context, PgConnection& session) {
  TRY(AwaitLock(context, session, session_ == 0 ? -1 : session_));
  PgParams params;
  params.Text(options_.id);
  params.Int64(options_.exclusive ? 1 : 0);
  const PgResult row = TRY(session.Run(
      context, "SELECT commits FROM gateway WHERE id = $1 AND owner = $2", std::move(params)));
  if (row.rows() == 0) {
    return FailedPrecondition("another gateway has taken over the control store in " +
                              session.name() +
                              ", or it was replaced by a copy; this gateway must be restarted");
  }
  commits_ = static_cast<uint64_t>(row.Int(0, 0));
  session_ = session.backend_pid();
  return {};
}

void PostgresClaim::Release(const RequestContext& context, PgConnection& session) {
  PgParams params;
  params.Text(options_.id);
  (void)session.Run(context, "DELETE FROM gateway WHERE id = $1", std::move(params),
                    PgEffect::kWrite);
}

PgStatement PostgresClaim::CountCommit(uint64_t number) const {
  PgStatement statement;
  statement.sql = "UPDATE gateway SET commits = $2 WHERE id = $1";
  statement.params.Text(options_.id);
  statement.params.Int64(static_cast<int64_t>(number));
  return statement;
}

}  // namespace roost
