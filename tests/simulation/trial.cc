#include "trial.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/result.h"

namespace roost::simulation {
namespace {

constexpr uint64_t kBlock = 64;  ///< seeds that a thread takes at once
constexpr size_t kFindsKept = 10;
constexpr uint64_t kReplayEvery = 100;

class Trial {
 public:
  explicit Trial(const TrialOptions& options)
      : options_(options), end_(options.first_seed + options.count), next_(options.first_seed) {}

  TrialReport Run() {
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t used = std::clock();
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 1; i < options_.jobs; ++i) {
        threads.emplace_back([this] { Work(); });
      }
      Work();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    report_.seconds = took.count();
    report_.processor_seconds = static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
    std::sort(report_.finds.begin(), report_.finds.end(),
              [](const TrialFind& x, const TrialFind& y) { return x.seed < y.seed; });
    report_.finds.resize(std::min(report_.finds.size(), kFindsKept));
    return std::move(report_);
  }

 private:
  /// Blocks are taken in order, so whoever stops at `end_` leaves no lower seed behind.
  void Work() {
    TrialReport mine;
    for (uint64_t from = next_.fetch_add(kBlock); from < end_; from = next_.fetch_add(kBlock)) {
      for (uint64_t seed = from; seed < std::min<uint64_t>(from + kBlock, end_); ++seed) {
        RunSeed(seed, mine);
      }
    }
    Add(mine);
  }

  void RunSeed(uint64_t seed, TrialReport& mine) {
    const ScheduleResult result = RunSchedule({.seed = seed, .bug = options_.bug}, &mine.coverage);
    ++mine.schedules;
    mine.steps += result.steps;
    mine.cutovers_under_load += result.cutover_under_load ? 1 : 0;
    if (seed % kReplayEvery == 0) {
      const ScheduleResult again = RunSchedule({.seed = seed, .bug = options_.bug});
      ++mine.replayed;
      mine.not_replayed += again.trace != result.trace || again.violation != result.violation;
    }
    if (result.violation.empty()) {
      return;
    }
    ++mine.violations;
    // Each thread meets its seeds in rising order: its first ones are its lowest.
    if (mine.finds.size() < kFindsKept) {
      mine.finds.push_back({seed, result.violation});
    }
    uint64_t end = end_;
    while (options_.until_violation && seed + 1 < end &&
           !end_.compare_exchange_weak(end, seed + 1)) {
    }
  }

  void Add(const TrialReport& part) {
    std::lock_guard lock(mutex_);
    report_.schedules += part.schedules;
    report_.steps += part.steps;
    report_.cutovers_under_load += part.cutovers_under_load;
    report_.replayed += part.replayed;
    report_.not_replayed += part.not_replayed;
    report_.violations += part.violations;
    report_.finds.insert(report_.finds.end(), part.finds.begin(), part.finds.end());
    for (int state = 0; state < kStates; ++state) {
      for (int fault = 0; fault < kFaults; ++fault) {
        report_.coverage[state][fault] += part.coverage[state][fault];
      }
    }
  }

  const TrialOptions options_;
  std::atomic<uint64_t> end_;
  std::atomic<uint64_t> next_;
  std::mutex mutex_;
  TrialReport report_;
};

}  // namespace

TrialReport RunTrial(const TrialOptions& options) {
  CHECK(options.jobs >= 1 && options.jobs <= 64);
  return Trial(options).Run();
}

std::vector<std::pair<MigrationState, Fault>> Uncovered(const Coverage& coverage) {
  std::vector<std::pair<MigrationState, Fault>> missing;
  for (int s = 0; s < kStates; ++s) {
    for (int f = 0; f < kFaults; ++f) {
      const auto state = static_cast<MigrationState>(s);
      const auto fault = static_cast<Fault>(f);
      if (coverage[s][f] == 0 && MustBeCovered(state, fault)) {
        missing.emplace_back(state, fault);
      }
    }
  }
  return missing;
}

std::string CoverageTable(const Coverage& coverage) {
  std::string table = fmt::format("{:<17}", "");
  for (int s = 0; s < kStates; ++s) {
    table += fmt::format(" {:>12}", MigrationStateName(static_cast<MigrationState>(s)));
  }
  for (int f = 0; f < kFaults; ++f) {
    const auto fault = static_cast<Fault>(f);
    table += fmt::format("\n{:<17}", FaultName(fault));
    for (int s = 0; s < kStates; ++s) {
      const uint64_t hits = coverage[s][f];
      const bool must = MustBeCovered(static_cast<MigrationState>(s), fault);
      table += fmt::format(" {:>12}", hits > 0 ? std::to_string(hits) : must ? "MISSING" : "-");
    }
  }
  return table + "\n";
}

std::optional<ScheduleResult> Shrink(uint64_t seed, PlantedBug bug) {
  ScheduleResult result = RunSchedule({.seed = seed, .bug = bug});
  if (result.violation.empty()) {
    return std::nullopt;
  }
  std::vector<bool> skip(result.faulty_steps, false);
  const auto fails = [&](const std::vector<bool>& without) {
    return !RunSchedule({.seed = seed, .bug = bug, .skip = &without}).violation.empty();
  };
  for (size_t piece = skip.size(); piece > 0;) {
    bool smaller = false;
    for (size_t from = 0; from < skip.size(); from += piece) {
      const auto end =
          skip.begin() + static_cast<std::ptrdiff_t>(std::min(from + piece, skip.size()));
      const auto begin = skip.begin() + static_cast<std::ptrdiff_t>(from);
      if (std::find(begin, end, false) == end) {
        continue;
      }
      std::vector<bool> without = skip;
      std::fill(without.begin() + (begin - skip.begin()), without.begin() + (end - skip.begin()),
                true);
      if (fails(without)) {
        skip = std::move(without);
        smaller = true;
      }
    }
    // Single steps are tried until none can be left out any more.
    if (piece > 1 || !smaller) {
      piece /= 2;
    }
  }
  return RunSchedule({.seed = seed, .bug = bug, .log = true, .skip = &skip});
}

}  // namespace roost::simulation
