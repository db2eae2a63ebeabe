// The write path of a ledger: mark, the authority's answer, finish.
#include "migration/ledger_scope.h"

#include <algorithm>
#include <utility>

#include "base/executor.h"
#include "base/failpoint.h"
#include "metadata/pending_commit.h"
#include "migration/key_codec.h"
#include "migration/ledger_bracket.h"
#include "migration/record_codec.h"

namespace roost {
namespace {

AuthorityOutcome AsAuthority(WriteOutcome outcome) {
  switch (outcome) {
    case WriteOutcome::kWritten:
      return AuthorityOutcome::kWritten;
    case WriteOutcome::kRejected:
      return AuthorityOutcome::kFailed;
    case WriteOutcome::kUnknown:
      break;
  }
  return AuthorityOutcome::kUnknown;
}

bool Empty(const ControlTransaction& t) {
  return t.put_ledger.empty() && t.delete_ledger.empty() && t.put_payloads.empty() &&
         t.delete_payloads.empty() && t.delete_dead_letters.empty();
}

}  // namespace

LedgerScope::LedgerScope(Options options, ControlStore& control, Clock& clock)
    : options_(std::move(options)), control_(control), clock_(clock) {}

LedgerScope::~LedgerScope() = default;

void LedgerScope::SetSerial(bool serial) {
  std::lock_guard lock(mutex_);
  serial_ = serial;
  unblocked_.notify_all();
}

bool LedgerScope::Blocked(const std::vector<std::string>& keys) const {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    const auto row = rows_.find(key);
    // Behind a write of unknown outcome, which may still land at the authority, none may be
    // acknowledged: the late one would undo it.
    return row != rows_.end() && (row->second.locked > 0 || (serial_ && row->second.writing > 0));
  });
}

/// Waits until the keys may be marked.
Status LedgerScope::AdmitMark(const RequestContext& context, std::unique_lock<std::mutex>& lock,
                              const std::vector<std::string>& keys, uint64_t payload_bytes) {
  const auto free = [&] { return !Blocked(keys); };
  if (!free()) {
    const BlockingSection blocking;
    const bool in_time =
        context.deadline.infinite()
            ? unblocked_.wait(lock, context.stop, free)
            : unblocked_.wait_until(lock, context.stop, context.deadline.time, free);
    if (!in_time) {
      return Unavailable(
          "an earlier write of the same key, whose outcome is not known yet, must end first; "
          "nothing was written; try again");
    }
  }
  if (rows_.size() + keys.size() > options_.max_rows) {
    return ResourceExhausted("the ledger of the move holds " + std::to_string(rows_.size()) +
                             " keys, its limit; nothing was written; try again later");
  }
  if (payload_bytes_ + payload_bytes > options_.max_payload_bytes) {
    return ResourceExhausted(
        "the follower of the move is too far behind: " + std::to_string(payload_bytes_) +
        " bytes wait for it; nothing was written; bring it back or commit the move");
  }
  return {};
}

void LedgerScope::MarkKeys(BracketState& bracket, std::span<const Record* const> payload,
                           ControlTransaction& transaction) {
  bracket.ordinal = ++last_ordinal_;
  open_.insert(bracket.ordinal);
  bracket.open = bracket.keys.size();
  bracket.ended.resize(bracket.keys.size());
  bracket.authority.resize(bracket.keys.size(), AuthorityOutcome::kUnknown);
  for (size_t i = 0; i < bracket.keys.size(); ++i) {
    const Row row = rows_.try_emplace(bracket.keys[i]).first;
    Mutate(row, transaction, [&](Entry& entry) {
      bracket.marks.push_back(MarkRow(entry.row, bracket.stamp, bracket.token));
      ++entry.writing;
    });
    if (!payload.empty()) {
      NotePayloadOf(row, bracket.marks.back(), EncodePayload(payload[i]), transaction);
    }
  }
}

Result<std::unique_ptr<WriteBracket>> LedgerScope::Mark(const RequestContext& context,
                                                        std::vector<RecordKey> keys,
                                                        std::span<const Record* const> payload) {
  auto bracket = std::make_shared<BracketState>();
  for (const RecordKey& key : keys) {
    bracket->keys.push_back(EncodeKey(key));
  }
  uint64_t payload_bytes = 0;
  for (const Record* record : payload) {
    payload_bytes += EncodePayload(record).size();
  }
  PendingCommit commit;
  {
    std::unique_lock lock(mutex_);
    TRY(AdmitMark(context, lock, bracket->keys, payload_bytes));
    Result<uint64_t> seq = control_.NextSeq();
    if (!seq.ok()) {
      return seq.error().Within(
          "the collection is being moved and its writes cannot be recorded, so nothing was "
          "written; try again later");
    }
    bracket->stamp = *seq;
    bracket->token = *seq;  // Unique over restarts, as the numbers are.
    ControlTransaction transaction;
    MarkKeys(*bracket, payload, transaction);
    commit.Start(control_, std::move(transaction));
  }
  Status durable = commit.Wait(context);
  if (!durable.ok()) {
    CancelMark(*bracket);
    Error error = durable.error().Within(
        "the collection is being moved and its writes cannot be recorded, so nothing was written; "
        "try again later");
    error.outcome_unknown = false;
    return error;
  }
  FAILPOINT("ledger.mark.durable");
  return std::unique_ptr<WriteBracket>(
      std::make_unique<LedgerBracket>(shared_from_this(), std::move(bracket)));
}

/// Takes a mark back whose write will not be carried out.
void LedgerScope::CancelMark(BracketState& bracket) {
  const Result<uint64_t> seq = control_.NextSeq();
  std::lock_guard lock(mutex_);
  ControlTransaction transaction;
  for (size_t i = 0; i < bracket.keys.size(); ++i) {
    const Row row = rows_.find(bracket.keys[i]);
    LedgerRow& r = row->second.row;
    --row->second.writing;
    const bool only_ours = r.done == 0 && !r.dirty && r.claim == 0 && r.inflight.size() == 1;
    if (only_ours) {
      Erase(row, transaction);
      EndKey(bracket, i);
    } else {
      // Without a number of its own the end takes the mark's: the row only gets dirtier by it.
      FinishKey(bracket, i, seq.ok() ? *seq : std::max(r.stamp, r.done), false,
                AuthorityOutcome::kFailed, transaction);
    }
  }
  unblocked_.notify_all();
  control_.CommitLater(std::move(transaction), nullptr);
}

Status LedgerScope::AuthorityDone(const RequestContext& context, BracketState& bracket,
                                  std::span<const WriteOutcome> outcomes,
                                  std::span<const Record* const> state) {
  const bool rejects =
      std::find(outcomes.begin(), outcomes.end(), WriteOutcome::kRejected) != outcomes.end();
  PendingCommit commit;
  {
    std::lock_guard lock(mutex_);
    const Result<uint64_t> seq = rejects ? control_.NextSeq() : Result<uint64_t>(0);
    bracket.answered = true;
    bool must_wait = false;
    ControlTransaction transaction;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const Row row = rows_.find(bracket.keys[i]);
      Entry& entry = row->second;
      --entry.writing;
      // A reject that cannot be recorded may be rolled forward after a crash: it is unknown.
      const WriteOutcome outcome = seq.ok() ? outcomes[i] : WriteOutcome::kUnknown;
      bracket.authority[i] = AsAuthority(outcome);
      if (outcome == WriteOutcome::kUnknown) {
        ++entry.locked;
      } else if (outcome == WriteOutcome::kRejected) {
        must_wait = must_wait || !entry.notes.empty();
        FinishKey(bracket, i, *seq, false, AuthorityOutcome::kFailed, transaction);
      } else if (!state.empty()) {
        must_wait = true;
        NotePayloadOf(row, bracket.marks[i], EncodePayload(state[i]), transaction);
      }
    }
    unblocked_.notify_all();
    if (!seq.ok()) {
      return seq.error();
    }
    if (must_wait) {
      commit.Start(control_, std::move(transaction));
    } else if (!Empty(transaction)) {
      control_.CommitLater(std::move(transaction), nullptr);
    }
  }
  return commit.Wait(context);
}

void LedgerScope::Finish(const std::shared_ptr<BracketState>& bracket,
                         std::span<const MirrorOutcome> outcomes) {
  std::lock_guard lock(mutex_);
  if (bracket->open == 0) {
    return;
  }
  const Result<uint64_t> seq = control_.NextSeq();
  ControlTransaction transaction;
  for (size_t i = 0; i < bracket->keys.size(); ++i) {
    if (bracket->ended[i]) {
      continue;
    }
    if (!bracket->answered) {
      Entry& entry = rows_.find(bracket->keys[i])->second;
      --entry.writing;
      ++entry.locked;
    }
    const bool known = seq.ok() && bracket->authority[i] != AuthorityOutcome::kUnknown &&
                       outcomes[i] != MirrorOutcome::kUnknown;
    if (!known) {
      held_.emplace(clock_.Now() + options_.horizon, Held{.bracket = bracket, .key = i});
      continue;
    }
    FinishKey(*bracket, i, *seq, outcomes[i] == MirrorOutcome::kMirrored,
              AuthorityOutcome::kWritten, transaction);
  }
  bracket->answered = true;
  if (!Empty(transaction)) {
    control_.CommitLater(std::move(transaction), nullptr);
  }
}

void LedgerScope::ReplyBeforeFinish(const BracketState& bracket) {
  std::lock_guard lock(mutex_);
  if (bracket.open > 0) {
    floor_ = std::max(floor_, bracket.ordinal);
  }
}

bool LedgerScope::OtherReadable(uint64_t epoch, uint32_t session_slot) {
  std::lock_guard lock(mutex_);
  if (epoch != floor_epoch_) {
    // Sessions that the authority answered until now come over: what they may have seen must be
    // there first.
    floor_epoch_ = epoch;
    floor_ = last_ordinal_;
  }
  if (!by_age_.empty() || recover_at_.has_value()) {
    return false;
  }
  const uint64_t seen = std::max(floor_, answered_[session_slot % kSessionSlots]);
  return open_.empty() || *open_.begin() > seen;
}

void LedgerScope::AnsweredByAuthority(uint32_t session_slot) {
  std::lock_guard lock(mutex_);
  answered_[session_slot % kSessionSlots] = last_ordinal_;
}

}  // namespace roost
