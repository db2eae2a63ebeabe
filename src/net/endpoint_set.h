#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "net/store_address.h"

namespace roost {

struct EndpointOptions {
  std::chrono::milliseconds rest_initial{250};  ///< after the first failure; doubles
  std::chrono::milliseconds rest_max{30'000};
};

/// Several endpoints of one store, and which of them the next call should use.
///
/// Among the healthy ones that with the fewest calls in progress is next, in turn where they are
/// equal. One that failed rests: rest_initial, then twice as long after each further failure up to
/// rest_max, shortened by up to a half at random so that not all clients return at once. After its
/// rest it gets one call at a time until one succeeds. When all rest, that which wakes first is
/// used all the same: a call is what finds out. Thread safe; outlives its leases.
class EndpointSet {
 public:
  /// One call to one endpoint. Say how it went before it is destroyed, else it counts as neither
  /// (a cancelled call says nothing about the endpoint).
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : set_(std::exchange(other.set_, nullptr)), index_(other.index_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    size_t index() const { return index_; }
    const HostPort& host() const { return set_->hosts_[index_]; }
    /// The endpoint answered, be it with an error.
    void Succeeded() const { set_->Succeeded(index_); }
    /// It could not be reached or broke off.
    void Failed() const { set_->Failed(index_); }

   private:
    friend class EndpointSet;
    Lease(EndpointSet* set, size_t index) : set_(set), index_(index) {}
    EndpointSet* set_;
    size_t index_;
  };

  struct State {
    HostPort host;
    size_t calls = 0;  ///< in progress
    bool resting = false;
    uint32_t failures = 0;  ///< since the last success
  };

  /// Precondition: `hosts` is not empty. `clock` and `random` outlive the set.
  EndpointSet(std::vector<HostPort> hosts, EndpointOptions options, Clock& clock, Random& random);
  EndpointSet(const EndpointSet&) = delete;
  EndpointSet& operator=(const EndpointSet&) = delete;

  /// Those in `tried` (indexes) come last: for a repeated call.
  Lease Pick(std::span<const size_t> tried = {});
  size_t size() const { return hosts_.size(); }
  const HostPort& host(size_t index) const { return hosts_[index]; }
  std::vector<State> states() const;

 private:
  struct Endpoint {
    size_t calls = 0;
    uint32_t failures = 0;
    SteadyTime rests_until{};
  };
  /// Orders endpoints: the least is used next.
  struct Preference {
    bool tried = false;
    bool resting = false;
    SteadyTime wakes{};
    size_t calls = 0;
    size_t turn = 0;
    auto operator<=>(const Preference&) const = default;
  };

  void Succeeded(size_t index);
  void Failed(size_t index);
  void Release(size_t index);

  const std::vector<HostPort> hosts_;
  const EndpointOptions options_;
  Clock& clock_;
  Random& random_;

  mutable std::mutex mutex_;
  std::vector<Endpoint> endpoints_;
  size_t next_ = 0;
};

}  // namespace roost
