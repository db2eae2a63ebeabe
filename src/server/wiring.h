#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "server/config.h"

namespace roost {

/// Roost's version: "0.1.0".
std::string Version();

/// A running server: everything from the disk to the listener, wired.
class Server {
 public:
  /// Opens the stores, resumes moves and listens. Errors say what could not be opened and why.
  static Result<std::unique_ptr<Server>> Start(const ServerConfig& config);
  virtual ~Server() = default;
  virtual uint16_t port() const = 0;
  /// Not ready at once, requests in flight end (drain), then everything closes. Idempotent.
  virtual void Stop() = 0;
};

/// `roost serve`: runs until SIGTERM or SIGINT, then drains; a second signal ends it at once.
/// Returns the process's exit status.
int RunServer(const LoadedConfig& loaded);

}  // namespace roost
