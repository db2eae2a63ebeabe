#include "base/executor.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "base/log.h"

namespace roost {

/// Shared, so that who wakes a worker after giving the lock back still has it.
struct Executor::Worker : std::enable_shared_from_this<Worker> {
  explicit Worker(Executor& of) : executor(of) {}

  Executor& executor;
  std::thread thread;
  std::function<void()> job;  ///< handed over; empty while idle
  std::condition_variable wake;
  bool counted = false;  ///< against max_running
};

namespace {

constexpr size_t kMaxThreadName = 15;  // The kernel's limit.
/// When jobs wait and none was taken for so long, all that run are taken for blocked.
constexpr std::chrono::milliseconds kPatience{2};
/// The watch sleeps until it is called after so many looks at an empty queue.
constexpr int kLooksBeforeSleep = 100;

Executor::Options Checked(Executor::Options options) {
  options.max_threads = std::max<size_t>(options.max_threads, 1);
  options.idle_seconds = std::max(options.idle_seconds, 0);
  if (options.max_running == 0 || options.max_running > options.max_threads) {
    options.max_running = options.max_threads;
  }
  return options;
}

void JoinAll(std::vector<std::thread>& threads) {
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace

thread_local Executor::Worker* Executor::this_worker_ = nullptr;

Executor::Executor(Options options) : options_(Checked(std::move(options))) {}

Executor::~Executor() {
  std::vector<std::thread> leaving;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (Worker* worker : idle_) {
      worker->wake.notify_one();
    }
    ended_.wait(lock, [&] { return workers_.empty(); });
    leaving.swap(leaving_);
    if (watch_.joinable()) {
      leaving.push_back(std::move(watch_));
      watch_wake_.notify_one();
    }
  }
  JoinAll(leaving);
}

Status Executor::Submit(std::function<void()> job) {
  std::vector<std::thread> leaving;
  Status status;
  std::shared_ptr<Worker> chosen;
  bool call_watch = false;
  {
    std::lock_guard lock(mutex_);
    leaving.swap(leaving_);
    const size_t busy = workers_.size() - idle_.size();
    if (stopping_) {
      status = Unavailable("executor \"" + options_.name + "\" is shutting down");
    } else if (busy + queue_.size() >= options_.max_threads + options_.max_queue) {
      ++refused_;
      status = ResourceExhausted("executor \"" + options_.name + "\" is full (" +
                                 std::to_string(busy) + " threads busy, " +
                                 std::to_string(queue_.size()) + " jobs queued); try again later");
    } else {
      queue_.push_back(std::move(job));
      chosen = Dispatch();
      if (workers_.empty()) {
        queue_.pop_back();
        ++refused_;
        status = ResourceExhausted("executor \"" + options_.name +
                                   "\" cannot start a thread; raise the limit on processes");
      }
      call_watch = !queue_.empty() && std::exchange(watch_sleeps_, false);
    }
  }
  // After the lock is given back: who wakes must not find it held.
  if (chosen != nullptr) {
    chosen->wake.notify_one();
  }
  if (call_watch) {
    watch_wake_.notify_one();
  }
  JoinAll(leaving);
  return status;
}

Executor::Stats Executor::stats() const {
  std::lock_guard lock(mutex_);
  return {.threads = workers_.size(),
          .idle = idle_.size(),
          .queued = queue_.size(),
          .refused = refused_};
}

/// Gives the first queued job to an idle worker, which the caller wakes, or to a new one, if there
/// is room for it to run. Holds mutex_.
std::shared_ptr<Executor::Worker> Executor::Dispatch() {
  if (queue_.empty() || running_ >= options_.max_running) {
    return nullptr;
  }
  std::shared_ptr<Worker> worker;
  if (!idle_.empty()) {
    worker = idle_.back()->shared_from_this();
    idle_.pop_back();
    worker->job = std::move(queue_.front());
    worker->counted = true;
  } else if (workers_.size() >= options_.max_threads || !StartWorker(queue_.front())) {
    return nullptr;
  }
  queue_.pop_front();
  ++taken_;
  ++running_;
  return worker;
}

/// False, with `job` untouched, when the system refuses another thread. Holds mutex_.
bool Executor::StartWorker(std::function<void()>& job) {
  const auto self = workers_.insert(workers_.end(), std::make_shared<Worker>(*this));
  try {
    if (!watch_.joinable() && options_.max_running < options_.max_threads) {
      watch_ = std::thread([this] { Watch(); });
    }
    (*self)->thread = std::thread([this, self] { Work(self); });
  } catch (const std::system_error&) {
    workers_.erase(self);
    return false;
  }
  (*self)->job = std::move(job);  // The thread takes it under mutex_.
  (*self)->counted = true;
  return true;
}

void Executor::Work(WorkerList::iterator self) {
  pthread_setname_np(pthread_self(), options_.name.substr(0, kMaxThreadName).c_str());
  Worker& worker = **self;
  this_worker_ = &worker;
  std::unique_lock lock(mutex_);
  do {
    std::function<void()> job = std::exchange(worker.job, nullptr);
    lock.unlock();
    Run(std::move(job));
    lock.lock();
    StopCounting(worker);
  } while (AwaitJob(worker, lock));
  leaving_.push_back(std::move(worker.thread));
  workers_.erase(self);
  ended_.notify_all();
}

/// False when the worker shall end. Holds mutex_ through `lock`.
bool Executor::AwaitJob(Worker& worker, std::unique_lock<std::mutex>& lock) {
  if (!queue_.empty() && (running_ < options_.max_running || stopping_)) {
    worker.job = std::move(queue_.front());
    queue_.pop_front();
    worker.counted = true;
    ++taken_;
    ++running_;
    return true;
  }
  if (stopping_) {
    return false;
  }
  idle_.push_back(&worker);
  worker.wake.wait_for(lock, std::chrono::seconds(options_.idle_seconds),
                       [&] { return worker.job != nullptr || stopping_; });
  if (worker.job != nullptr) {
    return true;
  }
  std::erase(idle_, &worker);
  return stopping_ && AwaitJob(worker, lock);
}

void Executor::Run(std::function<void()> job) const {
  try {
    job();
  } catch (const std::exception& error) {
    LogError("A job threw an exception", {{"executor", options_.name}, {"what", error.what()}});
  } catch (...) {
    LogError("A job threw something that is no exception", {{"executor", options_.name}});
  }
}

/// True when it was counted until now. Holds mutex_.
bool Executor::StopCounting(Worker& worker) {
  const bool counted = std::exchange(worker.counted, false);
  running_ -= counted ? 1 : 0;
  return counted;
}

/// Holds mutex_. It may take the count above max_running: the job goes on, no other starts.
void Executor::CountAgain(Worker& worker) {
  worker.counted = true;
  ++running_;
}

/// The body of the thread that finds out jobs that wait without saying so.
void Executor::Watch() {
  pthread_setname_np(pthread_self(), (options_.name.substr(0, 9) + "-watch").c_str());
  std::unique_lock lock(mutex_);
  uint64_t seen = taken_;
  int quiet_looks = 0;
  // While the destructor waits for workers too: they may wait for jobs that are still queued.
  const auto ended = [&] { return stopping_ && workers_.empty(); };
  while (!ended()) {
    if (quiet_looks >= kLooksBeforeSleep) {
      watch_sleeps_ = true;
      watch_wake_.wait(lock, [&] { return !watch_sleeps_ || ended(); });
      quiet_looks = 0;
    }
    watch_wake_.wait_for(lock, kPatience, ended);
    quiet_looks = queue_.empty() ? quiet_looks + 1 : 0;
    if (!queue_.empty() && seen == taken_) {
      for (const std::shared_ptr<Worker>& worker : workers_) {
        StopCounting(*worker);
      }
      while (const std::shared_ptr<Worker> worker = Dispatch()) {
        worker->wake.notify_one();
      }
    }
    seen = taken_;
  }
}

BlockingSection::BlockingSection() {
  Executor::Worker* const worker = Executor::this_worker_;
  if (worker == nullptr) {
    return;
  }
  Executor& executor = worker->executor;
  if (executor.options_.max_running == executor.options_.max_threads) {
    return;
  }
  std::shared_ptr<Executor::Worker> chosen;
  {
    std::lock_guard lock(executor.mutex_);
    if (executor.StopCounting(*worker)) {
      worker_ = worker;
      chosen = executor.Dispatch();
    }
  }
  if (chosen != nullptr) {
    chosen->wake.notify_one();
  }
}

BlockingSection::~BlockingSection() {
  if (worker_ != nullptr) {
    std::lock_guard lock(worker_->executor.mutex_);
    worker_->executor.CountAgain(*worker_);
  }
}

}  // namespace roost
