// COPY: rows in and out as one stream of bytes.

#include <poll.h>

#include "net/pg_call.h"
#include "net/pg_connection.h"

namespace roost {

Result<uint64_t> PgConnection::CopyIn(const RequestContext& context, const std::string& sql,
                                      const std::function<Result<std::string>()>& next,
                                      PgEffect effect) {
  TRY(context.CheckAlive("calling PostgreSQL"));
  if (!usable_) {
    return Unavailable("the connection to PostgreSQL is closed");
  }
  Call call(context, effect, "copying rows to PostgreSQL", wake_);
  if (PQsendQuery(connection_, sql.c_str()) == 0) {
    return Lost(call);
  }
  TRY(Flush(call));
  RawResult started = TRY(Next(call));
  if (started == nullptr || PQresultStatus(started.get()) != PGRES_COPY_IN) {
    if (started == nullptr) {
      return Lost(call);
    }
    Error error = Failed(call, started.get());
    while (usable_ && TRY(Next(call)) != nullptr) {
    }
    return error;
  }
  call.flushed = false;
  std::optional<Error> refused;
  std::string piece;
  while (!call.interrupted) {
    if (piece.empty()) {
      auto more = next();
      if (!more.ok()) {
        refused = more.error();
        break;
      }
      piece = *std::move(more);
      if (piece.empty()) {
        break;
      }
    }
    const int taken = PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size()));
    if (taken < 0) {
      break;  // The result says why.
    }
    if (taken > 0) {
      piece.clear();
    }
    // Waits here when the server reads more slowly than we write, so that memory stays bounded.
    while (!call.interrupted && PQflush(connection_) > 0) {
      TRY(Await(call, POLLIN | POLLOUT));
      if (PQconsumeInput(connection_) == 0) {
        break;
      }
    }
  }
  // The server does not look for a cancel while it waits for data; this ends the statement.
  const bool abort = call.interrupted || refused;
  while (PQputCopyEnd(connection_, abort ? "the client gave up" : nullptr) == 0) {
    TRY(Await(call, POLLIN | POLLOUT));
    PQconsumeInput(connection_);
  }
  TRY(Flush(call));
  RawResult result = TRY(Only(call));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
    Error error = Failed(call, result.get());
    return refused ? *refused : error;
  }
  return PgResult(result.release()).affected();
}

Status PgConnection::CopyOut(const RequestContext& context, const std::string& sql,
                             const std::function<Status(std::string_view)>& take) {
  TRY(context.CheckAlive("calling PostgreSQL"));
  if (!usable_) {
    return Unavailable("the connection to PostgreSQL is closed");
  }
  Call call(context, PgEffect::kRead, "copying rows from PostgreSQL", wake_);
  if (PQsendQuery(connection_, sql.c_str()) == 0) {
    return Lost(call);
  }
  TRY(Flush(call));
  RawResult started = TRY(Next(call));
  if (started == nullptr) {
    return Lost(call);
  }
  std::optional<Error> failed;
  if (PQresultStatus(started.get()) != PGRES_COPY_OUT) {
    failed = Failed(call, started.get());
  }
  while (!failed) {
    char* bytes = nullptr;
    const int size = PQgetCopyData(connection_, &bytes, 1);
    if (size < 0) {
      break;  // The end, or the result says what happened.
    }
    if (size == 0) {
      TRY(Await(call, POLLIN));
      if (PQconsumeInput(connection_) == 0) {
        break;
      }
      continue;
    }
    Status taken;
    if (!call.interrupted) {
      taken = take(std::string_view(bytes, static_cast<size_t>(size)));
    }
    PQfreemem(bytes);
    if (!taken.ok()) {
      Interrupt(call, taken.error());
    }
  }
  while (true) {
    RawResult result = TRY(Next(call));
    if (result == nullptr) {
      break;
    }
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK && !failed) {
      failed = Failed(call, result.get());
    }
    if (PQstatus(connection_) == CONNECTION_BAD) {
      usable_ = false;
      break;
    }
  }
  if (call.interrupted) {
    return call.why;
  }
  if (failed) {
    return *std::move(failed);
  }
  return {};
}

}  // namespace roost
