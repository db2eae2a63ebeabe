#pragma once

#include <cstdint>
#include <string_view>

#include "state_search.h"

namespace roost::simulation {

/// Rules of cut-over and rollback outside the ledger's row; each left out once, the search must see
/// it.
enum class CutoverMistake : uint8_t {
  kNone,
  kSwitchWhileDirty,       ///< the fence does not wait for the drain
  kNoAcknowledgement,      ///< the next epoch does not wait for all gateways
  kNoPayload,              ///< REVERSED marks keys only
  kPayloadReplacedAtMark,  ///< one slot per key instead of one note per write
  kWritesNotSerial,        ///< two writes of a key at once on an authority without fence
  kUncheckedReads,         ///< RAMP reads from B without asking the ledger
  kStaleGatewayServes,     ///< a gateway goes on after its lease ran out
};
constexpr int kCutoverMistakes = 7;
std::string_view CutoverMistakeName(CutoverMistake mistake);

/// From the last step of RAMP to REVERSED and back, by the real Decide and the real rules: one key,
/// two gateways with their own routes and leases, two writers, an applier, a session that may read
/// anywhere at any time, B dying in REVERSED.
struct CutoverModelConfig {
  CutoverMistake mistake = CutoverMistake::kNone;
  bool target_dies = true;
  bool rollback = true;
  bool writer_crashes = true;
  bool lease_expires = true;
};

/// In every state: the authority holds the newest acknowledged write, no failed write is visible on
/// it, no read is older than what was acknowledged or read before. At every end: the move stands in
/// REVERSED or in RAMP after a rollback, all is settled and A == B.
SearchResult CheckCutoverModel(const CutoverModelConfig& config);

}  // namespace roost::simulation
