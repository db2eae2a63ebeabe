#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace roost {

/// The moment after which nobody waits for the answer any more. Monotonic.
struct Deadline {
  SteadyTime time = SteadyTime::max();

  static Deadline Infinite() { return {}; }
  /// A duration too long for the clock gives an infinite deadline.
  static Deadline After(std::chrono::nanoseconds duration) {
    const auto now = std::chrono::steady_clock::now();
    if (duration >= SteadyTime::max() - now) {
      return Infinite();
    }
    return {now + std::chrono::duration_cast<SteadyTime::duration>(duration)};
  }
  bool infinite() const { return time == SteadyTime::max(); }
  bool Passed() const { return !infinite() && std::chrono::steady_clock::now() >= time; }
  /// Zero when passed; hours(24) when infinite.
  std::chrono::nanoseconds Remaining() const;
  /// The earlier of the two.
  Deadline Min(Deadline other) const { return time < other.time ? *this : other; }
};

/// Who asks, until when, and how to stop. Passed first to everything that may wait. A value: cheap
/// to copy, never stored beyond the request.
struct RequestContext {
  std::string request_id;
  std::string principal;
  Deadline deadline;
  std::stop_token stop;

  /// kDeadlineExceeded or kCancelled when the request is over, naming `doing`.
  Status CheckAlive(std::string_view doing) const;
  /// The same request with a deadline at most `timeout` from now.
  RequestContext WithTimeout(std::chrono::nanoseconds timeout) const;
};

}  // namespace roost
