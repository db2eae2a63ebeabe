#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "store/fake_store.h"
#include "store/intercepted_store.h"

namespace roost {

/// For tests: a FakeStore that gives the errors it is told to, call by call, and counts calls.
/// Thread safe where `on_call` is.
class ScriptedStore final : public InterceptedStore<ScriptedStore> {
 public:
  ScriptedStore() : ScriptedStore(MakeFakeStore()) {}

  /// The next `times` calls give the error and do nothing.
  void Fail(Error error, int times = 1) {
    const std::lock_guard lock(mutex_);
    errors_.insert(errors_.end(), static_cast<size_t>(times), error);
  }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall call, Run run) -> decltype(run(context)) {
    std::optional<Error> error;
    {
      const std::lock_guard lock(mutex_);
      ++calls_;
      if (!errors_.empty()) {
        error = std::move(errors_.front());
        errors_.pop_front();
      }
    }
    if (on_call) {
      on_call(context, call);
    }
    if (error) {
      return *std::move(error);
    }
    return run(context);
  }

  /// Inside every call. Set before the first.
  std::function<void(const RequestContext&, StoreCall)> on_call;

 private:
  explicit ScriptedStore(std::unique_ptr<VectorStore> store)
      : InterceptedStore(*store), store_(std::move(store)) {}

  std::unique_ptr<VectorStore> store_;
  mutable std::mutex mutex_;
  std::deque<Error> errors_;
  int calls_ = 0;
};

/// For tests: a clock whose sleepers do not wait: the time they sleep for passes at once.
class LeapingClock final : public Clock {
 public:
  SteadyTime Now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  WallTime WallNow() const override { return {}; }
  bool SleepUntil(SteadyTime until, std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    if (stop.stop_requested()) {
      return false;
    }
    sleeps_.push_back(until - now_);
    now_ = until > now_ ? until : now_;
    return true;
  }
  void Advance(std::chrono::nanoseconds duration) {
    const std::lock_guard lock(mutex_);
    now_ += duration;
  }
  std::vector<std::chrono::nanoseconds> sleeps() const {
    const std::lock_guard lock(mutex_);
    return sleeps_;
  }

 private:
  mutable std::mutex mutex_;
  SteadyTime now_{std::chrono::hours(1)};
  std::vector<std::chrono::nanoseconds> sleeps_;
};

/// For tests: always the same number of [0, 1).
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(double fraction)
      : next_(static_cast<uint64_t>(fraction * 0x1.0p53) << 11) {}
  uint64_t Next() override { return next_; }

 private:
  const uint64_t next_;
};

}  // namespace roost
