#include "adapters/weaviate/weaviate_key_locks.h"

#include <algorithm>

namespace roost {

KeyLocks::Hold::~Hold() {
  if (locks_ == nullptr) {
    return;
  }
  {
    const std::lock_guard lock(locks_->mutex_);
    for (const std::string& name : names_) {
      locks_->held_.erase(name);
    }
  }
  locks_->freed_.notify_all();
}

Result<KeyLocks::Hold> KeyLocks::Acquire(const RequestContext& context,
                                         std::vector<std::string> names) {
  std::unique_lock lock(mutex_);
  const auto free = [&] {
    return std::none_of(names.begin(), names.end(),
                        [&](const std::string& name) { return held_.contains(name); });
  };
  const bool got = context.deadline.infinite()
                       ? freed_.wait(lock, context.stop, free)
                       : freed_.wait_until(lock, context.stop, context.deadline.time, free);
  if (!got) {
    TRY(context.CheckAlive("waiting for another write of the same keys"));
    return DeadlineExceeded("another write of the same keys did not end in time");
  }
  held_.insert(names.begin(), names.end());
  return Hold(this, std::move(names));
}

}  // namespace roost
