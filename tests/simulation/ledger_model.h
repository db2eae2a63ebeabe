#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "migration/core/ledger_rules.h"
#include "state_search.h"

namespace roost::simulation {

/// One key, its writers, one chunk and one applier: every interleaving of their steps and crashes,
/// by the rules of production. A holds `initially_present`, B is empty.
struct LedgerModelConfig {
  std::vector<bool> writer_deletes;  ///< one writer each, 1 to 3; true: it deletes the key
  bool initially_present = true;
  bool writer_crashes = true;  ///< at every point; what it had sent may land until it is recovered
  bool applier_crashes = true;
  uint8_t chunk_crashes = 1;
  LedgerMutation mutation = LedgerMutation::kNone;
};

/// In every state: once the chunk is closed, a settled row means B == A. At every end: all is
/// settled and B == A. The violation is named "lost update" or "resurrected delete".
SearchResult CheckLedgerModel(const LedgerModelConfig& config);

std::string_view LedgerMutationName(LedgerMutation mutation);
/// The six configurations of two writers, and those of three.
std::vector<LedgerModelConfig> TwoWriterConfigs();
std::vector<LedgerModelConfig> ThreeWriterConfigs();

}  // namespace roost::simulation
