#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "net/grpc_connection.h"

namespace roost {

/// The connections to one endpoint: opened when a call needs one, replaced when they end. Thread
/// safe.
class GrpcChannel {
 public:
  /// All outlive the channel; `tls` is null for clear text. `open`, `opened`, `failed` count
  /// connections.
  struct Parts {
    const GrpcOptions& options;
    const TlsContext* tls;
    Clock& clock;
    Gauge& open;
    Counter& opened;
    Counter& failed;
  };
  GrpcChannel(HostPort host, Parts parts);
  ~GrpcChannel();
  GrpcChannel(const GrpcChannel&) = delete;
  GrpcChannel& operator=(const GrpcChannel&) = delete;

  /// A connection that takes calls. Of several callers that need a new one, one opens it and all
  /// get what it got, save when that was the end of its own time.
  Result<std::shared_ptr<GrpcConnection>> Get(const RequestContext& context);
  /// Once a second.
  void Tend();

 private:
  struct Attempt {
    bool done = false;
    std::optional<Error> error;  ///< for those who wait
  };
  struct Slot {
    std::shared_ptr<GrpcConnection> connection;
    std::shared_ptr<Attempt> attempt;  ///< somebody is opening it
  };

  Result<std::shared_ptr<GrpcConnection>> Open(const RequestContext& context, Slot& slot,
                                               std::unique_lock<std::mutex>& lock);

  const HostPort host_;
  const Parts parts_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;
  size_t next_ = 0;
  std::vector<std::weak_ptr<GrpcConnection>> all_;  ///< also those whose last calls are under way
};

}  // namespace roost
