// Moves whose stores fail, hang, lie or die, and processes that die in every state of a move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/move_trial.h"
#include "store/faulty_store.h"

namespace roost {
namespace {

using ::testing::IsEmpty;
using State = MigrationState;
using std::chrono::milliseconds;

constexpr int64_t kRecords = 300;

class MoveFaultTest : public ::testing::Test {
 protected:
  MoveFaultTest() {
    EXPECT_TRUE(trial_.routed().CreateCollection({}, {.schema = MoveTrial::Schema()}).ok());
    traffic_.Fill(kRecords);
    traffic_.Start();
  }

  void AwaitWrites(uint64_t more) {
    const uint64_t goal = traffic_.writes() + more;
    while (traffic_.writes() < goal) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  /// Both stores are there again: they hold what the account says.
  void ExpectLevel(const std::string& id) {
    traffic_.Stop();
    faulty_a_->SetFaults({});
    faulty_b_->SetFaults({});
    faulty_a_->Settle();
    faulty_b_->Settle();
    trial_.AwaitLevel(id);
    EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(*a_)), IsEmpty());
    EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(*b_)), IsEmpty());
    EXPECT_THAT(traffic_.bad_reads(), IsEmpty());
    EXPECT_THAT(traffic_.errors(), IsEmpty());
  }
  MigrationSpec Automatic() {
    MigrationSpec spec = MoveTrial::QuickSpec();
    spec.automatic = true;
    return spec;
  }

  SystemClock clock_;
  SeededRandom random_{11};
  const std::unique_ptr<VectorStore> a_ = MoveTrial::MakeStore();
  const std::unique_ptr<VectorStore> b_ = MoveTrial::MakeStore();
  const std::unique_ptr<FaultyStore> faulty_a_ = MakeFaultyStore(*a_, clock_, random_);
  const std::unique_ptr<FaultyStore> faulty_b_ = MakeFaultyStore(*b_, clock_, random_);
  MoveTrial trial_{*faulty_a_, *faulty_b_};
  Traffic traffic_{trial_, {.writers = 2, .readers = 1, .keys = kRecords + 60}};
};

TEST_F(MoveFaultTest, AProcessThatDiesAroundEveryChangeOfStateGoesOnAndLosesNothing) {
  trial_.control().CutAt(State::kPlanned, false);
  EXPECT_FALSE(trial_.service().Create({}, Automatic()).ok());
  std::string id;
  for (const State state :
       {State::kCapture, State::kCopy, State::kMirror, State::kVerify, State::kShadow, State::kRamp,
        State::kFence, State::kSwitched, State::kReversed}) {
    SCOPED_TRACE(MigrationStateName(state));
    for (const bool before : {true, false}) {
      trial_.Crash([&](CutControl& control) { control.CutAt(state, before); });
      id = trial_.service().List({})->at(0).id;
      trial_.AwaitCut();
    }
  }
  trial_.Crash();
  trial_.Await(id, State::kReversed);
  AwaitWrites(20);
  trial_.control().CutAt(State::kRollingBack, true);
  trial_.Command(id, MigrationCommand::kRollback);
  trial_.AwaitCut();
  trial_.Crash([](CutControl& control) { control.CutAt(State::kRollingBack, false); });
  trial_.AwaitCut();
  trial_.Crash([](CutControl& control) { control.CutAt(State::kRamp, true); });
  trial_.AwaitCut();
  trial_.Crash();
  trial_.Await(id, State::kRamp);
  EXPECT_EQ(trial_.routed().StoreOf(MoveTrial::kCollection), "a");
  AwaitWrites(20);
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, AProcessThatDiesAgainAndAgainDuringTheCopyEndsIt) {
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  int crashes = 0;
  while (trial_.Get(id).progress.state <= State::kCopy && crashes < 30) {
    trial_.control().CutAtChunk(4);
    trial_.AwaitThat(id, "a cut, or the end of the copy", [&](const MigrationStatus& status) {
      return trial_.control().cut() || status.progress.state > State::kCopy;
    });
    trial_.Crash();
    ++crashes;
  }
  EXPECT_GT(crashes, 3);
  EXPECT_LT(crashes, 30);
  trial_.AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, ATargetThatFailsNowAndThenHoldsTheMoveUpButLosesNothing) {
  // Later than here the target answers reads and then writes, and its faults would be the clients'.
  faulty_b_->SetFaults({.fail_before = 0.05,
                        .fail_after = 0.05,
                        .late = 0.03,
                        .late_by = milliseconds(20),
                        .partial = 0.1});
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  trial_.AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  EXPECT_GT(faulty_b_->faults_played(), 5u);
  EXPECT_GT(trial_.Get(id).counts.applied, 0u);
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, ATargetThatIsAwayOrHangsIsReportedAndClientsDoNotNotice) {
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  trial_.AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  faulty_b_->SetFaults({.hang = true});
  const auto begin = std::chrono::steady_clock::now();
  AwaitWrites(100);
  // Each waits for the mirror's two seconds if one does.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(50));
  faulty_b_->SetFaults({.down = true});
  trial_.Advance(id, State::kReversed);
  trial_.AwaitThat(id, "a reason", [](const MigrationStatus& s) {
    return s.progress.state <= State::kRamp && !s.waiting_for.empty() && !s.last_error.empty() &&
           s.counts.dirty > 0;
  });
  EXPECT_THAT(traffic_.errors(), IsEmpty());
  faulty_b_->SetFaults({});
  trial_.Await(id, State::kReversed);
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, ATargetThatLiesIsFoundOutAndRepairedBeforeItAnswers) {
  faulty_b_->SetFaults({.lose = 0.2});
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  uint64_t found = 0;
  trial_.AwaitThat(id, "a find", [&](const MigrationStatus& status) {
    EXPECT_LE(status.progress.state, State::kVerify);
    found = std::max(found, status.counts.missing + status.counts.different + status.counts.extra);
    return found > 0;
  });
  faulty_b_->SetFaults({});
  trial_.AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, WithTheTargetDeadARollbackLosesNoAcknowledgedWrite) {
  const std::string id = trial_.Create(Automatic());
  trial_.Await(id, State::kReversed);
  // The source falls behind, then the target dies: what clients wrote is only in the ledger.
  faulty_a_->SetFaults({.down = true});
  AwaitWrites(60);
  traffic_.Stop();
  EXPECT_THAT(traffic_.errors(), IsEmpty());
  trial_.AwaitThat(id, "dirty keys", [](const auto& s) { return s.counts.dirty > 10; });
  EXPECT_FALSE(traffic_.Judge(MoveTrial::ReadAll(*a_)).empty());
  faulty_b_->SetFaults({.down = true});
  faulty_a_->SetFaults({});
  trial_.Command(id, MigrationCommand::kRollback);
  trial_.Await(id, State::kRamp);
  EXPECT_EQ(trial_.routed().StoreOf(MoveTrial::kCollection), "a");
  EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(trial_.routed())), IsEmpty());
  // The target comes back and is made equal before it may answer again.
  faulty_b_->SetFaults({});
  trial_.Advance(id, State::kReversed);
  trial_.Await(id, State::kReversed);
  ExpectLevel(id);
}

TEST_F(MoveFaultTest, AFenceThatIsNotThroughInTimeLetsWritesGoOnAndIsTriedAgain) {
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.policy.fence_max_ms = 100;
  spec.policy.ramp_percents = {};
  spec.policy.oldest_dirty_max_ms = 600'000;  // The fence begins although it cannot be through.
  const std::string id = trial_.Create(spec);
  trial_.Advance(id, State::kRamp);
  trial_.Await(id, State::kRamp);
  // Every write to the target has an unknown outcome, so its key is held.
  faulty_b_->SetFaults({.late = 1, .late_by = milliseconds(30)});
  traffic_.ResetLongest();
  trial_.Advance(id, State::kReversed);
  trial_.AwaitThat(id, "a fence that failed", [](const MigrationStatus& s) {
    EXPECT_LE(s.progress.state, State::kFence);
    return s.counts.last_fence_ms >= 100;
  });
  AwaitWrites(30);
  EXPECT_THAT(traffic_.errors(), IsEmpty());
  EXPECT_LT(traffic_.longest_write_ms(), 5'000);
  faulty_b_->SetFaults({});
  trial_.Await(id, State::kReversed);
  ExpectLevel(id);
}

}  // namespace
}  // namespace roost
