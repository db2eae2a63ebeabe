#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "adapters/embedded/core.h"
#include "base/context.h"

namespace roost::embedded {

/// Turns rows in memory into segment files, segments into larger ones, and builds their indexes.
///
///   active ──full──▶ frozen ──flush──▶ sealed ──build──▶ sealed with graph ──merge──▶ larger
///   sealed
///
/// Two threads: one flushes (memory waits for it), one builds and merges (may take minutes). A step
/// that fails is tried again later; damage quarantines the collection.
class Maintenance {
 public:
  explicit Maintenance(Core& core) : core_(core) {}
  /// Stops the threads; running builds are broken off.
  ~Maintenance() { Stop(); }

  void StartThreads();
  void Stop();
  /// There may be something to do.
  void Wake();
  /// Nothing is left to do or the context ends. Without threads it does the work itself.
  Status WaitIdle(const RequestContext& context);
  /// Flushes the collection and merges all its segments into one.
  Status Compact(const RequestContext& context, const std::string& collection);
  /// Freezes and flushes everything, so that the log is not needed. For closing.
  Status FlushAll();
  bool busy() const;

 private:
  /// A bounded piece of work; false when there was nothing to do.
  using Step = std::function<Result<bool>(std::stop_token)>;

  Result<bool> FlushStep();
  Result<bool> BuildStep(std::stop_token stop);
  Result<bool> FreeLog();
  bool FreezeLargest();
  bool FreezeIdle();
  bool NobodyWrites() const;
  bool Idle() const;
  void Run(std::stop_token stop, const Step& step, std::atomic<bool>& working);
  Status FlushCollection(const std::shared_ptr<Collection>& collection);
  Status Drain(const RequestContext& context);

  Core& core_;
  std::mutex flush_mutex_;      // held for one flush step
  std::mutex build_mutex_;      // held for one build step
  uint64_t freed_at_file_ = 0;  // of the log; guarded by flush_mutex_

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  uint64_t wakes_ = 0;
  std::atomic<bool> flushing_{false};
  std::atomic<bool> building_{false};
  std::jthread flusher_;
  std::jthread builder_;
};

}  // namespace roost::embedded
