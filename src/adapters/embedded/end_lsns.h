#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace roost::embedded {

/// From which LSN on each slot of a segment is dead (deleted or replaced); 0 is alive. Memory is
/// taken only where something died. One thread sets at a time; any number read beside it.
class EndLsns {
 public:
  struct Entry {
    uint32_t slot = 0;
    uint64_t lsn = 0;
  };

  explicit EndLsns(uint32_t rows);
  ~EndLsns();
  EndLsns(const EndLsns&) = delete;
  EndLsns& operator=(const EndLsns&) = delete;

  uint64_t Get(uint32_t slot) const;
  bool LiveAt(uint32_t slot, uint64_t lsn) const {
    const uint64_t end = Get(slot);
    return end == 0 || end > lsn;
  }
  /// A slot that is dead stays as it is.
  void Set(uint32_t slot, uint64_t lsn);

  /// Dead slots, whatever their LSN.
  uint32_t count() const { return count_.load(std::memory_order_acquire); }
  /// Clears the bits of slots that are dead at `lsn`.
  void ClearDead(uint64_t lsn, std::span<uint64_t> bits) const;
  /// Entries with an LSN up to `lsn`, by slot.
  std::vector<Entry> UpTo(uint64_t lsn) const;

 private:
  static constexpr uint32_t kPageSlots = 512;
  using Page = std::array<std::atomic<uint64_t>, kPageSlots>;

  std::vector<std::atomic<Page*>> pages_;
  std::atomic<uint32_t> count_{0};
};

}  // namespace roost::embedded
