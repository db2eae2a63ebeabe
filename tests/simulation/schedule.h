#pragma once

#include "world.h"

namespace roost::simulation {

/// One schedule: gateways, workers and coordinators that run the real core against two fake stores
/// and a fake control store, in one thread. Every step's choices come from the seed and the step's
/// number alone, so that a step can be left out without changing what the others would choose.
class Schedule {
 public:
  Schedule(const ScheduleOptions& options, Coverage* coverage);
  ScheduleResult Run();

 private:
  enum class Event : uint8_t {
    kStart,
    kDeliver,
    kLose,
    kTimeout,
    kPoll,
    kCoordinate,
    kWork,
    kTime,
    kSweep,  ///< recover, expire, forget
    kUser,
    kCrashGateway,
    kCutOff,
    kCrashWorker,
    kCrashCoordinator,
    kTarget,
    kEvents,
  };

  // schedule.cc: the seed's choices, the scheduler, the end.
  void Choose();
  void ChooseWeights();
  void Populate();
  void ChooseStart();
  void Step();
  void Dispatch(Event event);
  void Heal();
  bool HealStep(uint32_t round);
  bool AtRest() const;
  void CheckEnd();
  void CheckAlways();
  bool Bug(PlantedBug bug) const { return options_.bug == bug; }
  uint32_t OrderOf(const Cell& cell, int key) const;
  void Violate(const char* what);
  void Hit(Fault fault);
  /// Appends to the list of events, where one is kept, and to the trace.
  void Note(const char* what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);

  // schedule_stores.cc: the message bag and the two stores.
  Message& Send(Message message);
  void Deliver(size_t at, bool quick);
  void DeliverToStore(Message message, bool quick);
  void Reply(Message message, bool quick);
  void Land(const Message& message);
  void Lose(size_t at);
  void SendRead(Actor actor, uint8_t index, uint32_t turn, uint8_t store, uint8_t key);
  uint32_t SendWrite(Actor actor, uint8_t index, uint32_t turn, uint8_t store, uint8_t key,
                     Cell cell, Seq fence, bool to_authority = false);
  uint32_t TurnOf(const Message& message) const;

  // schedule_gateways.cc: requests and leases.
  void StartRequest();
  void ProceedHeld();
  void Begin(Request& request);
  void BeginRead(Request& request);
  bool MaySend(const Request& request) const;
  bool MayAnswer(const Request& request) const;
  void OnRequestReply(const Message& message);
  void OnMarked(Request& request, const Message& message);
  void OnAuthority(Request& request, bool failed);
  void Fail(Request& request);
  void OnRead(Request& request, const Message& message);
  void AwaitHorizon(Request& request);
  void Finish(Request& request);
  void Answer(Request& request, bool acknowledged);
  void TimeoutRequest(Request& request);
  void PassHorizons();
  void CrashGateway(int g);
  void Poll(int g);
  void OnPollReply(const Message& message);
  bool Acknowledged(int g) const;
  bool Leased(int g) const { return now_ < gateways_[g].lease_until; }

  // schedule_control.cc: the control store and those who decide.
  void DeliverToControl(const Message& message);
  void ControlMark(Message message);
  void ControlFinish(const Message& message);
  bool CountedDead(uint32_t last_seen) const;
  void Recover();
  void ExpireAndForget();
  Seq OldestWindow() const;
  MigrationFacts Facts() const;
  bool EpochAcknowledged() const;
  bool Drained() const;
  void Coordinate(int c);
  bool Persist(const MigrationProgress& expected, const MigrationProgress& next);
  void AfterPersist(const MigrationProgress& from);
  void Work(const MigrationProgress& seen, Decision::Work work);
  void Reconcile();
  void UserActs();
  void Dirtied(DurableRow& row);
  Seq NextSeq() { return ++seq_; }
  uint8_t AuthorityNow() const { return ShapeOf(progress_, policy_).authority_is_b ? 1 : 0; }

  // schedule_workers.cc: appliers, chunk workers, the verifier.
  void WorkerStep();
  void ApplierStep(int i);
  void OnApplierReply(const Message& message);
  void ReleaseClaim(Worker& worker, bool copied);
  void ChunkStep(int i);
  void OpenChunk(int i);
  void PutOfChunk(uint8_t i);
  void OnChunkReply(const Message& message);
  void CloseChunk(Worker& worker);
  void VerifierStep();
  void OnVerifierReply(const Message& message);
  void Compare();
  void VerifyByCount();
  void CrashWorker();
  void TimeoutWorkers();
  void PassWorkerHorizons();

  const ScheduleOptions options_;
  Coverage* const coverage_;
  ScheduleResult result_;
  Dice dice_;
  uint32_t now_ = 1;
  bool healing_ = false;

  // The seed's choices.
  int keys_ = 1;
  bool fenced_[2] = {};
  uint32_t lose_ = 0, fail_[2] = {}, clog_ = 0, duplicate_ = 0, lie_ = 0, overflow_ = 0;
  uint32_t slow_writes_ = 0, slow_chunks_ = 0;
  uint32_t skip_mirror_ = 0, reads_ = 0, deletes_ = 0;
  std::array<uint32_t, static_cast<size_t>(Event::kEvents)> weights_{};
  uint32_t weight_sum_ = 0;
  MigrationPolicy policy_;

  // The stores, the control store (durable), the oracle.
  Cell cells_[2][kMaxKeys];
  bool target_down_ = false;
  bool lied_[kMaxKeys] = {};
  MigrationProgress progress_;
  uint32_t epoch_since_ = 1;
  uint32_t fence_failed_at_ = 0;
  Seq seq_ = 0;
  DurableRow rows_[kMaxKeys];
  std::vector<Chunk> chunks_;
  bool target_exists_ = false;
  Verification verification_;
  std::vector<Ghost> ghosts_;
  std::vector<Written> written_;
  uint32_t changes_[kMaxKeys] = {};
  uint32_t deleted_[kMaxKeys] = {};  ///< order of the newest delete
  uint32_t acknowledged_[kMaxKeys] = {};
  uint32_t read_floor_[kSessions][kMaxKeys] = {};

  // Volatile.
  std::vector<Message> bag_;
  Gateway gateways_[kGateways];
  Request requests_[kRequests];
  Worker appliers_[kAppliers];
  Worker chunk_workers_[kChunkWorkers];
  Worker verifier_;
  Coordinator coordinators_[kCoordinators];
  uint32_t turn_ = 0;
  LedgerToken token_ = 0;
};

}  // namespace roost::simulation
