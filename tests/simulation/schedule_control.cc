// The control store, whose transactions are atomic and durable, and those who decide by it.
#include <algorithm>

#include "schedule.h"

namespace roost::simulation {
namespace {

using Move = MigrationState;

bool Exists(const LedgerRow& row) { return !(row == LedgerRow{}); }

}  // namespace

void Schedule::DeliverToControl(const Message& message) {
  Message reply = message;
  reply.reply = true;
  switch (message.op) {
    case Op::kMark:
      return ControlMark(message);
    case Op::kFinish:
      return ControlFinish(message);
    case Op::kAskSettled:
      reply.flag = Settled(rows_[message.key].row);
      break;
    default: {
      Gateway& gateway = gateways_[message.index];
      if (gateway.turn != message.turn || (gateway.cut_off && !healing_)) {
        return;
      }
      gateway.last_seen = std::max(gateway.last_seen, now_);
      gateway.acked_epoch = std::max(gateway.acked_epoch, message.epoch);
      reply.progress = progress_;
    }
  }
  Send(reply);
}

void Schedule::ControlMark(Message message) {
  message.reply = true;
  DurableRow& durable = rows_[message.key];
  const uint8_t g = requests_[message.index].gateway;
  const bool serial = message.payload && !fenced_[1] && !Bug(PlantedBug::kWritesNotSerial);
  if (CountedDead(gateways_[g].last_seen) || !MayMark(durable.row, serial)) {
    message.failed = true;
    Send(message);
    return;
  }
  message.mark = MarkRow(durable.row, NextSeq(), message.token, MutationOf(options_.bug));
  durable.applied = false;
  if (message.payload && !Bug(PlantedBug::kRollbackWithoutPayload)) {
    if (Bug(PlantedBug::kPayloadReplacedAtMark)) {
      durable.notes.clear();
    }
    NotePayload(durable.notes, message.mark);
    durable.payloads.push_back({message.mark.stamp, message.cell});
  }
  Send(message);
}

void Schedule::ControlFinish(const Message& message) {
  DurableRow& durable = rows_[message.key];
  const auto& open = durable.row.inflight;
  const bool was_open = std::find(open.begin(), open.end(), message.token) != open.end();
  FinishRow(durable.row, NextSeq(), message.token, message.mark, message.flag,
            MutationOf(options_.bug));
  const bool keep =
      Bug(PlantedBug::kFailedPayloadKept) && message.outcome == AuthorityOutcome::kFailed;
  EndPayload(durable.notes, durable.row, message.mark,
             keep ? AuthorityOutcome::kUnknown : message.outcome,
             Bug(PlantedBug::kPayloadDroppedInWindow) ? ~Seq{0} : OldestWindow());
  Dirtied(durable);
  Note(durable.row.dirty ? "write %llu of key %llu finishes: dirty"
                         : "write %llu of key %llu finishes: settled",
       message.cell.id, message.key);
  if (Bug(PlantedBug::kForgetDeletes) && !message.cell.present && Settled(durable.row)) {
    durable = {};
  }
  Message reply = message;
  reply.reply = true;
  reply.flag = was_open;
  Send(reply);
}

/// Keeps the age of dirty rows and drops payloads that no note names any more.
void Schedule::Dirtied(DurableRow& durable) {
  if (!durable.row.dirty) {
    durable.dirty_since = 0;
    durable.attempts = 0;
  } else if (durable.dirty_since == 0) {
    durable.dirty_since = now_;
  }
  if (MayForget(durable.row, OldestWindow()) ||
      (Bug(PlantedBug::kPayloadDroppedInWindow) && Settled(durable.row))) {
    durable.notes.clear();
  }
  std::erase_if(durable.payloads, [&](const Payload& payload) {
    const PayloadNote note{.stamp = payload.stamp};
    return std::find(durable.notes.begin(), durable.notes.end(), note) == durable.notes.end();
  });
}

bool Schedule::CountedDead(uint32_t last_seen) const {
  return now_ > last_seen + kLease + (Bug(PlantedBug::kNoHorizon) ? 0 : kZombieHorizon);
}

/// Closes the brackets of gateways that are counted dead: what they sent has landed or never will.
void Schedule::Recover() {
  auto recover = [&](uint8_t key, LedgerToken token) {
    DurableRow& durable = rows_[key];
    const auto& open = durable.row.inflight;
    if (std::find(open.begin(), open.end(), token) != open.end()) {
      const Seq stamp = NextSeq();
      RecoverRow(durable.row, stamp, NextSeq(), token);
      Dirtied(durable);
      Note("an open write of key %llu is recovered", key);
    }
  };
  for (Ghost& ghost : ghosts_) {
    if (CountedDead(ghost.last_seen)) {
      for (const auto& [key, token] : ghost.brackets) {
        recover(key, token);
      }
      ghost.brackets.clear();
    }
  }
  std::erase_if(ghosts_, [&](const Ghost& ghost) { return CountedDead(ghost.last_seen); });
  for (const Request& request : requests_) {
    if (request.phase != Phase::kFree && request.token != 0 &&
        CountedDead(gateways_[request.gateway].last_seen)) {
      recover(request.key, request.token);
    }
  }
}

/// The beginning of the oldest window that is not closed, of a chunk or the verification.
Seq Schedule::OldestWindow() const {
  Seq oldest = ~Seq{0};
  for (const Chunk& chunk : chunks_) {
    if (!chunk.closed && chunk.window != 0) {
      oldest = std::min(oldest, chunk.window);
    }
  }
  if (verification_.started && !verification_.complete) {
    oldest = std::min(oldest, verification_.window);
  }
  return oldest;
}

void Schedule::ExpireAndForget() {
  const Seq oldest = OldestWindow();
  for (int key = 0; key < keys_; ++key) {
    DurableRow& durable = rows_[key];
    const uint32_t horizon = Bug(PlantedBug::kNoHorizon) ? 0 : kZombieHorizon;
    if (durable.row.claim != 0 && now_ > durable.claimed_at + kWorkerLease + horizon) {
      ExpireClaim(durable.row, NextSeq());
      Note("the claim on key %llu expires", key);
    }
    if (Exists(durable.row) && MayForget(durable.row, oldest)) {
      durable = {};
    }
  }
}

bool Schedule::EpochAcknowledged() const {
  if (Bug(PlantedBug::kNoAcknowledgement)) {
    return true;
  }
  for (const Gateway& gateway : gateways_) {
    if (gateway.acked_epoch != progress_.epoch && !CountedDead(gateway.last_seen)) {
      return false;
    }
  }
  return std::all_of(ghosts_.begin(), ghosts_.end(), [&](const Ghost& ghost) {
    return ghost.acked_epoch >= progress_.epoch || CountedDead(ghost.last_seen);
  });
}

MigrationFacts Schedule::Facts() const {
  MigrationFacts facts{.epoch_acknowledged = EpochAcknowledged(),
                       .target_exists = target_exists_,
                       .chunks_planned = !chunks_.empty(),
                       .target_ready = !target_down_,
                       .verification_started = verification_.started,
                       .verification_complete = verification_.complete,
                       .divergent = verification_.divergent,
                       .time_in_state_ms = now_ - epoch_since_};
  for (const Chunk& chunk : chunks_) {
    facts.chunks_open += chunk.closed ? 0 : 1;
  }
  const bool emergency = progress_.state == Move::kRollingBack && target_down_;
  uint64_t dirty_rows = 0;
  for (const DurableRow& durable : rows_) {
    facts.inflight += durable.row.inflight.size() + (durable.row.claim != 0 ? 1 : 0);
    dirty_rows += durable.row.dirty ? 1 : 0;
    const bool unapplied =
        durable.row.dirty && !durable.applied && PayloadToApply(durable.notes) != 0;
    facts.dirty += emergency ? unapplied : durable.row.dirty;
    if (durable.row.dirty) {
      facts.oldest_dirty_ms = std::max<uint64_t>(facts.oldest_dirty_ms, now_ - durable.dirty_since);
      facts.dead_letters += durable.attempts >= policy_.applier_attempts ? 1 : 0;
    }
  }
  facts.too_many_dirty = overflow_ != 0 && dirty_rows >= overflow_;
  if (fence_failed_at_ != 0) {
    facts.since_fence_failed_ms = now_ - fence_failed_at_;
  }
  if (Bug(PlantedBug::kSwitchWhileDirty)) {
    facts.dirty = facts.inflight = 0;
  }
  return facts;
}

bool Schedule::Drained() const {
  const MigrationFacts facts = Facts();
  return facts.dirty == 0 && facts.inflight == 0 && facts.chunks_open == 0;
}

/// A coordinator first reads, later acts: others may have acted in between.
void Schedule::Coordinate(int c) {
  Coordinator& coordinator = coordinators_[c];
  if (!coordinator.decided) {
    const MigrationFacts facts = Facts();
    if (facts.too_many_dirty && !IsFinal(progress_.state)) {
      Hit(Fault::kOverflow);
    }
    coordinator.seen = progress_;
    coordinator.decision = Decide(progress_, policy_, facts);
    coordinator.decided = true;
    return;
  }
  coordinator.decided = false;
  if (coordinator.decision.change) {
    Persist(coordinator.seen, coordinator.decision.next);
  } else {
    Work(coordinator.seen, coordinator.decision.work);
  }
}

/// One transaction: compares, and where the authority changes also sees that all is drained.
bool Schedule::Persist(const MigrationProgress& expected, const MigrationProgress& next) {
  const bool flips =
      ShapeOf(expected, policy_).authority_is_b != ShapeOf(next, policy_).authority_is_b;
  if (!Bug(PlantedBug::kCheckThenAct)) {
    if (!(progress_ == expected) || (flips && !Drained())) {
      Hit(Fault::kLostRace);
      return false;
    }
  }
  const MigrationProgress from = progress_;
  progress_ = next;
  AfterPersist(from);
  return true;
}

void Schedule::AfterPersist(const MigrationProgress& from) {
  if (progress_.epoch != from.epoch) {
    epoch_since_ = now_;
    const std::string name = "the move goes to " + std::string(MigrationStateName(progress_.state));
    Note((name + ", step %llu").c_str(), progress_.ramp_step,
         static_cast<uint64_t>(progress_.state));
  }
  if ((from.state == Move::kFence && progress_.state == Move::kRamp) ||
      (from.state == Move::kRollingBack && progress_.state == Move::kReversed)) {
    fence_failed_at_ = now_;
  }
  if (progress_.state == Move::kSwitched && from.state == Move::kFence) {
    for (const Request& request : requests_) {
      result_.cutover_under_load |= request.phase != Phase::kFree;
    }
  }
  if (progress_.state == Move::kRollingBack && progress_.ramp_step == 1 && from.ramp_step == 0) {
    for (DurableRow& durable : rows_) {  // A has everything now; rows stay dirty for B's return.
      durable.notes.clear();
      durable.applied = false;
      Dirtied(durable);
    }
  }
  if (progress_.verified && !from.verified) {
    verification_.complete = true;  // A pass that was begun once more must not hold its window.
    for (int key = 0; key < keys_; ++key) {
      if (Settled(rows_[key].row) && !SameContent(cells_[0][key], cells_[1][key])) {
        Violate("verified, but the stores differ");
      }
    }
  }
}

void Schedule::Work(const MigrationProgress& seen, Decision::Work work) {
  if (!(progress_ == seen)) {
    Hit(Fault::kLostRace);
    return;
  }
  switch (work) {
    case Decision::Work::kCreateTarget:
      target_exists_ = true;
      return;
    case Decision::Work::kPlanChunks:
      if (chunks_.empty()) {
        const auto middle = static_cast<uint8_t>(1 + dice_.Below(keys_));
        chunks_.push_back({.lo = 0, .hi = middle});
        if (middle < keys_) {
          chunks_.push_back({.lo = middle, .hi = static_cast<uint8_t>(keys_)});
        }
      }
      return;
    case Decision::Work::kStartVerification:
      verification_ = {.started = true, .window = NextSeq(), .pass = verification_.pass + 1};
      return;
    case Decision::Work::kReconcile:
      return Reconcile();
    default:
      return;  // Workers find theirs in the tables.
  }
}

/// Rows that nobody holds are dropped: the chunks look at every key again.
void Schedule::Reconcile() {
  Note("too many dirty keys: all chunks are reconciled");
  for (Chunk& chunk : chunks_) {
    chunk.closed = false;
    chunk.reconcile = true;
    ++chunk.generation;
  }
  for (DurableRow& durable : rows_) {
    if (durable.row.inflight.empty() && durable.row.claim == 0) {
      durable = {};
    }
  }
  verification_ = {.pass = verification_.pass + 1};
}

void Schedule::UserActs() {
  Result<MigrationProgress> next = progress_;
  const uint32_t what = dice_.Below(100);
  Fault fault = Fault::kAdvance;
  if (what < 55) {
    const MigrationState to = dice_.Chance(250) ? Move::kRamp : Move::kReversed;
    next = ApplyAdvance(progress_, dice_.Chance(500) ? &to : nullptr);
  } else if (what < 85) {
    fault = Fault::kRollback;
    next = ApplyCommand(progress_, MigrationCommand::kRollback);
  } else if (what < 92) {
    fault = Fault::kAbort;
    next = ApplyCommand(progress_, MigrationCommand::kAbort);
  } else if (what < 97) {
    fault = Fault::kCommit;
    next = ApplyCommand(progress_, MigrationCommand::kCommit);
  } else {
    next = ApplyCommand(progress_, MigrationCommand::kNone);
  }
  if (next.ok() && !(*next == progress_)) {
    Hit(fault);
    Note(fault == Fault::kRollback ? "the user asks for the rollback"
         : fault == Fault::kAbort  ? "the user aborts"
         : fault == Fault::kCommit ? "the user commits"
                                   : "the user moves the goal or takes a command back");
    Persist(progress_, *next);
  }
}

}  // namespace roost::simulation
