#include "store/resilient_store.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "store/circuit_breaker.h"
#include "store/intercepted_store.h"

namespace roost {
namespace {

using Outcome = CircuitBreaker::Outcome;

bool IsBulk(StoreCall call) {
  return call == StoreCall::kScan || (IsWrite(call) && call != StoreCall::kDropCollection &&
                                      call != StoreCall::kCreateCollection);
}

/// When a store last answered calls of a kind. Thread safe.
class SignsOfLife {
 public:
  void Answered(StoreCall call, SteadyTime now) {
    Of(call).store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  bool Since(StoreCall call, SteadyTime start) {
    return Of(call).load(std::memory_order_relaxed) > start.time_since_epoch().count();
  }

 private:
  std::atomic<SteadyTime::rep>& Of(StoreCall call) { return IsWrite(call) ? writes_ : reads_; }

  std::atomic<SteadyTime::rep> reads_{std::numeric_limits<SteadyTime::rep>::min()};
  std::atomic<SteadyTime::rep> writes_{std::numeric_limits<SteadyTime::rep>::min()};
};

/// A place among the calls in flight, given back at the end.
class Slot {
 public:
  Slot(std::atomic<size_t>& in_flight, Gauge& gauge, size_t limit)
      : in_flight_(in_flight), gauge_(gauge), taken_(in_flight.fetch_add(1) < limit) {
    gauge_.Add(1);
  }
  ~Slot() {
    in_flight_.fetch_sub(1);
    gauge_.Add(-1);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  bool taken() const { return taken_; }

 private:
  std::atomic<size_t>& in_flight_;
  Gauge& gauge_;
  const bool taken_;
};

class ResilientStoreImpl final : public InterceptedStore<ResilientStoreImpl, ResilientStore> {
 public:
  ResilientStoreImpl(std::string name, VectorStore& inner, ResilienceOptions options, Clock& clock,
                     Random& random, Metrics& metrics)
      : InterceptedStore(inner),
        name_(std::move(name)),
        options_(options),
        clock_(clock),
        random_(random),
        breaker_(options, clock, random,
                 &metrics.GetGauge("roost_store_breaker_state", "0 closed, 1 half open, 2 open",
                                   {{"store", name_}})),
        budget_(options.retry_budget_ratio, clock),
        gauge_(metrics.GetGauge("roost_store_in_flight", "Calls a store is working on",
                                {{"store", name_}})),
        retries_(metrics.GetCounter("roost_store_retries_total", "Calls made again",
                                    {{"store", name_}})),
        refused_full_(metrics.GetCounter("roost_store_refused_total", "Calls not passed on",
                                         {{"store", name_}, {"reason", "limit"}})),
        refused_open_(metrics.GetCounter("roost_store_refused_total", "Calls not passed on",
                                         {{"store", name_}, {"reason", "breaker"}})) {}

  BreakerState breaker() const override { return breaker_.state(); }

  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall call, Run run) -> decltype(run(context)) {
    const Slot slot(in_flight_, gauge_, options_.max_concurrent_calls);
    if (!slot.taken()) {
      refused_full_.Increment();
      return ResourceExhausted("store \"" + name_ + "\" has " +
                               std::to_string(options_.max_concurrent_calls) +
                               " calls in flight; try again later");
    }
    budget_.CountCall();
    for (int attempt = 1;; ++attempt) {
      const auto ticket = breaker_.Admit();
      if (!ticket) {
        refused_open_.Increment();
        return Refusal();
      }
      auto result = Try(context, call, *ticket, run);
      if (result.ok() || attempt >= MaxAttempts(call) ||
          !MayRepeat(context, call, result.error()) || !WaitToRepeat(context, attempt)) {
        return result;
      }
    }
  }

 private:
  int MaxAttempts(StoreCall call) const {
    return call == StoreCall::kCheckHealth ? 1 : options_.max_attempts;
  }

  template <typename Run>
  auto Try(const RequestContext& context, StoreCall call, uint64_t ticket, Run& run)
      -> decltype(run(context)) {
    const SteadyTime start = clock_.Now();
    auto result =
        run(context.WithTimeout(IsBulk(call) ? options_.bulk_timeout : options_.call_timeout));
    const Outcome outcome = Judge(context, call, result.code(), start);
    if (outcome == Outcome::kGood && call != StoreCall::kCheckHealth) {
      signs_.Answered(call, clock_.Now());
    }
    breaker_.Record(ticket, outcome);
    return result;
  }

  /// What the result says about the store.
  Outcome Judge(const RequestContext& context, StoreCall call, Code code, SteadyTime start) {
    // At its deadline a request is answered and stopped by the edge, often before the store's call
    // ends: that is a deadline, not a caller who went away.
    if (context.stop.stop_requested() && !context.deadline.Passed()) {
      return code == Code::kOk ? Outcome::kGood : Outcome::kNeutral;
    }
    if (context.stop.stop_requested() && code == Code::kCancelled) {
      code = Code::kDeadlineExceeded;
    }
    switch (code) {
      case Code::kUnavailable:
      case Code::kInternal:
      case Code::kUnknown:
      case Code::kDataLoss:
        return Outcome::kBad;
      case Code::kDeadlineExceeded:
        return clock_.Now() - start >= std::min(options_.slow_call, options_.call_timeout) &&
                       !signs_.Since(call, start)
                   ? Outcome::kBad
                   : Outcome::kNeutral;
      case Code::kCancelled:
      case Code::kResourceExhausted:  // busy, but there: it asks for fewer calls, not for none
      case Code::kAborted:
        return Outcome::kNeutral;
      default:
        return Outcome::kGood;  // it answered
    }
  }

  bool MayRepeat(const RequestContext& context, StoreCall call, const Error& error) const {
    if (context.stop.stop_requested() || context.deadline.Passed()) {
      return false;
    }
    if (IsWrite(call)) {
      return IsRetryable(error.code) && !error.outcome_unknown;
    }
    // A deadline that is not the request's own was this attempt's.
    return IsRetryable(error.code) || error.code == Code::kDeadlineExceeded;
  }

  /// Full jitter (Brooker 2015). False where the budget or the request's time does not allow it.
  bool WaitToRepeat(const RequestContext& context, int attempt) {
    const double limit =
        std::min(static_cast<double>(options_.backoff_max.count()),
                 static_cast<double>(options_.backoff_initial.count()) *
                     static_cast<double>(uint64_t{1} << std::min(attempt - 1, 30)));
    const std::chrono::duration<double, std::milli> wait(limit * random_.NextDouble());
    const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(wait);
    if (pause >= context.deadline.Remaining() || !budget_.TakeRetry()) {
      return false;
    }
    if (!clock_.SleepFor(pause, context.stop)) {
      return false;
    }
    retries_.Increment();
    return true;
  }

  Error Refusal() const {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(breaker_.RetryAfter()).count();
    return Unavailable("store \"" + name_ + "\" failed too often and is left alone" +
                       (seconds > 0 ? " for " + std::to_string(seconds) + " s more"
                                    : " until a few trial calls have come back") +
                       "; try again later");
  }

  const std::string name_;
  const ResilienceOptions options_;
  Clock& clock_;
  Random& random_;
  CircuitBreaker breaker_;
  RetryBudget budget_;
  SignsOfLife signs_;
  std::atomic<size_t> in_flight_ = 0;
  Gauge& gauge_;
  Counter& retries_;
  Counter& refused_full_;
  Counter& refused_open_;
};

}  // namespace

std::unique_ptr<ResilientStore> MakeResilientStore(std::string name, VectorStore& inner,
                                                   ResilienceOptions options, Clock& clock,
                                                   Random& random, Metrics& metrics) {
  return std::make_unique<ResilientStoreImpl>(std::move(name), inner, options, clock, random,
                                              metrics);
}

}  // namespace roost
