#include "model_trial.h"

namespace roost::simulation {

ModelTotals CheckLedgerConfigs(const std::vector<LedgerModelConfig>& configs) {
  ModelTotals totals;
  for (const LedgerModelConfig& config : configs) {
    SearchResult result = CheckLedgerModel(config);
    ++totals.configurations;
    totals.states += result.states;
    totals.ends += result.ends;
    totals.truncated |= result.truncated;
    if (totals.violation.empty() && !result.violation.empty()) {
      totals.violation = std::move(result.violation);
      totals.trace = std::move(result.trace);
    }
  }
  return totals;
}

ModelFind CatchMutation(LedgerMutation mutation, const std::vector<LedgerModelConfig>& configs) {
  ModelFind find{.rule = std::string(LedgerMutationName(mutation))};
  for (LedgerModelConfig config : configs) {
    config.mutation = mutation;
    SearchResult result = CheckLedgerModel(config);
    const bool shorter = find.violation.empty() || result.trace.size() < find.trace.size();
    if (!result.violation.empty() && shorter) {
      find.violation = std::move(result.violation);
      find.trace = std::move(result.trace);
    }
  }
  return find;
}

ModelFind CatchMistake(CutoverMistake mistake, CutoverModelConfig config) {
  config.mistake = mistake;
  SearchResult result = CheckCutoverModel(config);
  return {.rule = std::string(CutoverMistakeName(mistake)),
          .violation = std::move(result.violation),
          .trace = std::move(result.trace)};
}

std::vector<LedgerMutation> LedgerMutations() {
  std::vector<LedgerMutation> mutations;
  for (int i = 1; i <= static_cast<int>(LedgerMutation::kClaimWhileInflight); ++i) {
    mutations.push_back(static_cast<LedgerMutation>(i));
  }
  return mutations;
}

std::vector<CutoverMistake> CutoverMistakes() {
  std::vector<CutoverMistake> mistakes;
  for (int i = 1; i <= kCutoverMistakes; ++i) {
    mistakes.push_back(static_cast<CutoverMistake>(i));
  }
  return mistakes;
}

}  // namespace roost::simulation
