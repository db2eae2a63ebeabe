#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "metadata/control_store.h"
#include "migration/core/decisions.h"

namespace roost {

/// A control store that can be cut off, for tests: from then on nothing becomes durable any more,
/// as if the process had died at that moment. Thread safe.
class CutControl final : public ControlStore {
 public:
  explicit CutControl(std::unique_ptr<ControlStore> inner) : inner_(std::move(inner)) {}

  void Cut() { cut_ = true; }
  bool cut() const { return cut_; }
  /// Cuts as soon as a move has stored `state`; with `before`, just before it would store it.
  void CutAt(MigrationState state, bool before);
  /// Cuts instead of storing the n-th transaction (from 1) that holds chunks.
  void CutAtChunk(uint64_t n);

  Result<uint64_t> NextSeq(uint64_t count) override;
  Status Commit(const RequestContext& context, ControlTransaction transaction) override;
  void CommitLater(ControlTransaction transaction, std::function<void(Status)> done) override;

  Result<std::vector<DatabaseRow>> ListDatabases() override { return inner_->ListDatabases(); }
  Result<std::vector<RouteRow>> ListRoutes() override { return inner_->ListRoutes(); }
  Result<std::vector<MappingRow>> ListMappings() override { return inner_->ListMappings(); }
  Result<std::vector<MigrationRow>> ListMigrations() override { return inner_->ListMigrations(); }
  Result<std::optional<MigrationRow>> FindMigration(const std::string& id) override {
    return inner_->FindMigration(id);
  }
  Result<std::vector<ChunkRow>> ListChunks(const std::string& migration) override {
    return inner_->ListChunks(migration);
  }
  Status VisitLedger(const std::string& migration,
                     const std::function<void(LedgerRecord)>& visit) override {
    return inner_->VisitLedger(migration, visit);
  }
  Result<std::vector<PayloadRow>> ListPayloads(const std::string& migration,
                                               const std::string& key) override {
    return inner_->ListPayloads(migration, key);
  }
  Status VisitPayloads(const std::string& migration,
                       const std::function<void(PayloadSize)>& visit) override {
    return inner_->VisitPayloads(migration, visit);
  }
  Result<std::vector<VerificationRow>> ListVerifications(const std::string& migration,
                                                         uint64_t pass) override {
    return inner_->ListVerifications(migration, pass);
  }
  Result<std::vector<DeadLetterRow>> ListDeadLetters(const std::string& migration,
                                                     size_t limit) override {
    return inner_->ListDeadLetters(migration, limit);
  }
  Result<uint64_t> CountDeadLetters(const std::string& migration) override {
    return inner_->CountDeadLetters(migration);
  }
  Result<std::optional<std::string>> GetSetting(const std::string& key) override {
    return inner_->GetSetting(key);
  }
  Result<std::vector<SettingRow>> ListSettings(const std::string& prefix) override {
    return inner_->ListSettings(prefix);
  }
  Status CheckHealth() override { return inner_->CheckHealth(); }

 private:
  /// Whether the transaction still gets through; and whether it is the last one that does.
  bool Admit(const ControlTransaction& transaction, bool& last);

  const std::unique_ptr<ControlStore> inner_;
  std::atomic<bool> cut_{false};
  std::mutex mutex_;  ///< keeps the order of transactions while it is decided which is the last
  std::optional<MigrationState> state_;
  bool before_ = false;
  uint64_t chunks_left_ = 0;
};

}  // namespace roost
