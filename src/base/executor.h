#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace roost {

/// Runs blocking jobs on threads that grow on demand up to a limit. Thread safe.
///
/// A job starts on an idle thread, else on a new one while there are fewer than `max_threads`, else
/// waits in a queue of `max_queue`. When that is full, Submit refuses at once with
/// kResourceExhausted. Threads idle for `idle_seconds` end. The destructor finishes queued jobs and
/// joins every thread; it must not run inside a job. What a job throws is logged and dropped.
class Executor {
 public:
  struct Options {
    std::string name;  ///< thread name, 15 bytes at most; also the metrics label
    size_t max_threads = 64;
    size_t max_queue = 1024;
    int idle_seconds = 30;
  };
  struct Stats {
    size_t threads = 0;
    size_t idle = 0;
    size_t queued = 0;
    uint64_t refused = 0;
  };

  explicit Executor(Options options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// kResourceExhausted when full, kUnavailable once the destructor runs.
  Status Submit(std::function<void()> job);
  Stats stats() const;

 private:
  using Worker = std::list<std::thread>::iterator;

  bool StartWorker(std::function<void()>& job);
  void Work(Worker self, std::function<void()> job);
  void Run(std::function<void()> job) const;

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<std::function<void()>> queue_;
  std::list<std::thread> workers_;
  std::vector<std::thread> leaving_;  ///< left Work(); joined by the next Submit or the destructor
  size_t idle_ = 0;
  uint64_t refused_ = 0;
  bool stopping_ = false;
};

}  // namespace roost
