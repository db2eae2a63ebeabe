#include "metadata/pending_commit.h"

#include <utility>

#include "base/executor.h"

namespace roost {

void PendingCommit::Start(ControlStore& store, ControlTransaction transaction) {
  state_ = std::make_shared<State>();
  store.CommitLater(std::move(transaction), [state = state_](Status status) {
    std::lock_guard lock(state->mutex);
    state->status = std::move(status);
    state->changed.notify_all();
  });
}

Status PendingCommit::Wait(const RequestContext& context) {
  if (state_ == nullptr) {
    return {};
  }
  const BlockingSection blocking;
  std::unique_lock lock(state_->mutex);
  const auto done = [&] { return state_->status.has_value(); };
  const bool in_time =
      context.deadline.infinite()
          ? state_->changed.wait(lock, context.stop, done)
          : state_->changed.wait_until(lock, context.stop, context.deadline.time, done);
  if (in_time) {
    return *state_->status;
  }
  const Status alive = context.CheckAlive("waiting for the control store");
  Error error = alive.ok() ? DeadlineExceeded("waiting for the control store") : alive.error();
  error.outcome_unknown = true;
  return error;
}

}  // namespace roost
