// The message bag and the two stores.
#include <algorithm>

#include "schedule.h"

namespace roost::simulation {

Message& Schedule::Send(Message message) {
  if (!healing_) {
    const bool write = message.op == Op::kWrite && !message.reply;
    if (write && dice_.Chance(slow_writes_)) {
      message.not_before = now_ + dice_.Below(kZombieHorizon);
    } else if (dice_.Chance(clog_)) {
      message.not_before = now_ + dice_.Below(60);
    }
    if (write && message.actor == Actor::kChunk && dice_.Chance(slow_chunks_)) {
      message.not_before = now_ + kZombieHorizon / 2 + dice_.Below(kZombieHorizon / 2);
    }
  }
  bag_.push_back(message);
  return bag_.back();
}

void Schedule::SendRead(Actor actor, uint8_t index, uint32_t turn, uint8_t store, uint8_t key) {
  Send({.op = Op::kRead, .actor = actor, .index = index, .turn = turn, .store = store, .key = key});
}

/// Returns the time after which the write cannot land any more.
uint32_t Schedule::SendWrite(Actor actor, uint8_t index, uint32_t turn, uint8_t store, uint8_t key,
                             Cell cell, Seq fence, bool to_authority) {
  Send({.op = Op::kWrite,
        .actor = actor,
        .index = index,
        .turn = turn,
        .store = store,
        .key = key,
        .cell = cell,
        .fence = fenced_[store] ? fence : 0,
        .expires = now_ + kZombieHorizon,
        .flag = to_authority});
  return now_ + kZombieHorizon;
}

/// `quick`: without new faults, as when a broken connection flushes what was under way.
void Schedule::Deliver(size_t at, bool quick) {
  if (bag_[at].not_before > now_ && !quick && !healing_) {
    return;
  }
  const Message message = bag_[at];
  bag_[at] = bag_.back();
  bag_.pop_back();
  if (!message.reply) {
    if (message.op == Op::kRead || message.op == Op::kWrite) {
      DeliverToStore(message, quick);
    } else {
      DeliverToControl(message);
    }
    return;
  }
  switch (message.actor) {
    case Actor::kRequest:
      return OnRequestReply(message);
    case Actor::kApplier:
      return OnApplierReply(message);
    case Actor::kChunk:
      return OnChunkReply(message);
    case Actor::kVerifier:
      return OnVerifierReply(message);
    case Actor::kGateway:
      return OnPollReply(message);
  }
}

/// The present turn of the one who sent the message: another one has given up or died.
uint32_t Schedule::TurnOf(const Message& message) const {
  switch (message.actor) {
    case Actor::kRequest:
      return requests_[message.index].turn;
    case Actor::kApplier:
      return appliers_[message.index].turn;
    case Actor::kChunk:
      return chunk_workers_[message.index].turn;
    case Actor::kVerifier:
      return verifier_.turn;
    default:
      return gateways_[message.index].turn;
  }
}

void Schedule::DeliverToStore(Message message, bool quick) {
  const bool write = message.op == Op::kWrite;
  const bool duplicate = write && message.turn == 0;
  if ((write && message.expires <= now_) || (duplicate && IsFinal(progress_.state))) {
    return;  // The store's own deadline: it does not run what is older.
  }
  const bool down = message.store == 1 && target_down_;
  if (down || (!healing_ && !quick && dice_.Chance(fail_[message.store]))) {
    Hit(down ? Fault::kTargetDown : message.store == 0 ? Fault::kSourceFails : Fault::kTargetFails);
    message.failed = true;
    Note("store %llu refuses key %llu", message.store, message.key);
    return Reply(message, quick);
  }
  if (!write) {
    message.cell = cells_[message.store][message.key];
    return Reply(message, quick);
  }
  const bool may_lie = message.actor == Actor::kChunk && message.store == 1 &&
                       progress_.state == MigrationState::kCopy;
  if (may_lie && lie_ != 0 && dice_.Chance(lie_)) {
    Hit(Fault::kTargetLies);
    Note("B acknowledges key %llu and drops it", message.key);
    lied_[message.key] = true;
    return Reply(message, quick);
  }
  if (message.turn != 0 && message.turn != TurnOf(message)) {
    Hit(Fault::kLateWrite);
  }
  Land(message);
  // A late duplicate is repelled by its fence as long as every write carries one.
  const bool all_fenced = progress_.state >= MigrationState::kCopy && !IsFinal(progress_.state);
  if (message.fence != 0 && all_fenced && !healing_ && dice_.Chance(duplicate_)) {
    Message again = message;
    again.turn = 0;
    bag_.push_back(again);
    Hit(Fault::kDuplicate);
  }
  Reply(message, quick);
}

void Schedule::Land(const Message& message) {
  Cell& cell = cells_[message.store][message.key];
  if (message.fence != 0 && cell.fence > message.fence) {
    Note("store %llu keeps the newer version of key %llu", message.store, message.key);
    if (message.flag && written_[message.cell.id].order == 0) {
      // Overtaken: as if it had landed just before the one that the authority keeps.
      written_[message.cell.id].order = std::max(1U, OrderOf(cell, message.key)) - 1;
    }
    return;
  }
  const Seq fence = std::max(cell.fence, message.fence);
  cell = message.cell;
  cell.fence = fence;
  if (message.store == 1) {
    lied_[message.key] = false;
  }
  Note("store %llu has write %llu of key %llu", message.store, message.cell.id, message.key);
  Written& written = written_[message.cell.id];
  if (message.flag && written.order == 0 && message.cell.id != 0) {
    written.order = changes_[message.key] += 2;
    if (!message.cell.present) {
      deleted_[message.key] = written.order;
    }
  }
}

void Schedule::Reply(Message message, bool quick) {
  if (!healing_ && !quick && dice_.Chance(lose_)) {
    Hit(Fault::kLostMessage);
    Note("a reply about key %llu is lost", message.key);
    return;
  }
  message.reply = true;
  message.expires = 0;
  Send(message);
}

/// Loses a request or reply of a store. The control store is reached over a connection that is
/// either there or not (a cut-off gateway, a crash).
void Schedule::Lose(size_t at) {
  const Message& message = bag_[at];
  if (message.op != Op::kRead && message.op != Op::kWrite) {
    return;
  }
  Hit(Fault::kLostMessage);
  Note(message.reply ? "a reply about key %llu is lost" : "a request for key %llu is lost",
       message.key);
  bag_[at] = bag_.back();
  bag_.pop_back();
}

}  // namespace roost::simulation
