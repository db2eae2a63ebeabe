// Appliers, chunk workers and the verifier: volatile, they find their work in the control store.
#include "schedule.h"

namespace roost::simulation {
namespace {

using Move = MigrationState;

bool Exists(const LedgerRow& row) { return !(row == LedgerRow{}); }

}  // namespace

void Schedule::WorkerStep() {
  PassWorkerHorizons();
  const uint32_t which = dice_.Below(10);
  if (which < 5) {
    ApplierStep(static_cast<int>(which % kAppliers));
  } else if (which < 8) {
    ChunkStep(static_cast<int>(which % kChunkWorkers));
  } else {
    VerifierStep();
  }
}

void Schedule::ApplierStep(int i) {
  Worker& worker = appliers_[i];
  const bool rolling = progress_.state == Move::kRollingBack && progress_.ramp_step == 0;
  const bool fills = progress_.state >= Move::kCopy && progress_.state <= Move::kReversed;
  if (worker.at != Worker::At::kIdle || (!fills && !rolling)) {
    return;
  }
  const bool emergency = rolling && target_down_;
  const uint32_t first = dice_.Below(keys_);
  for (int j = 0; j < keys_; ++j) {
    const auto key = static_cast<uint8_t>((first + j) % keys_);
    DurableRow& durable = rows_[key];
    const Seq payload = emergency && !durable.applied ? PayloadToApply(durable.notes) : 0;
    if (!MayClaim(durable.row, MutationOf(options_.bug)) || (emergency && payload == 0)) {
      continue;
    }
    const uint8_t authority = AuthorityNow();
    worker = {.turn = ++turn_,
              .key = key,
              .to = static_cast<uint8_t>(1 - authority),
              .payload = emergency,
              .lease_until = now_ + kWorkerLease,
              .token = ++token_};
    worker.stamp = ClaimRow(durable.row, worker.token);
    worker.fence = NextSeq();
    durable.claimed_at = now_;
    Note("an applier claims key %llu", key);
    if (emergency) {
      for (const Payload& kept : durable.payloads) {
        if (kept.stamp == payload) {
          worker.cell = kept.cell;
        }
      }
      worker.at = Worker::At::kWriting;
      worker.expires = SendWrite(Actor::kApplier, static_cast<uint8_t>(i), worker.turn, 0, key,
                                 worker.cell, worker.fence, true);
      return;
    }
    worker.at = Worker::At::kReading;
    SendRead(Actor::kApplier, static_cast<uint8_t>(i), worker.turn, authority, key);
    return;
  }
}

void Schedule::OnApplierReply(const Message& message) {
  Worker& worker = appliers_[message.index];
  if (worker.turn != message.turn || worker.at == Worker::At::kIdle) {
    return;
  }
  if (message.failed || worker.at == Worker::At::kWriting) {
    return ReleaseClaim(worker, !message.failed);
  }
  if (now_ >= worker.lease_until) {
    worker = {};  // Too late to send anything: the claim expires.
    return;
  }
  worker.at = Worker::At::kWriting;
  worker.turn = ++turn_;
  worker.expires = SendWrite(Actor::kApplier, message.index, worker.turn, worker.to, worker.key,
                             message.cell, worker.fence);
}

void Schedule::ReleaseClaim(Worker& worker, bool copied) {
  DurableRow& durable = rows_[worker.key];
  if (durable.row.claim == worker.token) {
    if (worker.payload && copied) {
      durable.applied = true;
    }
    durable.attempts += copied ? 0 : 1;
  }
  ReleaseRow(durable.row, worker.token, worker.stamp, copied && !worker.payload,
             MutationOf(options_.bug));
  Dirtied(durable);
  Note(Settled(durable.row) ? "an applier releases key %llu: settled"
                            : "an applier releases key %llu: not settled",
       worker.key);
  worker = {};
}

void Schedule::ChunkStep(int i) {
  Worker& worker = chunk_workers_[i];
  if (worker.at == Worker::At::kIdle) {
    return OpenChunk(i);
  }
  if (worker.at != Worker::At::kReady) {
    return;
  }
  Chunk& chunk = chunks_[worker.chunk];
  if (chunk.generation != worker.generation || now_ >= worker.lease_until) {
    worker = {};
    return;
  }
  worker.lease_until = chunk.lease_until = now_ + kWorkerLease;
  if (worker.key == chunk.hi) {
    return CloseChunk(worker);
  }
  worker.turn = ++turn_;
  if (worker.loaded) {  // A put that failed is tried again with what was read then.
    return PutOfChunk(static_cast<uint8_t>(i));
  }
  worker.at = Worker::At::kReading;
  SendRead(Actor::kChunk, static_cast<uint8_t>(i), worker.turn, static_cast<uint8_t>(1 - worker.to),
           worker.key);
}

void Schedule::PutOfChunk(uint8_t i) {
  Worker& worker = chunk_workers_[i];
  worker.at = Worker::At::kWriting;
  worker.expires =
      SendWrite(Actor::kChunk, i, worker.turn, worker.to, worker.key, worker.cell, worker.fence);
}

void Schedule::OpenChunk(int i) {
  const bool fills = (progress_.state >= Move::kCopy && progress_.state <= Move::kRamp) ||
                     progress_.state == Move::kReversed;
  if (!fills || !target_exists_ || chunks_.empty()) {
    return;
  }
  const uint32_t which = dice_.Below(static_cast<uint32_t>(chunks_.size()));
  Chunk& chunk = chunks_[which];
  const bool free = chunk.lease_until == 0 || now_ > chunk.lease_until + kZombieHorizon;
  if (chunk.closed || !free) {
    return;
  }
  if (chunk.window == 0 || Bug(PlantedBug::kFreshWindowOnRestart)) {
    chunk.window = NextSeq();
  }
  chunk.lease_until = now_ + kWorkerLease;
  // A copy must not beat anything newer than its window. A reconcile has to beat what older writes
  // left behind, while its window stays where it was: its fence is new.
  const bool fresh = chunk.reconcile && !Bug(PlantedBug::kWindowAsFence);
  const Seq fence = fresh ? NextSeq() : chunk.window;
  chunk_workers_[i] = {.at = Worker::At::kReady,
                       .turn = ++turn_,
                       .key = chunk.lo,
                       .chunk = static_cast<uint8_t>(which),
                       .to = static_cast<uint8_t>(1 - AuthorityNow()),
                       .lease_until = chunk.lease_until,
                       .generation = ++chunk.generation,
                       .fence = fence};
  Note("chunk %llu opens", which);
}

void Schedule::OnChunkReply(const Message& message) {
  Worker& worker = chunk_workers_[message.index];
  if (worker.turn != message.turn || worker.at == Worker::At::kIdle) {
    return;
  }
  const bool read = worker.at == Worker::At::kReading;
  worker.at = Worker::At::kReady;
  if (message.failed) {
    return;  // This key again.
  }
  if (!read || (!message.cell.present && !chunks_[worker.chunk].reconcile)) {
    worker.loaded = false;
    ++worker.key;
    return;
  }
  worker.returned |= static_cast<uint8_t>(message.cell.present ? 1 << worker.key : 0);
  worker.loaded = true;
  worker.cell = message.cell;
}

void Schedule::CloseChunk(Worker& worker) {
  Chunk& chunk = chunks_[worker.chunk];
  for (int key = chunk.lo; key < chunk.hi; ++key) {
    DurableRow& durable = rows_[key];
    const bool covered =
        !Bug(PlantedBug::kOnlyReturnedKeysAtClose) || (worker.returned >> key & 1) != 0;
    if (covered && Exists(durable.row)) {
      CloseRow(durable.row, chunk.window, NextSeq(), MutationOf(options_.bug));
      Dirtied(durable);
    }
  }
  chunk.closed = true;
  chunk.lease_until = 0;
  Note("chunk %llu closes", worker.chunk);
  worker = {};
}

void Schedule::VerifierStep() {
  const bool verifies = progress_.state >= Move::kVerify && progress_.state <= Move::kRamp;
  if (!verifies || !verification_.started || verification_.complete ||
      verifier_.at != Worker::At::kIdle) {
    return;
  }
  if (Bug(PlantedBug::kVerifyByCount)) {
    return VerifyByCount();
  }
  verification_.window = NextSeq();
  verifier_ = {.at = Worker::At::kReading,
               .turn = ++turn_,
               .key = verification_.next_key,
               .pass = verification_.pass,
               .tries = verifier_.tries};
  SendRead(Actor::kVerifier, 0, verifier_.turn, 0, verifier_.key);
  SendRead(Actor::kVerifier, 0, verifier_.turn, 1, verifier_.key);
}

void Schedule::VerifyByCount() {
  int counts[2] = {};
  for (int key = 0; key < keys_; ++key) {
    counts[0] += cells_[0][key].present ? 1 : 0;
    counts[1] += cells_[1][key].present ? 1 : 0;
  }
  // Where the counts differ it looks closer, as a careful user would.
  for (int key = 0; key < keys_ && counts[0] != counts[1]; ++key) {
    if (Settled(rows_[key].row) && !SameContent(cells_[0][key], cells_[1][key])) {
      SuspectRow(rows_[key].row, NextSeq());
      Dirtied(rows_[key]);
    }
  }
  verification_.complete = true;
}

void Schedule::OnVerifierReply(const Message& message) {
  if (verifier_.turn != message.turn || verifier_.at != Worker::At::kReading) {
    return;
  }
  if (message.failed) {
    verifier_ = {.tries = verifier_.tries};
    return;
  }
  (message.store == 0 ? verifier_.cell : verifier_.other) = message.cell;
  if (++verifier_.answers == 2) {
    Compare();
  }
}

void Schedule::Compare() {
  const Worker seen = verifier_;
  verifier_ = {};
  if (!verification_.started || seen.pass != verification_.pass) {
    return;
  }
  DurableRow& durable = rows_[seen.key];
  if (!SameContent(seen.cell, seen.other)) {
    if (!Settled(durable.row) || durable.row.done > verification_.window) {
      return;  // It was being written: again later.
    }
    if (seen.tries < 2) {
      verifier_.tries = seen.tries + 1;
      return;
    }
    SuspectRow(durable.row, NextSeq());
    Dirtied(durable);
    ++verification_.divergent;
    Note("key %llu is found different", seen.key);
  }
  verification_.complete = ++verification_.next_key >= keys_;
}

void Schedule::CrashWorker() {
  const uint32_t which = dice_.Below(kAppliers + kChunkWorkers + 1);
  Worker& worker = which < kAppliers                   ? appliers_[which]
                   : which < kAppliers + kChunkWorkers ? chunk_workers_[which - kAppliers]
                                                       : verifier_;
  if (worker.at == Worker::At::kIdle) {
    return;
  }
  Hit(which < kAppliers                   ? Fault::kApplierCrash
      : which < kAppliers + kChunkWorkers ? Fault::kChunkCrash
                                          : Fault::kVerifierCrash);
  Note("worker %llu crashes", which);
  worker = {};
}

/// One random worker loses patience with a store.
void Schedule::TimeoutWorkers() {
  const uint32_t which = dice_.Below(kAppliers + kChunkWorkers + 1);
  Worker& worker = which < kAppliers                   ? appliers_[which]
                   : which < kAppliers + kChunkWorkers ? chunk_workers_[which - kAppliers]
                                                       : verifier_;
  if (worker.at == Worker::At::kReading) {
    if (which < kAppliers) {
      return ReleaseClaim(worker, false);
    }
    worker.turn = ++turn_;
    worker.at = which < kAppliers + kChunkWorkers ? Worker::At::kReady : Worker::At::kIdle;
  } else if (worker.at == Worker::At::kWriting) {
    worker.turn = ++turn_;
    worker.at = Worker::At::kHorizon;
    if (Bug(PlantedBug::kNoHorizon)) {
      worker.expires = now_;
    }
  }
}

void Schedule::PassWorkerHorizons() {
  for (Worker& worker : appliers_) {
    if (worker.at == Worker::At::kHorizon && worker.expires <= now_) {
      DurableRow& durable = rows_[worker.key];
      if (durable.row.claim == worker.token) {
        ExpireClaim(durable.row, NextSeq());
        ++durable.attempts;
      }
      worker = {};
    }
  }
  for (Worker& worker : chunk_workers_) {
    if (worker.at == Worker::At::kHorizon && worker.expires <= now_) {
      worker.at = Worker::At::kReady;
    }
  }
}

}  // namespace roost::simulation
