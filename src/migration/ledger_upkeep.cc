// The ledger's side of appliers, chunks and verification, and its upkeep.
#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "metadata/pending_commit.h"
#include "migration/ledger_scope.h"

namespace roost {

std::chrono::milliseconds LedgerScope::Backoff(uint32_t attempts) const {
  const auto wait = options_.backoff_initial * (int64_t{1} << std::min<uint32_t>(attempts, 20));
  return std::min<std::chrono::milliseconds>(wait, options_.backoff_max);
}

Result<LedgerClaims> LedgerScope::Claim(const RequestContext& context, size_t max) {
  LedgerClaims claims;
  PendingCommit commit;
  {
    std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.Now();
    for (auto due = due_.begin();
         due != due_.end() && due->first <= now && claims.keys.size() < max; ++due) {
      claims.keys.push_back({.key = std::string(due->second)});
    }
    if (claims.keys.empty()) {
      return claims;
    }
    claims.token = TRY(control_.NextSeq());
    claims.fence = claims.token;
    ControlTransaction transaction;
    for (LedgerClaims::One& one : claims.keys) {
      Mutate(rows_.find(one.key), transaction,
             [&](Entry& entry) { one.stamp = ClaimRow(entry.row, claims.token); });
    }
    commit.Start(control_, std::move(transaction));
  }
  Status durable = commit.Wait(context);
  if (!durable.ok()) {
    const std::vector<ApplyOutcome> outcomes(claims.keys.size(),
                                             {.kind = ApplyOutcome::Kind::kUnavailable});
    Release(claims, outcomes);
    return durable.error();
  }
  FAILPOINT("applier.claimed");
  return claims;
}

void LedgerScope::ReleaseOne(Row row, const LedgerClaims& claims, size_t index,
                             const ApplyOutcome& outcome, ControlTransaction& transaction) {
  using Kind = ApplyOutcome::Kind;
  const SteadyTime now = clock_.Now();
  if (outcome.kind == Kind::kUnknown) {
    held_claims_.emplace(now + options_.horizon,
                         HeldClaim{.key = row->first, .token = claims.token});
    return;
  }
  Mutate(row, transaction, [&](Entry& entry) {
    if (outcome.kind == Kind::kCopied) {
      entry.attempts = 0;
    } else if (outcome.kind == Kind::kFailed) {
      entry.retry_at = now + Backoff(entry.attempts++);
    } else {
      entry.retry_at = now + options_.backoff_initial;
    }
    ReleaseRow(entry.row, claims.token, claims.keys[index].stamp, outcome.kind == Kind::kCopied);
  });
  Entry& entry = row->second;
  if (outcome.kind == Kind::kFailed && entry.attempts >= options_.applier_attempts) {
    dead_letters_ += entry.dead_letter ? 0 : 1;
    entry.dead_letter = true;
    transaction.put_dead_letters.push_back({.migration = options_.migration,
                                            .key = row->first,
                                            .error = outcome.error,
                                            .attempts = entry.attempts,
                                            .since_micros = ToUnixMicros(clock_.WallNow())});
  }
}

void LedgerScope::Release(const LedgerClaims& claims, std::span<const ApplyOutcome> outcomes) {
  std::lock_guard lock(mutex_);
  ControlTransaction transaction;
  for (size_t i = 0; i < claims.keys.size(); ++i) {
    const Row row = rows_.find(claims.keys[i].key);
    if (row != rows_.end() && row->second.row.claim == claims.token) {
      ReleaseOne(row, claims, i, outcomes[i], transaction);
    }
  }
  // Not waited for: were it lost, the keys would be claimed and copied again.
  control_.CommitLater(std::move(transaction), nullptr);
}

void LedgerScope::RetryNow(bool forgive) {
  std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.Now();
  ControlTransaction transaction;
  for (Row row = rows_.begin(); row != rows_.end(); ++row) {
    Entry& entry = row->second;
    if (entry.row.dirty) {
      Index(row, false);
      entry.retry_at = now;
      Index(row, true);
    }
    if (forgive) {
      entry.attempts = 0;
      Forgive(row, transaction);
    }
  }
  if (!transaction.delete_dead_letters.empty()) {
    control_.CommitLater(std::move(transaction), nullptr);
  }
}

Result<std::optional<std::string>> LedgerScope::NewestPayload(const std::string& key) const {
  Seq stamp = 0;
  {
    std::lock_guard lock(mutex_);
    const auto row = rows_.find(key);
    stamp = row == rows_.end() ? 0 : PayloadToApply(row->second.notes);
  }
  if (stamp == 0) {
    return std::optional<std::string>();
  }
  std::vector<PayloadRow> payloads = TRY(control_.ListPayloads(options_.migration, key));
  for (PayloadRow& payload : payloads) {
    if (payload.stamp == stamp) {
      return std::optional(std::move(payload.payload));
    }
  }
  return std::optional<std::string>();
}

Result<Seq> LedgerScope::OpenWindow() {
  // Under the mutex, so that garbage collection cannot pass between the number and the window.
  std::lock_guard lock(mutex_);
  const Seq window = TRY(control_.NextSeq());
  windows_.insert(window);
  return window;
}

void LedgerScope::RestoreWindow(Seq window) {
  std::lock_guard lock(mutex_);
  windows_.insert(window);
}

void LedgerScope::EndWindow(Seq window) {
  std::lock_guard lock(mutex_);
  const auto found = windows_.find(window);
  if (found != windows_.end()) {
    windows_.erase(found);
  }
}

void LedgerScope::MakeDirtyLocked(const std::vector<std::string>& keys, Seq seq,
                                  ControlTransaction& transaction) {
  for (const std::string& key : keys) {
    // As if a writer that nobody knows had died: dirty, with a stamp of its own.
    Mutate(rows_.try_emplace(key).first, transaction,
           [&](Entry& entry) { RecoverRow(entry.row, seq, seq, 0); });
  }
}

Status LedgerScope::CloseRange(const RequestContext& context, const KeyRange& range, Seq window,
                               const std::vector<std::string>& failed, ControlTransaction with) {
  PendingCommit commit;
  {
    std::lock_guard lock(mutex_);
    const Seq seq = TRY(control_.NextSeq());
    const Row begin = range.lo.has_value() ? rows_.upper_bound(*range.lo) : rows_.begin();
    const Row end = range.hi.has_value() ? rows_.upper_bound(*range.hi) : rows_.end();
    for (Row row = begin; row != end; ++row) {
      LedgerRow closed = row->second.row;
      if (CloseRow(closed, window, seq)) {
        Mutate(row, with, [&](Entry& entry) { entry.row = std::move(closed); });
      }
    }
    MakeDirtyLocked(failed, seq, with);
    commit.Start(control_, std::move(with));
  }
  TRY(commit.Wait(context));
  EndWindow(window);
  return {};
}

Status LedgerScope::MakeDirty(const RequestContext& context, const std::vector<std::string>& keys,
                              ControlTransaction with) {
  PendingCommit commit;
  {
    std::lock_guard lock(mutex_);
    const Seq seq = TRY(control_.NextSeq());
    MakeDirtyLocked(keys, seq, with);
    commit.Start(control_, std::move(with));
  }
  return commit.Wait(context);
}

bool LedgerScope::QuietSince(const std::string& key, Seq window) const {
  std::lock_guard lock(mutex_);
  const auto row = rows_.find(key);
  return row == rows_.end() || (Settled(row->second.row) && row->second.row.done <= window);
}

Status LedgerScope::DropIdle(const RequestContext& context, ControlTransaction with) {
  PendingCommit commit;
  {
    std::lock_guard lock(mutex_);
    with.erase.push_back({.migration = options_.migration, .ledger = true, .dead_letters = true});
    for (Row row = rows_.begin(); row != rows_.end();) {
      Entry& entry = row->second;
      const bool idle = entry.row.inflight.empty() && entry.row.claim == 0;
      if (entry.dead_letter) {
        entry.dead_letter = false;
        --dead_letters_;
      }
      if (idle) {
        TrimPayloads(row, {}, with);
        Index(row, false);
        row = rows_.erase(row);
      } else {
        Put(row, with);
        ++row;
      }
    }
    commit.Start(control_, std::move(with));
  }
  return commit.Wait(context);
}

void LedgerScope::EndHeld(SteadyTime now, Seq seq, ControlTransaction& transaction) {
  while (!held_.empty() && held_.begin()->first <= now) {
    const Held held = std::move(held_.begin()->second);
    held_.erase(held_.begin());
    BracketState& bracket = *held.bracket;
    const AuthorityOutcome outcome = bracket.authority[held.key];
    if (outcome == AuthorityOutcome::kUnknown) {
      --rows_.find(bracket.keys[held.key])->second.locked;
      unblocked_.notify_all();
    }
    FinishKey(bracket, held.key, seq, false, outcome, transaction);
  }
}

void LedgerScope::EndHeldClaims(SteadyTime now, Seq seq, ControlTransaction& transaction) {
  while (!held_claims_.empty() && held_claims_.begin()->first <= now) {
    const HeldClaim held = std::move(held_claims_.begin()->second);
    held_claims_.erase(held_claims_.begin());
    const Row row = rows_.find(held.key);
    if (row != rows_.end() && row->second.row.claim == held.token) {
      Mutate(row, transaction, [&](Entry& entry) { ExpireClaim(entry.row, seq); });
    }
  }
}

/// A piece of the rows that a dead process left in use. The horizon has passed.
void LedgerScope::Recover(Seq seq, ControlTransaction& transaction) {
  Row row = rows_.upper_bound(recover_cursor_);
  for (size_t looked = 0; row != rows_.end() && looked < kRowsPerTick; ++row, ++looked) {
    const LedgerRow& r = row->second.row;
    const auto dead = [&](LedgerToken token) { return token != 0 && token < first_own_; };
    if (!dead(r.claim) && std::none_of(r.inflight.begin(), r.inflight.end(), dead)) {
      continue;
    }
    Mutate(row, transaction, [&](Entry& entry) {
      const std::vector<LedgerToken> tokens = entry.row.inflight;
      for (const LedgerToken token : tokens) {
        if (dead(token)) {
          RecoverRow(entry.row, seq, seq, token);
        }
      }
      if (dead(entry.row.claim)) {
        ExpireClaim(entry.row, seq);
      }
    });
  }
  if (row == rows_.end()) {
    recover_at_.reset();
  } else {
    recover_cursor_ = std::prev(row)->first;
  }
}

/// A piece of the rows that no open window needs.
void LedgerScope::CollectGarbage(Seq seq, ControlTransaction& transaction) {
  const Seq oldest = std::min(seq, OldestWindow());
  Row row = rows_.lower_bound(garbage_cursor_);
  for (size_t looked = 0; row != rows_.end() && looked < kRowsPerTick; ++looked) {
    row = MayForget(row->second.row, oldest) ? Erase(row, transaction) : std::next(row);
  }
  garbage_cursor_ = row == rows_.end() ? std::string() : row->first;
}

bool LedgerScope::TickHasWork(SteadyTime now) const {
  return (!held_.empty() && held_.begin()->first <= now) ||
         (!held_claims_.empty() && held_claims_.begin()->first <= now) ||
         (recover_at_.has_value() && *recover_at_ <= now) ||
         (!rows_.empty() && next_garbage_ <= now);
}

void LedgerScope::Tick() {
  constexpr std::chrono::milliseconds kGarbageInterval{20};
  std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.Now();
  if (!TickHasWork(now)) {
    return;
  }
  const Result<uint64_t> seq = control_.NextSeq();
  if (!seq.ok()) {
    return;  // All of it can wait.
  }
  ControlTransaction transaction;
  EndHeld(now, *seq, transaction);
  EndHeldClaims(now, *seq, transaction);
  if (recover_at_.has_value() && *recover_at_ <= now) {
    Recover(*seq, transaction);
  }
  if (next_garbage_ <= now) {
    next_garbage_ = now + kGarbageInterval;
    CollectGarbage(*seq, transaction);
  }
  if (!transaction.put_ledger.empty() || !transaction.delete_ledger.empty()) {
    control_.CommitLater(std::move(transaction), nullptr);
  }
}

LedgerCounts LedgerScope::Counts() const {
  std::lock_guard lock(mutex_);
  LedgerCounts counts{.rows = rows_.size(),
                      .dirty = by_age_.size(),
                      .inflight = inflight_,
                      .dead_letters = dead_letters_,
                      .payload_bytes = payload_bytes_,
                      .recovering = recover_at_.has_value()};
  if (!by_age_.empty()) {
    const auto age = clock_.Now() - by_age_.begin()->first;
    counts.oldest_dirty_ms =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
  }
  return counts;
}

}  // namespace roost
