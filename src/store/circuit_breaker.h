#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "store/resilient_store.h"

namespace roost {

/// Adds up what happened in the last `window`, to a tenth of it. Not thread safe.
class RollingCount {
 public:
  explicit RollingCount(std::chrono::nanoseconds window) : slot_length_(window / kSlots) {}

  void Add(SteadyTime now, uint64_t amount);
  uint64_t Sum(SteadyTime now);
  void Clear() { slots_ = {}; }

 private:
  static constexpr size_t kSlots = 10;

  void Forget(SteadyTime now);

  const std::chrono::nanoseconds slot_length_;
  std::array<uint64_t, kSlots> slots_{};
  int64_t newest_ = 0;  ///< number of the slot that `now` falls into
};

/// Keeps calls away from a store that fails. Thread safe.
///
///            ≥ min_calls in the window, ≥ failure_ratio of them failed
///   kClosed ───────────────────────────────────────────────────────────▶ kOpen
///      ▲                                                                  │  ▲
///      │ `probes` calls in a row did well       the time is over: a call  │  │ a probe failed:
///      └───────────────────────────── kHalfOpen ◀─────────────────────────┘  │ open twice as long
///                                         └──────────────────────────────────┘
class CircuitBreaker {
 public:
  /// How a call went, for the store: kNeutral says nothing about it (the caller went away).
  enum class Outcome : uint8_t { kGood, kBad, kNeutral };

  /// All outlive it. `state` always tells the number of the state (null: nobody asks): were it set
  /// by callers, one that is late could leave an old state there.
  CircuitBreaker(const ResilienceOptions& options, Clock& clock, Random& random,
                 Gauge* state = nullptr);

  /// A ticket where a call may go to the store now; it is followed by one Record with the ticket.
  std::optional<uint64_t> Admit();
  void Record(uint64_t ticket, Outcome outcome);
  BreakerState state() const;
  /// Until the next call may try; zero unless open.
  std::chrono::nanoseconds RetryAfter() const;

 private:
  // With mutex_ held.
  void Enter(BreakerState state);
  void Open(SteadyTime now);

  const ResilienceOptions options_;
  Clock& clock_;
  Random& random_;
  Gauge* const gauge_;

  mutable std::mutex mutex_;
  BreakerState state_ = BreakerState::kClosed;
  RollingCount calls_;
  RollingCount failures_;
  SteadyTime open_until_{};
  std::chrono::nanoseconds open_for_;  ///< next time, before jitter
  int probes_running_ = 0;
  int probes_good_ = 0;
  uint64_t period_ =
      0;  ///< counts changes of state; the ticket. Calls of earlier ones do not count.
};

/// Allows retries in proportion to calls. Thread safe.
class RetryBudget {
 public:
  RetryBudget(double ratio, Clock& clock);

  void CountCall();
  /// Takes one retry from the budget: `ratio` of the calls of the last 10 s, plus 3 a second.
  bool TakeRetry();

 private:
  const double ratio_;
  Clock& clock_;
  std::mutex mutex_;
  RollingCount calls_;
  RollingCount retries_;
};

}  // namespace roost
