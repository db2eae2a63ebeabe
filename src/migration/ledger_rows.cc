// The rows of a ledger: their indices, their copies in the control store, their payloads.
#include <algorithm>
#include <utility>

#include "migration/ledger_scope.h"

namespace roost {

void LedgerScope::Index(Row row, bool add) {
  const Entry& entry = row->second;
  const std::string_view key = row->first;
  if (entry.row.dirty) {
    const auto place = std::pair(entry.dirty_since, key);
    add ? static_cast<void>(by_age_.insert(place)) : static_cast<void>(by_age_.erase(place));
  }
  if (MayClaim(entry.row)) {
    const auto place = std::pair(entry.retry_at, key);
    add ? static_cast<void>(due_.insert(place)) : static_cast<void>(due_.erase(place));
  }
  const uint64_t open = entry.row.inflight.size();
  inflight_ = add ? inflight_ + open : inflight_ - open;
}

void LedgerScope::Put(Row row, ControlTransaction& transaction) const {
  const LedgerRow& r = row->second.row;
  transaction.put_ledger.push_back({.migration = options_.migration,
                                    .key = row->first,
                                    .stamp = r.stamp,
                                    .done = r.done,
                                    .inflight = r.inflight,
                                    .dirty = r.dirty,
                                    .claim = r.claim});
}

/// The only way a row changes: keeps the indices right and the control store informed.
void LedgerScope::Mutate(Row row, ControlTransaction& transaction,
                         const std::function<void(Entry&)>& change) {
  Entry& entry = row->second;
  const bool was_dirty = entry.row.dirty;
  Index(row, false);
  change(entry);
  if (entry.row.dirty && !was_dirty) {
    entry.dirty_since = clock_.Now();
    entry.retry_at = entry.dirty_since;
  }
  Index(row, true);
  if (Settled(entry.row)) {
    entry.attempts = 0;
    Forgive(row, transaction);
  }
  if (MayForget(entry.row, OldestWindow())) {
    TrimPayloads(row, {}, transaction);
  }
  Put(row, transaction);
}

/// A row that ended after it may be undone by a late write of a chunk or compared with an old page.
Seq LedgerScope::OldestWindow() const { return windows_.empty() ? ~Seq{0} : *windows_.begin(); }

void LedgerScope::Forgive(Row row, ControlTransaction& transaction) {
  if (row->second.dead_letter) {
    row->second.dead_letter = false;
    --dead_letters_;
    transaction.delete_dead_letters.push_back({.migration = options_.migration, .key = row->first});
  }
}

/// Removes the row from memory and from the control store.
LedgerScope::Row LedgerScope::Erase(Row row, ControlTransaction& transaction) {
  TrimPayloads(row, {}, transaction);
  Forgive(row, transaction);
  Index(row, false);
  transaction.delete_ledger.push_back({.migration = options_.migration, .key = row->first});
  return rows_.erase(row);
}

/// Drops the payloads that are not in `keep`.
void LedgerScope::TrimPayloads(Row row, const std::vector<PayloadNote>& keep,
                               ControlTransaction& transaction) {
  Entry& entry = row->second;
  std::vector<uint64_t> sizes;
  for (size_t i = 0; i < entry.notes.size(); ++i) {
    if (std::find(keep.begin(), keep.end(), entry.notes[i]) != keep.end()) {
      sizes.push_back(entry.sizes[i]);
      continue;
    }
    payload_bytes_ -= entry.sizes[i];
    transaction.delete_payloads.push_back({.migration = options_.migration,
                                           .key = row->first,
                                           .first_stamp = entry.notes[i].stamp,
                                           .last_stamp = entry.notes[i].stamp});
  }
  entry.notes = keep;
  entry.sizes = std::move(sizes);
}

void LedgerScope::NotePayloadOf(Row row, const roost::Mark& mark, std::string payload,
                                ControlTransaction& transaction) {
  Entry& entry = row->second;
  NotePayload(entry.notes, mark);
  entry.sizes.push_back(payload.size());
  payload_bytes_ += payload.size();
  transaction.put_payloads.push_back({.migration = options_.migration,
                                      .key = row->first,
                                      .stamp = mark.stamp,
                                      .payload = std::move(payload)});
}

/// The end of one key's bracket.
void LedgerScope::FinishKey(BracketState& bracket, size_t key, Seq done, bool mirrored,
                            AuthorityOutcome outcome, ControlTransaction& transaction) {
  const Row row = rows_.find(bracket.keys[key]);
  CHECK(row != rows_.end());  // Rows with an open bracket are never forgotten.
  const roost::Mark& mark = bracket.marks[key];
  Mutate(row, transaction,
         [&](Entry& entry) { FinishRow(entry.row, done, bracket.token, mark, mirrored); });
  std::vector<PayloadNote> notes = row->second.notes;
  EndPayload(notes, row->second.row, mark, outcome, OldestWindow());
  TrimPayloads(row, notes, transaction);
  EndKey(bracket, key);
}

void LedgerScope::EndKey(BracketState& bracket, size_t key) {
  bracket.ended[key] = true;
  if (--bracket.open == 0) {
    open_.erase(bracket.ordinal);
  }
}

Status LedgerScope::Load() {
  const Seq first_own = TRY(control_.NextSeq());
  const SteadyTime now = clock_.Now();
  std::lock_guard lock(mutex_);
  first_own_ = first_own;
  bool open = false;
  TRY(control_.VisitLedger(options_.migration, [&](LedgerRecord record) {
    Entry entry;
    entry.row = {.stamp = record.stamp,
                 .done = record.done,
                 .inflight = std::move(record.inflight),
                 .dirty = record.dirty,
                 .claim = record.claim};
    entry.dirty_since = now;
    entry.retry_at = now;
    open = open || !entry.row.inflight.empty() || entry.row.claim != 0;
    Index(rows_.emplace(std::move(record.key), std::move(entry)).first, true);
  }));
  TRY(control_.VisitPayloads(options_.migration, [&](const PayloadSize& payload) {
    const Row row = rows_.find(payload.key);
    if (row != rows_.end()) {
      row->second.notes.push_back({.stamp = payload.stamp});
      row->second.sizes.push_back(payload.bytes);
      payload_bytes_ += payload.bytes;
    }
  }));
  const auto letters = TRY(control_.ListDeadLetters(options_.migration, ~size_t{0}));
  for (const DeadLetterRow& letter : letters) {
    const Row row = rows_.find(letter.key);
    if (row != rows_.end()) {
      row->second.dead_letter = true;
      row->second.attempts = letter.attempts;
      ++dead_letters_;
    }
  }
  if (open) {
    recover_at_ = now + options_.horizon;
  }
  return {};
}

}  // namespace roost
