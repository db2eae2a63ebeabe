#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>

namespace roost {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// Time as the product sees it. Thread safe. Leases, deadlines and timeouts use Now(); only what is
/// shown to people or stored as data uses WallNow().
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
  /// Returns true when `until` was reached, false when `stop` was requested first.
  virtual bool SleepUntil(SteadyTime until, std::stop_token stop) = 0;

  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) {
    return SleepUntil(Now() + std::chrono::duration_cast<SteadyTime::duration>(duration),
                      std::move(stop));
  }
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  SteadyTime Now() const override;
  WallTime WallNow() const override;
  bool SleepUntil(SteadyTime until, std::stop_token stop) override;
};

/// A clock that stands still until a test moves it. Sleepers wake when it passes their time.
class FakeClock final : public Clock {
 public:
  SteadyTime Now() const override;
  WallTime WallNow() const override;
  bool SleepUntil(SteadyTime until, std::stop_token stop) override;
  void Advance(std::chrono::nanoseconds duration);
  /// Blocks (in real time) until `count` threads are inside SleepUntil: what a test needs before
  /// it moves the clock.
  void AwaitSleepers(size_t count);

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any moved_;
  std::condition_variable_any fell_asleep_;
  size_t sleepers_ = 0;
  SteadyTime now_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
};

/// Microseconds since 1970-01-01 UTC: how timestamps are stored.
int64_t ToUnixMicros(WallTime time);

}  // namespace roost
