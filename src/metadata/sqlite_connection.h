#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace roost {

class SqliteConnection;

/// A prepared statement in use. Parameters are numbered from 1 in the order of Bind, columns from
/// 0. Resets the statement when destroyed. For one thread.
class SqliteQuery {
 public:
  SqliteQuery(SqliteQuery&& other) noexcept;
  SqliteQuery& operator=(SqliteQuery&&) = delete;
  ~SqliteQuery();

  SqliteQuery& Text(std::string_view value);
  SqliteQuery& Blob(std::string_view value);
  SqliteQuery& OptionalBlob(const std::optional<std::string>& value);
  /// Stored as the int64 with the same bits.
  SqliteQuery& Number(uint64_t value);
  SqliteQuery& Signed(int64_t value);
  SqliteQuery& OptionalNumber(const std::optional<uint64_t>& value);

  /// True when there is a row to read.
  Result<bool> Next();
  /// For statements without rows.
  Status Run();

  std::string TextAt(int column) const;  ///< also blobs
  uint64_t NumberAt(int column) const;
  int64_t SignedAt(int column) const;
  bool NullAt(int column) const;

 private:
  friend class SqliteConnection;
  SqliteQuery(SqliteConnection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  void Check(int code);

  SqliteConnection* connection_;
  sqlite3_stmt* statement_;
  int next_ = 1;
  int bind_error_ = 0;
};

/// One connection to a SQLite file; keeps statements prepared. For one thread at a time.
class SqliteConnection {
 public:
  struct Options {
    std::chrono::milliseconds busy_timeout{5'000};
    bool read_only = false;
  };
  static Result<std::unique_ptr<SqliteConnection>> Open(const std::string& path, Options options);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  /// `sql` is a constant: the prepared statement is kept under it.
  Result<SqliteQuery> Prepare(const char* sql);
  /// One or several statements without parameters or rows.
  Status Execute(const char* sql);
  /// The first column of the first row of a statement, as a number.
  Result<int64_t> ReadNumber(const char* sql);

  /// The last failure as ours: disk full is kResourceExhausted, uniqueness kAlreadyExists, damage
  /// kDataLoss, anything else kUnavailable.
  Error LastError(std::string_view doing) const;
  /// True when the last failure was one of the disk (not: full, busy, constraint).
  bool LastErrorWasInputOutput() const;
  /// Rows changed by the last statement.
  int64_t Changes() const;

 private:
  friend class SqliteQuery;
  explicit SqliteConnection(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  sqlite3* database_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace roost
