// Whole moves under writers and readers, between two stores in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/move_trial.h"

namespace roost {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = MigrationState;

constexpr int64_t kRecords = 400;

class MoveTest : public ::testing::Test {
 protected:
  MoveTest() {
    EXPECT_TRUE(trial_.routed().CreateCollection({}, {.schema = MoveTrial::Schema()}).ok());
    traffic_.Fill(kRecords);
  }

  /// Ends the traffic and compares what the clients were told, what the given stores hold, and what
  /// Roost answers with the account.
  void ExpectAllWell(const std::vector<VectorStore*>& stores) {
    traffic_.Stop();
    EXPECT_THAT(traffic_.errors(), IsEmpty());
    EXPECT_THAT(traffic_.bad_reads(), IsEmpty());
    EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(trial_.routed())), IsEmpty());
    for (VectorStore* store : stores) {
      EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(*store)), IsEmpty());
    }
    EXPECT_GT(traffic_.writes(), 20u);
    EXPECT_GT(traffic_.reads(), 20u);
  }
  /// Lets the clients work for a while.
  void AwaitWrites(uint64_t more) {
    const uint64_t goal = traffic_.writes() + more;
    while (traffic_.writes() < goal) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  const std::unique_ptr<VectorStore> a_ = MoveTrial::MakeStore();
  const std::unique_ptr<VectorStore> b_ = MoveTrial::MakeStore();
  MoveTrial trial_{*a_, *b_};
  Traffic traffic_{trial_, {.writers = 3, .readers = 2, .keys = kRecords + 100}};
};

TEST_F(MoveTest, ThereAndBackAndThereAgainLosesNothing) {
  traffic_.Start();
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  const MigrationStatus verified =
      trial_.AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  EXPECT_EQ(verified.counts.missing + verified.counts.extra + verified.counts.different, 0u);
  EXPECT_GE(verified.counts.copied, 250u);
  EXPECT_EQ(verified.counts.chunks_closed, verified.counts.chunks);
  trial_.Advance(id, State::kReversed);
  trial_.Await(id, State::kReversed);
  const MigrationStatus there =
      trial_.AwaitThat(id, "the pause", [](const auto& s) { return s.counts.last_fence_ms > 0; });
  EXPECT_LT(there.counts.last_fence_ms, 5'000);
  AwaitWrites(100);
  trial_.Command(id, MigrationCommand::kRollback);
  trial_.Await(id, State::kRamp);
  AwaitWrites(50);
  trial_.Advance(id, State::kReversed);
  trial_.Await(id, State::kReversed);
  AwaitWrites(50);
  traffic_.Stop();
  trial_.AwaitLevel(id);
  ExpectAllWell({a_.get(), b_.get()});
  EXPECT_EQ(trial_.routed().StoreOf(MoveTrial::kCollection), "b");
}

TEST_F(MoveTest, ACommittedMoveLeavesTheCollectionOnTheTargetAlone) {
  traffic_.Start();
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.automatic = true;
  const std::string id = trial_.Create(spec);
  trial_.Await(id, State::kReversed);
  trial_.Command(id, MigrationCommand::kCommit);
  trial_.Await(id, State::kCommitted);
  AwaitWrites(50);
  ExpectAllWell({b_.get()});
  EXPECT_FALSE(trial_.routes().Find(MoveTrial::kCollection)->moving());
  // A new process finds it there as well.
  trial_.Crash();
  EXPECT_EQ(trial_.routed().StoreOf(MoveTrial::kCollection), "b");
  EXPECT_THAT(traffic_.Judge(MoveTrial::ReadAll(trial_.routed())), IsEmpty());
  EXPECT_EQ(trial_.Get(id).progress.state, State::kCommitted);
}

TEST_F(MoveTest, AnAbortInAnyStateLeavesTheSourceAndNoCopy) {
  traffic_.Start();
  for (const State state : {State::kCapture, State::kCopy, State::kMirror, State::kVerify,
                            State::kShadow, State::kRamp}) {
    SCOPED_TRACE(MigrationStateName(state));
    const std::string id = trial_.Create(MoveTrial::QuickSpec());
    trial_.Advance(id, state);
    trial_.Await(id, state);
    AwaitWrites(20);
    trial_.Command(id, MigrationCommand::kAbort);
    trial_.Await(id, State::kAborted);
    EXPECT_EQ(b_->DescribeCollection({}, MoveTrial::kCollection).code(), Code::kNotFound);
    EXPECT_FALSE(trial_.routes().Find(MoveTrial::kCollection)->moving());
  }
  ExpectAllWell({a_.get()});
}

TEST_F(MoveTest, ASecondMoveOfTheCollectionIsRefused) {
  const std::string id = trial_.Create(MoveTrial::QuickSpec());
  EXPECT_EQ(trial_.service().Create({}, MoveTrial::QuickSpec()).code(), Code::kAlreadyExists);
  const auto plan = trial_.service().Plan({}, MoveTrial::QuickSpec());
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->refusals, testing::Contains(HasSubstr("is being moved already")));
  trial_.Await(id, State::kVerify);
  trial_.Command(id, MigrationCommand::kAbort);
  trial_.Await(id, State::kAborted);
  EXPECT_TRUE(trial_.service().Create({}, MoveTrial::QuickSpec()).ok());
}

}  // namespace
}  // namespace roost
