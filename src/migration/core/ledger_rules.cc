#include "migration/core/ledger_rules.h"

#include <algorithm>

namespace roost {

Mark MarkRow(LedgerRow& row, Seq next, LedgerToken writer, LedgerMutation mutation) {
  const bool alone = row.inflight.empty() && row.claim == 0;
  row.stamp = next;
  row.inflight.push_back(writer);
  return {.stamp = next, .alone = alone || mutation == LedgerMutation::kDropAlone};
}

void FinishRow(LedgerRow& row, Seq next, LedgerToken writer, const Mark& mark, bool mirrored,
               LedgerMutation mutation) {
  row.done = next;
  std::erase(row.inflight, writer);
  // A newer stamp says that another write, a close or a recovery came between: the order in which
  // the two stores saw the writes is not known, so the applier has to look.
  const bool newest =
      row.stamp == mark.stamp || mutation == LedgerMutation::kFinishWithoutStampCheck;
  row.dirty = !(mark.alone && mirrored && newest);
}

void RecoverRow(LedgerRow& row, Seq next_stamp, Seq next_done, LedgerToken writer) {
  std::erase(row.inflight, writer);
  row.stamp = next_stamp;
  row.done = next_done;
  row.dirty = true;
}

bool MayClaim(const LedgerRow& row, LedgerMutation mutation) {
  const bool quiet = row.inflight.empty() || mutation == LedgerMutation::kClaimWhileInflight;
  return row.dirty && quiet && row.claim == 0;
}

Seq ClaimRow(LedgerRow& row, LedgerToken applier) {
  row.claim = applier;
  return row.stamp;
}

void ReleaseRow(LedgerRow& row, LedgerToken applier, Seq claimed_stamp, bool copied,
                LedgerMutation mutation) {
  if (row.claim != applier) {
    return;  // The claim ran out and was taken away: whoever holds it now decides.
  }
  row.claim = 0;
  const bool unchanged =
      row.stamp == claimed_stamp || mutation == LedgerMutation::kApplierClearWithoutStampCheck;
  if (copied && unchanged && row.inflight.empty()) {
    row.dirty = false;
  }
}

void ExpireClaim(LedgerRow& row, Seq next) {
  row.claim = 0;
  row.stamp = next;
}

bool CloseRow(LedgerRow& row, Seq window, Seq next, LedgerMutation mutation) {
  if (mutation == LedgerMutation::kNoRedirtyAtClose) {
    return false;
  }
  const Seq newest = mutation == LedgerMutation::kCompareStampAtClose ? row.stamp : row.done;
  const bool writing = !row.inflight.empty() && mutation != LedgerMutation::kIgnoreInflightAtClose;
  if (newest <= window && !writing) {
    return false;
  }
  row.dirty = true;
  if (mutation != LedgerMutation::kRedirtyWithoutStamp) {
    row.stamp = next;
  }
  return true;
}

void SuspectRow(LedgerRow& row, Seq next) {
  row.stamp = next;
  row.dirty = true;
}

void NotePayload(std::vector<PayloadNote>& notes, const Mark& mark) {
  notes.push_back({.stamp = mark.stamp});
}

void EndPayload(std::vector<PayloadNote>& notes, const LedgerRow& row, const Mark& mark,
                AuthorityOutcome outcome, Seq oldest_window) {
  if (MayForget(row, oldest_window)) {
    notes.clear();
    return;
  }
  if (outcome == AuthorityOutcome::kFailed) {
    std::erase(notes, PayloadNote{.stamp = mark.stamp});
  } else if (outcome == AuthorityOutcome::kWritten) {
    std::erase_if(notes, [&](const PayloadNote& note) { return note.stamp < mark.stamp; });
  }
}

Seq PayloadToApply(const std::vector<PayloadNote>& notes) {
  Seq newest = 0;
  for (const PayloadNote& note : notes) {
    newest = std::max(newest, note.stamp);
  }
  return newest;
}

}  // namespace roost
