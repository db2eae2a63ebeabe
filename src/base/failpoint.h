#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

/// Named places in the code where a test can make something happen. Compiled in with
/// ROOST_FAILPOINTS (test builds); elsewhere FAILPOINT() is nothing.
///
/// A specification is "name=action[;name=action]…", action one of `error` (FAILPOINT_ERROR returns
/// kUnavailable), `error*N` (the first N times), `sleep:MS`, `kill` (SIGKILL to ourselves),
/// `kill@N` (at the Nth pass since it was set), `abort`, `off`. The environment variable
/// ROOST_FAILPOINTS is read before the first pass. Thread safe.
class Failpoints {
 public:
  /// Arms the places named; others stay as they are. kInvalidArgument changes nothing.
  static Status Set(std::string_view specification);
  /// Disarms all and forgets the counts.
  static void Clear();
  /// How often the place was passed since the last Clear, whether or not it was armed.
  static uint64_t Hits(std::string_view name);
  /// Carries out the action; true when the place shall fail.
  static bool Pass(std::string_view name);
};

}  // namespace roost

#ifdef ROOST_FAILPOINTS
#define FAILPOINT(name) static_cast<void>(::roost::Failpoints::Pass(name))
/// Returns kUnavailable from the enclosing function when the place is armed with `error`.
#define FAILPOINT_ERROR(name)                                                     \
  do {                                                                            \
    if (::roost::Failpoints::Pass(name)) {                                        \
      return ::roost::Unavailable(std::string("failpoint ") + std::string(name)); \
    }                                                                             \
  } while (false)
#else
#define FAILPOINT(name) static_cast<void>(0)
#define FAILPOINT_ERROR(name) static_cast<void>(0)
#endif
