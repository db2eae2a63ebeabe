#pragma once

#include <cstdint>
#include <vector>

namespace roost {

/// The rules of the ledger of dirty keys: what every durable step of a move does to the row of one
/// key. Pure, no clock, no I/O. The production ledger, the model check and the simulation run
/// exactly these functions. docs/migration-protocol.md tells why they converge.
///
/// `Seq` values come from the control store's counter: strictly increasing, never reused.
using Seq = uint64_t;
/// Who holds a bracket or a claim. Never 0; unique over restarts.
using LedgerToken = uint64_t;

struct LedgerRow {
  Seq stamp = 0;                      ///< of the newest mark (or forced re-stamp)
  Seq done = 0;                       ///< of the newest finish
  std::vector<LedgerToken> inflight;  ///< writes between MARK and FINISH
  bool dirty = false;                 ///< the mirror may differ from the authority
  LedgerToken claim = 0;              ///< the applier that is copying this key; 0: none

  bool operator==(const LedgerRow&) const = default;
};

/// The ten single mistakes that the model check must catch, each by name. kNone in production.
enum class LedgerMutation : uint8_t {
  kNone,
  kNoRedirtyAtClose,
  kCompareStampAtClose,  ///< stamp instead of done
  kIgnoreInflightAtClose,
  kOnlyReturnedKeysAtClose,  ///< the caller's rule: played by the model's chunk
  kFreshWindowOnRestart,     ///< the caller's rule: played by the model's chunk
  kRedirtyWithoutStamp,
  kDropAlone,
  kFinishWithoutStampCheck,
  kApplierClearWithoutStampCheck,
  kClaimWhileInflight,
};

struct Mark {
  Seq stamp = 0;
  bool alone = false;  ///< nobody else was writing or copying this key
};

/// MARK, committed before the first byte goes to the authority.
Mark MarkRow(LedgerRow& row, Seq next, LedgerToken writer,
             LedgerMutation mutation = LedgerMutation::kNone);
/// FINISH: after the authority's and (inline) the mirror's outcome are known, or the writer's
/// bracket was held for the zombie horizon. `mirrored`: this write reached the mirror for certain.
void FinishRow(LedgerRow& row, Seq next, LedgerToken writer, const Mark& mark, bool mirrored,
               LedgerMutation mutation = LedgerMutation::kNone);
/// The writer died: its write may or may not have reached either store.
void RecoverRow(LedgerRow& row, Seq next_stamp, Seq next_done, LedgerToken writer);

bool MayClaim(const LedgerRow& row, LedgerMutation mutation = LedgerMutation::kNone);
/// Precondition: MayClaim. Returns the stamp to hand to ReleaseRow.
Seq ClaimRow(LedgerRow& row, LedgerToken applier);
/// The applier copied the key's state (or absence) from the authority to the mirror; `copied`
/// false: it failed for certain. Only the holder of the claim may call it.
void ReleaseRow(LedgerRow& row, LedgerToken applier, Seq claimed_stamp, bool copied,
                LedgerMutation mutation = LedgerMutation::kNone);
/// The applier died, or its copy's outcome is not known and the zombie horizon has passed.
void ExpireClaim(LedgerRow& row, Seq next);

/// Whether a write may MARK now. `serial`: the authority takes no fence (no conditional writes) and
/// payloads are kept, so one write per key may be out at a time; otherwise the newest stamp need
/// not be what the authority holds, and a rollback from payloads could bring an older value back.
inline bool MayMark(const LedgerRow& row, bool serial) { return !serial || row.inflight.empty(); }

/// CLOSE of a chunk that covers this key and whose window opened at `window` (never moved on a
/// restart). True when the row became dirty.
bool CloseRow(LedgerRow& row, Seq window, Seq next,
              LedgerMutation mutation = LedgerMutation::kNone);

/// Verification found the key different although its row was settled: the applier has to look.
/// Precondition: no bracket is open and no claim is held (else compare again later).
void SuspectRow(LedgerRow& row, Seq next);

/// Nothing is known against mirror == authority for this key.
inline bool Settled(const LedgerRow& row) {
  return !row.dirty && row.inflight.empty() && row.claim == 0;
}
/// No open window (copy or verification) that began before `row.done` needs the row any more.
inline bool MayForget(const LedgerRow& row, Seq oldest_window) {
  return Settled(row) && row.done < oldest_window;
}

/// What a writer knows of its write at the authority when it FINISHes.
enum class AuthorityOutcome : uint8_t { kWritten, kFailed, kUnknown };

/// A payload that is kept for one write of a key (MARK with payload, REVERSED): should the
/// authority die, the follower gets the newest one. More than one per key must be kept: were the
/// payload of an acknowledged write replaced at MARK, a later write that fails would lose it.
struct PayloadNote {
  Seq stamp = 0;
  bool operator==(const PayloadNote&) const = default;
};
/// At MARK, in the same transaction.
void NotePayload(std::vector<PayloadNote>& notes, const Mark& mark);
/// At FINISH, in the same transaction, after FinishRow: a failed write's payload is withdrawn, a
/// written one replaces all older ones, one of unknown outcome is kept. All go when the row may be
/// forgotten: while a chunk's window is open (a reconcile back), a late put of the chunk may still
/// undo what the mirror had. `oldest_window`: of the windows that are not closed; none: the
/// default.
void EndPayload(std::vector<PayloadNote>& notes, const LedgerRow& row, const Mark& mark,
                AuthorityOutcome outcome, Seq oldest_window = ~Seq{0});
/// The stamp of the payload that the follower must get when the authority is dead; 0: none.
/// Precondition: no bracket is open and no claim is held.
Seq PayloadToApply(const std::vector<PayloadNote>& notes);

}  // namespace roost
