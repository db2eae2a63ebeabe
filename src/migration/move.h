#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "migration/applier.h"
#include "migration/backfill.h"
#include "migration/chunk_table.h"
#include "migration/ledger_scope.h"
#include "migration/move_document.h"
#include "migration/service.h"
#include "migration/verifier.h"

namespace roost {

/// One active move: its durable document, its route, its workers.
///
/// Step() reads off the facts, lets core/decisions.h decide, persists, publishes, and sets the
/// workers to what is to be done. Whatever it does can be repeated after a crash: the document says
/// where the move stands, and the route is published only after it. Step is for the engine's
/// thread; the rest is thread safe.
class Move {
 public:
  /// Loads what the control store holds of the move, publishes its route and starts its workers.
  /// kFailedPrecondition when a store of it is not configured. `resumed`: an earlier process may
  /// have been at work.
  static Result<std::unique_ptr<Move>> Start(const MigrationServiceOptions& options,
                                             const MigrationParts& parts, MoveDocument document,
                                             bool resumed);
  ~Move();
  Move(const Move&) = delete;
  Move& operator=(const Move&) = delete;

  void Step();
  /// Final, and cleaned up: nothing is left to do.
  bool ended() const;
  /// Writes are waiting: the next Step is urgent.
  bool urgent() const { return holds_writes_.load(std::memory_order_relaxed); }

  const std::string& collection() const { return collection_; }
  MigrationStatus GetStatus() const;
  /// Changes the progress as `change` says; its error changes nothing. Durable.
  Status Command(const RequestContext& context,
                 const std::function<Result<MigrationProgress>(const MigrationProgress&)>& change);
  void Redrive() { ledger_->RetryNow(true); }
  LedgerCounts Ledger() const { return ledger_->Counts(); }

 private:
  /// What the bulk workers do.
  enum class Mode : uint8_t {
    kIdle,
    kCreateTarget,
    kPlanChunks,
    kReconcile,
    kCleanUp,
    kCopy,
    kVerify
  };

  Move(const MigrationServiceOptions& options, const MigrationParts& parts, MoveDocument document,
       VectorStore& source, VectorStore& target, bool resumed);

  // move.cc: what the engine's thread does.
  Status Load();
  MoveDocument Document() const;
  Status Change(const RequestContext& context, const std::function<Status(MoveDocument&)>& change,
                ControlTransaction with = {});
  Status Change(const RequestContext& context, const std::function<Status(MoveDocument&)>& change,
                const std::function<Status(ControlTransaction)>& commit);
  MigrationFacts Facts(const MoveDocument& document);
  bool ShadowGateOpen() const;
  bool Persist(const MoveDocument& before, const MigrationProgress& next);
  void Publish(const MoveDocument& document);
  void NoteTimes(const MigrationProgress& before, const MigrationProgress& next);
  void Assign(const Decision& decision, const MoveDocument& document);
  void StepFinal(const MoveDocument& document);
  void MeasureRate();
  void BeginPass();

  // move_work.cc: what the workers do.
  void SetMode(Mode mode, bool apply);
  void Bulk(size_t worker, const std::stop_token& stop);
  void Apply(const std::stop_token& stop);
  void Probe(const std::stop_token& stop);
  Result<bool> RunPiece(Mode mode, const RequestContext& context);
  Status CreateTarget(const RequestContext& context);
  Status MakePlan(const RequestContext& context);
  Status Reconcile(const RequestContext& context);
  Status CleanUp(const RequestContext& context);
  Applier::Way ChooseWay() const;
  void NoteError(const std::string& error);
  void NoteWork();

  const MigrationServiceOptions options_;
  const MigrationParts parts_;
  VectorStore& source_;
  VectorStore& target_;
  const std::string id_;
  const std::string collection_;
  const std::chrono::milliseconds horizon_;
  const MigrationCounts earlier_;  ///< counts of earlier processes
  const SteadyTime bulk_from_;     ///< before, a dead process's bulk writes may still land
  const std::shared_ptr<LedgerScope> ledger_;
  ChunkTable chunks_;
  RateLimit limit_;
  const std::unique_ptr<Backfill> backfill_;
  const std::unique_ptr<Applier> applier_;
  const std::unique_ptr<Verifier> verifier_;

  /// Held while a change is committed, so that what is durable has the order of what is in memory.
  mutable std::mutex document_mutex_;
  MoveDocument document_;

  std::atomic<bool> authority_is_b_{false};
  std::atomic<bool> rolling_back_{false};
  std::atomic<bool> holds_writes_{false};
  std::atomic<bool> target_ready_{false};
  std::atomic<uint64_t> pass_{0};

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Mode mode_ = Mode::kIdle;
  bool mode_done_ = false;  ///< the one piece of the mode is done
  bool apply_ = false;
  uint64_t mode_number_ = 0;  ///< tells one setting of a mode from the next
  size_t bulk_busy_ = 0;      ///< bulk workers in a piece
  bool apply_busy_ = false;
  std::stop_source piece_;  ///< stops the pieces of the present mode
  std::string waiting_for_;
  std::string last_error_;
  double rows_per_second_ = 0;
  double last_fence_ms_ = 0;

  // Of the engine's thread.
  SteadyTime entered_;
  std::optional<SteadyTime> fence_began_;
  std::optional<SteadyTime> fence_failed_;
  SteadyTime measured_at_;
  uint64_t measured_rows_ = 0;

  std::vector<std::jthread> workers_;  ///< last: they use everything above
};

}  // namespace roost
