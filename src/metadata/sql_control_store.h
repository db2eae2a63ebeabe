#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metadata/commit_queue.h"
#include "metadata/control_statements.h"
#include "metadata/control_store.h"

namespace roost {

/// A row that a query gave. Columns count from 0.
class ControlRow {
 public:
  virtual ~ControlRow() = default;
  virtual std::string Text(int column) const = 0;  ///< also blobs
  virtual int64_t Signed(int column) const = 0;
  virtual bool Null(int column) const = 0;
  uint64_t Number(int column) const { return static_cast<uint64_t>(Signed(column)); }
};

/// What the control stores on SQL databases share: the readings, and the way through the queue of
/// commits.
class SqlControlStore : public ControlStore {
 public:
  Result<uint64_t> NextSeq(uint64_t count) final { return queue().NextSeq(count); }
  Status Commit(const RequestContext&, ControlTransaction) final;
  void CommitLater(ControlTransaction transaction, std::function<void(Status)> done) final {
    queue().Add(std::move(transaction), std::move(done));
  }

  Result<std::vector<DatabaseRow>> ListDatabases() final;
  Result<std::vector<RouteRow>> ListRoutes() final;
  Result<std::vector<MappingRow>> ListMappings() final;
  Result<std::vector<MigrationRow>> ListMigrations() final;
  Result<std::optional<MigrationRow>> FindMigration(const std::string& id) final;
  Result<std::vector<ChunkRow>> ListChunks(const std::string& migration) final;
  Status VisitLedger(const std::string& migration,
                     const std::function<void(LedgerRecord)>& visit) final;
  Result<std::vector<PayloadRow>> ListPayloads(const std::string& migration,
                                               const std::string& key) final;
  Status VisitPayloads(const std::string& migration,
                       const std::function<void(PayloadSize)>& visit) final;
  Result<std::vector<VerificationRow>> ListVerifications(const std::string& migration,
                                                         uint64_t pass) final;
  Result<std::vector<DeadLetterRow>> ListDeadLetters(const std::string& migration,
                                                     size_t limit) final;
  Result<uint64_t> CountDeadLetters(const std::string& migration) final;
  Result<std::optional<std::string>> GetSetting(const std::string& key) final;
  Result<std::vector<SettingRow>> ListSettings(const std::string& prefix) final;

 protected:
  using VisitRow = std::function<Status(const ControlRow&)>;

  virtual CommitQueue& queue() = 0;
  /// Runs a query, constant text and parameters as in ControlStatement. The rows come from one
  /// snapshot; `visit` must not call the store. Nothing was visited twice when it succeeds.
  virtual Status Query(const char* sql, std::span<const ControlValue> values,
                       const VisitRow& visit) = 0;

 private:
  template <typename Row, typename Read>
  Result<std::vector<Row>> Collect(const char* sql, std::vector<ControlValue> values,
                                   const Read& read);
};

}  // namespace roost
