#include <gtest/gtest.h>

#include "model_trial.h"

namespace roost::simulation {
namespace {

std::string Joined(const std::vector<std::string>& trace) {
  std::string text;
  for (const std::string& step : trace) {
    text += "\n  " + step;
  }
  return text;
}

TEST(LedgerModel, EveryInterleavingOfTwoWritersEndsWithEqualStores) {
  const ModelTotals totals = CheckLedgerConfigs(TwoWriterConfigs());
  EXPECT_EQ(totals.violation, "") << Joined(totals.trace);
  EXPECT_FALSE(totals.truncated);
  EXPECT_EQ(totals.configurations, 6u);
  EXPECT_GT(totals.states, 250'000u) << "the model has lost steps";
}

class LedgerRulesLeftOut : public testing::TestWithParam<LedgerMutation> {};

TEST_P(LedgerRulesLeftOut, AreSeenWithAShortTrace) {
  const ModelFind find = CatchMutation(GetParam(), TwoWriterConfigs());
  EXPECT_TRUE(find.violation == "lost update" || find.violation == "resurrected delete")
      << find.rule << ": " << find.violation;
  EXPECT_GE(find.trace.size(), 5u);
  EXPECT_LE(find.trace.size(), 20u) << Joined(find.trace);
}

INSTANTIATE_TEST_SUITE_P(All, LedgerRulesLeftOut, testing::ValuesIn(LedgerMutations()),
                         [](const auto& one) { return std::to_string(one.index + 1); });

/// Each looks at two of the four dangers; `roost_simulation model` has all at once.
std::vector<CutoverModelConfig> SmallCutoverConfigs() {
  return {{.writer_crashes = false, .lease_expires = false},
          {.target_dies = false, .rollback = false}};
}

TEST(CutoverModel, EveryInterleavingKeepsWhatWasAcknowledged) {
  for (const CutoverModelConfig& config : SmallCutoverConfigs()) {
    const SearchResult result = CheckCutoverModel(config);
    EXPECT_EQ(result.violation, "") << Joined(result.trace);
    EXPECT_FALSE(result.truncated);
    EXPECT_GT(result.states, 10'000u) << "the model has lost steps";
    RecordProperty("states", static_cast<int>(result.states));
  }
}

class CutoverRulesLeftOut : public testing::TestWithParam<CutoverMistake> {};

TEST_P(CutoverRulesLeftOut, AreSeenWithAShortTrace) {
  ModelFind find;
  for (const CutoverModelConfig& config : SmallCutoverConfigs()) {
    if (find.violation.empty()) {
      find = CatchMistake(GetParam(), config);
    }
  }
  EXPECT_NE(find.violation, "") << find.rule;
  EXPECT_LE(find.trace.size(), 30u) << Joined(find.trace);
}

INSTANTIATE_TEST_SUITE_P(All, CutoverRulesLeftOut, testing::ValuesIn(CutoverMistakes()),
                         [](const auto& one) { return std::to_string(one.index + 1); });

}  // namespace
}  // namespace roost::simulation
