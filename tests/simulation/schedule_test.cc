#include <gtest/gtest.h>

#include "trial.h"

namespace roost::simulation {
namespace {

TEST(Schedules, FiftyThousandSeedsBreakNothingAndMeetEveryFaultInEveryState) {
  const TrialReport report = RunTrial({.count = 50'000, .jobs = 2});
  for (const TrialFind& find : report.finds) {
    ADD_FAILURE() << "seed " << find.seed << ": " << find.violation << "; see `roost_simulation "
                  << "replay " << find.seed << "`, then keep it in NamedSeeds";
  }
  EXPECT_EQ(report.schedules, 50'000u);
  EXPECT_EQ(report.violations, 0u);
  EXPECT_GT(report.cutovers_under_load, 500u);
  EXPECT_GE(report.replayed, 500u);
  EXPECT_EQ(report.not_replayed, 0u) << "a seed must always give the same schedule";
  for (const auto& [state, fault] : Uncovered(report.coverage)) {
    ADD_FAILURE() << FaultName(fault) << " was never met in " << MigrationStateName(state);
  }
}

TEST(Schedules, ReportDoesNotDependOnTheNumberOfThreads) {
  const TrialReport one = RunTrial({.first_seed = 7, .count = 1'000, .jobs = 1});
  const TrialReport three = RunTrial({.first_seed = 7, .count = 1'000, .jobs = 3});
  EXPECT_EQ(one.steps, three.steps);
  EXPECT_EQ(one.coverage, three.coverage);
}

TEST(Schedules, UntilViolationGivesTheLowestFailingSeed) {
  const TrialOptions options{.count = 2'000,
                             .jobs = 1,
                             .bug = PlantedBug::kPayloadReplacedAtMark,
                             .until_violation = true};
  const TrialReport alone = RunTrial(options);
  TrialOptions together = options;
  together.jobs = 3;
  ASSERT_FALSE(alone.finds.empty());
  EXPECT_EQ(RunTrial(together).finds.at(0).seed, alone.finds[0].seed);
}

TEST(Schedules, MissingPairShowsInTheTable) {
  const Coverage none{};
  EXPECT_GT(Uncovered(none).size(), 100u);
  EXPECT_NE(CoverageTable(none).find("MISSING"), std::string::npos);
}

/// A planted bug and a seed that shows it, found by `roost_simulation bugs`. When a change to the
/// schedules moves the seeds, that command finds new ones.
struct BugSeed {
  PlantedBug bug;
  uint64_t seed;
};
constexpr BugSeed kBugSeeds[] = {
    {PlantedBug::kNoRedirtyAtClose, 3047},
    {PlantedBug::kCompareStampAtClose, 251465},
    {PlantedBug::kIgnoreInflightAtClose, 23851},
    {PlantedBug::kOnlyReturnedKeysAtClose, 18778},
    {PlantedBug::kFreshWindowOnRestart, 87429},
    {PlantedBug::kRedirtyWithoutStamp, 23851},
    {PlantedBug::kDropAlone, 30},
    {PlantedBug::kFinishWithoutStampCheck, 200},
    {PlantedBug::kApplierClearWithoutStampCheck, 146},
    {PlantedBug::kClaimWhileInflight, 424},
    {PlantedBug::kMirrorFailureIgnored, 4},
    {PlantedBug::kForgetDeletes, 14028},
    {PlantedBug::kVerifyByCount, 5450},
    {PlantedBug::kSwitchWhileDirty, 4},
    {PlantedBug::kCheckThenAct, 7},
    {PlantedBug::kNoAcknowledgement, 160},
    {PlantedBug::kRollbackWithoutPayload, 106},
    {PlantedBug::kPayloadReplacedAtMark, 341},
    {PlantedBug::kFailedPayloadKept, 60},
    {PlantedBug::kWritesNotSerial, 391},
    {PlantedBug::kMarkInMemory, 5},
    {PlantedBug::kStaleReads, 52},
    {PlantedBug::kLapseForgotten, 20638},
    {PlantedBug::kUncheckedReads, 15},
    {PlantedBug::kOneWayAfterCutover, 8},
    {PlantedBug::kNoHorizon, 9168},
    {PlantedBug::kRestartKeepsIdentity, 13086},
    {PlantedBug::kEarlyFailure, 1216},
    {PlantedBug::kWindowAsFence, 826},
    {PlantedBug::kPayloadDroppedInWindow, 142951},
};

TEST(Schedules, EveryPlantedBugIsSeen) {
  EXPECT_EQ(std::size(kBugSeeds), static_cast<size_t>(kPlantedBugs));
  for (const BugSeed& one : kBugSeeds) {
    EXPECT_NE(RunSchedule({.seed = one.seed, .bug = one.bug}).violation, "")
        << PlantedBugName(one.bug) << ": `roost_simulation bugs` finds another seed";
    EXPECT_EQ(RunSchedule({.seed = one.seed}).violation, "") << "seed " << one.seed;
  }
}

TEST(Schedules, FailingSeedIsCutDownToAShortListOfEvents) {
  for (const BugSeed& one : kBugSeeds) {
    const auto small = Shrink(one.seed, one.bug);
    ASSERT_TRUE(small.has_value());
    EXPECT_NE(small->violation, "");
    EXPECT_EQ(small->events.empty(), false);
    const ScheduleResult whole = RunSchedule({.seed = one.seed, .bug = one.bug, .log = true});
    EXPECT_LE(small->events.size(), whole.events.size());
    // The worst need the whole end phase, in which the faults are over and nothing can be left out.
    EXPECT_LE(small->events.size(), 120u) << PlantedBugName(one.bug);
  }
  EXPECT_FALSE(Shrink(0, PlantedBug::kNone).has_value());
}

/// Seeds that once broke an invariant stay here under the name of what was wrong; each must hold
/// from then on. As schedules change with the code around them, a find should also become a test of
/// the rule itself, in src/migration/core.
struct NamedSeed {
  const char* name;
  uint64_t seed;
};
constexpr NamedSeed kNamedSeeds[] = {
    // A delete that a chunk's second reading no longer returns, its window kept over the crash.
    {"DeleteBeforeAChunkRestart", 87429},
    // A write that ends between a chunk's reading and its close.
    {"WriteEndsInTheWindow", 251465},
    // Two writes of a key at once in REVERSED, then B dies and the payloads decide.
    {"TwoWritesThenTheAuthorityDies", 391},
    // A settled write whose payload is needed once more, as a late put of a chunk undoes it.
    {"LatePutOfAReconcileThenTheAuthorityDies", 142951},
    // A gateway's lease lapses and comes back while one of its writes is under way.
    {"LapsedLeaseComesBack", 20638},
};

class NamedSeeds : public testing::TestWithParam<NamedSeed> {};

TEST_P(NamedSeeds, Hold) {
  const ScheduleResult result = RunSchedule({.seed = GetParam().seed});
  EXPECT_EQ(result.violation, "") << "see `roost_simulation replay " << GetParam().seed << "`";
}

INSTANTIATE_TEST_SUITE_P(All, NamedSeeds, testing::ValuesIn(kNamedSeeds),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace roost::simulation
