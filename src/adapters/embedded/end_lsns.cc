#include "adapters/embedded/end_lsns.h"

namespace roost::embedded {

EndLsns::EndLsns(uint32_t rows) : pages_((rows + kPageSlots - 1) / kPageSlots) {}

EndLsns::~EndLsns() {
  for (const auto& page : pages_) {
    delete page.load(std::memory_order_relaxed);
  }
}

uint64_t EndLsns::Get(uint32_t slot) const {
  const Page* page = pages_[slot / kPageSlots].load(std::memory_order_acquire);
  return page == nullptr ? 0 : (*page)[slot % kPageSlots].load(std::memory_order_acquire);
}

void EndLsns::Set(uint32_t slot, uint64_t lsn) {
  std::atomic<Page*>& place = pages_[slot / kPageSlots];
  Page* page = place.load(std::memory_order_relaxed);
  if (page == nullptr) {
    page = std::make_unique<Page>().release();  // Zeroed; the destructor deletes it.
    place.store(page, std::memory_order_release);
  }
  std::atomic<uint64_t>& entry = (*page)[slot % kPageSlots];
  if (entry.load(std::memory_order_relaxed) == 0) {
    entry.store(lsn, std::memory_order_release);
    count_.fetch_add(1, std::memory_order_release);
  }
}

void EndLsns::ClearDead(uint64_t lsn, std::span<uint64_t> bits) const {
  if (count() == 0) {
    return;
  }
  for (size_t p = 0; p < pages_.size(); ++p) {
    const Page* page = pages_[p].load(std::memory_order_acquire);
    if (page == nullptr) {
      continue;
    }
    for (uint32_t i = 0; i < kPageSlots; ++i) {
      const uint64_t end = (*page)[i].load(std::memory_order_acquire);
      const size_t slot = p * kPageSlots + i;
      if (end != 0 && end <= lsn && slot / 64 < bits.size()) {
        bits[slot / 64] &= ~(uint64_t{1} << (slot % 64));
      }
    }
  }
}

std::vector<EndLsns::Entry> EndLsns::UpTo(uint64_t lsn) const {
  std::vector<Entry> entries;
  for (size_t p = 0; p < pages_.size(); ++p) {
    const Page* page = pages_[p].load(std::memory_order_acquire);
    for (uint32_t i = 0; page != nullptr && i < kPageSlots; ++i) {
      const uint64_t end = (*page)[i].load(std::memory_order_acquire);
      if (end != 0 && end <= lsn) {
        entries.push_back({static_cast<uint32_t>(p * kPageSlots + i), end});
      }
    }
  }
  return entries;
}

}  // namespace roost::embedded
