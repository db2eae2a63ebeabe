#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace roost {

/// Runs blocking jobs on threads that grow on demand up to a limit. Thread safe.
///
/// A job starts on an idle thread, else on a new one while there are fewer than `max_threads` and
/// fewer than `max_running` jobs use the processor, else waits in a queue. When `max_threads` jobs
/// have begun and `max_queue` wait, Submit refuses at once with kResourceExhausted. Threads idle
/// for `idle_seconds` end. The destructor finishes queued jobs and joins every thread; it must not
/// run inside a job. What a job throws is logged and dropped.
///
/// Jobs that compute are thus not switched in and out by the dozen, while jobs that wait, each
/// inside a BlockingSection, do not keep others from starting. A job that waits without saying so
/// is found out within `kPatience`, and counted as one that waits.
class Executor {
 public:
  struct Options {
    std::string name;  ///< thread name, 15 bytes at most; also the metrics label
    size_t max_threads = 64;
    size_t max_queue = 1024;
    size_t max_running = 0;  ///< jobs outside of any BlockingSection at once; 0: as many as threads
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
  friend class BlockingSection;
  struct Worker;

  using WorkerList = std::list<std::shared_ptr<Worker>>;

  bool StartWorker(std::function<void()>& job);
  std::shared_ptr<Worker> Dispatch();
  void Work(WorkerList::iterator self);
  void Run(std::function<void()> job) const;
  bool AwaitJob(Worker& worker, std::unique_lock<std::mutex>& lock);
  bool StopCounting(Worker& worker);
  void CountAgain(Worker& worker);
  void Watch();

  static thread_local Worker* this_worker_;  ///< whose job this thread runs

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::deque<std::function<void()>> queue_;
  WorkerList workers_;
  std::vector<Worker*> idle_;         ///< the last to become idle is the first to get a job
  std::vector<std::thread> leaving_;  ///< left Work(); joined by the next Submit or the destructor
  size_t running_ = 0;                ///< jobs that are counted against max_running
  uint64_t taken_ = 0;                ///< jobs taken off the queue, ever
  uint64_t refused_ = 0;
  bool stopping_ = false;

  std::thread watch_;  ///< runs while max_running is below max_threads and there was a job
  std::condition_variable watch_wake_;
  bool watch_sleeps_ = false;
};

/// While it lives, the job of this thread waits (for network, disk, a lock that is held long) and
/// leaves its share of the processor to another job of its executor. Nothing on other threads, and
/// nothing inside another BlockingSection. Must not outlive its scope.
class BlockingSection {
 public:
  BlockingSection();
  ~BlockingSection();
  BlockingSection(const BlockingSection&) = delete;
  BlockingSection& operator=(const BlockingSection&) = delete;

 private:
  Executor::Worker* worker_ = nullptr;  ///< null: nothing to give back
};

}  // namespace roost
