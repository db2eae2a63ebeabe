#include "metadata/postgres_writer.h"

#include <limits>
#include <thread>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "metadata/control_statements.h"
#include "metadata/postgres_session.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{50};  ///< between two tries to reach the server
constexpr int kTries = 3;           ///< of a transaction that the server aborted (deadlock)
// What a commit may take longer than call_timeout.
constexpr milliseconds kPerStatement{1};
constexpr milliseconds kPerErasure{60'000};  ///< of all rows that a move has left
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

SteadyTime Now() { return std::chrono::steady_clock::now(); }

/// The server is well and refused what a transaction holds: others may pass.
bool IsAboutContent(Code code) {
  return code != Code::kUnavailable && code != Code::kResourceExhausted && code != Code::kAborted &&
         code != Code::kDeadlineExceeded;
}

}  // namespace

PostgresWriter::PostgresWriter(const PostgresControlOptions& options, PgOptions sessions,
                               PostgresClaim claim, std::unique_ptr<PgConnection> session)
    : options_(options),
      sessions_(std::move(sessions)),
      claim_(std::move(claim)),
      session_(std::move(session)),
      confirmed_(claim_.commits()),
      held_until_(options.exclusive ? 0 : kForever) {
  KeepAlive();
}

PostgresWriter::~PostgresWriter() {
  if (session_ != nullptr && session_->usable()) {
    claim_.Release(Call(), *session_);
  }
}

RequestContext PostgresWriter::Call(milliseconds more) const {
  return RequestContext{.deadline = Deadline::After(options_.call_timeout + more)};
}

void PostgresWriter::Extend(SteadyTime sent) {
  if (options_.exclusive) {
    held_until_ = (sent + options_.lease).time_since_epoch().count();
  }
}

void PostgresWriter::Fence(const Error& error) {
  LogError("This gateway may no longer use the control store", {{"error", error}});
  held_until_ = 0;
  std::lock_guard lock(mutex_);
  fenced_ = error;
}

Status PostgresWriter::CheckHeld() const {
  if (Now().time_since_epoch().count() < held_until_.load()) {
    return {};
  }
  std::lock_guard lock(mutex_);
  if (fenced_.has_value()) {
    return *fenced_;
  }
  return Unavailable(
      "this gateway has had no contact with its control store for " +
      std::to_string(options_.lease.count()) +
      " ms, so another one may have taken over; it serves again when the control store is back");
}

bool PostgresWriter::Fenced() const {
  std::lock_guard lock(mutex_);
  return fenced_.has_value();
}

Status PostgresWriter::Reconnect() {
  const RequestContext context = Call();
  const SteadyTime sent = Now();
  auto session = TRY(OpenControlSession(context, sessions_));
  const Status taken = claim_.TakeAgain(context, *session);
  if (!taken.ok()) {
    if (taken.code() == Code::kFailedPrecondition) {
      Fence(taken.error());
    }
    return taken;
  }
  if (claim_.commits() < confirmed_) {
    const Error lost = FailedPrecondition(
        "the control store in " + session->name() + " has lost " +
        std::to_string(confirmed_ - claim_.commits()) +
        " commits that it had confirmed (a failover to a copy that lags?); check what moves were "
        "under way, then restart this gateway");
    Fence(lost);
    return lost;
  }
  confirmed_ = claim_.commits();
  session_ = std::move(session);
  Extend(sent);
  LogInfo("The control store is reached again", {{"commits", confirmed_}});
  return {};
}

Status PostgresWriter::Connect() {
  if (session_ != nullptr && session_->usable()) {
    return {};
  }
  session_.reset();
  {
    std::lock_guard lock(mutex_);
    if (fenced_.has_value()) {
      return *fenced_;
    }
  }
  if (Now() < next_connect_) {
    return last_failure_;
  }
  const Status status = Reconnect();
  if (!status.ok()) {
    last_failure_ = status.error().Within("control store");
    last_failure_.outcome_unknown = false;
    next_connect_ = Now() + kPause;
    return last_failure_;
  }
  return {};
}

/// Commits by `attempt`, which may take `more` than other calls; again when the session is lost and
/// the lost commit is known not to have landed. An error says outcome_unknown only when the server
/// could not be asked in time.
Status PostgresWriter::Commit(const Attempt& attempt, milliseconds more) {
  uint64_t number = 0;
  bool maybe_landed = false;
  for (int aborted = 0;;) {
    Status status = Connect();
    if (status.ok()) {
      if (maybe_landed && confirmed_ >= number) {
        away_since_.reset();
        return {};
      }
      // The lost session has ended without it: it cannot land any more.
      maybe_landed = false;
      number = confirmed_ + 1;
      const SteadyTime sent = Now();
      status = attempt(Call(more), number);
      if (status.ok()) {
        confirmed_ = number;
        away_since_.reset();
        Extend(sent);
        return {};
      }
      if (session_->usable()) {
        away_since_.reset();
        if (status.code() == Code::kAborted && ++aborted < kTries) {
          continue;
        }
        return status;
      }
      maybe_landed = status.error().outcome_unknown;
      if (status.code() == Code::kDeadlineExceeded && !maybe_landed) {
        return status;
      }
    }
    away_since_ = away_since_.value_or(Now());
    if (!Fenced() && Now() - *away_since_ < options_.give_up) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    Error error = status.error();
    error.outcome_unknown = maybe_landed;
    return error;
  }
}

Status PostgresWriter::CommitPlain(std::span<Job> run) {
  std::vector<PgStatement> statements;
  milliseconds more{};
  for (const Job& job : run) {
    more += job.transaction.erase.empty() ? milliseconds(0) : kPerErasure;
    TRY(ListStatements(job.transaction, [&](const ControlStatement& statement) -> Status {
      statements.push_back(ToPostgres(statement));
      return {};
    }));
  }
  statements.emplace_back();
  more += kPerStatement * static_cast<int64_t>(statements.size());
  const auto attempt = [&](const RequestContext& context, uint64_t number) -> Status {
    statements.back() = claim_.CountCommit(number);
    TRY(session_->Run(context, statements, PgEffect::kWrite));
    return {};
  };
  return Commit(attempt, more);
}

/// A transaction whose statements' effects decide whether it may be committed.
Status PostgresWriter::CommitOne(const Job& job) {
  return Commit([&](const RequestContext& context, uint64_t number) {
    return session_->Transact(context, [&]() -> Status {
      const auto run = [&](PgStatement statement) {
        return session_->Run(context, std::move(statement.sql), std::move(statement.params));
      };
      const auto check = [&](const ControlStatement& statement) -> Status {
        const PgResult result = TRY(run(ToPostgres(statement)));
        return CheckDemand(statement, result.affected());
      };
      TRY(ListStatements(job.transaction, check));
      TRY(run(claim_.CountCommit(number)));
      return {};
    });
  });
}

/// In a commit of its own, so that gateways which share the store do not wait for each other's
/// groups at the one row of the sequence.
void PostgresWriter::Reserve(std::span<Job> jobs) {
  uint64_t wanted = 0;
  for (const Job& job : jobs) {
    wanted += job.reserve;
  }
  if (wanted == 0) {
    return;
  }
  uint64_t next = 0;
  Status status;
  // A commit whose reply was lost has taken numbers that nobody knows: others are taken.
  while (status.ok() && next == 0) {
    status = Commit([&](const RequestContext& context, uint64_t number) -> Status {
      std::vector<PgStatement> statements(2);
      statements[0].sql =
          "UPDATE sequence SET next = next + $1 WHERE name = 'seq' RETURNING next - $1";
      statements[0].params.Int64(static_cast<int64_t>(wanted));
      statements[1] = claim_.CountCommit(number);
      const auto results = TRY(session_->Run(context, statements, PgEffect::kWrite));
      next = static_cast<uint64_t>(results[0].Int(0, 0));
      return {};
    });
  }
  for (Job& job : jobs) {
    if (job.reserve > 0) {
      job.status = status;
      job.first_reserved = next;
      next += job.reserve;
    }
  }
}

/// Jobs that may share a commit. Where one of them is refused, the others are carried out without
/// it, in order.
void PostgresWriter::CarryRun(std::span<Job> run) {
  const auto commit = [&]() -> Status {
    FAILPOINT_ERROR("metadata.commit.before");
    TRY(HasDemands(run.front().transaction) ? CommitOne(run.front()) : CommitPlain(run));
    FAILPOINT("metadata.commit.after");
    return {};
  };
  const Status status = commit();
  if (!status.ok() && run.size() > 1 && IsAboutContent(status.code())) {
    CarryRun(run.first(run.size() / 2));
    CarryRun(run.subspan(run.size() / 2));
    return;
  }
  if (!status.ok() && !IsAboutContent(status.code())) {
    LogError("The control store could not commit", {{"error", status.error()}});
  }
  for (Job& job : run) {
    job.status = status;
  }
}

void PostgresWriter::CarryOut(std::span<Job> jobs) {
  Reserve(jobs);
  size_t begin = 0;
  while (begin < jobs.size()) {
    const auto plain = [&](size_t i) {
      return jobs[i].reserve == 0 && !HasDemands(jobs[i].transaction);
    };
    size_t end = begin + 1;
    while (plain(begin) && end < jobs.size() && plain(end)) {
      ++end;
    }
    if (jobs[begin].reserve == 0) {
      CarryRun(jobs.subspan(begin, end - begin));
    }
    begin = end;
  }
}

void PostgresWriter::KeepAlive() {
  if (!Connect().ok()) {
    return;
  }
  const SteadyTime sent = Now();
  if (session_->Run(Call(), "SELECT 1").ok()) {
    Extend(sent);
  } else {
    (void)Connect();  // At once, where it only was the session.
  }
}

}  // namespace roost
