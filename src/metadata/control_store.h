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
  /// either. Strictly increasing over all calls. Rarely waits for the disk. Precondition: count >
  /// 0.
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

}  // namespace roost
