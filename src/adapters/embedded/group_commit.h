#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "base/context.h"
#include "base/result.h"

namespace roost::embedded {

/// Lets many writers share one sync of the log. The first that waits leads: it lets the writers
/// that are on their way arrive, syncs, and wakes all that are covered; meanwhile the next gather
/// behind it. After a failed sync nobody is told success again. Thread safe.
class GroupCommit {
 public:
  struct Options {
    std::chrono::microseconds window{200};  ///< how long the leader waits for others at most
    uint64_t bytes = 1u << 20;              ///< it does not wait when as much is written
  };
  /// Syncs and returns the LSN up to which everything is on disk.
  using SyncLog = std::function<Result<uint64_t>()>;

  GroupCommit(Options options, SyncLog sync) : options_(options), sync_(std::move(sync)) {}

  /// A write is on its way: between Enter and the Wait of the same write (or Leave) the leader
  /// counts on it.
  void Enter();
  void Leave();
  /// Returns when everything up to `lsn` is on disk. kDeadlineExceeded and kCancelled leave the
  /// outcome unknown, as does the error of a failed sync. Ends what Enter began.
  Status Wait(const RequestContext& context, uint64_t lsn, uint64_t bytes);
  /// The error of the failed sync, if there was one.
  std::optional<Error> failure() const;
  uint64_t durable() const;

 private:
  Status WaitLocked(std::unique_lock<std::mutex>& lock, const RequestContext& context,
                    uint64_t lsn);
  void Lead(std::unique_lock<std::mutex>& lock);

  const Options options_;
  const SyncLog sync_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  uint32_t entered_ = 0;  // writes on their way, not waiting yet
  uint64_t pending_bytes_ = 0;
  uint64_t durable_ = 0;
  bool leading_ = false;
  std::optional<Error> failure_;
};

}  // namespace roost::embedded
