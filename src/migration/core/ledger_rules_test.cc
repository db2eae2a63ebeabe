#include "migration/core/ledger_rules.h"

#include <gtest/gtest.h>

namespace roost {
namespace {

constexpr LedgerToken kWriter = 11;
constexpr LedgerToken kOther = 12;
constexpr LedgerToken kApplier = 21;

LedgerRow DirtyRow() { return {.stamp = 1, .done = 2, .dirty = true}; }

TEST(LedgerRules, AloneAndMirroredWriteSettlesTheRow) {
  LedgerRow row = DirtyRow();
  const Mark mark = MarkRow(row, 3, kWriter);
  EXPECT_TRUE(mark.alone);
  EXPECT_EQ(mark.stamp, 3u);
  EXPECT_FALSE(Settled(row));
  FinishRow(row, 4, kWriter, mark, true);
  EXPECT_TRUE(Settled(row));
  EXPECT_EQ(row.done, 4u);
}

TEST(LedgerRules, WriteThatMissedTheMirrorLeavesTheRowDirty) {
  LedgerRow row;
  const Mark mark = MarkRow(row, 1, kWriter);
  FinishRow(row, 2, kWriter, mark, false);
  EXPECT_TRUE(row.dirty);
  EXPECT_TRUE(row.inflight.empty());
}

TEST(LedgerRules, TwoWritesAtOnceLeaveTheRowDirtyInEitherOrder) {
  for (const bool first_ends_first : {true, false}) {
    LedgerRow row;
    const Mark first = MarkRow(row, 1, kWriter);
    const Mark second = MarkRow(row, 2, kOther);
    EXPECT_TRUE(first.alone);
    EXPECT_FALSE(second.alone);
    FinishRow(row, 3, first_ends_first ? kWriter : kOther, first_ends_first ? first : second, true);
    EXPECT_TRUE(row.dirty);
    FinishRow(row, 4, first_ends_first ? kOther : kWriter, first_ends_first ? second : first, true);
    EXPECT_TRUE(row.dirty);
    EXPECT_TRUE(row.inflight.empty());
  }
}

TEST(LedgerRules, WriteDuringACopyIsNotAloneAndTheCopyDoesNotSettle) {
  LedgerRow row = DirtyRow();
  const Seq claimed = ClaimRow(row, kApplier);
  const Mark mark = MarkRow(row, 3, kWriter);
  EXPECT_FALSE(mark.alone);
  FinishRow(row, 4, kWriter, mark, true);
  EXPECT_TRUE(row.dirty);
  ReleaseRow(row, kApplier, claimed, true);
  EXPECT_TRUE(row.dirty);
  EXPECT_EQ(row.claim, 0u);
}

TEST(LedgerRules, CopySettlesAnUntouchedRowAndAFailedCopyDoesNot) {
  for (const bool copied : {true, false}) {
    LedgerRow row = DirtyRow();
    ASSERT_TRUE(MayClaim(row));
    const Seq claimed = ClaimRow(row, kApplier);
    EXPECT_FALSE(MayClaim(row));
    EXPECT_FALSE(Settled(row));
    ReleaseRow(row, kApplier, claimed, copied);
    EXPECT_EQ(Settled(row), copied);
  }
}

TEST(LedgerRules, RowWithAWriteInFlightCannotBeClaimed) {
  LedgerRow row = DirtyRow();
  MarkRow(row, 3, kWriter);
  EXPECT_FALSE(MayClaim(row));
  EXPECT_TRUE(MayClaim(row, LedgerMutation::kClaimWhileInflight));
}

TEST(LedgerRules, CleanRowIsNotClaimed) { EXPECT_FALSE(MayClaim(LedgerRow{})); }

TEST(LedgerRules, ExpiredClaimCannotSettleTheRow) {
  LedgerRow row = DirtyRow();
  const Seq claimed = ClaimRow(row, kApplier);
  ExpireClaim(row, 5);
  EXPECT_EQ(row.stamp, 5u);
  ReleaseRow(row, kApplier, claimed, true);  // The late applier.
  EXPECT_TRUE(row.dirty);
  const Seq again = ClaimRow(row, kApplier + 1);
  ReleaseRow(row, kApplier, claimed, true);
  EXPECT_EQ(row.claim, kApplier + 1) << "a late release must not take another's claim away";
  ReleaseRow(row, kApplier + 1, again, true);
  EXPECT_TRUE(Settled(row));
}

TEST(LedgerRules, DeadWriterLeavesTheRowDirtyForWindowsThatAreOpen) {
  LedgerRow row;
  MarkRow(row, 1, kWriter);
  RecoverRow(row, 5, 6, kWriter);
  EXPECT_EQ(row, (LedgerRow{.stamp = 5, .done = 6, .dirty = true}));
}

TEST(LedgerRules, FinishAfterRecoverStaysDirty) {
  LedgerRow row;
  const Mark mark = MarkRow(row, 1, kWriter);
  RecoverRow(row, 5, 6, kWriter);
  FinishRow(row, 7, kWriter, mark, true);
  EXPECT_TRUE(row.dirty);
}

TEST(LedgerRules, FinishOnARowThatWasForgottenIsDirty) {
  LedgerRow row;
  FinishRow(row, 7, kWriter, {.stamp = 1, .alone = true}, true);
  EXPECT_TRUE(row.dirty);
}

TEST(LedgerRules, CloseDirtiesWhatEndedInTheWindowOrIsInFlight) {
  LedgerRow before{.stamp = 3, .done = 4};
  EXPECT_FALSE(CloseRow(before, 5, 9));
  EXPECT_FALSE(before.dirty);
  LedgerRow after{.stamp = 3, .done = 6};
  EXPECT_TRUE(CloseRow(after, 5, 9));
  EXPECT_TRUE(after.dirty);
  EXPECT_EQ(after.stamp, 9u);
  LedgerRow writing{.stamp = 3, .done = 1, .inflight = {kWriter}};
  EXPECT_TRUE(CloseRow(writing, 5, 9));
  EXPECT_TRUE(writing.dirty);
}

TEST(LedgerRules, CloseTakesTheRightToSettleFromWriterAndApplier) {
  LedgerRow row;
  const Mark mark = MarkRow(row, 6, kWriter);
  CloseRow(row, 5, 7);
  FinishRow(row, 8, kWriter, mark, true);
  EXPECT_TRUE(row.dirty);
  const Seq claimed = ClaimRow(row, kApplier);
  CloseRow(row, 5, 9);
  ReleaseRow(row, kApplier, claimed, true);
  EXPECT_TRUE(row.dirty);
}

TEST(LedgerRules, SuspectedKeyIsCopiedOnceMore) {
  LedgerRow row;
  SuspectRow(row, 7);
  ASSERT_TRUE(MayClaim(row));
  EXPECT_EQ(ClaimRow(row, kApplier), 7u);
}

TEST(LedgerRules, RowIsKeptWhileAnOpenWindowNeedsItOrItIsUnsettled) {
  EXPECT_TRUE(MayForget({.stamp = 1, .done = 2}, 3));
  EXPECT_FALSE(MayForget({.stamp = 1, .done = 4}, 3));
  EXPECT_FALSE(MayForget({.stamp = 1, .done = 3}, 3));
  EXPECT_FALSE(MayForget({.stamp = 1, .done = 2, .dirty = true}, 3));
  EXPECT_FALSE(MayForget({.stamp = 1, .done = 2, .claim = kApplier}, 3));
  EXPECT_FALSE(MayForget({.stamp = 1, .done = 2, .inflight = {kWriter}}, 3));
}

TEST(LedgerRules, SecondWriteOfAKeyWaitsWhereTheAuthorityTakesNoFence) {
  LedgerRow row;
  EXPECT_TRUE(MayMark(row, true));
  MarkRow(row, 1, kWriter);
  EXPECT_FALSE(MayMark(row, true));
  EXPECT_TRUE(MayMark(row, false));
}

TEST(LedgerRules, FailedWriteGivesTheEarlierPayloadBack) {
  LedgerRow row;
  std::vector<PayloadNote> notes;
  const Mark first = MarkRow(row, 1, kWriter);
  NotePayload(notes, first);
  FinishRow(row, 2, kWriter, first, false);
  EndPayload(notes, row, first, AuthorityOutcome::kWritten);
  EXPECT_EQ(PayloadToApply(notes), 1u);
  const Mark second = MarkRow(row, 3, kWriter);
  NotePayload(notes, second);
  FinishRow(row, 4, kWriter, second, false);
  EndPayload(notes, row, second, AuthorityOutcome::kFailed);
  EXPECT_EQ(PayloadToApply(notes), 1u) << "the acknowledged write's payload must survive";
}

TEST(LedgerRules, NewestWrittenOrUnknownPayloadIsApplied) {
  LedgerRow row;
  std::vector<PayloadNote> notes;
  const Mark first = MarkRow(row, 1, kWriter);
  NotePayload(notes, first);
  FinishRow(row, 2, kWriter, first, false);
  EndPayload(notes, row, first, AuthorityOutcome::kUnknown);
  const Mark second = MarkRow(row, 3, kWriter);
  NotePayload(notes, second);
  EXPECT_EQ(notes.size(), 2u);
  FinishRow(row, 4, kWriter, second, false);
  EndPayload(notes, row, second, AuthorityOutcome::kWritten);
  EXPECT_EQ(notes, (std::vector<PayloadNote>{{.stamp = 3}}));
}

TEST(LedgerRules, SettledRowNeedsNoPayload) {
  LedgerRow row;
  std::vector<PayloadNote> notes;
  const Mark mark = MarkRow(row, 1, kWriter);
  NotePayload(notes, mark);
  FinishRow(row, 2, kWriter, mark, true);
  EndPayload(notes, row, mark, AuthorityOutcome::kWritten);
  EXPECT_EQ(PayloadToApply(notes), 0u);
}

TEST(LedgerRules, PayloadIsKeptWhileAChunkMayStillUndoTheMirroredWrite) {
  LedgerRow row;
  std::vector<PayloadNote> notes;
  const Mark mark = MarkRow(row, 5, kWriter);
  NotePayload(notes, mark);
  FinishRow(row, 6, kWriter, mark, true);
  ASSERT_TRUE(Settled(row));
  EndPayload(notes, row, mark, AuthorityOutcome::kWritten, 4);
  EXPECT_EQ(PayloadToApply(notes), 5u);
}

}  // namespace
}  // namespace roost
