#include "net/http_metrics.h"

#include <algorithm>
#include <string>

namespace roost {
namespace {

constexpr std::array<std::string_view, 8> kMethodNames = {"GET",   "POST", "PUT",     "DELETE",
                                                          "PATCH", "HEAD", "OPTIONS", "other"};
constexpr std::array<std::string_view, 5> kClassNames = {"1xx", "2xx", "3xx", "4xx", "5xx"};

Counter& Refused(Metrics& metrics, const char* reason) {
  return metrics.GetCounter("roost_http_refused_total",
                            "Requests and connections refused before any work, by reason",
                            {{"reason", reason}});
}

}  // namespace

HttpMetrics::HttpMetrics(Metrics& metrics)
    : metrics_(metrics),
      in_flight_(metrics.GetGauge("roost_http_requests_in_flight",
                                  "Requests received and not yet answered")),
      connections_(metrics.GetGauge("roost_http_connections", "Open client connections")),
      refused_overload_(Refused(metrics, "overload")),
      refused_connections_(Refused(metrics, "connections")),
      refused_memory_(Refused(metrics, "memory")),
      duration_(metrics.GetHistogram("roost_http_request_duration_seconds",
                                     "From the complete header to the end of the reply")) {}

size_t HttpMetrics::MethodIndex(std::string_view method) {
  const auto* found = std::find(kMethodNames.begin(), kMethodNames.end() - 1, method);
  return static_cast<size_t>(found - kMethodNames.begin());
}

void HttpMetrics::Count(HttpProtocolName protocol, std::string_view method, int status,
                        std::chrono::nanoseconds duration) {
  const size_t method_index = MethodIndex(method);
  const size_t status_class = static_cast<size_t>(std::clamp(status / 100, 1, 5)) - 1;
  const size_t index =
      (static_cast<size_t>(protocol) * kMethods + method_index) * kClasses + status_class;
  Counter* counter = requests_[index].load(std::memory_order_acquire);
  if (counter == nullptr) {
    counter = &metrics_.GetCounter(
        "roost_http_requests_total", "Requests answered, by protocol, method and status class",
        {{"protocol", protocol == HttpProtocolName::kHttp1 ? "http/1.1" : "h2"},
         {"method", std::string(kMethodNames[method_index])},
         {"status", std::string(kClassNames[status_class])}});
    requests_[index].store(counter, std::memory_order_release);
  }
  counter->Increment();
  duration_.Observe(std::chrono::duration<double>(duration).count());
}

}  // namespace roost
