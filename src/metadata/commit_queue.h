#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "base/result.h"
#include "metadata/control_types.h"
#include "telemetry/metrics.h"

namespace roost {

/// The transactions that wait for a control store, and the one thread that carries them out, many
/// in a commit. Thread safe.
class CommitQueue {
 public:
  /// A transaction on its way, or a reservation of sequence numbers.
  struct Job {
    ControlTransaction transaction;
    uint64_t reserve = 0;         ///< numbers wanted
    uint64_t first_reserved = 0;  ///< filled in by the store
    Status status;                ///< filled in by the store
    std::function<void(Status, uint64_t first_reserved)> done;
  };
  struct Options {
    size_t max_queued = 8'192;
    size_t max_group = 512;
    uint64_t sequence_block = 1 << 20;  ///< numbers reserved by one commit; 0: only those asked for
    std::string waits_for;              ///< "the disk", for messages
    std::chrono::milliseconds idle_interval{0};  ///< 0: `idle` is never called
  };
  /// Carries the jobs out, in order, and fills in what became of them. May take long.
  using Carry = std::function<void(std::span<Job>)>;

  /// `carry` and `idle` (when nothing came for idle_interval) run on the queue's thread.
  CommitQueue(Options options, Carry carry, std::function<void()> idle, Metrics& metrics);
  /// Carries out what was accepted.
  ~CommitQueue();

  Result<uint64_t> NextSeq(uint64_t count);
  void Add(ControlTransaction transaction, std::function<void(Status)> done);

 private:
  Result<uint64_t> Reserve(uint64_t count);
  void Enqueue(Job job);
  void Work(const std::stop_token& stop);
  void CarryOut(std::vector<Job>& group);

  const Options options_;
  const Carry carry_;
  const std::function<void()> idle_;

  std::mutex sequence_mutex_;
  uint64_t next_ = 0;   ///< under sequence_mutex_
  uint64_t limit_ = 0;  ///< under sequence_mutex_

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> queue_;  ///< under mutex_
  bool stopping_ = false;  ///< under mutex_

  Counter& commits_;
  Counter& transactions_;
  Counter& failures_;
  Histogram& seconds_;
  std::jthread thread_;  ///< last: it uses everything above
};

}  // namespace roost
