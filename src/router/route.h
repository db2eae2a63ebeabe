#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "router/write_capture.h"
#include "store/types.h"

namespace roost {

/// Which store gets which read and which write of one collection. Immutable: a change is a new
/// Route with a higher epoch. Moves, dual writes, shadow reads, ramps, fallback and rollback are
/// nothing but values of these fields.
struct Route {
  std::string collection;
  uint64_t epoch = 0;
  std::string authority;  ///< the store whose answer counts
  std::string other;      ///< the other store of a move; empty when nothing moves

  bool mirror = false;              ///< writes also go to `other`, at once
  bool hold_writes = false;         ///< writes wait for the next route
  uint32_t read_percent_other = 0;  ///< share of sessions that `other` answers, 0 to 100
  double shadow_percent = 0;        ///< of reads: repeated on `other` and compared, 0 to 100

  /// Set while the collection moves: every write is recorded there before it is carried out.
  std::shared_ptr<WriteCapture> capture;
  bool capture_payload = false;  ///< with the written records themselves
  /// Set while `capture` is: what records look like. It cannot change during a move.
  std::shared_ptr<const CollectionSchema> schema;

  bool moving() const { return capture != nullptr || hold_writes || !other.empty(); }
};

/// Where a session stands among all: the same number in [0, 10000) for the same tenant and session.
uint32_t SessionSlot(std::string_view tenant, std::string_view session);
/// True when reads of that session belong to `other`. A session keeps its side while the share
/// grows.
bool ReadsOther(const Route& route, uint32_t session_slot);

}  // namespace roost
