#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cutover_model.h"
#include "ledger_model.h"

namespace roost::simulation {

/// What several searches found together.
struct ModelTotals {
  uint64_t configurations = 0;
  uint64_t states = 0;
  uint64_t ends = 0;
  std::string violation;           ///< of the first configuration that has one
  std::vector<std::string> trace;  ///< to it
  bool truncated = false;
};
ModelTotals CheckLedgerConfigs(const std::vector<LedgerModelConfig>& configs);

/// A rule left out, and how the search saw it: the shortest trace of all configurations.
struct ModelFind {
  std::string rule;
  std::string violation;  ///< empty: the search did not see it
  std::vector<std::string> trace;
};
ModelFind CatchMutation(LedgerMutation mutation, const std::vector<LedgerModelConfig>& configs);
ModelFind CatchMistake(CutoverMistake mistake, CutoverModelConfig config);

/// All but kNone.
std::vector<LedgerMutation> LedgerMutations();
std::vector<CutoverMistake> CutoverMistakes();

}  // namespace roost::simulation
