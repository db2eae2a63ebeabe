#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace roost {

/// Refreshes of one store, shared: callers that wait at the same time are served by one refresh
/// that began after they asked. Thread safe.
class OsRefresher {
 public:
  using Refresh = std::function<Status(const RequestContext&)>;

  /// Returns when a refresh of the index that began after this call has succeeded. `refresh` does
  /// it, for this caller or for several.
  Status Run(const RequestContext& context, const std::string& index, const Refresh& refresh);

 private:
  struct State {
    bool running = false;
    uint64_t begun = 0;
    uint64_t succeeded = 0;  ///< the last begun that succeeded
    uint32_t users = 0;
  };
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, State> states_;
};

}  // namespace roost
