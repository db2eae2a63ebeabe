#include "migration/ledger_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/key_codec.h"
#include "migration/move_trial.h"
#include "migration/record_codec.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using Kind = ApplyOutcome::Kind;

constexpr milliseconds kHorizon{1'000};

class LedgerScopeTest : public ::testing::Test {
 protected:
  LedgerScopeTest() { Open(); }

  /// A new process: what was open stays open in the control store.
  void Open(uint64_t max_rows = 1'000) {
    // Ends of brackets are stored behind the caller's back; this one is stored after them.
    ASSERT_TRUE(trial_.control().Commit({}, {}).ok());
    ledger_ = std::make_shared<LedgerScope>(
        LedgerScope::Options{
            .migration = "m", .max_rows = max_rows, .horizon = kHorizon, .applier_attempts = 2},
        trial_.control(), clock_);
    ASSERT_TRUE(ledger_->Load().ok());
  }
  static RecordKey Key(int64_t number) { return {.key = MoveTrial::KeyOf(number)}; }
  std::unique_ptr<WriteBracket> Mark(int64_t number, const Record* payload = nullptr,
                                     bool with_payload = false) {
    const std::vector<const Record*> payloads(with_payload ? 1 : 0, payload);
    auto bracket = ledger_->Mark({}, {Key(number)}, payloads);
    EXPECT_TRUE(bracket.ok());
    return bracket.ok() ? *std::move(bracket) : nullptr;
  }
  static void End(WriteBracket& bracket, WriteOutcome authority, MirrorOutcome mirror) {
    EXPECT_TRUE(bracket.AuthorityDone({}, std::vector{authority}).ok());
    bracket.Finish(std::vector{mirror});
  }
  void Apply(Kind kind) {
    const auto claims = ledger_->Claim({}, 10);
    ASSERT_TRUE(claims.ok());
    ASSERT_EQ(claims->keys.size(), 1u);
    ledger_->Release(*claims, std::vector{ApplyOutcome{.kind = kind, .error = "no"}});
  }

  FakeClock clock_;
  const std::unique_ptr<VectorStore> a_ = MoveTrial::MakeStore();
  const std::unique_ptr<VectorStore> b_ = MoveTrial::MakeStore();
  MoveTrial trial_{*a_, *b_};
  std::shared_ptr<LedgerScope> ledger_;
};

TEST_F(LedgerScopeTest, AMirroredWriteLeavesNothingDirtyAndAnotherOneDoes) {
  End(*Mark(1), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  EXPECT_EQ(ledger_->Counts().dirty, 0u);
  End(*Mark(2), WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  clock_.Advance(milliseconds(300));
  EXPECT_EQ(ledger_->Counts().oldest_dirty_ms, 300u);
  Apply(Kind::kCopied);
  EXPECT_EQ(ledger_->Counts().dirty, 0u);
}

TEST_F(LedgerScopeTest, TwoWritersOfOneKeyMayNotMirror) {
  const auto first = Mark(1);
  const auto second = Mark(1);
  EXPECT_TRUE(first->MayMirror(0));
  EXPECT_FALSE(second->MayMirror(0));
  End(*second, WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  End(*first, WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
}

TEST_F(LedgerScopeTest, AWriteOfUnknownOutcomeHoldsItsKeyForTheHorizon) {
  End(*Mark(1), WriteOutcome::kUnknown, MirrorOutcome::kNotMirrored);
  const auto refused = ledger_->Mark(RequestContext{}.WithTimeout(milliseconds(20)), {Key(1)}, {});
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_EQ(ledger_->Claim({}, 10)->keys.size(), 0u);
  clock_.Advance(kHorizon);
  ledger_->Tick();
  EXPECT_EQ(ledger_->Counts().inflight, 0u);
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  EXPECT_NE(Mark(1), nullptr);
}

TEST_F(LedgerScopeTest, WhatADeadProcessHadOpenIsDirtyAfterTheHorizon) {
  auto open = Mark(1);
  End(*Mark(2), WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  const auto dead = ledger_;  // Its bracket must not end in the new process.
  Open();
  EXPECT_EQ(ledger_->Counts().inflight, 1u);
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  EXPECT_TRUE(ledger_->Counts().recovering);
  EXPECT_FALSE(ledger_->OtherReadable(1, 0));
  ledger_->Tick();
  EXPECT_EQ(ledger_->Counts().inflight, 1u);
  clock_.Advance(kHorizon);
  ledger_->Tick();
  EXPECT_EQ(ledger_->Counts().inflight, 0u);
  EXPECT_EQ(ledger_->Counts().dirty, 2u);
  EXPECT_FALSE(ledger_->Counts().recovering);
}

TEST_F(LedgerScopeTest, ClosingARangeMakesWhatWasWrittenSinceItsWindowDirty) {
  End(*Mark(1), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  const auto window = ledger_->OpenWindow();
  ASSERT_TRUE(window.ok());
  End(*Mark(2), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  End(*Mark(9), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  // Rows at rest stay while a window is open.
  clock_.Advance(kHorizon);
  ledger_->Tick();
  EXPECT_TRUE(ledger_->CloseRange({}, {.lo = {}, .hi = EncodeKey(Key(5))}, *window, {}, {}).ok());
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  EXPECT_EQ(ledger_->Claim({}, 10)->keys.at(0).key, EncodeKey(Key(2)));
}

TEST_F(LedgerScopeTest, RowsAtRestAreForgottenWhenNoWindowNeedsThem) {
  End(*Mark(1), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  clock_.Advance(kHorizon);
  ledger_->Tick();
  EXPECT_EQ(ledger_->Counts().rows, 0u);
}

TEST_F(LedgerScopeTest, TheNewestPayloadIsKeptUntilTheOtherStoreHasIt) {
  const Record old = MoveTrial::MakeRecord(1, 1);
  const Record young = MoveTrial::MakeRecord(1, 2);
  End(*Mark(1, &old, true), WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  End(*Mark(1, &young, true), WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  Open();
  const auto payload = ledger_->NewestPayload(EncodeKey(Key(1)));
  ASSERT_TRUE(payload.ok() && payload->has_value());
  EXPECT_TRUE(SameRecord(**DecodePayload(**payload), young));
  Apply(Kind::kCopied);
  EXPECT_FALSE(ledger_->NewestPayload(EncodeKey(Key(1)))->has_value());
  EXPECT_EQ(ledger_->Counts().payload_bytes, 0u);
}

TEST_F(LedgerScopeTest, APayloadIsKeptWhileAChunkMayStillUndoTheMirroredWrite) {
  const auto window = ledger_->OpenWindow();
  ASSERT_TRUE(window.ok());
  const Record record = MoveTrial::MakeRecord(1, 1);
  End(*Mark(1, &record, true), WriteOutcome::kWritten, MirrorOutcome::kMirrored);
  EXPECT_EQ(ledger_->Counts().dirty, 0u);
  EXPECT_TRUE(ledger_->NewestPayload(EncodeKey(Key(1)))->has_value());
  // The chunk put an older state over it: the follower needs the payload should the authority die.
  EXPECT_TRUE(ledger_->CloseRange({}, {}, *window, {}, {}).ok());
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  EXPECT_TRUE(ledger_->NewestPayload(EncodeKey(Key(1)))->has_value());
  Apply(Kind::kCopied);
  EXPECT_EQ(ledger_->Counts().payload_bytes, 0u);
}

TEST_F(LedgerScopeTest, AKeyThatCannotBeCopiedBecomesADeadLetterAndStaysDirty) {
  End(*Mark(1), WriteOutcome::kWritten, MirrorOutcome::kNotMirrored);
  Apply(Kind::kUnavailable);  // An outage does not count.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ledger_->Counts().dead_letters, 0u);
    clock_.Advance(kHorizon);
    Apply(Kind::kFailed);
  }
  EXPECT_EQ(ledger_->Counts().dead_letters, 1u);
  EXPECT_EQ(ledger_->Counts().dirty, 1u);
  ledger_->RetryNow(true);
  EXPECT_EQ(ledger_->Counts().dead_letters, 0u);
  Apply(Kind::kCopied);
  EXPECT_EQ(ledger_->Counts().dirty, 0u);
}

TEST_F(LedgerScopeTest, WithoutTheControlStoreNothingIsMarked) {
  trial_.control().Cut();
  EXPECT_EQ(ledger_->Mark({}, {Key(1)}, {}).code(), Code::kUnavailable);
  EXPECT_EQ(ledger_->Counts().inflight, 0u);
}

TEST_F(LedgerScopeTest, AFullLedgerRefusesWrites) {
  Open(1);
  const auto bracket = Mark(1);
  EXPECT_EQ(ledger_->Mark({}, {Key(2)}, {}).code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace roost
