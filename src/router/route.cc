#include "router/route.h"

#include "base/hash.h"

namespace roost {
namespace {

constexpr uint32_t kSlots = 10'000;

}  // namespace

uint32_t SessionSlot(std::string_view tenant, std::string_view session) {
  const uint64_t hash = Hash64(session, Hash64(tenant));
  return static_cast<uint32_t>(hash % kSlots);
}

bool ReadsOther(const Route& route, uint32_t session_slot) {
  return !route.other.empty() && session_slot < route.read_percent_other * (kSlots / 100);
}

}  // namespace roost
