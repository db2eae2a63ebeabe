#include "base/clock.h"

#include "base/executor.h"

namespace roost {

SteadyTime SystemClock::Now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::WallNow() const { return std::chrono::system_clock::now(); }

bool SystemClock::SleepUntil(SteadyTime until, std::stop_token stop) {
  const BlockingSection blocking;
  std::mutex mutex;
  std::condition_variable_any never_notified;
  std::unique_lock lock(mutex);
  never_notified.wait_until(lock, stop, until, [] { return false; });
  return Now() >= until;
}

SteadyTime FakeClock::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

WallTime FakeClock::WallNow() const {
  std::lock_guard lock(mutex_);
  return wall_;
}

bool FakeClock::SleepUntil(SteadyTime until, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  ++sleepers_;
  fell_asleep_.notify_all();
  const bool reached = moved_.wait(lock, std::move(stop), [&] { return now_ >= until; });
  --sleepers_;
  return reached;
}

void FakeClock::Advance(std::chrono::nanoseconds duration) {
  std::lock_guard lock(mutex_);
  now_ += std::chrono::duration_cast<SteadyTime::duration>(duration);
  wall_ += std::chrono::duration_cast<WallTime::duration>(duration);
  moved_.notify_all();
}

void FakeClock::AwaitSleepers(size_t count) {
  std::unique_lock lock(mutex_);
  fell_asleep_.wait(lock, [&] { return sleepers_ >= count; });
}

int64_t ToUnixMicros(WallTime time) {
  return std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace roost
