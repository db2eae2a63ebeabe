#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "metadata/sql_control_store.h"
#include "metadata/sqlite_connection.h"

namespace roost {

/// Brings the schema to this program's version and sets the file up. kFailedPrecondition when the
/// file's version is newer.
Status PrepareSqliteFile(const std::string& path, SqliteConnection& connection);
/// kFailedPrecondition when the file's header tells a newer version; reads, never writes.
Status CheckSqliteHeader(const std::string& path);

/// See OpenSqliteControlStore. One thread owns the writing connection; readers share another.
class SqliteControlStore final : public SqlControlStore {
 public:
  SqliteControlStore(SqliteControlOptions options, std::unique_ptr<SqliteConnection> writer,
                     std::unique_ptr<SqliteConnection> reader, Metrics& metrics);

  Status CheckHealth() override;

 protected:
  CommitQueue& queue() override { return queue_; }
  Status Query(const char* sql, std::span<const ControlValue> values,
               const VisitRow& visit) override;

 private:
  using Job = CommitQueue::Job;

  void CommitGroup(std::span<Job> group);
  Status RunGroup(std::span<Job> group);
  Status RunOne(Job& job);
  Status Apply(const ControlTransaction& transaction);
  Status FinishGroup(bool& outcome_unknown);

  const SqliteControlOptions options_;
  const std::unique_ptr<SqliteConnection> writer_;  ///< of the queue's thread only
  bool disk_failed_ = false;                        ///< of the queue's thread only

  std::mutex read_mutex_;
  const std::unique_ptr<SqliteConnection> reader_;  ///< under read_mutex_

  CommitQueue queue_;  ///< last: its thread uses everything above
};

}  // namespace roost
