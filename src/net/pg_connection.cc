#include "net/pg_connection.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>
#include <sys/socket.h>

#include "base/executor.h"
#include "net/pg_call.h"
#include "net/pg_cancel.h"
#include "net/pg_error.h"

namespace roost {
namespace {

constexpr std::string_view kCancelledState = "57014";

std::string_view StateOf(const pg_result* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? std::string_view() : std::string_view(state);
}

std::string_view FieldOf(const pg_result* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

bool IsError(const pg_result* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_PIPELINE_ABORTED;
}

int PollTimeout(const Deadline& limit) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit.Remaining()).count();
  return static_cast<int>(std::min<int64_t>(left, INT_MAX));
}

}  // namespace

Status PgConnection::Await(Call& call, short events) {
  while (true) {
    pollfd watched[2] = {{PQsocket(connection_), events, 0}, {wake_, POLLIN, 0}};
    const BlockingSection blocking;
    const int ready = poll(watched, call.interrupted ? 1 : 2, PollTimeout(call.limit));
    if (ready < 0) {
      if (errno == EINTR) {
        continue;
      }
      return Lost(call);
    }
    if (!call.interrupted && watched[1].revents != 0) {
      Interrupt(call, Cancelled("the request was cancelled while " + std::string(call.doing)));
      continue;
    }
    if (ready > 0) {
      return {};
    }
    if (!call.limit.Passed()) {
      continue;
    }
    if (!call.interrupted) {
      Interrupt(call,
                DeadlineExceeded("the request's deadline passed while " + std::string(call.doing)));
      continue;
    }
    // Even the cancel was not answered: the server or the way to it hangs.
    Error error = call.why;
    error.outcome_unknown = call.effect == PgEffect::kWrite && call.flushed;
    error.message += "; PostgreSQL did not confirm the cancel";
    Abandon();
    return error;
  }
}

void PgConnection::Interrupt(Call& call, Error why) {
  call.interrupted = true;
  call.why = std::move(why);
  call.limit = Deadline::After(options_.cancel_grace);
  // A late cancel could hit the next statement, so this session ends with this call.
  usable_ = false;
  PgSendCancel(connection_);
}

void PgConnection::Abandon() {
  usable_ = false;
  // Reset instead of an orderly close: what still waits in the socket's buffer must not arrive.
  const linger reset{.l_onoff = 1, .l_linger = 0};
  if (PQsocket(connection_) >= 0) {
    setsockopt(PQsocket(connection_), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
}

Error PgConnection::Lost(const Call& call) {
  Abandon();
  Error error = call.interrupted ? call.why
                                 : Unavailable("the connection to " + name_ + " was lost while " +
                                               std::string(call.doing));
  error.outcome_unknown = call.effect == PgEffect::kWrite && call.flushed;
  return error;
}

Error PgConnection::Failed(const Call& call, const pg_result* result) {
  const std::string_view state = StateOf(result);
  if (state.empty()) {
    return Lost(call);  // libpq made this result up.
  }
  if (FieldOf(result, PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR") {
    usable_ = false;  // FATAL and PANIC end the session.
  }
  if (call.interrupted && state == kCancelledState) {
    Error error = call.why;
    if (call.effect == PgEffect::kWrite) {
      error.message += "; PostgreSQL cancelled the statement, nothing was changed";
    }
    return error;
  }
  if (state == "25006") {
    usable_ = false;  // This host became a standby; a new session looks for the primary.
  }
  return PgError(state, FieldOf(result, PG_DIAG_MESSAGE_PRIMARY),
                 FieldOf(result, PG_DIAG_MESSAGE_HINT), name_);
}

Status PgConnection::Flush(Call& call) {
  while (true) {
    const int left = PQflush(connection_);
    if (left == 0) {
      call.flushed = true;
      return {};
    }
    if (left < 0) {
      // The reason may already have come in; reading the results finds it.
      return {};
    }
    TRY(Await(call, POLLIN | POLLOUT));
    if (PQconsumeInput(connection_) == 0) {
      return {};
    }
  }
}

Result<PgConnection::RawResult> PgConnection::Next(Call& call) {
  while (PQisBusy(connection_) != 0) {
    TRY(Await(call, POLLIN));
    if (PQconsumeInput(connection_) == 0 && PQisBusy(connection_) != 0) {
      return Lost(call);
    }
  }
  return RawResult(PQgetResult(connection_), PQclear);
}

/// The next result, and the end of its statement behind it.
Result<PgConnection::RawResult> PgConnection::Only(Call& call) {
  RawResult result = TRY(Next(call));
  if (result == nullptr) {
    return Lost(call);
  }
  if (PQstatus(connection_) == CONNECTION_BAD) {
    return result;
  }
  while (TRY(Next(call)) != nullptr) {
  }
  return result;
}

const std::string* PgConnection::FindPrepared(const std::string& sql) {
  const auto found = prepared_.find(sql);
  if (found == prepared_.end()) {
    return nullptr;
  }
  by_use_.splice(by_use_.begin(), by_use_, found->second.used);
  return &found->second.name;
}

void PgConnection::Remember(const std::string& sql, const std::string& name) {
  by_use_.push_front(sql);
  prepared_[sql] = {.name = name, .used = by_use_.begin()};
}

Status PgConnection::Queue(std::span<const PgStatement> statements, std::vector<Step>& steps) {
  std::unordered_map<std::string, std::string> fresh;
  for (const PgStatement& statement : statements) {
    const auto& params = statement.params.params();
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const PgParams::Param& param : params) {
      types.push_back(param.type);
      values.push_back(param.null ? nullptr : param.bytes.data());
      lengths.push_back(static_cast<int>(param.bytes.size()));
    }
    const int count = static_cast<int>(params.size());
    const std::vector<int> formats(params.size(), 1);
    const std::string* known = FindPrepared(statement.sql);
    if (known == nullptr && fresh.contains(statement.sql)) {
      known = &fresh[statement.sql];
    }
    if (known == nullptr) {
      std::string& name = fresh[statement.sql];
      name = "s" + std::to_string(next_name_++);
      steps.push_back({.kind = Step::Kind::kPrepare, .sql = statement.sql, .name = name});
      if (PQsendPrepare(connection_, name.c_str(), statement.sql.c_str(), count, types.data()) ==
          0) {
        return Unavailable(PQerrorMessage(connection_));
      }
      known = &name;
    }
    steps.push_back({});
    if (PQsendQueryPrepared(connection_, known->c_str(), count, values.data(), lengths.data(),
                            formats.data(), 1) == 0) {
      return Unavailable(PQerrorMessage(connection_));
    }
  }
  size_t kept = prepared_.size() + fresh.size();
  for (; kept > options_.max_prepared_statements && !by_use_.empty(); --kept) {
    const auto oldest = prepared_.find(by_use_.back());
    const std::string text = "DEALLOCATE " + oldest->second.name;
    steps.push_back({.kind = Step::Kind::kDeallocate, .sql = {}, .name = {}});
    prepared_.erase(oldest);
    by_use_.pop_back();
    if (PQsendQueryParams(connection_, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1) ==
        0) {
      return Unavailable(PQerrorMessage(connection_));
    }
  }
  return {};
}

Result<std::vector<PgResult>> PgConnection::Collect(Call& call, const std::vector<Step>& steps) {
  std::vector<PgResult> results;
  std::optional<Error> first_error;
  for (const Step& step : steps) {
    RawResult result = TRY(Only(call));
    if (IsError(result.get())) {
      if (!first_error) {
        first_error = Failed(call, result.get());
      }
      if (PQstatus(connection_) == CONNECTION_BAD) {
        usable_ = false;
        return *first_error;
      }
      continue;
    }
    if (step.kind == Step::Kind::kPrepare) {
      Remember(step.sql, step.name);
    } else if (step.kind == Step::Kind::kExecute) {
      results.emplace_back(result.release());
    }
  }
  // The commit happens at the end of the pipeline: without its confirmation nothing is certain.
  RawResult end = TRY(Next(call));
  if (end == nullptr) {
    return Lost(call);
  }
  if (PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) {
    // An ERROR here says that the commit was refused; a session's end says nothing.
    const bool ended = FieldOf(end.get(), PG_DIAG_SEVERITY_NONLOCALIZED) != "ERROR";
    Error error = Failed(call, end.get());
    if (ended || PQstatus(connection_) == CONNECTION_BAD) {
      error.outcome_unknown = call.effect == PgEffect::kWrite && !first_error;
      usable_ = false;
    }
    return first_error ? *first_error : error;
  }
  if (first_error) {
    return *std::move(first_error);
  }
  return results;
}

Result<std::vector<PgResult>> PgConnection::Run(const RequestContext& context,
                                                std::span<const PgStatement> statements,
                                                PgEffect effect) {
  TRY(context.CheckAlive("calling PostgreSQL"));
  if (!usable_) {
    return Unavailable("the connection to PostgreSQL is closed");
  }
  Call call(context, effect, "waiting for PostgreSQL", wake_);
  std::vector<Step> steps;
  if (PQenterPipelineMode(connection_) == 0) {
    return Lost(call);
  }
  if (Status queued = Queue(statements, steps); !queued.ok()) {
    Abandon();
    return queued.error();
  }
  if (PQpipelineSync(connection_) == 0) {
    return Lost(call);
  }
  TRY(Flush(call));
  auto results = Collect(call, steps);
  if (usable_ && PQexitPipelineMode(connection_) == 0) {
    usable_ = false;
  }
  return results;
}

Result<PgResult> PgConnection::Run(const RequestContext& context, std::string sql, PgParams params,
                                   PgEffect effect) {
  const PgStatement statement{std::move(sql), std::move(params)};
  auto results = TRY(Run(context, std::span(&statement, 1), effect));
  return std::move(results.front());
}

Status PgConnection::Script(const RequestContext& context, const std::string& sql,
                            PgEffect effect) {
  TRY(context.CheckAlive("calling PostgreSQL"));
  if (!usable_) {
    return Unavailable("the connection to PostgreSQL is closed");
  }
  Call call(context, effect, "waiting for PostgreSQL", wake_);
  if (PQsendQuery(connection_, sql.c_str()) == 0) {
    return Lost(call);
  }
  TRY(Flush(call));
  std::optional<Error> first_error;
  while (true) {
    RawResult result = TRY(Next(call));
    if (result == nullptr) {
      break;
    }
    if (IsError(result.get())) {
      if (!first_error) {
        first_error = Failed(call, result.get());
      }
      if (PQstatus(connection_) == CONNECTION_BAD) {
        usable_ = false;
        break;
      }
    }
  }
  if (first_error) {
    return *std::move(first_error);
  }
  return {};
}

Status PgConnection::Transact(const RequestContext& context, const std::function<Status()>& body) {
  TRY(Run(context, "BEGIN"));
  Status done = body();
  if (done.ok()) {
    auto committed = Run(context, "COMMIT", {}, PgEffect::kWrite);
    if (committed.ok()) {
      return {};
    }
    done = committed.error();
  }
  if (usable_) {
    RequestContext cleanup;
    cleanup.deadline = Deadline::After(options_.cancel_grace);
    if (!Run(cleanup, "ROLLBACK").ok()) {
      Abandon();
    }
  }
  return done;
}

}  // namespace roost
