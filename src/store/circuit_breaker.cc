#include "store/circuit_breaker.h"

#include <algorithm>

namespace roost {
namespace {

constexpr std::chrono::seconds kBudgetWindow{10};
constexpr double kRetriesPerSecond = 3;

}  // namespace

void RollingCount::Forget(SteadyTime now) {
  const int64_t slot = now.time_since_epoch() / std::max(slot_length_, std::chrono::nanoseconds(1));
  // A clock that is a little behind another thread's adds to the newest slot.
  for (int64_t next = std::max(newest_ + 1, slot - static_cast<int64_t>(kSlots) + 1); next <= slot;
       ++next) {
    slots_[static_cast<size_t>(next) % kSlots] = 0;
  }
  newest_ = std::max(newest_, slot);
}

void RollingCount::Add(SteadyTime now, uint64_t amount) {
  Forget(now);
  slots_[static_cast<size_t>(newest_) % kSlots] += amount;
}

uint64_t RollingCount::Sum(SteadyTime now) {
  Forget(now);
  uint64_t sum = 0;
  for (const uint64_t slot : slots_) {
    sum += slot;
  }
  return sum;
}

CircuitBreaker::CircuitBreaker(const ResilienceOptions& options, Clock& clock, Random& random,
                               Gauge* state)
    : options_(options),
      clock_(clock),
      random_(random),
      gauge_(state),
      calls_(options.breaker_window),
      failures_(options.breaker_window),
      open_for_(options.breaker_open) {}

std::optional<uint64_t> CircuitBreaker::Admit() {
  const std::lock_guard lock(mutex_);
  if (state_ == BreakerState::kOpen && clock_.Now() >= open_until_) {
    Enter(BreakerState::kHalfOpen);
  }
  if (state_ == BreakerState::kOpen) {
    return std::nullopt;
  }
  if (state_ == BreakerState::kHalfOpen) {
    if (probes_running_ + probes_good_ >= std::max(options_.breaker_probes, 1)) {
      return std::nullopt;
    }
    ++probes_running_;
  }
  return period_;
}

void CircuitBreaker::Record(uint64_t ticket, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (ticket != period_) {
    return;  // it began before the state changed
  }
  const SteadyTime now = clock_.Now();
  if (state_ == BreakerState::kHalfOpen) {
    --probes_running_;
    if (outcome == Outcome::kBad) {
      Open(now);
    } else if (outcome == Outcome::kGood &&
               ++probes_good_ >= std::max(options_.breaker_probes, 1)) {
      open_for_ = options_.breaker_open;
      Enter(BreakerState::kClosed);
    }
    return;
  }
  if (outcome == Outcome::kNeutral) {
    return;
  }
  calls_.Add(now, 1);
  failures_.Add(now, outcome == Outcome::kBad ? 1 : 0);
  const auto calls = static_cast<double>(calls_.Sum(now));
  const auto failures = static_cast<double>(failures_.Sum(now));
  if (calls >= options_.breaker_min_calls && failures > 0 &&
      failures >= options_.breaker_failure_ratio * calls) {
    Open(now);
  }
}

void CircuitBreaker::Enter(BreakerState state) {
  state_ = state;
  if (gauge_ != nullptr) {
    gauge_->Set(static_cast<double>(state));
  }
  ++period_;
  probes_running_ = 0;
  probes_good_ = 0;
  calls_.Clear();
  failures_.Clear();
}

void CircuitBreaker::Open(SteadyTime now) {
  Enter(BreakerState::kOpen);
  // Up to a tenth longer, so that many gateways do not try again in the same moment.
  const double jitter = 1 + 0.1 * random_.NextDouble();
  open_until_ = now + std::chrono::nanoseconds(
                          static_cast<int64_t>(static_cast<double>(open_for_.count()) * jitter));
  open_for_ = std::min<std::chrono::nanoseconds>(open_for_ * 2, options_.breaker_open_max);
}

BreakerState CircuitBreaker::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::chrono::nanoseconds CircuitBreaker::RetryAfter() const {
  const std::lock_guard lock(mutex_);
  if (state_ != BreakerState::kOpen) {
    return {};
  }
  return std::max<std::chrono::nanoseconds>(open_until_ - clock_.Now(), {});
}

RetryBudget::RetryBudget(double ratio, Clock& clock)
    : ratio_(ratio), clock_(clock), calls_(kBudgetWindow), retries_(kBudgetWindow) {}

void RetryBudget::CountCall() {
  const std::lock_guard lock(mutex_);
  calls_.Add(clock_.Now(), 1);
}

bool RetryBudget::TakeRetry() {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.Now();
  const double allowed = ratio_ * static_cast<double>(calls_.Sum(now)) +
                         kRetriesPerSecond * static_cast<double>(kBudgetWindow.count());
  if (static_cast<double>(retries_.Sum(now)) + 1 > allowed) {
    return false;
  }
  retries_.Add(now, 1);
  return true;
}

}  // namespace roost
