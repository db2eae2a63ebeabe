#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "metadata/control_types.h"
#include "telemetry/metrics.h"

namespace roost {

/// What must last beside the vector stores: routes, moves, their ledgers, databases, settings, and
/// the counter that orders it all. Thread safe.
///
/// Transactions of many callers are committed together (group commit). They take effect in the
/// order in which Commit and CommitLater were called. An error with Error::outcome_unknown may have
/// become durable; any other error changed nothing. Errors: kUnavailable (disk or server fails),
/// kResourceExhausted (disk full, or too many transactions wait).
class ControlStore {
 public:
  virtual ~ControlStore() = default;

  /// The first of `count` numbers that were never given out before, not by an earlier process
  /// either. Strictly increasing over all calls, those of other processes too: what a call returns
  /// is larger than all that calls which ended before it began have returned, wherever they ran.
  /// Rarely waits for the disk, unless several gateways share the store. Precondition: count > 0.
  virtual Result<uint64_t> NextSeq(uint64_t count = 1) = 0;

  /// Returns once durable.
  virtual Status Commit(const RequestContext&, ControlTransaction) = 0;
  /// Returns at once; calls `done` once durable or failed, from a thread of the store (or from this
  /// one when the transaction is refused at once). `done` must be quick and must not wait; it may
  /// be empty.
  virtual void CommitLater(ControlTransaction, std::function<void(Status)> done) = 0;

  /// Sorted by name.
  virtual Result<std::vector<DatabaseRow>> ListDatabases() = 0;
  /// Sorted by collection.
  virtual Result<std::vector<RouteRow>> ListRoutes() = 0;
  /// Sorted by store and collection.
  virtual Result<std::vector<MappingRow>> ListMappings() = 0;
  /// Newest first.
  virtual Result<std::vector<MigrationRow>> ListMigrations() = 0;
  virtual Result<std::optional<MigrationRow>> FindMigration(const std::string& id) = 0;
  /// By rising number.
  virtual Result<std::vector<ChunkRow>> ListChunks(const std::string& migration) = 0;
  /// Every row, by rising key. `visit` must not call the store.
  virtual Status VisitLedger(const std::string& migration,
                             const std::function<void(LedgerRecord)>& visit) = 0;
  /// The payloads of a key, by rising stamp.
  virtual Result<std::vector<PayloadRow>> ListPayloads(const std::string& migration,
                                                       const std::string& key) = 0;
  /// Every payload's key, stamp and size, by rising key and stamp. `visit` must not call the store.
  virtual Status VisitPayloads(const std::string& migration,
                               const std::function<void(PayloadSize)>& visit) = 0;
  /// Of one pass, by rising chunk.
  virtual Result<std::vector<VerificationRow>> ListVerifications(const std::string& migration,
                                                                 uint64_t pass) = 0;
  /// At most `limit`, oldest first.
  virtual Result<std::vector<DeadLetterRow>> ListDeadLetters(const std::string& migration,
                                                             size_t limit) = 0;
  virtual Result<uint64_t> CountDeadLetters(const std::string& migration) = 0;
  virtual Result<std::optional<std::string>> GetSetting(const std::string& key) = 0;
  /// Those whose key starts with `prefix`, sorted by key.
  virtual Result<std::vector<SettingRow>> ListSettings(const std::string& prefix) = 0;

  virtual Status CheckHealth() = 0;

  /// An error once another process may have taken the store over. What this process knows of routes
  /// and moves may then be stale: it must neither write to a collection nor answer for one. Does
  /// not wait.
  virtual Status CheckHeld() const { return {}; }
};

struct SqliteControlOptions {
  std::string path;                   ///< of the database file; its folder must exist
  size_t max_queued = 8'192;          ///< transactions that wait; above: kResourceExhausted
  size_t max_group = 512;             ///< transactions in one commit
  uint64_t sequence_block = 1 << 20;  ///< numbers reserved by one commit
  std::chrono::milliseconds busy_timeout{5'000};  ///< for other processes' locks (backup, shell)
};

/// The control store of one gateway: a SQLite file in write-ahead-log mode, synced at each commit.
/// One thread writes. kFailedPrecondition, before the file is touched, when a newer version of
/// Roost made it. After a failed sync nothing more is accepted until the process starts anew, for
/// the kernel may have dropped what it could not write.
Result<std::unique_ptr<ControlStore>> OpenSqliteControlStore(SqliteControlOptions options,
                                                             Metrics& metrics);

struct PostgresControlOptions {
  std::string uri;  ///< "postgresql://user:password@host:port/database"; never shown
  /// True: this process has the store for itself. False: several share it, and every NextSeq costs
  /// a commit (shared by those that wait at the same time).
  bool exclusive = true;
  /// Says that an earlier owner with the same id is dead for certain: then nobody waits for its
  /// lease. Empty: a new random one.
  std::string gateway_id;
  size_t max_queued = 8'192;          ///< transactions that wait; above: kResourceExhausted
  size_t max_group = 512;             ///< transactions in one commit
  uint64_t sequence_block = 1 << 20;  ///< numbers reserved by one commit, when exclusive
  size_t read_connections = 4;        ///< sessions beside the one that writes
  std::chrono::milliseconds call_timeout{5'000};  ///< of one commit or read at the server
  /// How long transactions wait for a server that is away before they fail.
  std::chrono::milliseconds give_up{5'000};
  /// How long after the last contact an exclusive owner may still act (CheckHeld). Another process
  /// takes a store over once nobody was seen to hold it for one and a half times as long.
  std::chrono::milliseconds lease{10'000};
};

/// A control store in a PostgreSQL 15 or newer, in a database of its own. One session writes, a few
/// read; sessions that are lost are replaced. The numbers, transactions and errors are as the
/// interface promises: before a new session writes, the lost one has ended at the server and its
/// last commit is looked up, so a commit without a reply is told as what it was. Only when the
/// server stays away for `give_up` its error says outcome_unknown.
///
/// Makes or completes the schema; several may start at once. kFailedPrecondition: a newer version
/// of Roost made the schema, another gateway holds the store, or the server is too old. May wait
/// for the lease of an owner that vanished. After another process took over, or the server lost
/// commits that it had confirmed, everything fails with kFailedPrecondition until a restart.
/// Sessions need their own server processes: no pooler in transaction mode in between.
Result<std::unique_ptr<ControlStore>> OpenPostgresControlStore(PostgresControlOptions options,
                                                               Metrics& metrics);

}  // namespace roost
