#include "ledger_model.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace roost::simulation {
namespace {

constexpr int kMaxWriters = 3;
constexpr LedgerToken kApplierToken = 9;

/// Values: 0 absent, 1 the first value, 2 + i what writer i puts. Sequence numbers are kept as
/// ranks: only their order matters, so the states are finitely many.
struct Row {
  uint8_t stamp, done, inflight, dirty, claim;
};
enum WriterPoint : uint8_t { kStart, kMarked, kOnA, kToFinish, kCrashed, kEnded };
struct Writer {
  uint8_t point, stamp, alone, mirrored, pending_a, pending_b;
};
enum ChunkPoint : uint8_t { kIdle, kOpen, kRead, kPut, kChunkCrashed, kClosed };
struct Chunk {
  uint8_t point, window, value, returned, pending, crashes;
};
enum ApplierPoint : uint8_t { kApplierIdle, kClaimed, kApplierRead, kApplierPut, kApplierCrashed };
struct Applier {
  uint8_t point, stamp, value, pending;
};

struct ModelState {
  uint8_t a, b;
  Row row;
  Writer writers[kMaxWriters];
  Chunk chunk;
  Applier applier;
};

enum Step {
  kMark = 0,
  kWriteA,
  kFailA,
  kMirrorOk,
  kMirrorFailed,
  kMirrorUnknown,
  kFinish,
  kCrash,
  kLateA,
  kLateB,
  kRecover,
  kWriterSteps,
  kChunkOpen = 100,
  kChunkRead,
  kChunkPut,
  kChunkClose,
  kChunkCrash,
  kChunkLate,
  kChunkRestart,
  kApplierClaim,
  kApplierReads,
  kApplierPuts,
  kApplierRelease,
  kApplierFails,
  kApplierDies,
  kApplierLate,
  kApplierExpires,
  kForget,
};

class Model {
 public:
  using State = ModelState;

  explicit Model(const LedgerModelConfig& config)
      : config_(config), writers_(static_cast<int>(config.writer_deletes.size())) {}

  State Initial() const {
    State state{};
    state.a = config_.initially_present ? 1 : 0;
    for (int i = writers_; i < kMaxWriters; ++i) {
      state.writers[i].point = kEnded;
    }
    return state;
  }

  template <typename Emit>
  void Steps(const State& state, Emit&& emit_raw) {
    auto emit = [&](State next, int step, bool progress) {
      Compress(next);
      emit_raw(next, step, progress);
    };
    for (int i = 0; i < writers_; ++i) {
      WriterSteps(state, i, emit);
    }
    ChunkSteps(state, emit);
    ApplierSteps(state, emit);
    const Seq oldest = state.chunk.point != kClosed && state.chunk.window != 0
                           ? state.chunk.window
                           : std::numeric_limits<Seq>::max();
    if (state.row.stamp != 0 && MayForget(Load(state), oldest)) {
      State next = state;
      next.row = {};
      emit(next, kForget, false);
    }
  }

  std::string Violation(const State& state, bool end) const {
    const LedgerRow row = Load(state);
    if (state.a != state.b && state.chunk.point == kClosed && Settled(row)) {
      return state.a == 0 ? "resurrected delete" : "lost update";
    }
    if (end && (!Settled(row) || state.chunk.point != kClosed)) {
      return "stuck: the row is never settled";
    }
    return "";
  }

  std::string StepName(int step) const {
    static constexpr const char* kWriter[] = {"marks",
                                              "writes A",
                                              "fails at A, surely",
                                              "writes B",
                                              "fails at B, surely",
                                              "writes B and gets no answer",
                                              "finishes",
                                              "crashes",
                                              "'s late write lands on A",
                                              "'s late write lands on B",
                                              " is recovered"};
    static constexpr const char* kOthers[] = {
        "chunk opens its window",  "chunk reads A",
        "chunk puts to B",         "chunk closes",
        "chunk crashes",           "chunk's late put lands on B",
        "chunk restarts",          "applier claims",
        "applier reads A",         "applier writes B",
        "applier releases",        "applier fails at B, surely",
        "applier crashes",         "applier's late write lands on B",
        "applier's claim expires", "row is forgotten"};
    if (step >= kChunkOpen) {
      return kOthers[step - kChunkOpen];
    }
    const int writer = step / kWriterSteps;
    const bool deletes = config_.writer_deletes[writer];
    const char* what = kWriter[step % kWriterSteps];
    return std::string(deletes ? "deleter " : "writer ") + std::to_string(writer + 1) +
           (what[0] == '\'' || what[0] == ' ' ? "" : " ") + what;
  }

 private:
  /// Replaces all sequence numbers by their ranks.
  static void Compress(State& state) {
    std::array<uint8_t*, 4 + kMaxWriters> fields = {&state.row.stamp, &state.row.done,
                                                    &state.chunk.window, &state.applier.stamp};
    for (int i = 0; i < kMaxWriters; ++i) {
      fields[4 + i] = &state.writers[i].stamp;
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

  /// Above every number of the state; ranks never exceed the 7 fields, two more are drawn at most.
  static Seq Next(const State& state) {
    Seq newest =
        std::max({state.row.stamp, state.row.done, state.chunk.window, state.applier.stamp});
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
    for (int i = 0; i < kMaxWriters; ++i) {
      if ((state.row.inflight >> i & 1) != 0) {
        row.inflight.push_back(Token(i));
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
  }

  static LedgerToken Token(int writer) { return static_cast<LedgerToken>(writer) + 1; }
  uint8_t Value(int writer) const {
    return config_.writer_deletes[writer] ? 0 : static_cast<uint8_t>(2 + writer);
  }

  template <typename Emit>
  void WriterSteps(const State& state, int i, Emit& emit) {
    const Writer& writer = state.writers[i];
    const int base = i * kWriterSteps;
    State next = state;
    Writer& after = next.writers[i];
    auto crash = [&](bool pending_a, bool pending_b) {
      if (config_.writer_crashes) {
        next = state;
        after = {.point = kCrashed, .pending_a = pending_a, .pending_b = pending_b};
        emit(next, base + kCrash, false);
      }
    };
    switch (writer.point) {
      case kStart: {
        LedgerRow row = Load(state);
        const Mark mark = MarkRow(row, Next(state), Token(i), config_.mutation);
        Store(next, row);
        after = {.point = kMarked, .stamp = static_cast<uint8_t>(mark.stamp), .alone = mark.alone};
        emit(next, base + kMark, true);
        return;
      }
      case kMarked:
        next.a = Value(i);
        after.point = kOnA;
        emit(next, base + kWriteA, true);
        next = state;
        after.point = kToFinish;
        emit(next, base + kFailA, false);
        crash(true, false);
        return;
      case kOnA:
        next.b = Value(i);
        after.point = kToFinish;
        after.mirrored = 1;
        emit(next, base + kMirrorOk, true);
        after.mirrored = 0;
        emit(next, base + kMirrorUnknown, false);
        next.b = state.b;
        emit(next, base + kMirrorFailed, false);
        crash(false, true);
        return;
      case kToFinish: {
        LedgerRow row = Load(state);
        FinishRow(row, Next(state), Token(i), {.stamp = writer.stamp, .alone = writer.alone != 0},
                  writer.mirrored != 0, config_.mutation);
        Store(next, row);
        after = {.point = kEnded};
        emit(next, base + kFinish, true);
        crash(false, false);
        return;
      }
      case kCrashed:
        CrashedWriterSteps(state, i, emit);
        return;
      default:
        return;
    }
  }

  template <typename Emit>
  void CrashedWriterSteps(const State& state, int i, Emit& emit) {
    const Writer& writer = state.writers[i];
    const int base = i * kWriterSteps;
    State next = state;
    if (writer.pending_a != 0) {
      next.a = Value(i);
      next.writers[i].pending_a = 0;
      emit(next, base + kLateA, false);
      next = state;
    }
    if (writer.pending_b != 0) {
      next.b = Value(i);
      next.writers[i].pending_b = 0;
      emit(next, base + kLateB, false);
      next = state;
    }
    LedgerRow row = Load(state);
    const Seq stamp = Next(state);
    RecoverRow(row, stamp, stamp + 1, Token(i));
    Store(next, row);
    next.writers[i] = {.point = kEnded};
    emit(next, base + kRecover, true);
  }

  template <typename Emit>
  void ChunkSteps(const State& state, Emit& emit) {
    const Chunk& chunk = state.chunk;
    State next = state;
    const bool running = chunk.point == kOpen || chunk.point == kRead || chunk.point == kPut;
    if (running && chunk.crashes < config_.chunk_crashes) {
      next.chunk = {.point = kChunkCrashed,
                    .window = chunk.window,
                    .value = chunk.value,
                    .pending = chunk.point == kRead && chunk.returned != 0,
                    .crashes = static_cast<uint8_t>(chunk.crashes + 1)};
      emit(next, kChunkCrash, false);
      next = state;
    }
    switch (chunk.point) {
      case kIdle:
        if (chunk.window == 0 || config_.mutation == LedgerMutation::kFreshWindowOnRestart) {
          next.chunk.window = static_cast<uint8_t>(Next(state));
        }
        next.chunk.point = kOpen;
        emit(next, kChunkOpen, true);
        return;
      case kOpen:
        next.chunk.value = state.a;
        next.chunk.returned = state.a != 0;
        next.chunk.point = kRead;
        emit(next, kChunkRead, true);
        return;
      case kRead:
        if (chunk.returned != 0) {
          next.b = chunk.value;
        }
        next.chunk.value = 0;
        next.chunk.point = kPut;
        emit(next, kChunkPut, true);
        return;
      case kPut: {
        const bool covered =
            config_.mutation != LedgerMutation::kOnlyReturnedKeysAtClose || chunk.returned != 0;
        LedgerRow row = Load(state);
        // A key without a row was not touched in the window: there is nothing to make dirty.
        if (covered && row.stamp != 0) {
          CloseRow(row, chunk.window, Next(state), config_.mutation);
        }
        Store(next, row);
        next.chunk = {.point = kClosed};
        emit(next, kChunkClose, true);
        return;
      }
      case kChunkCrashed:
        if (chunk.pending != 0) {
          next.b = chunk.value;
          next.chunk.pending = 0;
          emit(next, kChunkLate, false);
          next = state;
        }
        next.chunk = {.point = kIdle, .window = chunk.window, .crashes = chunk.crashes};
        emit(next, kChunkRestart, true);
        return;
      default:
        return;
    }
  }

  template <typename Emit>
  void ApplierSteps(const State& state, Emit& emit) {
    const Applier& applier = state.applier;
    State next = state;
    LedgerRow row = Load(state);
    if (config_.applier_crashes && applier.point != kApplierIdle &&
        applier.point != kApplierCrashed) {
      next.applier = {.point = kApplierCrashed,
                      .value = applier.value,
                      .pending = applier.point == kApplierRead};
      emit(next, kApplierDies, false);
      next = state;
    }
    switch (applier.point) {
      case kApplierIdle:
        if (MayClaim(row, config_.mutation)) {
          next.applier = {.point = kClaimed,
                          .stamp = static_cast<uint8_t>(ClaimRow(row, kApplierToken))};
          Store(next, row);
          emit(next, kApplierClaim, true);
        }
        return;
      case kClaimed:
        next.applier.value = state.a;
        next.applier.point = kApplierRead;
        emit(next, kApplierReads, true);
        return;
      case kApplierRead:
        next.b = applier.value;
        next.applier.value = 0;
        next.applier.point = kApplierPut;
        emit(next, kApplierPuts, true);
        next = state;
        ReleaseRow(row, kApplierToken, applier.stamp, false, config_.mutation);
        Store(next, row);
        next.applier = {};
        emit(next, kApplierFails, false);
        return;
      case kApplierPut:
        ReleaseRow(row, kApplierToken, applier.stamp, true, config_.mutation);
        Store(next, row);
        next.applier = {};
        emit(next, kApplierRelease, true);
        return;
      case kApplierCrashed:
        if (applier.pending != 0) {
          next.b = applier.value;
          next.applier.pending = 0;
          next.applier.value = 0;
          emit(next, kApplierLate, false);
          next = state;
        }
        ExpireClaim(row, Next(state));
        Store(next, row);
        next.applier = {};
        emit(next, kApplierExpires, true);
        return;
      default:
        return;
    }
  }

  const LedgerModelConfig& config_;
  const int writers_;
};

}  // namespace

SearchResult CheckLedgerModel(const LedgerModelConfig& config) {
  CHECK(!config.writer_deletes.empty() && config.writer_deletes.size() <= kMaxWriters);
  Model model(config);
  return StateSearch<Model>(model).Run();
}

std::string_view LedgerMutationName(LedgerMutation mutation) {
  static constexpr std::string_view kNames[] = {"none",
                                                "no re-dirty at close",
                                                "stamp instead of done at close",
                                                "in-flight writes ignored at close",
                                                "only returned keys at close",
                                                "fresh window on restart",
                                                "re-dirty without a new stamp",
                                                "every writer counts as alone",
                                                "finish without stamp check",
                                                "applier clears without stamp check",
                                                "claim while a write is in flight"};
  return kNames[static_cast<size_t>(mutation)];
}

std::vector<LedgerModelConfig> TwoWriterConfigs() {
  std::vector<LedgerModelConfig> configs;
  for (const bool present : {true, false}) {
    for (const auto& deletes : {std::vector<bool>{false, false}, {false, true}, {true, true}}) {
      configs.push_back({.writer_deletes = deletes, .initially_present = present});
    }
  }
  return configs;
}

std::vector<LedgerModelConfig> ThreeWriterConfigs() {
  return {{.writer_deletes = {false, false, true}, .initially_present = true},
          {.writer_deletes = {false, true, true}, .initially_present = false}};
}

}  // namespace roost::simulation
