#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "metadata/control_store.h"
#include "migration/core/ledger_rules.h"
#include "migration/ledger_types.h"
#include "router/write_capture.h"

namespace roost {

/// The ledger of one move: which keys are being written or may differ between the two stores.
///
/// Every row lives in memory and in the control store. Memory decides; the store follows in the
/// same order, and after a crash it is never cleaner than memory was. The rules themselves are
/// those of core/ledger_rules.h. Thread safe.
class LedgerScope final : public WriteCapture, public std::enable_shared_from_this<LedgerScope> {
 public:
  struct Options {
    std::string migration;
    uint64_t max_rows = 10'000'000;                  ///< above: writes are refused
    uint64_t max_payload_bytes = uint64_t{8} << 30;  ///< above: writes are refused
    /// How long after a call of unknown outcome it may still take effect, on either store.
    std::chrono::milliseconds horizon{1'000};
    uint32_t applier_attempts = 8;  ///< then the key is also a dead letter
    std::chrono::milliseconds backoff_initial{50};
    std::chrono::milliseconds backoff_max{5'000};
  };

  /// `control` and `clock` outlive it.
  LedgerScope(Options options, ControlStore& control, Clock& clock);
  ~LedgerScope() override;

  /// Takes over the rows of an earlier process. What it had open is held for the horizon, then
  /// recovered by Tick.
  Status Load();

  // The router's side (write_capture.h).
  Result<std::unique_ptr<WriteBracket>> Mark(const RequestContext& context,
                                             std::vector<RecordKey> keys,
                                             std::span<const Record* const> payload) override;
  bool OtherReadable(uint64_t epoch, uint32_t session_slot) override;
  void AnsweredByAuthority(uint32_t session_slot) override;
  /// While set, a key has at most one write between its mark and the authority's answer: then the
  /// newest payload is what the authority holds. Set before the route captures payloads.
  void SetSerial(bool serial);

  // The applier's side.
  /// Claims up to `max` keys that are due. Durable.
  Result<LedgerClaims> Claim(const RequestContext& context, size_t max);
  /// Ends the claims; one outcome each.
  void Release(const LedgerClaims& claims, std::span<const ApplyOutcome> outcomes);
  /// Makes every dirty key due now. With `forgive`, attempts and dead letters are forgotten.
  void RetryNow(bool forgive);
  /// The newest payload kept for a key; empty when there is none.
  Result<std::optional<std::string>> NewestPayload(const std::string& key) const;

  // The side of chunks and verification.
  /// A number before which no later write is stamped; rows that end after it are kept until
  /// EndWindow.
  Result<Seq> OpenWindow();
  void RestoreWindow(Seq window);
  void EndWindow(Seq window);
  /// CLOSE: every key in the range that was written since `window` becomes dirty, `failed` ones as
  /// well; durable together with `with`.
  Status CloseRange(const RequestContext& context, const KeyRange& range, Seq window,
                    const std::vector<std::string>& failed, ControlTransaction with);
  /// Makes keys dirty, rows are made where there are none; durable together with `with`.
  Status MakeDirty(const RequestContext& context, const std::vector<std::string>& keys,
                   ControlTransaction with);
  /// True where the key is at rest and no write of it ended after `window`.
  bool QuietSince(const std::string& key, Seq window) const;
  /// Forgets every row at rest or merely dirty: all chunks will be reconciled. Durable together
  /// with `with`.
  Status DropIdle(const RequestContext& context, ControlTransaction with);

  /// Ends what was held for the horizon, recovers what a dead process left, forgets old rows. To be
  /// called every few milliseconds.
  void Tick();

  LedgerCounts Counts() const;  ///< constant time

 private:
  friend class LedgerBracket;
  /// A row and what only this process needs to know of it.
  struct Entry {
    LedgerRow row;
    uint32_t writing = 0;  ///< brackets between mark and the authority's answer
    uint32_t locked = 0;   ///< brackets whose outcome at the authority is unknown, held
    uint32_t attempts = 0;
    bool dead_letter = false;
    SteadyTime dirty_since{};
    SteadyTime retry_at{};
    std::vector<PayloadNote> notes;
    std::vector<uint64_t> sizes;  ///< of the payloads of `notes`
  };
  using Rows = std::map<std::string, Entry>;
  using Row = Rows::iterator;
  struct Held {
    std::shared_ptr<BracketState> bracket;
    size_t key = 0;
  };
  struct HeldClaim {
    std::string key;
    LedgerToken token = 0;
  };

  // All of these hold mutex_.
  void Mutate(Row row, ControlTransaction& transaction, const std::function<void(Entry&)>& change);
  Row Erase(Row row, ControlTransaction& transaction);
  void Forgive(Row row, ControlTransaction& transaction);
  Seq OldestWindow() const;
  void Index(Row row, bool add);
  void Put(Row row, ControlTransaction& transaction) const;
  void TrimPayloads(Row row, const std::vector<PayloadNote>& keep, ControlTransaction& transaction);
  void FinishKey(BracketState& bracket, size_t key, Seq done, bool mirrored,
                 AuthorityOutcome outcome, ControlTransaction& transaction);
  void EndKey(BracketState& bracket, size_t key);
  bool Blocked(const std::vector<std::string>& keys) const;
  Status AdmitMark(const RequestContext& context, std::unique_lock<std::mutex>& lock,
                   const std::vector<std::string>& keys, uint64_t payload_bytes);
  void MarkKeys(BracketState& bracket, std::span<const Record* const> payload,
                ControlTransaction& transaction);
  void NotePayloadOf(Row row, const roost::Mark& mark, std::string payload,
                     ControlTransaction& transaction);
  void EndHeld(SteadyTime now, Seq seq, ControlTransaction& transaction);
  void EndHeldClaims(SteadyTime now, Seq seq, ControlTransaction& transaction);
  void Recover(Seq seq, ControlTransaction& transaction);
  void CollectGarbage(Seq seq, ControlTransaction& transaction);
  bool TickHasWork(SteadyTime now) const;
  void MakeDirtyLocked(const std::vector<std::string>& keys, Seq seq,
                       ControlTransaction& transaction);
  void ReleaseOne(Row row, const LedgerClaims& claims, size_t index, const ApplyOutcome& outcome,
                  ControlTransaction& transaction);
  std::chrono::milliseconds Backoff(uint32_t attempts) const;

  // The bracket's calls.
  Status AuthorityDone(const RequestContext& context, BracketState& bracket,
                       std::span<const WriteOutcome> outcomes,
                       std::span<const Record* const> state);
  void Finish(const std::shared_ptr<BracketState>& bracket,
              std::span<const MirrorOutcome> outcomes);
  void ReplyBeforeFinish(const BracketState& bracket);
  void CancelMark(BracketState& bracket);

  static constexpr size_t kSessionSlots = 1024;
  static constexpr size_t kRowsPerTick = 2'000;  ///< looked at by garbage collection and recovery

  const Options options_;
  ControlStore& control_;
  Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable_any unblocked_;
  Rows rows_;
  std::set<std::pair<SteadyTime, std::string_view>> by_age_;  ///< dirty rows
  std::set<std::pair<SteadyTime, std::string_view>> due_;     ///< those that may be claimed
  std::multimap<SteadyTime, Held> held_;
  std::multimap<SteadyTime, HeldClaim> held_claims_;
  std::multiset<Seq> windows_;
  std::set<uint64_t> open_;  ///< ordinals of brackets that have not ended
  std::array<uint64_t, kSessionSlots> answered_{};
  uint64_t last_ordinal_ = 0;
  uint64_t floor_ = 0;  ///< the other store may not be read while a bracket ≤ this is open
  uint64_t floor_epoch_ = 0;
  uint64_t inflight_ = 0;
  uint64_t payload_bytes_ = 0;
  uint64_t dead_letters_ = 0;
  bool serial_ = false;
  Seq first_own_ = 0;                     ///< tokens below are of a dead process
  std::optional<SteadyTime> recover_at_;  ///< set while a dead process's rows wait
  SteadyTime next_garbage_{};
  std::string recover_cursor_;
  std::string garbage_cursor_;
};

}  // namespace roost
