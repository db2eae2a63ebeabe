#include "router/routed_reader.h"

namespace roost {

RoutedReader::RoutedReader(ReadOptions options, const StoreSet& stores, RouteTable& routes,
                           Metrics& metrics)
    : options_(options),
      stores_(stores),
      routes_(routes),
      fallbacks_(
          metrics.GetCounter("roost_router_read_fallbacks_total",
                             "Reads that the other store failed and the authority answered")),
      repeats_(metrics.GetCounter("roost_router_read_repeats_total",
                                  "Reads repeated because a change of route overtook them")) {}

bool RoutedReader::OtherMayAnswer(const Route& route, uint32_t slot) const {
  return ReadsOther(route, slot) && stores_.Available(route.other) &&
         (route.capture == nullptr || route.capture->OtherReadable(route.epoch, slot));
}

RequestContext RoutedReader::ForOther(const RequestContext& context) const {
  // Half of what is left, so that the authority can still answer in time.
  const auto half =
      context.deadline.infinite() ? options_.other_timeout : context.deadline.Remaining() / 2;
  return context.WithTimeout(std::min<std::chrono::nanoseconds>(half, options_.other_timeout));
}

bool RoutedReader::StillRight(const Route& route, bool by_other, uint32_t slot) const {
  const std::shared_ptr<const Route> now = routes_.Find(route.collection);
  const std::string& answered = by_other ? route.other : route.authority;
  if (answered == now->authority) {
    if (now->capture != nullptr && ReadsOther(*now, slot)) {
      now->capture->AnsweredByAuthority(slot);
    }
    return true;
  }
  return answered == now->other && ReadsOther(*now, slot);
}

}  // namespace roost
