#include "migration/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/key_codec.h"
#include "migration/move_trial.h"

namespace roost {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRecords = 40;
constexpr const char* kMove = "m";

/// Two equal stores and everything that a verification needs.
class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() {
    for (VectorStore* store : {a_.get(), b_.get()}) {
      EXPECT_TRUE(store->CreateCollection({}, {.schema = MoveTrial::Schema()}).ok());
      for (int64_t i = 0; i < kRecords; ++i) {
        Put(*store, MoveTrial::MakeRecord(i, 1));
      }
    }
    const std::string middle = EncodeKey({.key = MoveTrial::KeyOf(kRecords / 2 - 1)});
    chunks_.SetChunks({{.migration = kMove, .number = 0, .hi = middle},
                       {.migration = kMove, .number = 1, .lo = middle}});
  }

  static void Put(VectorStore& store, const Record& record) {
    const auto put = store.Upsert({}, {.collection = MoveTrial::kCollection, .records = {record}});
    EXPECT_TRUE(put.ok() && put->errors.empty());
  }
  static void Remove(VectorStore& store, int64_t number) {
    RecordKey key{.key = MoveTrial::KeyOf(number)};
    EXPECT_TRUE(
        store.Delete({}, {.collection = MoveTrial::kCollection, .keys = {std::move(key)}}).ok());
  }
  ChunkTable::Counts VerifyAll() {
    Verifier verifier({.migration = kMove,
                       .collection = MoveTrial::kCollection,
                       .recheck_pause = std::chrono::milliseconds(1),
                       .page_rows = 7},
                      {}, {*a_, *b_}, chunks_, *ledger_, trial_.control(), clock_);
    chunks_.SetPass(++pass_, {});
    while (true) {
      const auto more = verifier.VerifyNext({}, pass_);
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !*more) {
        break;
      }
    }
    EXPECT_EQ(chunks_.counts().judged, 2u);
    return chunks_.counts();
  }
  std::string Samples() {
    std::string all;
    for (const std::string& sample : chunks_.Samples()) {
      all += sample + "; ";
    }
    return all;
  }

  SystemClock clock_;
  const std::unique_ptr<VectorStore> a_ = MoveTrial::MakeStore();
  const std::unique_ptr<VectorStore> b_ = MoveTrial::MakeStore();
  MoveTrial trial_{*a_, *b_};
  const std::shared_ptr<LedgerScope> ledger_ = std::make_shared<LedgerScope>(
      LedgerScope::Options{.migration = kMove}, trial_.control(), clock_);
  ChunkTable chunks_;
  uint64_t pass_ = 0;
};

TEST_F(VerifierTest, EqualStoresAreEqual) {
  const auto counts = VerifyAll();
  EXPECT_EQ(counts.verified, static_cast<uint64_t>(kRecords));
  EXPECT_EQ(counts.missing + counts.extra + counts.different, 0u);
  EXPECT_EQ(ledger_->Counts().dirty, 0u);
  const auto rows = trial_.control().ListVerifications(kMove, pass_);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(rows->at(0).digest_a, rows->at(0).digest_b);
}

TEST_F(VerifierTest, EveryKindOfDifferenceIsFoundByKeyAndMadeDirty) {
  Remove(*b_, 3);
  Put(*b_, MoveTrial::MakeRecord(1'000, 1));
  Record scalar = MoveTrial::MakeRecord(5, 1);
  scalar.fields["text"] = "text 6";
  Put(*b_, scalar);
  Record bit = MoveTrial::MakeRecord(8, 1);
  bit.vectors["vector"].bytes[4] ^= 1;
  Put(*b_, bit);
  Record first = MoveTrial::MakeRecord(30, 1);
  Record second = MoveTrial::MakeRecord(31, 1);
  std::swap(first.vectors, second.vectors);
  Put(*b_, first);
  Put(*b_, second);
  const auto counts = VerifyAll();
  EXPECT_EQ(counts.missing, 1u);
  EXPECT_EQ(counts.extra, 1u);
  EXPECT_EQ(counts.different, 4u);
  EXPECT_EQ(ledger_->Counts().dirty, 6u);
  const std::string samples = Samples();
  EXPECT_THAT(samples, HasSubstr("missing \"thing-000003\""));
  EXPECT_THAT(samples, HasSubstr("extra \"thing-001000\""));
  for (const char* key : {"000005", "000008", "000030", "000031"}) {
    EXPECT_THAT(samples, HasSubstr("different \"thing-" + std::string(key) + "\""));
  }
}

TEST_F(VerifierTest, KeysThatAreBeingWrittenAreNoDifference) {
  auto bracket = ledger_->Mark({}, {{.key = MoveTrial::KeyOf(4)}}, {});
  ASSERT_TRUE(bracket.ok());
  Put(*a_, MoveTrial::MakeRecord(4, 2));
  const auto counts = VerifyAll();
  EXPECT_EQ(counts.missing + counts.extra + counts.different, 0u);
  const std::vector written = {WriteOutcome::kWritten};
  EXPECT_TRUE((*bracket)->AuthorityDone({}, written).ok());
  (*bracket)->Finish(std::vector{MirrorOutcome::kNotMirrored});
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
}

}  // namespace
}  // namespace roost
