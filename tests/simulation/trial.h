#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "types.h"

namespace roost::simulation {

struct TrialOptions {
  uint64_t first_seed = 0;
  uint64_t count = 0;
  unsigned jobs = 1;  ///< threads, 1 to 64
  PlantedBug bug = PlantedBug::kNone;
  bool until_violation = false;  ///< stop at the lowest seed that breaks an invariant
};

struct TrialFind {
  uint64_t seed = 0;
  std::string violation;
};

struct TrialReport {
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t cutovers_under_load = 0;
  uint64_t replayed = 0;      ///< run twice: every hundredth seed
  uint64_t not_replayed = 0;  ///< of those, did something else the second time
  uint64_t violations = 0;
  std::vector<TrialFind> finds;  ///< the ten lowest seeds of them
  Coverage coverage{};
  double seconds = 0;
  double processor_seconds = 0;  ///< of all threads: what the machine does besides does not count
  double PerMinute() const { return Rate(seconds); }
  double PerProcessorMinute() const { return Rate(processor_seconds); }

 private:
  double Rate(double of) const { return of > 0 ? 60.0 * static_cast<double>(schedules) / of : 0; }
};

/// Runs `count` schedules from `first_seed` on. All but the times depend on the seeds alone, not
/// on `jobs`; with `until_violation` only the first of `finds` does.
TrialReport RunTrial(const TrialOptions& options);

/// The pairs of state and fault that had to be met and were not.
std::vector<std::pair<MigrationState, Fault>> Uncovered(const Coverage& coverage);
/// One line for each state, one column for each fault; a pair that is missing shows as `MISSING`,
/// one that cannot happen as `-`.
std::string CoverageTable(const Coverage& coverage);

/// Leaves out as many steps of a failing schedule as it can while some invariant still breaks, and
/// runs what remains with its list of events. Nothing if the schedule does not fail.
std::optional<ScheduleResult> Shrink(uint64_t seed, PlantedBug bug);

}  // namespace roost::simulation
