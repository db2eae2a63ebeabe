#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// What a check's failure means to whoever runs the process.
enum class HealthImpact {
  kRestart,   ///< only a new process helps: /healthz and /readyz fail
  kNotReady,  ///< send requests elsewhere until it is over: /readyz fails
  kDegraded,  ///< worth knowing: shown, nothing fails
};

/// An answer of /healthz or /readyz.
struct HealthReport {
  bool ok = false;   ///< HTTP 200, else 503
  std::string json;  ///< {"status":"ready","checks":[{"name":"store/main","status":"ok"}]}
};

/// Whether the process lives and should be given work. Thread safe.
///
/// Live: the process answers and no kRestart check fails; a store that is down is no reason to
/// restart a gateway. Ready: SetReady(true) was called, it does not drain, and no check but a
/// kDegraded one fails. `status` is one of `ok`, `degraded`, `failing` for /healthz, and `ready`,
/// `degraded`, `failing`, `starting`, `draining` for /readyz. A failing check shows its code, and
/// its message too, so messages must not hold secrets.
class HealthRegistry {
 public:
  /// Must answer from memory within microseconds: it runs in whoever asks, perhaps on an event
  /// loop. What it throws counts as failure.
  using Check = std::function<Status()>;

  /// Replaces a check of the same name. Checks are shown in the order they came.
  void AddCheck(std::string name, HealthImpact impact, Check check);
  /// Absent is success. A check that runs meanwhile may still end after this returns.
  void RemoveCheck(std::string_view name);

  /// False at first: set when start-up is complete.
  void SetReady(bool ready);
  /// Set when the process is asked to stop: balancers then look elsewhere.
  void SetDraining(bool draining);
  bool ready() const;
  bool draining() const;

  HealthReport Live() const;
  HealthReport Ready() const;

 private:
  struct Entry {
    std::string name;
    HealthImpact impact;
    std::shared_ptr<const Check> check;
  };
  struct Snapshot {
    bool ready = false;
    bool draining = false;
    std::vector<Entry> checks;
  };

  Snapshot Copy() const;

  mutable std::mutex mutex_;
  Snapshot state_;
};

}  // namespace roost
