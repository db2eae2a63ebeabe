#include "schedule.h"

#include <algorithm>
#include <cstdio>

namespace roost::simulation {
namespace {

using Move = MigrationState;

constexpr uint32_t kHealRounds = 8'000;

uint64_t Mix(uint64_t seed, uint64_t step) {
  return (seed * 0x2545f4914f6cdd1d + 7) ^ (step * 0xd6e8feb86659fd93);
}

}  // namespace

Schedule::Schedule(const ScheduleOptions& options, Coverage* coverage)
    : options_(options), coverage_(coverage), dice_(Mix(options.seed, ~uint64_t{0})) {
  bag_.reserve(64);
  written_.reserve(64);
  Choose();
}

/// Swarm testing: each seed has its own weights, some of them 0, so that rare mixes get their turn.
void Schedule::Choose() {
  static constexpr uint32_t kRates[] = {0, 0, 10, 40, 120};
  auto rate = [&] { return kRates[dice_.Below(std::size(kRates))]; };
  keys_ = 1 + static_cast<int>(dice_.Below(dice_.Chance(700) ? 2 : kMaxKeys));
  fenced_[0] = dice_.Chance(500);
  fenced_[1] = dice_.Chance(500);
  lose_ = rate();
  fail_[0] = rate();
  fail_[1] = rate();
  clog_ = rate() * 3;
  duplicate_ = rate();
  slow_writes_ = dice_.Chance(300) ? 300 : 0;
  slow_chunks_ = dice_.Chance(500) ? 800 : 0;
  lie_ = dice_.Chance(300) ? 100 : 0;
  overflow_ = keys_ >= 3 && dice_.Chance(250) ? 2 + dice_.Below(2) : 0;
  skip_mirror_ = dice_.Chance(300) ? 500 : 0;
  reads_ = dice_.Below(700);
  deletes_ = dice_.Below(600);
  policy_ = {.shadow_percent = 0,
             .ramp_percents = {30, 100},
             .ramp_hold_ms = 5,
             .shadow_hold_ms = 5 + dice_.Below(60),
             .fence_max_ms = 60 + dice_.Below(120),
             .fence_retry_ms = 20,
             .applier_attempts = 6,
             .oldest_dirty_max_ms = 200};
  ChooseWeights();
  Populate();
  ChooseStart();
}

void Schedule::ChooseWeights() {
  static constexpr std::array<uint32_t, static_cast<size_t>(Event::kEvents)> kBase = {
      60, 500, 15, 15, 60, 120, 160, 10, 30, 6, 5, 5, 8, 5, 6};
  static constexpr uint32_t kFactors[] = {0, 1, 1, 3, 8};
  for (size_t i = 0; i < kBase.size(); ++i) {
    weights_[i] = kBase[i];
    const auto event = static_cast<Event>(i);
    const bool fault = event == Event::kLose || event == Event::kTimeout || event >= Event::kTime;
    if (fault && event != Event::kSweep) {
      weights_[i] *= kFactors[dice_.Below(std::size(kFactors))];
    }
  }
  weights_[0] *= 1 + dice_.Below(4);
  if (dice_.Chance(600)) {  // Brisk control: cut-overs while clients are busy.
    weights_[static_cast<size_t>(Event::kPoll)] *= 3;
    weights_[static_cast<size_t>(Event::kCoordinate)] *= 2;
    weights_[static_cast<size_t>(Event::kDeliver)] *= 2;
    clog_ /= 3;
  }
  if (dice_.Chance(500)) {
    weights_[static_cast<size_t>(Event::kWork)] *= 3;
  }
  for (const uint32_t weight : weights_) {
    weight_sum_ += weight;
  }
}

void Schedule::Populate() {
  written_.push_back({});  // Id 0: never written.
  for (int key = 0; key < keys_; ++key) {
    if (dice_.Chance(700)) {
      cells_[0][key] = {.id = static_cast<uint32_t>(written_.size()), .present = true};
      changes_[key] = 2;
      written_.push_back({.order = 2});
      acknowledged_[key] = changes_[key];
    }
  }
}

/// Most schedules start where a move has come to rest before: near the cut-over, where it hurts.
void Schedule::ChooseStart() {
  static constexpr std::array<Move, 20> kStarts = {
      Move::kPlanned,  Move::kPlanned,  Move::kPlanned,  Move::kCopy,     Move::kCopy,
      Move::kCopy,     Move::kCopy,     Move::kMirror,   Move::kVerify,   Move::kShadow,
      Move::kRamp,     Move::kRamp,     Move::kRamp,     Move::kRamp,     Move::kRamp,
      Move::kReversed, Move::kReversed, Move::kReversed, Move::kReversed, Move::kReversed};
  progress_.state = kStarts[dice_.Below(kStarts.size())];
  progress_.goal = dice_.Chance(750) ? Move::kReversed : std::max(progress_.state, Move::kVerify);
  progress_.epoch = 1;
  if (progress_.state > Move::kCopy) {
    // RAMP without reads on B and not verified: after a rollback.
    const bool rolled_back = progress_.state == Move::kRamp && dice_.Chance(200);
    progress_.verified = progress_.state >= Move::kShadow && !rolled_back;
    progress_.ramp_step = progress_.state == Move::kRamp && !rolled_back ? 1 + dice_.Below(2) : 0;
    target_exists_ = true;
    // REVERSED with an open chunk: a reconcile after an overflow, the mirror being on.
    const bool reconcile = progress_.state == Move::kReversed && dice_.Chance(600);
    chunks_.push_back({.hi = static_cast<uint8_t>(keys_),
                       .closed = !reconcile,
                       .reconcile = reconcile,
                       .window = reconcile && dice_.Chance(500) ? 0 : NextSeq()});
    verification_ = {.started = progress_.verified, .complete = progress_.verified};
    std::copy(std::begin(cells_[0]), std::end(cells_[0]), std::begin(cells_[1]));
  }
  for (Gateway& gateway : gateways_) {
    gateway = {.route = progress_,
               .lease_until = now_ + kLease,
               .turn = ++turn_,
               .last_seen = now_,
               .acked_epoch = progress_.epoch};
  }
}

void Schedule::Violate(const char* what) {
  if (result_.violation.empty()) {
    result_.violation = what;
    Note(what);
  }
}

void Schedule::Hit(Fault fault) {
  if (coverage_ != nullptr && !healing_) {
    ++(*coverage_)[static_cast<size_t>(progress_.state)][static_cast<size_t>(fault)];
  }
}

void Schedule::Note(const char* what, uint64_t a, uint64_t b, uint64_t c) {
  result_.trace = (result_.trace ^ (a + 31 * b + 961 * c + static_cast<unsigned char>(what[0]))) *
                  0x100000001b3;
  if (!options_.log) {
    return;
  }
  char text[160];
  // The format is one of ours, with at most three %llu.
  std::snprintf(text, sizeof(text), what, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b), static_cast<unsigned long long>(c));
  result_.events.push_back(std::to_string(result_.steps) + ": " + text);
}

ScheduleResult Schedule::Run() {
  const uint32_t steps = 150 + dice_.Below(350);
  result_.faulty_steps = steps;
  for (; result_.steps < steps && result_.violation.empty(); ++result_.steps) {
    ++now_;
    const bool skipped = options_.skip != nullptr && (*options_.skip)[result_.steps];
    if (!skipped) {
      dice_ = Dice(Mix(options_.seed, result_.steps));
      Step();
      CheckAlways();
    }
  }
  if (result_.violation.empty()) {
    Heal();
  }
  result_.end = progress_.state;
  return std::move(result_);
}

void Schedule::Step() {
  PassHorizons();
  uint32_t pick = dice_.Below(weight_sum_);
  size_t event = 0;
  while (pick >= weights_[event]) {
    pick -= weights_[event];
    ++event;
  }
  result_.trace = (result_.trace ^ (event + 17 * seq_ + bag_.size())) * 0x100000001b3;
  Dispatch(static_cast<Event>(event));
}

void Schedule::Dispatch(Event event) {
  switch (event) {
    case Event::kStart:
      return StartRequest();
    case Event::kDeliver:
      return bag_.empty() ? void() : Deliver(dice_.Below(bag_.size()), false);
    case Event::kLose:
      return bag_.empty() ? void() : Lose(dice_.Below(bag_.size()));
    case Event::kTimeout:
      TimeoutRequest(requests_[dice_.Below(kRequests)]);
      return TimeoutWorkers();
    case Event::kPoll:
      return Poll(dice_.Below(kGateways));
    case Event::kCoordinate:
      return Coordinate(dice_.Below(kCoordinators));
    case Event::kWork:
      return WorkerStep();
    case Event::kTime:
      now_ += dice_.Below(30);
      return;
    case Event::kSweep:
      Recover();
      return ExpireAndForget();
    case Event::kUser:
      return UserActs();
    case Event::kCrashGateway:
      return CrashGateway(dice_.Below(kGateways));
    case Event::kCutOff: {
      Gateway& gateway = gateways_[dice_.Below(kGateways)];
      gateway.cut_off = !gateway.cut_off;
      return;
    }
    case Event::kCrashWorker:
      return CrashWorker();
    case Event::kCrashCoordinator: {
      Coordinator& coordinator = coordinators_[dice_.Below(kCoordinators)];
      if (coordinator.decided) {
        Hit(Fault::kCoordinatorCrash);
      }
      coordinator.decided = false;
      return;
    }
    default:
      // A store that was given up does not answer again in the middle of the emergency.
      if (!target_down_ || (progress_.state != Move::kRollingBack && EpochAcknowledged())) {
        target_down_ = !target_down_;
        Note(target_down_ ? "B goes down" : "B is up");
      }
  }
}

/// The place of what a store holds in the history of the key. Absence is copied without saying
/// which delete it came from; the newest one is taken.
uint32_t Schedule::OrderOf(const Cell& cell, int key) const {
  return cell.present ? written_[cell.id].order : std::max(written_[cell.id].order, deleted_[key]);
}

/// What must hold after every step.
void Schedule::CheckAlways() {
  const Cell* authority = cells_[AuthorityNow()];
  bool filled = !chunks_.empty() && progress_.state >= Move::kCopy && !IsFinal(progress_.state);
  for (const Chunk& chunk : chunks_) {
    filled = filled && chunk.closed;
  }
  for (int key = 0; key < keys_; ++key) {
    if (OrderOf(authority[key], key) < acknowledged_[key]) {
      return Violate(authority[key].present ? "an acknowledged write or delete is undone"
                                            : "an acknowledged write is lost");
    }
    if (written_[authority[key].id].failed) {
      return Violate("a failed write is on the authority");
    }
    if (filled && !lied_[key] && Settled(rows_[key].row) &&
        !SameContent(cells_[0][key], cells_[1][key])) {
      return Violate("a settled key differs");
    }
  }
}

/// Faults end, clients are quiet: everything must come to rest, and the move to its goal.
void Schedule::Heal() {
  healing_ = true;
  for (Gateway& gateway : gateways_) {
    gateway.cut_off = false;
  }
  const bool advance = Dice(Mix(options_.seed, 77)).Chance(700);
  for (uint32_t round = 0; round < kHealRounds && result_.violation.empty(); ++round) {
    ++result_.steps;
    ++now_;
    dice_ = Dice(Mix(options_.seed, (uint64_t{1} << 32) + round));
    if (advance && !IsFinal(progress_.state) && progress_.command == MigrationCommand::kNone &&
        progress_.goal != Move::kReversed) {
      const MigrationState to = Move::kReversed;
      if (const auto next = ApplyAdvance(progress_, &to); next.ok()) {
        Persist(progress_, *next);
      }
    }
    if (HealStep(round)) {
      return CheckEnd();
    }
    CheckAlways();
  }
  if (result_.violation.empty()) {
    Violate("no rest after the faults ended");
  }
}

/// True when everything is at rest.
bool Schedule::HealStep(uint32_t round) {
  PassHorizons();
  PassWorkerHorizons();
  if (target_down_ && progress_.state != Move::kRollingBack && EpochAcknowledged()) {
    target_down_ = false;
  }
  if (!bag_.empty() && dice_.Chance(800)) {
    Deliver(dice_.Below(bag_.size()), false);
    return false;
  }
  switch (round % 4) {
    case 0:
      Poll(dice_.Below(kGateways));
      break;
    case 1:
      Coordinate(dice_.Below(kCoordinators));
      break;
    case 2:
      ApplierStep(dice_.Below(kAppliers));
      ChunkStep(0);
      ChunkStep(1);
      VerifierStep();
      break;
    default:
      Recover();
      ExpireAndForget();
      TimeoutRequest(requests_[dice_.Below(kRequests)]);
      TimeoutWorkers();
      now_ += bag_.empty() ? 5 : 0;
      return AtRest();
  }
  return false;
}

bool Schedule::AtRest() const {
  if (!ghosts_.empty()) {
    return false;
  }
  for (const Request& request : requests_) {
    if (request.phase != Phase::kFree) {
      return false;
    }
  }
  if (IsFinal(progress_.state)) {
    return EpochAcknowledged();
  }
  const bool held_back = progress_.state == Move::kRamp && progress_.goal == Move::kShadow;
  if (progress_.command != MigrationCommand::kNone || !EpochAcknowledged() || target_down_ ||
      (progress_.state != progress_.goal && !held_back)) {
    return false;
  }
  if (progress_.state == Move::kVerify && !progress_.verified) {
    return false;
  }
  const MigrationFacts facts = Facts();
  return facts.dirty == 0 && facts.inflight == 0 && facts.chunks_open == 0;
}

void Schedule::CheckEnd() {
  CheckAlways();
  if (IsFinal(progress_.state)) {
    return;
  }
  for (int key = 0; key < keys_; ++key) {
    if (!Settled(rows_[key].row) || !rows_[key].notes.empty()) {
      return Violate("a row is left over");
    }
    if (!SameContent(cells_[0][key], cells_[1][key])) {
      return Violate("the stores differ in the end");
    }
  }
}

ScheduleResult RunSchedule(const ScheduleOptions& options, Coverage* coverage) {
  return Schedule(options, coverage).Run();
}

}  // namespace roost::simulation
