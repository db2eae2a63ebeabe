#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "telemetry/metrics.h"

namespace roost {

enum class HttpProtocolName : uint8_t { kHttp1, kHttp2 };

/// The HTTP server's numbers. Thread safe; a series is made when it is first counted, so that
/// /metrics shows only what happened.
class HttpMetrics {
 public:
  /// `metrics` outlives this object.
  explicit HttpMetrics(Metrics& metrics);

  /// One finished request: roost_http_requests_total and roost_http_request_duration_seconds.
  /// `status` 499 means that the client left before the reply.
  void Count(HttpProtocolName protocol, std::string_view method, int status,
             std::chrono::nanoseconds duration);

  Gauge& in_flight() { return in_flight_; }
  Gauge& connections() { return connections_; }
  /// Requests and connections turned away before any work, by reason.
  Counter& refused_overload() { return refused_overload_; }
  Counter& refused_connections() { return refused_connections_; }
  Counter& refused_memory() { return refused_memory_; }

 private:
  static constexpr size_t kMethods = 8;
  static constexpr size_t kClasses = 5;
  static size_t MethodIndex(std::string_view method);

  Metrics& metrics_;
  Gauge& in_flight_;
  Gauge& connections_;
  Counter& refused_overload_;
  Counter& refused_connections_;
  Counter& refused_memory_;
  Histogram& duration_;
  std::array<std::atomic<Counter*>, 2 * kMethods * kClasses> requests_{};
};

}  // namespace roost
