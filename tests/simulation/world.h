#pragma once

#include <array>
#include <optional>
#include <vector>

#include "types.h"

namespace roost::simulation {

constexpr int kMaxKeys = 4;
constexpr int kSessions = 3;
constexpr int kRequests = 6;
constexpr int kGateways = 2;
constexpr int kAppliers = 2;
constexpr int kChunkWorkers = 2;
constexpr int kCoordinators = 2;
constexpr uint32_t kZombieHorizon = 30;  ///< steps after which a write that was sent cannot land
constexpr uint32_t kLease = 50;          ///< of gateways, from the send time of a poll
constexpr uint32_t kWorkerLease = 50;    ///< of claims and chunks

/// What a store holds for a key. `id` names the write, also of a delete: for the oracle only.
struct Cell {
  uint32_t id = 0;
  bool present = false;
  Seq fence = 0;
};
inline bool SameContent(const Cell& x, const Cell& y) {
  return x.present == y.present && (!x.present || x.id == y.id);
}

enum class Actor : uint8_t { kRequest, kApplier, kChunk, kVerifier, kGateway };
enum class Op : uint8_t { kRead, kWrite, kMark, kFinish, kAskSettled, kPoll };

struct Message {
  Op op = Op::kRead;
  Actor actor = Actor::kRequest;
  uint8_t index = 0;  ///< of the actor
  uint32_t turn = 0;  ///< a reply to an older turn of the actor is ignored
  bool reply = false;
  bool failed = false;  ///< for certain
  uint8_t store = 0;    ///< 0: A, 1: B
  uint8_t key = 0;
  Cell cell;
  Seq fence = 0;         ///< 0: none
  uint32_t expires = 0;  ///< a write does not land later
  uint32_t not_before = 0;
  Mark mark;
  bool flag = false;  ///< busy (MARK), settled (AskSettled), mirrored (FINISH)
  AuthorityOutcome outcome = AuthorityOutcome::kWritten;
  LedgerToken token = 0;
  bool payload = false;
  uint32_t sent = 0;
  uint64_t epoch = 0;  ///< acknowledged by the poll
  MigrationProgress progress;
};

enum class Phase : uint8_t {
  kFree,
  kHeld,  ///< not begun: the route holds writes
  kMarking,
  kAtAuthority,
  kAtMirror,
  kHorizon,  ///< outcome unknown: the bracket stays open until the write cannot land any more
  kFinishing,
  kAsking,  ///< is the key settled?
  kReading,
};

struct Request {
  Phase phase = Phase::kFree;
  int8_t session = -1;  ///< -1: the client has its answer
  uint8_t gateway = 0;
  uint8_t key = 0;
  bool read = false;
  bool remove = false;
  uint32_t id = 0;
  uint32_t turn = 0;
  uint32_t lease_generation = 0;
  uint64_t epoch = 0;
  RouteShape shape;
  Mark mark;
  LedgerToken token = 0;
  AuthorityOutcome outcome = AuthorityOutcome::kUnknown;
  bool mirrored = false;
  uint32_t expires = 0;
  uint32_t floor = 0;  ///< a read must not be older than this
};

struct Gateway {
  MigrationProgress route;
  uint32_t lease_until = 0;  ///< by its own clock
  uint32_t lease_generation =
      0;  ///< raised when the lease lapsed: older requests send nothing more
  uint32_t turn = 0;
  bool cut_off = false;
  bool lapse_counted = false;
  // What the control store knows of it.
  uint32_t last_seen = 0;
  uint64_t acked_epoch = 0;
};
/// A dead incarnation of a gateway: what it sent may still land, its brackets are open.
struct Ghost {
  uint32_t last_seen = 0;
  uint64_t acked_epoch = 0;
  std::vector<std::pair<uint8_t, LedgerToken>> brackets;
};

struct Payload {
  Seq stamp = 0;
  Cell cell;
};
struct DurableRow {
  LedgerRow row;
  std::vector<PayloadNote> notes;
  std::vector<Payload> payloads;
  bool applied = false;  ///< the newest payload is on the follower of a dead authority
  uint32_t dirty_since = 0;
  uint32_t claimed_at = 0;
  uint32_t attempts = 0;
};

struct Chunk {
  uint8_t lo = 0, hi = 0;
  bool closed = false, reconcile = false;
  Seq window = 0;
  uint32_t lease_until = 0;
  uint32_t generation = 0;
};
struct Verification {
  bool started = false, complete = false;
  uint8_t next_key = 0;
  Seq window = 0;
  uint64_t divergent = 0;
  uint32_t pass = 0;
};

/// An applier, chunk worker or the verifier. All volatile.
struct Worker {
  enum class At : uint8_t { kIdle, kReading, kWriting, kHorizon, kReady } at = At::kIdle;
  uint32_t turn = 0;
  uint8_t key = 0, chunk = 0, to = 0;
  bool payload = false;
  bool loaded = false;  ///< a chunk worker: `cell` is read and not yet put
  uint32_t lease_until = 0, expires = 0, generation = 0, pass = 0, tries = 0;
  Seq stamp = 0, fence = 0;
  LedgerToken token = 0;
  Cell cell, other;
  uint8_t answers = 0, returned = 0;
};

struct Coordinator {
  bool decided = false;
  MigrationProgress seen;
  Decision decision;
};

/// One write as the oracle knows it. `order`: the how manyth change of the authority; 0: none.
struct Written {
  uint32_t order = 0;
  bool failed = false;
};

}  // namespace roost::simulation
