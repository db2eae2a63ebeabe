#include "metadata/sqlite_connection.h"

#include <utility>

#include <sqlite3.h>

namespace roost {

SqliteQuery::SqliteQuery(SqliteQuery&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_(other.next_),
      bind_error_(other.bind_error_) {}

SqliteQuery::~SqliteQuery() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
}

void SqliteQuery::Check(int code) {
  ++next_;
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) {
    bind_error_ = code;
  }
}

SqliteQuery& SqliteQuery::Text(std::string_view value) {
  Check(sqlite3_bind_text64(statement_, next_, value.data(), value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

SqliteQuery& SqliteQuery::Blob(std::string_view value) {
  // A null pointer would bind NULL instead of an empty blob.
  const char* data = value.empty() ? "" : value.data();
  Check(sqlite3_bind_blob64(statement_, next_, data, value.size(), SQLITE_TRANSIENT));
  return *this;
}

SqliteQuery& SqliteQuery::OptionalBlob(const std::optional<std::string>& value) {
  if (value.has_value()) {
    return Blob(*value);
  }
  Check(sqlite3_bind_null(statement_, next_));
  return *this;
}

SqliteQuery& SqliteQuery::Number(uint64_t value) { return Signed(static_cast<int64_t>(value)); }

SqliteQuery& SqliteQuery::Signed(int64_t value) {
  Check(sqlite3_bind_int64(statement_, next_, value));
  return *this;
}

SqliteQuery& SqliteQuery::OptionalNumber(const std::optional<uint64_t>& value) {
  if (value.has_value()) {
    return Number(*value);
  }
  Check(sqlite3_bind_null(statement_, next_));
  return *this;
}

Result<bool> SqliteQuery::Next() {
  if (bind_error_ != SQLITE_OK) {
    return Internal("control store: a parameter cannot be bound: " +
                    std::string(sqlite3_errstr(bind_error_)));
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return connection_->LastError("running a statement");
}

Status SqliteQuery::Run() {
  TRY(Next());
  return {};
}

std::string SqliteQuery::TextAt(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

uint64_t SqliteQuery::NumberAt(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
}

int64_t SqliteQuery::SignedAt(int column) const { return sqlite3_column_int64(statement_, column); }

bool SqliteQuery::NullAt(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path,
                                                                 Options options) {
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path));
  const int flags =
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &connection->database_, flags, nullptr) != SQLITE_OK) {
    return connection->LastError("opening");
  }
  sqlite3_busy_timeout(connection->database_, static_cast<int>(options.busy_timeout.count()));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(database_);
}

Result<SqliteQuery> SqliteConnection::Prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr && sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                 &statement, nullptr) != SQLITE_OK) {
    return LastError("preparing a statement");
  }
  return SqliteQuery(*this, statement);
}

Status SqliteConnection::Execute(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return LastError("running a statement");
  }
  return {};
}

Result<int64_t> SqliteConnection::ReadNumber(const char* sql) {
  SqliteQuery query = TRY(Prepare(sql));
  const bool row = TRY(query.Next());
  return row ? query.SignedAt(0) : 0;
}

Error SqliteConnection::LastError(std::string_view doing) const {
  const int code = database_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(database_);
  std::string message = "control store " + path_ + ", " + std::string(doing) + ": " +
                        (database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ResourceExhausted(message + "; free space on that disk");
    case SQLITE_CONSTRAINT:
      return AlreadyExists(std::move(message));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DataLoss(message + "; restore the file from a backup");
    default:
      return Unavailable(std::move(message));
  }
}

bool SqliteConnection::LastErrorWasInputOutput() const {
  return (sqlite3_extended_errcode(database_) & 0xff) == SQLITE_IOERR;
}

int64_t SqliteConnection::Changes() const { return sqlite3_changes64(database_); }

}  // namespace roost
