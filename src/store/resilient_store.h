#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

/// How a store is called when it is slow, failing or away.
struct ResilienceOptions {
  size_t max_concurrent_calls = 128;  ///< above: kResourceExhausted at once
  std::chrono::milliseconds call_timeout{30'000};
  std::chrono::milliseconds bulk_timeout{60'000};  ///< writes and scans
  int max_attempts = 3;  ///< reads, and writes that did not reach the store
  std::chrono::milliseconds backoff_initial{50};
  std::chrono::milliseconds backoff_max{2'000};
  double retry_budget_ratio = 0.1;     ///< retries per call over the last 10 s, plus 3 a second
  double breaker_failure_ratio = 0.5;  ///< of ≥ breaker_min_calls in breaker_window
  int breaker_min_calls = 20;
  std::chrono::milliseconds breaker_window{10'000};
  std::chrono::milliseconds breaker_open{5'000};  ///< doubles to breaker_open_max, with jitter
  std::chrono::milliseconds breaker_open_max{60'000};
  int breaker_probes = 5;
  /// A deadline counts against the store when it passes after at least this long (a shorter one was
  /// the caller's choice) without that the store answered another call meanwhile, reads judged by
  /// reads and writes by writes: a store that is slow is not dead, and those who can wait for it,
  /// as a move's copy can, must not be kept away by those who cannot.
  std::chrono::milliseconds slow_call{1'000};
};

enum class BreakerState : uint8_t { kClosed, kHalfOpen, kOpen };

/// Timeouts, retries with budget and full jitter, a limit on calls in flight, a circuit breaker.
/// The caller's own errors (kInvalidArgument, kNotFound, …) and cancels never count against the
/// store.
///
/// Reads are tried again after what IsRetryable allows and after call_timeout; writes only where
/// the error is retryable and its outcome known, that is, nothing was done. CheckHealth is never
/// repeated. While the breaker is open every call is kUnavailable at once. A call holds its place
/// among max_concurrent_calls while it waits to be repeated. Metrics: roost_store_in_flight,
/// roost_store_breaker_state (0 closed, 1 half open, 2 open), roost_store_retries_total,
/// roost_store_refused_total{reason="limit"|"breaker"}, all with {store}.
class ResilientStore : public VectorStore {
 public:
  virtual BreakerState breaker() const = 0;
};
/// `inner`, `clock`, `random`, `metrics` outlive it. `name` labels the metrics.
std::unique_ptr<ResilientStore> MakeResilientStore(std::string name, VectorStore& inner,
                                                   ResilienceOptions options, Clock& clock,
                                                   Random& random, Metrics& metrics);

/// Counts and times every call: roost_store_calls_total{store,call,code},
/// roost_store_call_seconds{store,call}.
std::unique_ptr<VectorStore> MakeInstrumentedStore(std::string name, VectorStore& inner,
                                                   Metrics& metrics);

}  // namespace roost
