#include "net/endpoint_set.h"

#include <algorithm>

namespace roost {
namespace {

constexpr uint32_t kMaxDoublings = 20;

}  // namespace

EndpointSet::Lease::~Lease() {
  if (set_ != nullptr) {
    set_->Release(index_);
  }
}

EndpointSet::EndpointSet(std::vector<HostPort> hosts, EndpointOptions options, Clock& clock,
                         Random& random)
    : hosts_(std::move(hosts)),
      options_(options),
      clock_(clock),
      random_(random),
      endpoints_(hosts_.size()) {
  CHECK(!hosts_.empty());
}

EndpointSet::Lease EndpointSet::Pick(std::span<const size_t> tried) {
  const SteadyTime now = clock_.Now();
  const std::lock_guard lock(mutex_);
  size_t best = 0;
  Preference least;
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    const Endpoint& endpoint = endpoints_[i];
    Preference preference{
        .tried = std::find(tried.begin(), tried.end(), i) != tried.end(),
        // One that woke takes a single call at a time, until that call has shown that it is well.
        .resting = now < endpoint.rests_until || (endpoint.failures > 0 && endpoint.calls > 0),
        .wakes = {},
        .calls = endpoint.calls,
        .turn = (i + endpoints_.size() - next_) % endpoints_.size()};
    if (preference.resting) {
      preference.wakes = endpoint.rests_until;
    }
    if (i == 0 || preference < least) {
      best = i;
      least = preference;
    }
  }
  ++endpoints_[best].calls;
  next_ = (best + 1) % endpoints_.size();
  return {this, best};
}

void EndpointSet::Succeeded(size_t index) {
  const std::lock_guard lock(mutex_);
  endpoints_[index].failures = 0;
  endpoints_[index].rests_until = {};
}

void EndpointSet::Failed(size_t index) {
  const SteadyTime now = clock_.Now();
  const double shortened = 1.0 - random_.NextDouble() / 2;
  const std::lock_guard lock(mutex_);
  Endpoint& endpoint = endpoints_[index];
  if (now < endpoint.rests_until) {
    return;  // One event broke several calls: that is one failure.
  }
  const auto doubled =
      options_.rest_initial * (uint64_t{1} << std::min(endpoint.failures, kMaxDoublings));
  const auto rest = std::min<std::chrono::nanoseconds>(doubled, options_.rest_max);
  endpoint.rests_until =
      now +
      std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(rest.count()) * shortened));
  ++endpoint.failures;
}

void EndpointSet::Release(size_t index) {
  const std::lock_guard lock(mutex_);
  --endpoints_[index].calls;
}

std::vector<EndpointSet::State> EndpointSet::states() const {
  const SteadyTime now = clock_.Now();
  const std::lock_guard lock(mutex_);
  std::vector<State> states;
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    states.push_back({.host = hosts_[i],
                      .calls = endpoints_[i].calls,
                      .resting = now < endpoints_[i].rests_until,
                      .failures = endpoints_[i].failures});
  }
  return states;
}

}  // namespace roost
