#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "base/context.h"
#include "metadata/control_store.h"

namespace roost {

/// A transaction that was handed over and is waited for later: Start under the mutex that orders
/// the changes, Wait after releasing it. For one thread.
class PendingCommit {
 public:
  /// Does not wait.
  void Start(ControlStore& store, ControlTransaction transaction);
  /// Returns once durable or failed; when the request ends first, an error with outcome_unknown.
  /// Success when nothing was started.
  Status Wait(const RequestContext& context);

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Status> status;  ///< under mutex
  };
  std::shared_ptr<State> state_;  ///< shared with the store's callback
};

}  // namespace roost
