#include "cutover_model.h"

#include <algorithm>
#include <array>
#include <vector>

#include "migration/core/decisions.h"
#include "migration/core/ledger_rules.h"

namespace roost::simulation {
namespace {

using Move = roost::MigrationState;

constexpr int kWriters = 2;
constexpr int kGateways = 2;
constexpr LedgerToken kApplierToken = 9;

/// Values: 1 the first, 2 + i what writer i puts. `order[v]`: the how manyth change of the
/// authority wrote v; 0: never. Sequence numbers are ranks, as in the ledger model.
struct Row {
  uint8_t stamp, done, inflight, dirty, claim;
};
enum Point : uint8_t { kStart, kMarked, kAtMirror, kToFinish, kCrashed, kEnded };
struct Writer {
  uint8_t point, stamp, alone, mirrored, gateway, outcome, acknowledged, note;
  uint8_t to_b, mirrors, pending, lag;  // The pinned route; a write that may still land.
};
enum ApplierPoint : uint8_t { kIdle, kClaimed, kRead, kPut };
struct Applier {
  uint8_t point, stamp, value, to_a;
};
struct Gateway {
  uint8_t state, step, lag, expired;
};
enum Health : uint8_t { kAlive, kDead, kBack };

struct CutoverState {
  uint8_t a, b, health, applied, seen, went_back;
  uint8_t state, step, goal, command, verified, failed_fence, asked;
  uint8_t order[2 + kWriters];
  Row row;
  Writer writers[kWriters];
  Applier applier;
  Gateway gateways[kGateways];
};

enum Step {
  kDecideSoon,
  kDecideLate,
  kAskRollback,
  kDie,
  kReturn,
  kApplyPayload,
  kClaim,
  kApplierReads,
  kApplierPuts,
  kRelease,
  kApplierFails,
  kOfGateway = 20,  ///< + 10 × gateway
  kOfWriter = 60,   ///< + 20 × writer
};
enum GatewayStep { kAdopt, kExpire, kReadA, kReadB };
enum WriterStep {
  kMark0,
  kMark1,
  kWrite,
  kFail,
  kUnknownLanded,
  kUnknownLost,
  kMirrorOk,
  kMirrorFailed,
  kFinish,
  kCrash,
  kLand,
  kRecover,
};

class Model {
 public:
  using State = CutoverState;

  explicit Model(const CutoverModelConfig& config) : config_(config) {
    policy_.ramp_percents = {50};
    policy_.shadow_percent = 0;
  }

  State Initial() const {
    State state{};
    state.a = state.b = state.seen = 1;
    state.order[1] = 1;
    state.state = static_cast<uint8_t>(Move::kRamp);
    state.step = 1;
    state.goal = static_cast<uint8_t>(Move::kReversed);
    state.verified = 1;
    for (Gateway& gateway : state.gateways) {
      gateway = {.state = state.state, .step = state.step};
    }
    return state;
  }

  template <typename Emit>
  void Steps(const State& state, Emit&& emit_raw) {
    auto emit = [&](State next, int step, bool progress) {
      Compress(next);
      emit_raw(next, step, progress);
    };
    ControlSteps(state, emit);
    for (int g = 0; g < kGateways; ++g) {
      GatewaySteps(state, g, emit);
    }
    for (int i = 0; i < kWriters; ++i) {
      WriterSteps(state, i, emit);
    }
    ApplierSteps(state, emit);
  }

  std::string Violation(const State& state, bool end) const {
    if (state.went_back != 0) {
      return "a read went back";
    }
    const uint8_t value = Shape(state).authority_is_b ? state.b : state.a;
    for (const Writer& writer : state.writers) {
      const uint8_t own = Value(static_cast<int>(&writer - state.writers));
      if (writer.acknowledged != 0 && state.order[value] < state.order[own]) {
        return "an acknowledged write is lost";
      }
      if (value == own && Outcome(writer) == AuthorityOutcome::kFailed && writer.point == kEnded) {
        return "a failed write is visible";
      }
    }
    if (!end) {
      return "";
    }
    const auto at = static_cast<Move>(state.state);
    if (at != Move::kReversed && !(at == Move::kRamp && state.step == 0)) {
      return "stuck in " + std::string(MigrationStateName(at));
    }
    if (!Settled(Load(state)) || state.a != state.b) {
      return "the stores do not become equal";
    }
    return "";
  }

  std::string StepName(int step) const {
    static constexpr const char* kPlain[] = {"control decides",
                                             "control decides after the time is up",
                                             "user asks for the rollback",
                                             "B dies",
                                             "B returns",
                                             "the payload is applied to A",
                                             "applier claims",
                                             "applier reads the authority",
                                             "applier writes the mirror",
                                             "applier releases",
                                             "applier fails"};
    static constexpr const char* kGateway[] = {"serves the present route", "loses its lease",
                                               "reads from A", "reads from B"};
    static constexpr const char* kWriter[] = {"marks at gateway 1",
                                              "marks at gateway 2",
                                              "writes the authority",
                                              "fails at the authority, surely",
                                              "writes the authority and gets no answer",
                                              "gets no answer, the authority has nothing",
                                              "writes the mirror",
                                              "fails at the mirror",
                                              "finishes",
                                              "crashes",
                                              "lands late",
                                              "is recovered"};
    if (step >= kOfWriter) {
      return "writer " + std::to_string((step - kOfWriter) / 20 + 1) + " " +
             kWriter[(step - kOfWriter) % 20];
    }
    if (step >= kOfGateway) {
      return "gateway " + std::to_string((step - kOfGateway) / 10 + 1) + " " +
             kGateway[(step - kOfGateway) % 10];
    }
    return kPlain[step];
  }

 private:
  static uint8_t Value(int writer) { return static_cast<uint8_t>(2 + writer); }
  static AuthorityOutcome Outcome(const Writer& writer) {
    return static_cast<AuthorityOutcome>(writer.outcome);
  }
  bool Wrong(CutoverMistake mistake) const { return config_.mistake == mistake; }

  RouteShape ShapeAt(uint8_t state, uint8_t step) const {
    return ShapeOf({.state = static_cast<Move>(state), .ramp_step = step}, policy_);
  }
  RouteShape Shape(const State& state) const { return ShapeAt(state.state, state.step); }

  static void Compress(State& state) {
    std::array<uint8_t*, 3 + kWriters> fields = {&state.row.stamp, &state.row.done,
                                                 &state.applier.stamp};
    for (int i = 0; i < kWriters; ++i) {
      fields[3 + i] = &state.writers[i].stamp;
    }
    std::array<uint8_t, 16> rank{};
    for (const uint8_t* field : fields) {
      rank[*field] = 1;
    }
    rank[0] = 0;
    uint8_t next = 0;
    for (uint8_t& r : rank) {
      r = r != 0 ? ++next : 0;
    }
    for (uint8_t* field : fields) {
      *field = rank[*field];
    }
  }

  static Seq Next(const State& state) {
    Seq newest = std::max({state.row.stamp, state.row.done, state.applier.stamp});
    for (const Writer& writer : state.writers) {
      newest = std::max<Seq>(newest, writer.stamp);
    }
    return newest + 1;
  }

  static LedgerRow Load(const State& state) {
    LedgerRow row{.stamp = state.row.stamp,
                  .done = state.row.done,
                  .dirty = state.row.dirty != 0,
                  .claim = state.row.claim};
    for (int i = 0; i < kWriters; ++i) {
      if ((state.row.inflight >> i & 1) != 0) {
        row.inflight.push_back(static_cast<LedgerToken>(i) + 1);
      }
    }
    return row;
  }

  static void Store(State& state, const LedgerRow& row) {
    state.row = {.stamp = static_cast<uint8_t>(row.stamp),
                 .done = static_cast<uint8_t>(row.done),
                 .dirty = row.dirty,
                 .claim = static_cast<uint8_t>(row.claim)};
    for (const LedgerToken token : row.inflight) {
      state.row.inflight |= static_cast<uint8_t>(1 << (token - 1));
    }
    if (Settled(row)) {
      for (Writer& writer : state.writers) {
        writer.note = 0;
      }
    }
  }

  static std::vector<PayloadNote> Notes(const State& state) {
    std::vector<PayloadNote> notes;
    for (const Writer& writer : state.writers) {
      if (writer.note != 0) {
        notes.push_back({.stamp = writer.stamp});
      }
    }
    return notes;
  }

  static bool Active(const Writer& writer) {
    return writer.point != kStart && writer.point != kEnded;
  }

  MigrationFacts Facts(const State& state, bool late) const {
    MigrationFacts facts{.target_exists = true,
                         .chunks_planned = true,
                         .target_ready = state.health != kDead,
                         .verification_started = true,
                         .verification_complete = true};
    facts.epoch_acknowledged = true;
    for (const Gateway& gateway : state.gateways) {
      facts.epoch_acknowledged &= gateway.lag == 0 || gateway.expired != 0;
    }
    for (const Writer& writer : state.writers) {
      facts.epoch_acknowledged &= !Active(writer) || writer.lag == 0;
    }
    facts.epoch_acknowledged |= Wrong(CutoverMistake::kNoAcknowledgement);
    facts.dirty = state.row.dirty;
    if (state.health == kDead && static_cast<Move>(state.state) == Move::kRollingBack) {
      facts.dirty = state.applied == 0 && PayloadToApply(Notes(state)) != 0;
    }
    facts.inflight = state.row.inflight != 0 || state.row.claim != 0;
    if (Wrong(CutoverMistake::kSwitchWhileDirty)) {
      facts.dirty = facts.inflight = 0;
    }
    facts.time_in_state_ms = late ? 1'000'000 : 0;
    facts.since_fence_failed_ms = late || state.failed_fence == 0 ? ~uint64_t{0} : 0;
    return facts;
  }

  template <typename Emit>
  void ControlSteps(const State& state, Emit& emit) {
    for (const bool late : {false, true}) {
      const MigrationProgress progress{.state = static_cast<Move>(state.state),
                                       .goal = static_cast<Move>(state.goal),
                                       .command = static_cast<MigrationCommand>(state.command),
                                       .ramp_step = state.step,
                                       .verified = state.verified != 0};
      const MigrationProgress to = Decide(progress, policy_, Facts(state, late)).next;
      if (to == progress) {
        continue;
      }
      State next = state;
      Persist(next, progress, to);
      // A fence that falls back in time is no progress: it may go on for ever.
      const bool back = progress.state == Move::kFence && to.state == Move::kRamp;
      emit(next, late ? kDecideLate : kDecideSoon, !back);
    }
    State next = state;
    const auto at = static_cast<Move>(state.state);
    if (config_.rollback && state.asked == 0 && at == Move::kReversed) {
      next.command = static_cast<uint8_t>(MigrationCommand::kRollback);
      next.asked = 1;
      emit(next, kAskRollback, state.health == kDead);
      next = state;
    }
    if (config_.target_dies && state.health == kAlive && at == Move::kReversed &&
        state.command == 0 && state.asked == 0) {
      next.health = kDead;
      emit(next, kDie, false);
      next = state;
    }
    if (state.health == kDead && at == Move::kRamp && Facts(state, true).epoch_acknowledged) {
      next.health = kBack;
      emit(next, kReturn, true);
    }
  }

  static void Persist(State& next, const MigrationProgress& from, const MigrationProgress& to) {
    next.state = static_cast<uint8_t>(to.state);
    next.step = static_cast<uint8_t>(to.ramp_step);
    next.goal = static_cast<uint8_t>(to.goal);
    next.command = static_cast<uint8_t>(to.command);
    next.verified = to.verified;
    if ((from.state == Move::kFence && to.state == Move::kRamp) ||
        (from.state == Move::kRollingBack && to.state == Move::kReversed)) {
      next.failed_fence = 1;
    }
    if (to.state == Move::kRollingBack && to.ramp_step == 1) {
      next.applied = 0;  // A is the authority and has everything: payloads have done their work.
      for (Writer& writer : next.writers) {
        writer.note = 0;
      }
    }
    if (to.epoch != from.epoch) {
      for (Gateway& gateway : next.gateways) {
        gateway.lag = std::min(gateway.lag + 1, 3);
      }
      for (Writer& writer : next.writers) {
        writer.lag = Active(writer) ? std::min(writer.lag + 1, 3) : 0;
      }
    }
  }

  template <typename Emit>
  void GatewaySteps(const State& state, int g, Emit& emit) {
    const Gateway& gateway = state.gateways[g];
    const int base = kOfGateway + 10 * g;
    State next = state;
    if (gateway.lag != 0) {
      next.gateways[g] = {.state = state.state, .step = state.step};
      emit(next, base + kAdopt, true);
      next = state;
      if (config_.lease_expires && gateway.expired == 0) {
        next.gateways[g].expired = 1;
        emit(next, base + kExpire, false);
      }
    }
    if (gateway.expired != 0 && !Wrong(CutoverMistake::kStaleGatewayServes)) {
      return;
    }
    const RouteShape shape = ShapeAt(gateway.state, gateway.step);
    if (shape.read_percent_b < 100) {
      Read(state, state.a, base + kReadA, emit);
    }
    const bool checked =
        shape.authority_is_b || Settled(Load(state)) || Wrong(CutoverMistake::kUncheckedReads);
    if (shape.read_percent_b > 0 && state.health != kDead && checked) {
      Read(state, state.b, base + kReadB, emit);
    }
  }

  template <typename Emit>
  static void Read(const State& state, uint8_t value, int step, Emit& emit) {
    State next = state;
    if (state.order[value] < state.order[state.seen]) {
      next.went_back = 1;
    }
    next.seen = value;
    emit(next, step, false);
  }

  template <typename Emit>
  void WriterSteps(const State& state, int i, Emit& emit) {
    const Writer& writer = state.writers[i];
    const int base = kOfWriter + 20 * i;
    switch (writer.point) {
      case kStart:
        for (int g = 0; g < kGateways; ++g) {
          Mark(state, i, g, base, emit);
        }
        return;
      case kMarked:
        AtAuthority(state, i, base, emit);
        break;
      case kAtMirror:
        AtMirror(state, i, base, emit);
        break;
      case kToFinish:
        Finish(state, i, base, emit);
        break;
      case kCrashed:
        AfterCrash(state, i, base, emit);
        return;
      default:
        return;
    }
    if (config_.writer_crashes) {
      State next = state;
      Writer& after = next.writers[i];
      after.pending = writer.point == kMarked ? 1 : writer.point == kAtMirror ? 2 : 0;
      after.point = kCrashed;
      after.outcome = static_cast<uint8_t>(AuthorityOutcome::kUnknown);
      emit(next, base + kCrash, false);
    }
  }

  template <typename Emit>
  void Mark(const State& state, int i, int g, int base, Emit& emit) {
    const Gateway& gateway = state.gateways[g];
    if (gateway.expired != 0 && !Wrong(CutoverMistake::kStaleGatewayServes)) {
      return;
    }
    const RouteShape shape = ShapeAt(gateway.state, gateway.step);
    LedgerRow row = Load(state);
    const bool serial = shape.capture_payload && !Wrong(CutoverMistake::kWritesNotSerial);
    if (shape.hold_writes || !MayMark(row, serial)) {
      return;
    }
    State next = state;
    const roost::Mark mark = MarkRow(row, Next(state), static_cast<LedgerToken>(i) + 1);
    Store(next, row);
    if (shape.capture_payload && Wrong(CutoverMistake::kPayloadReplacedAtMark)) {
      for (Writer& other : next.writers) {
        other.note = 0;
      }
    }
    next.writers[i] = {
        .point = kMarked,
        .stamp = static_cast<uint8_t>(mark.stamp),
        .alone = mark.alone,
        .gateway = static_cast<uint8_t>(g),
        .note = shape.capture_payload && !Wrong(CutoverMistake::kNoPayload),
        .to_b = shape.authority_is_b,
        .mirrors = shape.mirror,
        .lag = gateway.lag,
    };
    next.applied = 0;
    emit(next, base + (g == 0 ? kMark0 : kMark1), true);
  }

  static void Land(State& state, int i) {
    const uint8_t newest = *std::max_element(std::begin(state.order), std::end(state.order));
    (state.writers[i].to_b != 0 ? state.b : state.a) = Value(i);
    state.order[Value(i)] = static_cast<uint8_t>(newest + 1);
  }

  template <typename Emit>
  void AtAuthority(const State& state, int i, int base, Emit& emit) {
    const bool dead = state.writers[i].to_b != 0 && state.health == kDead;
    auto go = [&](AuthorityOutcome outcome, bool lands, int step, bool progress) {
      State next = state;
      Writer& writer = next.writers[i];
      const bool written = outcome == AuthorityOutcome::kWritten;
      if (lands) {
        Land(next, i);
      }
      writer.outcome = static_cast<uint8_t>(outcome);
      writer.point = written && writer.mirrors != 0 ? kAtMirror : kToFinish;
      if (written) {
        writer.acknowledged = 1;
        next.seen = Value(i);  // Whoever got the answer may read next.
      }
      emit(next, base + step, progress);
    };
    if (!dead) {
      go(AuthorityOutcome::kWritten, true, kWrite, true);
      go(AuthorityOutcome::kUnknown, true, kUnknownLanded, false);
    }
    go(AuthorityOutcome::kFailed, false, kFail, dead);
    go(AuthorityOutcome::kUnknown, false, kUnknownLost, false);
  }

  template <typename Emit>
  void AtMirror(const State& state, int i, int base, Emit& emit) {
    State next = state;
    Writer& writer = next.writers[i];
    const bool dead = writer.to_b == 0 && state.health == kDead;
    writer.point = kToFinish;
    emit(next, base + kMirrorFailed, dead);
    if (!dead) {
      (writer.to_b != 0 ? next.a : next.b) = Value(i);
      writer.mirrored = 1;
      emit(next, base + kMirrorOk, true);
    }
  }

  template <typename Emit>
  void Finish(const State& state, int i, int base, Emit& emit) {
    State next = state;
    Writer& writer = next.writers[i];
    LedgerRow row = Load(state);
    const roost::Mark mark{.stamp = writer.stamp, .alone = writer.alone != 0};
    FinishRow(row, Next(state), static_cast<LedgerToken>(i) + 1, mark, writer.mirrored != 0);
    std::vector<PayloadNote> notes = Notes(state);
    EndPayload(notes, row, mark, Outcome(writer));
    End(next, i, row, notes);
    emit(next, base + kFinish, true);
  }

  static void End(State& next, int i, const LedgerRow& row, const std::vector<PayloadNote>& notes) {
    Store(next, row);
    for (Writer& writer : next.writers) {
      const PayloadNote note{.stamp = writer.stamp};
      writer.note = std::find(notes.begin(), notes.end(), note) != notes.end() && writer.note != 0;
    }
    const Writer was = next.writers[i];
    next.writers[i] = {.point = kEnded,
                       .stamp = was.note != 0 ? was.stamp : uint8_t{0},
                       .outcome = was.outcome,
                       .acknowledged = was.acknowledged,
                       .note = was.note};
  }

  template <typename Emit>
  void AfterCrash(const State& state, int i, int base, Emit& emit) {
    const Writer& writer = state.writers[i];
    State next = state;
    const bool at_b = (writer.pending == 1) == (writer.to_b != 0);
    if (writer.pending != 0 && !(at_b && state.health == kDead)) {
      if (writer.pending == 1) {
        Land(next, i);
      } else if (writer.mirrors != 0) {
        (at_b ? next.b : next.a) = Value(i);
      }
      next.writers[i].pending = 0;
      emit(next, base + kLand, false);
      next = state;
    }
    LedgerRow row = Load(state);
    const Seq stamp = Next(state);
    RecoverRow(row, stamp, stamp + 1, static_cast<LedgerToken>(i) + 1);
    End(next, i, row,
        Notes(state));  // Its payload stays: the write may have reached the authority.
    emit(next, base + kRecover, true);
  }

  template <typename Emit>
  void ApplierSteps(const State& state, Emit& emit) {
    State next = state;
    LedgerRow row = Load(state);
    const bool from_b = Shape(state).authority_is_b;
    const bool rolling = static_cast<Move>(state.state) == Move::kRollingBack && from_b;
    switch (state.applier.point) {
      case kIdle:
        if (rolling && state.health == kDead && Facts(state, false).dirty != 0 &&
            row.inflight.empty() && row.claim == 0) {
          ApplyPayload(next);
          emit(next, kApplyPayload, true);
        } else if (MayClaim(row) && state.health != kDead) {
          next.applier = {.point = kClaimed,
                          .stamp = static_cast<uint8_t>(ClaimRow(row, kApplierToken)),
                          .to_a = from_b};
          Store(next, row);
          emit(next, kClaim, true);
        }
        return;
      case kClaimed:
        if (state.health != kDead) {
          next.applier.value = state.applier.to_a != 0 ? state.b : state.a;
          next.applier.point = kRead;
          emit(next, kApplierReads, true);
          return;
        }
        break;
      case kRead:
        if (state.health != kDead || state.applier.to_a != 0) {
          (state.applier.to_a != 0 ? next.a : next.b) = state.applier.value;
          next.applier.point = kPut;
          emit(next, kApplierPuts, true);
          return;
        }
        break;
      default:
        ReleaseRow(row, kApplierToken, state.applier.stamp, true);
        Store(next, row);
        next.applier = {};
        emit(next, kRelease, true);
        return;
    }
    ReleaseRow(row, kApplierToken, state.applier.stamp, false);
    Store(next, row);
    next.applier = {};
    emit(next, kApplierFails, true);
  }

  static void ApplyPayload(State& next) {
    const Seq stamp = PayloadToApply(Notes(next));
    for (int i = 0; i < kWriters; ++i) {
      if (next.writers[i].note != 0 && next.writers[i].stamp == stamp) {
        next.a = Value(i);
        if (next.order[Value(i)] == 0) {
          next.writers[i].to_b = 0;
          Land(next, i);
        }
      }
    }
    next.applied = 1;
  }

  const CutoverModelConfig& config_;
  MigrationPolicy policy_;
};

}  // namespace

SearchResult CheckCutoverModel(const CutoverModelConfig& config) {
  Model model(config);
  return StateSearch<Model>(model).Run();
}

std::string_view CutoverMistakeName(CutoverMistake mistake) {
  static constexpr std::string_view kNames[] = {"none",
                                                "switch while dirty",
                                                "no wait for acknowledgements",
                                                "no payload in REVERSED",
                                                "payload replaced at mark",
                                                "writes of a key not serial",
                                                "reads from B not checked by the ledger",
                                                "stale gateway serves"};
  return kNames[static_cast<size_t>(mistake)];
}

}  // namespace roost::simulation
