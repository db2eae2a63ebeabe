#include "adapters/embedded/group_commit.h"

#include <algorithm>
#include <utility>

#include "base/executor.h"

namespace roost::embedded {

void GroupCommit::Enter() {
  std::lock_guard lock(mutex_);
  ++entered_;
}

void GroupCommit::Leave() {
  std::lock_guard lock(mutex_);
  --entered_;
  changed_.notify_all();
}

Status GroupCommit::Wait(const RequestContext& context, uint64_t lsn, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  --entered_;
  pending_bytes_ += bytes;
  changed_.notify_all();
  Status status = WaitLocked(lock, context, lsn);
  if (!status.ok()) {
    Error error = std::move(status).error();
    error.outcome_unknown = true;
    return error;
  }
  return {};
}

Status GroupCommit::WaitLocked(std::unique_lock<std::mutex>& lock, const RequestContext& context,
                               uint64_t lsn) {
  const BlockingSection blocking;
  while (durable_ < lsn) {
    if (failure_) {
      return *failure_;
    }
    if (!leading_) {
      Lead(lock);
      continue;
    }
    const auto settled = [&] { return durable_ >= lsn || failure_ || !leading_; };
    if (context.deadline.infinite()) {
      changed_.wait(lock, context.stop, settled);
    } else {
      changed_.wait_until(lock, context.stop, context.deadline.time, settled);
    }
    if (!settled()) {
      return context.CheckAlive("waiting for the log to be on disk");
    }
  }
  return {};
}

void GroupCommit::Lead(std::unique_lock<std::mutex>& lock) {
  leading_ = true;
  // With nobody else on the way there is nothing to wait for.
  changed_.wait_for(lock, options_.window,
                    [&] { return entered_ == 0 || pending_bytes_ >= options_.bytes; });
  pending_bytes_ = 0;
  lock.unlock();
  auto durable = sync_();
  lock.lock();
  leading_ = false;
  if (durable.ok()) {
    durable_ = std::max(durable_, durable.value());
  } else if (!failure_) {
    failure_ = durable.error();
  }
  changed_.notify_all();
}

std::optional<Error> GroupCommit::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

uint64_t GroupCommit::durable() const {
  std::lock_guard lock(mutex_);
  return durable_;
}

}  // namespace roost::embedded
