#include "base/executor.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "base/log.h"

namespace roost {

namespace {

constexpr size_t kMaxThreadName = 15;  // The kernel's limit.

Executor::Options Checked(Executor::Options options) {
  options.max_threads = std::max<size_t>(options.max_threads, 1);
  options.idle_seconds = std::max(options.idle_seconds, 0);
  return options;
}

void JoinAll(std::vector<std::thread>& threads) {
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace

Executor::Executor(Options options) : options_(Checked(std::move(options))) {}

Executor::~Executor() {
  std::vector<std::thread> leaving;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    ended_.wait(lock, [&] { return workers_.empty(); });
    leaving.swap(leaving_);
  }
  JoinAll(leaving);
}

Status Executor::Submit(std::function<void()> job) {
  std::vector<std::thread> leaving;
  Status status;
  {
    std::lock_guard lock(mutex_);
    leaving.swap(leaving_);
    // Each idle thread takes one job off the queue; only what exceeds them waits.
    const bool thread_waits = queue_.size() < idle_;
    if (stopping_) {
      status = Unavailable("executor \"" + options_.name + "\" is shutting down");
    } else if (!thread_waits && workers_.size() < options_.max_threads && StartWorker(job)) {
      // The new thread has it.
    } else if (workers_.empty()) {
      ++refused_;
      status = ResourceExhausted("executor \"" + options_.name +
                                 "\" cannot start a thread; raise the limit on processes");
    } else if (thread_waits || queue_.size() < idle_ + options_.max_queue) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
    } else {
      ++refused_;
      status = ResourceExhausted("executor \"" + options_.name + "\" is full (" +
                                 std::to_string(workers_.size()) + " threads busy, " +
                                 std::to_string(queue_.size()) + " jobs queued); try again later");
    }
  }
  JoinAll(leaving);
  return status;
}

Executor::Stats Executor::stats() const {
  std::lock_guard lock(mutex_);
  return {.threads = workers_.size(), .idle = idle_, .queued = queue_.size(), .refused = refused_};
}

/// False, with `job` untouched, when the system refuses another thread. Holds mutex_.
bool Executor::StartWorker(std::function<void()>& job) {
  const Worker self = workers_.emplace(workers_.end());
  // Handed over through a pointer: the job must survive a thread that could not be made.
  auto handed = std::make_shared<std::function<void()>>(std::move(job));
  try {
    *self = std::thread([this, self, handed] { Work(self, std::move(*handed)); });
  } catch (const std::system_error&) {
    job = std::move(*handed);
    workers_.erase(self);
    return false;
  }
  return true;
}

void Executor::Work(Worker self, std::function<void()> job) {
  pthread_setname_np(pthread_self(), options_.name.substr(0, kMaxThreadName).c_str());
  while (true) {
    Run(std::move(job));
    std::unique_lock lock(mutex_);
    if (queue_.empty() && !stopping_) {
      ++idle_;
      wake_.wait_for(lock, std::chrono::seconds(options_.idle_seconds),
                     [&] { return stopping_ || !queue_.empty(); });
      --idle_;
    }
    if (queue_.empty()) {
      leaving_.push_back(std::move(*self));
      workers_.erase(self);
      ended_.notify_all();
      return;
    }
    job = std::move(queue_.front());
    queue_.pop_front();
  }
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

}  // namespace roost
