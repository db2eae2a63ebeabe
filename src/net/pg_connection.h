#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "net/pg_codec.h"

struct pg_conn;
struct pg_result;

namespace roost {

struct PgHost {
  std::string host = "127.0.0.1";
  uint16_t port = 5432;
};

/// How a PostgreSQL server is reached and what its sessions are like.
struct PgOptions {
  std::vector<PgHost> hosts{PgHost{}};  ///< tried in order until one takes writes
  std::string user = "postgres";
  std::string password;
  std::string database = "postgres";
  std::string ssl_mode = "prefer";   ///< as libpq: disable, prefer, require, verify-ca, verify-full
  std::string ssl_root_certificate;  ///< file; empty: libpq's default
  std::string application_name = "roost";
  /// set_config(name, value) for each new session.
  std::vector<std::pair<std::string, std::string>> settings;
  std::chrono::milliseconds connect_timeout{5'000};  ///< a host
  /// How long a call whose deadline passed waits for the server to confirm that it was cancelled.
  std::chrono::milliseconds cancel_grace{500};
  size_t max_prepared_statements = 256;  ///< kept a session; the oldest unused goes first
};

/// Reads "postgresql://user:password@host:port,host2/database?sslmode=require" or
/// "host=… dbname=…"; what it leaves out keeps its default. The error never repeats the text, which
/// may hold a password.
Result<PgOptions> ParsePgUri(std::string_view uri);

/// The rows a statement gave, in binary format. Views live as long as the result.
class PgResult {
 public:
  explicit PgResult(pg_result* result) : result_(result) {}

  size_t rows() const;
  size_t columns() const;
  bool IsNull(size_t row, size_t column) const;
  std::string_view Bytes(size_t row, size_t column) const;
  std::string Text(size_t row, size_t column) const { return std::string(Bytes(row, column)); }
  /// Of a bool, int2, int4, oid or int8 column; 0 for null.
  int64_t Int(size_t row, size_t column) const;
  /// Rows inserted, updated, deleted or selected.
  uint64_t affected() const;

 private:
  struct Delete {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Delete> result_;
};

/// One statement with its parameters. The text is prepared once a session and found again by its
/// bytes, so it should hold no values.
struct PgStatement {
  std::string sql;
  PgParams params;
};

/// kWrite: a call whose reply got lost may have changed something (Error::outcome_unknown).
/// kRead also for writes inside an explicit transaction, which nothing but its COMMIT lets land.
enum class PgEffect : uint8_t { kRead, kWrite };

/// One session. Not thread safe. Every call honours the context's deadline and stop, then asks the
/// server to cancel and waits `cancel_grace` for its answer: the error says whether the statement
/// was cancelled without effect (outcome_unknown false) or nobody knows. A call that was finished
/// by then succeeds. After that, and after a lost connection, usable() is false: drop the object.
class PgConnection {
 public:
  /// kUnavailable, kUnauthenticated, kResourceExhausted, kFailedPrecondition (no such database)
  /// name host and port, never the password. Looking up a host's name is not bounded by the
  /// deadline.
  static Result<std::unique_ptr<PgConnection>> Connect(const RequestContext& context,
                                                       const PgOptions& options);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  /// Sends all statements at once (pipeline) as one transaction, unless one is open already, and
  /// returns a result each. An error is the first statement's that failed; then none has an effect.
  Result<std::vector<PgResult>> Run(const RequestContext& context,
                                    std::span<const PgStatement> statements, PgEffect effect);
  /// One statement.
  Result<PgResult> Run(const RequestContext& context, std::string sql, PgParams params = {},
                       PgEffect effect = PgEffect::kRead);
  /// Several statements without parameters, separated by ";", whose rows nobody needs.
  Status Script(const RequestContext& context, const std::string& sql, PgEffect effect);
  /// BEGIN, `body`, COMMIT; when `body` or anything else fails: ROLLBACK.
  Status Transact(const RequestContext& context, const std::function<Status()>& body);

  /// "COPY … FROM STDIN (FORMAT binary)": calls `next` for more bytes until it returns none.
  /// Returns the rows copied. An error of `next` ends the statement without effect.
  Result<uint64_t> CopyIn(const RequestContext& context, const std::string& sql,
                          const std::function<Result<std::string>()>& next, PgEffect effect);
  /// "COPY … TO STDOUT (FORMAT binary)": calls `take` with each piece the server sends.
  Status CopyOut(const RequestContext& context, const std::string& sql,
                 const std::function<Status(std::string_view)>& take);

  bool usable() const { return usable_; }
  /// Whether an idle session still stands, as far as can be told without asking the server.
  bool LooksAlive();
  /// "PostgreSQL at db:5432", for messages.
  const std::string& name() const { return name_; }
  /// e.g. 150004.
  int server_version() const;
  int backend_pid() const;

 private:
  struct Call;
  struct Step;
  using RawResult = std::unique_ptr<pg_result, void (*)(pg_result*)>;

  PgConnection(pg_conn* connection, int wake, const PgOptions& options);

  static Result<std::unique_ptr<PgConnection>> ConnectTo(const RequestContext& context,
                                                         const PgOptions& options,
                                                         const PgHost& host);
  Status FinishConnect(const RequestContext& context, const PgHost& host);
  Status ApplySettings(const RequestContext& context);

  Status Await(Call& call, short events);
  Status Flush(Call& call);
  Result<RawResult> Next(Call& call);
  Result<RawResult> Only(Call& call);
  void Interrupt(Call& call, Error why);
  void Abandon();
  Error Lost(const Call& call);
  Error Failed(const Call& call, const pg_result* result);

  Status Queue(std::span<const PgStatement> statements, std::vector<Step>& steps);
  Result<std::vector<PgResult>> Collect(Call& call, const std::vector<Step>& steps);
  const std::string* FindPrepared(const std::string& sql);
  void Remember(const std::string& sql, const std::string& name);

  struct Prepared {
    std::string name;
    std::list<std::string>::iterator used;
  };

  pg_conn* connection_;
  int wake_;  ///< an eventfd that a stop request makes readable
  PgOptions options_;
  std::string name_ = "PostgreSQL";
  bool usable_ = true;
  uint64_t next_name_ = 0;
  std::unordered_map<std::string, Prepared> prepared_;
  std::list<std::string> by_use_;  ///< texts of prepared_, latest first
};

}  // namespace roost
