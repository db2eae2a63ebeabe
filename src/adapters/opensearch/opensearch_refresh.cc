#include "adapters/opensearch/opensearch_refresh.h"

#include <algorithm>

#include "base/executor.h"

namespace roost {

Status OsRefresher::Run(const RequestContext& context, const std::string& index,
                        const Refresh& refresh) {
  std::unique_lock lock(mutex_);
  State& state = states_[index];
  ++state.users;
  const uint64_t wanted = state.begun + 1;
  Status result;
  while (result.ok() && state.succeeded < wanted) {
    if (!state.running) {
      state.running = true;
      const uint64_t mine = ++state.begun;
      lock.unlock();
      result = refresh(context);
      lock.lock();
      state.running = false;
      state.succeeded = result.ok() ? std::max(state.succeeded, mine) : state.succeeded;
      changed_.notify_all();
      continue;
    }
    const BlockingSection blocking;
    const auto moved = [&] { return !state.running || state.succeeded >= wanted; };
    if (context.deadline.infinite()) {
      changed_.wait(lock, context.stop, moved);
    } else {
      changed_.wait_until(lock, context.stop, context.deadline.time, moved);
    }
    if (!moved()) {
      result = context.CheckAlive("waiting for a refresh of the OpenSearch index");
    }
  }
  if (--state.users == 0) {
    states_.erase(index);
  }
  return result;
}

}  // namespace roost
