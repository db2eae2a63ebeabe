#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/context.h"
#include "base/result.h"

namespace roost::embedded {

/// Bounds how many searches use the processor at once; the others wait in a line of limited length.
/// Thread safe.
class SearchSlots {
 public:
  /// Held while a search runs. Outlived by the SearchSlots.
  class Slot {
   public:
    explicit Slot(SearchSlots* slots) : slots_(slots) {}
    ~Slot() {
      if (slots_ != nullptr) {
        slots_->Release();
      }
    }
    Slot(Slot&& other) noexcept : slots_(other.slots_) { other.slots_ = nullptr; }
    Slot& operator=(Slot&&) = delete;

   private:
    SearchSlots* slots_;
  };

  /// 0 slots: as many as the machine has cores.
  SearchSlots(uint32_t slots, uint32_t max_waiting);

  /// kResourceExhausted at once when the line is full; kDeadlineExceeded, kCancelled.
  Result<Slot> Enter(const RequestContext& context);

 private:
  void Release();

  const uint32_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  uint32_t free_;
  uint32_t waiting_ = 0;
};

}  // namespace roost::embedded
