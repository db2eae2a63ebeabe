#include "store/faulty_store.h"

#include <gtest/gtest.h>

#include "store/scripted_store.h"

namespace roost {
namespace {

using namespace std::chrono_literals;

Record Row(int64_t key) {
  Record record;
  record.key = {.key = key};
  record.vectors["v"] = Vector::Floats(std::vector<float>{1, 2});
  return record;
}

class FaultyStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    CollectionSchema schema;
    schema.name = "c";
    schema.key_type = KeyType::kInt64;
    schema.vectors = {{.name = "v", .dimension = 2, .metric = Metric::kL2}};
    ASSERT_TRUE(inner_.CreateCollection(context_, {.schema = schema}).ok());
  }

  Result<WriteResult> Upsert(int64_t first, int64_t count = 1) {
    WriteRequest request{.collection = "c"};
    for (int64_t key = first; key < first + count; ++key) {
      request.records.push_back(Row(key));
    }
    return store_->Upsert(context_, request);
  }
  /// What is really there.
  uint64_t Stored() { return *inner_.Count(context_, {.collection = "c"}); }

  RequestContext context_;
  ScriptedStore inner_;
  LeapingClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<FaultyStore> store_ = MakeFaultyStore(inner_, clock_, random_);
};

TEST_F(FaultyStoreTest, WithoutFaultsItIsTheStoreBehind) {
  ASSERT_TRUE(Upsert(1, 5).ok());
  EXPECT_EQ(*store_->Count(context_, {.collection = "c"}), 5u);
  EXPECT_EQ(store_->faults_played(), 0u);
}

TEST_F(FaultyStoreTest, FailBeforeDoesNothing) {
  store_->SetFaults({.fail_before = 1});
  const auto written = Upsert(1);
  EXPECT_EQ(written.code(), Code::kUnavailable);
  ASSERT_FALSE(written.ok());
  EXPECT_FALSE(written.error().outcome_unknown);
  EXPECT_EQ(store_->ListCollections(context_).code(), Code::kUnavailable);
  EXPECT_EQ(Stored(), 0u);
  EXPECT_EQ(store_->faults_played(), 2u);
}

TEST_F(FaultyStoreTest, FailAfterDoesItAndLosesTheReply) {
  store_->SetFaults({.fail_after = 1});
  const auto written = Upsert(1);
  EXPECT_EQ(written.code(), Code::kUnavailable);
  ASSERT_FALSE(written.ok());
  EXPECT_TRUE(written.error().outcome_unknown);
  EXPECT_EQ(Stored(), 1u);
  const auto deleted = store_->Delete(context_, {.collection = "c", .keys = {Row(1).key}});
  EXPECT_TRUE(!deleted.ok() && deleted.error().outcome_unknown);
  EXPECT_EQ(Stored(), 0u);
  const auto read = store_->ListCollections(context_);
  EXPECT_TRUE(!read.ok() && !read.error().outcome_unknown) << "a lost read changes nothing";
}

TEST_F(FaultyStoreTest, LateWritesLandAtTheirTime) {
  store_->SetFaults({.late = 1, .late_by = 50ms});
  const auto written = Upsert(1);
  EXPECT_EQ(written.code(), Code::kDeadlineExceeded);
  ASSERT_FALSE(written.ok());
  EXPECT_TRUE(written.error().outcome_unknown);
  clock_.Advance(49ms);
  EXPECT_EQ(*store_->Count(context_, {.collection = "c"}), 0u);
  clock_.Advance(1ms);
  EXPECT_EQ(Stored(), 0u) << "nothing happens behind the caller's back";
  EXPECT_EQ(*store_->Count(context_, {.collection = "c"}), 1u);
}

TEST_F(FaultyStoreTest, SettleLandsWhatIsLateInOrder) {
  store_->SetFaults({.late = 1, .late_by = 10s});
  EXPECT_FALSE(Upsert(1, 3).ok());
  EXPECT_FALSE(store_->Delete(context_, {.collection = "c", .keys = {Row(2).key}}).ok());
  EXPECT_EQ(Stored(), 0u);
  store_->Settle();
  EXPECT_EQ(Stored(), 2u) << "the delete came after the upsert";
  store_->Settle();
  EXPECT_EQ(Stored(), 2u);
}

TEST_F(FaultyStoreTest, PartialWritesNameTheRowsThatFailed) {
  store_->SetFaults({.partial = 1});
  for (int64_t first = 0; first < 200; first += 10) {
    const uint64_t before = Stored();
    const auto written = Upsert(first, 10);
    ASSERT_TRUE(written.ok());
    ASSERT_FALSE(written->errors.empty()) << "at least one row fails";
    EXPECT_EQ(written->written + written->errors.size(), 10u);
    EXPECT_EQ(Stored() - before, written->written);
    size_t next = 0;
    for (const auto& error : written->errors) {
      EXPECT_GE(error.row, next) << "by rising row";
      next = error.row + 1;
      const auto key = Row(first + static_cast<int64_t>(error.row)).key;
      EXPECT_FALSE((*inner_.Get(context_, {.collection = "c", .keys = {key}})).records[0])
          << "a row that failed is there";
    }
  }
}

TEST_F(FaultyStoreTest, PartialInsertsKeepTheRowsOfRealErrors) {
  ASSERT_TRUE(Upsert(0, 10).ok());
  store_->SetFaults({.partial = 1});
  WriteRequest request{.collection = "c"};
  for (int64_t key = 0; key < 20; ++key) {
    request.records.push_back(Row(key));
  }
  const auto written = store_->Insert(context_, request);
  ASSERT_TRUE(written.ok());
  size_t existing = 0;
  for (const auto& error : written->errors) {
    if (error.error.code == Code::kAlreadyExists) {
      EXPECT_LT(error.row, 10u) << "the row's number in the caller's batch";
      ++existing;
    }
  }
  EXPECT_GT(existing, 0u);
  EXPECT_EQ(written->written + written->errors.size(), 20u);
}

TEST_F(FaultyStoreTest, LoseSaysOkAndStoresNothing) {
  store_->SetFaults({.lose = 1});
  const auto written = Upsert(1, 3);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->written, 3u);
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(FaultyStoreTest, DownRefusesEverything) {
  store_->SetFaults({.down = true});
  EXPECT_EQ(Upsert(1).code(), Code::kUnavailable);
  EXPECT_EQ(store_->CheckHealth(context_).code(), Code::kUnavailable);
  EXPECT_EQ(store_->Search(context_, {}).code(), Code::kUnavailable);
  store_->SetFaults({});
  EXPECT_TRUE(Upsert(1).ok()) << "and comes back";
}

TEST_F(FaultyStoreTest, HangWaitsForTheDeadline) {
  store_->SetFaults({.hang = true});
  context_.deadline = {clock_.Now() + 7s};
  const auto written = Upsert(1);
  EXPECT_EQ(written.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(!written.ok() && written.error().outcome_unknown);
  ASSERT_EQ(clock_.sleeps().size(), 1u);
  EXPECT_EQ(clock_.sleeps()[0], 7s);
  std::stop_source stop;
  stop.request_stop();
  context_.stop = stop.get_token();
  EXPECT_EQ(store_->ListCollections(context_).code(), Code::kCancelled);
  context_ = {};
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(FaultyStoreTest, DelayComesBeforeTheCall) {
  store_->SetFaults({.delay = 30ms});
  const SteadyTime start = clock_.Now();
  EXPECT_TRUE(Upsert(1).ok());
  EXPECT_EQ(clock_.Now() - start, 30ms);
}

TEST_F(FaultyStoreTest, OneSeedGivesOneHistory) {
  const auto play = [this](uint64_t seed) {
    SeededRandom random(seed);
    LeapingClock clock;
    const auto store = MakeFaultyStore(inner_, clock, random);
    store->SetFaults({.fail_before = 0.3, .fail_after = 0.3});
    std::string history;
    for (int i = 0; i < 100; ++i) {
      history += store->ListCollections(context_).ok() ? '.' : 'x';
    }
    return history;
  };
  EXPECT_EQ(play(7), play(7));
  EXPECT_NE(play(7), play(8));
}

}  // namespace
}  // namespace roost
