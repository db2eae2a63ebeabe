#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "metadata/control_store.h"
#include "metadata/sqlite_connection.h"

namespace roost {

/// Carries out the changes inside the connection's open transaction (sqlite_control_write.cc).
Status ApplyTransaction(SqliteConnection& connection, const ControlTransaction& transaction);

/// Brings the schema to this program's version and sets the file up. kFailedPrecondition when the
/// file's version is newer.
Status PrepareSqliteFile(const std::string& path, SqliteConnection& connection);
/// kFailedPrecondition when the file's header tells a newer version; reads, never writes.
Status CheckSqliteHeader(const std::string& path);

/// See OpenSqliteControlStore. One thread owns the writing connection; readers share another.
class SqliteControlStore final : public ControlStore {
 public:
  SqliteControlStore(SqliteControlOptions options, std::unique_ptr<SqliteConnection> writer,
                     std::unique_ptr<SqliteConnection> reader, Metrics& metrics);
  ~SqliteControlStore() override;

  Result<uint64_t> NextSeq(uint64_t count) override;
  Status Commit(const RequestContext&, ControlTransaction) override;
  void CommitLater(ControlTransaction, std::function<void(Status)> done) override;

  Result<std::vector<DatabaseRow>> ListDatabases() override;
  Result<std::vector<RouteRow>> ListRoutes() override;
  Result<std::vector<MappingRow>> ListMappings() override;
  Result<std::vector<MigrationRow>> ListMigrations() override;
  Result<std::optional<MigrationRow>> FindMigration(const std::string& id) override;
  Result<std::vector<ChunkRow>> ListChunks(const std::string& migration) override;
  Status VisitLedger(const std::string& migration,
                     const std::function<void(LedgerRecord)>& visit) override;
  Result<std::vector<PayloadRow>> ListPayloads(const std::string& migration,
                                               const std::string& key) override;
  Status VisitPayloads(const std::string& migration,
                       const std::function<void(PayloadSize)>& visit) override;
  Result<std::vector<VerificationRow>> ListVerifications(const std::string& migration,
                                                         uint64_t pass) override;
  Result<std::vector<DeadLetterRow>> ListDeadLetters(const std::string& migration,
                                                     size_t limit) override;
  Result<uint64_t> CountDeadLetters(const std::string& migration) override;
  Result<std::optional<std::string>> GetSetting(const std::string& key) override;
  Result<std::vector<SettingRow>> ListSettings(const std::string& prefix) override;
  Status CheckHealth() override;

 private:
  /// A transaction on its way, or a reservation of sequence numbers.
  struct Pending {
    ControlTransaction transaction;
    uint64_t reserve = 0;
    uint64_t first_reserved = 0;  ///< filled by the writer
    std::function<void(Status, uint64_t first_reserved)> done;
  };

  void Enqueue(Pending pending);
  void Work(std::stop_token stop);
  void CommitGroup(std::vector<Pending>& group);
  Status RunGroup(std::vector<Pending>& group, std::vector<Status>& statuses);
  Status RunOne(Pending& pending);
  Status FinishGroup(bool& outcome_unknown);

  const SqliteControlOptions options_;
  const std::unique_ptr<SqliteConnection> writer_;  ///< of the writing thread only
  bool disk_failed_ = false;                        ///< of the writing thread only

  std::mutex read_mutex_;
  const std::unique_ptr<SqliteConnection> reader_;  ///< under read_mutex_

  std::mutex sequence_mutex_;
  uint64_t next_ = 0;   ///< under sequence_mutex_
  uint64_t limit_ = 0;  ///< under sequence_mutex_

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Pending> queue_;  ///< under mutex_
  bool stopping_ = false;      ///< under mutex_

  Counter& commits_;
  Counter& transactions_;
  Counter& failures_;
  Histogram& seconds_;
  std::jthread thread_;  ///< last: it uses everything above
};

}  // namespace roost
