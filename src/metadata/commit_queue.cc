#include "metadata/commit_queue.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "base/executor.h"

namespace roost {

CommitQueue::CommitQueue(Options options, Carry carry, std::function<void()> idle, Metrics& metrics)
    : options_(std::move(options)),
      carry_(std::move(carry)),
      idle_(std::move(idle)),
      commits_(metrics.GetCounter("roost_control_commits_total",
                                  "Commits of the control store, each for a group of callers")),
      transactions_(metrics.GetCounter("roost_control_transactions_total",
                                       "Transactions of the control store")),
      failures_(metrics.GetCounter("roost_control_failures_total",
                                   "Transactions of the control store that failed")),
      seconds_(metrics.GetHistogram("roost_control_commit_seconds",
                                    "Time of one commit of the control store")),
      thread_([this](const std::stop_token& stop) { Work(stop); }) {}

CommitQueue::~CommitQueue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.request_stop();
}

/// Waits for numbers of its own; those that wait at the same time share a commit.
Result<uint64_t> CommitQueue::Reserve(uint64_t count) {
  auto promise = std::make_shared<std::promise<Result<uint64_t>>>();
  auto reserved = promise->get_future();
  Job job{.reserve = count};
  job.done = [promise](const Status& status, uint64_t first) {
    promise->set_value(status.ok() ? Result<uint64_t>(first) : Result<uint64_t>(status.error()));
  };
  Enqueue(std::move(job));
  const BlockingSection blocking;
  return reserved.get();
}

Result<uint64_t> CommitQueue::NextSeq(uint64_t count) {
  if (options_.sequence_block == 0) {
    return Reserve(count);
  }
  std::lock_guard lock(sequence_mutex_);
  if (limit_ - next_ < count) {
    const uint64_t size = std::max(count, options_.sequence_block);
    next_ = TRY(Reserve(size));
    limit_ = next_ + size;
  }
  const uint64_t first = next_;
  next_ += count;
  return first;
}

void CommitQueue::Add(ControlTransaction transaction, std::function<void(Status)> done) {
  Job job{.transaction = std::move(transaction)};
  if (done) {
    job.done = [done = std::move(done)](Status status, uint64_t) { done(std::move(status)); };
  }
  Enqueue(std::move(job));
}

void CommitQueue::Enqueue(Job job) {
  Status refused;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = Unavailable("the control store is closing");
    } else if (queue_.size() >= options_.max_queued) {
      refused =
          ResourceExhausted("control store: " + std::to_string(queue_.size()) +
                            " transactions wait for " + options_.waits_for + "; try again later");
    } else {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  failures_.Increment();
  if (job.done) {
    job.done(std::move(refused), 0);
  }
}

void CommitQueue::Work(const std::stop_token& stop) {
  const bool has_idle = idle_ && options_.idle_interval.count() > 0;
  const auto interval = has_idle ? options_.idle_interval : std::chrono::hours(24);
  while (true) {
    std::vector<Job> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, interval, [&] { return !queue_.empty(); });
      if (queue_.empty() && stop.stop_requested()) {
        return;  // All that was accepted is done.
      }
      while (!queue_.empty() && group.size() < options_.max_group) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    if (!group.empty()) {
      CarryOut(group);
    } else if (has_idle) {
      idle_();
    }
  }
}

void CommitQueue::CarryOut(std::vector<Job>& group) {
  const auto started = std::chrono::steady_clock::now();
  carry_(group);
  commits_.Increment();
  transactions_.Add(static_cast<double>(group.size()));
  seconds_.Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  for (Job& job : group) {
    if (!job.status.ok()) {
      failures_.Increment();
    }
    if (job.done) {
      job.done(std::move(job.status), job.first_reserved);
    }
  }
}

}  // namespace roost
