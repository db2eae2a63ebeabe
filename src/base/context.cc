#include "base/context.h"

namespace roost {

std::chrono::nanoseconds Deadline::Remaining() const {
  if (infinite()) {
    return std::chrono::hours(24);
  }
  const auto now = std::chrono::steady_clock::now();
  return time <= now ? std::chrono::nanoseconds::zero() : std::chrono::nanoseconds(time - now);
}

Status RequestContext::CheckAlive(std::string_view doing) const {
  if (stop.stop_requested()) {
    return Cancelled("the request was cancelled while " + std::string(doing));
  }
  if (deadline.Passed()) {
    return DeadlineExceeded("the request's deadline passed while " + std::string(doing) +
                            "; allow it more time or make it smaller");
  }
  return {};
}

RequestContext RequestContext::WithTimeout(std::chrono::nanoseconds timeout) const {
  RequestContext context = *this;
  context.deadline = deadline.Min(Deadline::After(timeout));
  return context;
}

}  // namespace roost
