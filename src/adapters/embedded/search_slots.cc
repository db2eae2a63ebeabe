#include "adapters/embedded/search_slots.h"

#include <algorithm>
#include <string>
#include <thread>

#include "base/executor.h"

namespace roost::embedded {

SearchSlots::SearchSlots(uint32_t slots, uint32_t max_waiting)
    : max_waiting_(max_waiting),
      free_(slots > 0 ? slots : std::max(1u, std::thread::hardware_concurrency())) {}

Result<SearchSlots::Slot> SearchSlots::Enter(const RequestContext& context) {
  std::unique_lock lock(mutex_);
  const auto is_free = [&] { return free_ > 0; };
  if (!is_free()) {
    if (waiting_ >= max_waiting_) {
      return ResourceExhausted(std::to_string(waiting_) +
                               " searches are waiting for a processor; try again a little later");
    }
    const BlockingSection blocking;
    ++waiting_;
    if (context.deadline.infinite()) {
      freed_.wait(lock, context.stop, is_free);
    } else {
      freed_.wait_until(lock, context.stop, context.deadline.time, is_free);
    }
    --waiting_;
  }
  if (!is_free()) {
    TRY(context.CheckAlive("waiting for a search slot"));
    return DeadlineExceeded("the deadline passed while waiting for a search slot");
  }
  --free_;
  return Slot(this);
}

void SearchSlots::Release() {
  std::lock_guard lock(mutex_);
  ++free_;
  freed_.notify_one();
}

}  // namespace roost::embedded
