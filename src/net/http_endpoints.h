#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/random.h"
#include "base/result.h"
#include "net/endpoint_set.h"
#include "net/http_client.h"
#include "net/tls_options.h"
#include "telemetry/metrics.h"

namespace roost {

struct HttpEndpointsOptions {
  std::vector<HostPort> hosts;  ///< at least one
  TlsOptions tls;
  HttpHeaders headers;  ///< sent with every call: {"Authorization", "Basic …"}
  /// The label {store} of roost_http_client_connections{state="in_use"|"idle"}.
  std::string name = "http";
  size_t max_connections_per_host = 64;
  std::chrono::milliseconds connect_timeout{5'000};
  size_t max_reply_bytes = size_t{256} << 20;
  /// Tries of a call that did not reach the server, and of safe ones whose connection broke.
  size_t max_attempts = 3;
  EndpointOptions endpoints;
};

/// HTTP calls to one or several endpoints of a store that speaks HTTP. Thread safe.
class HttpEndpoints {
 public:
  /// Precondition: there is a host. `clock`, `random`, `metrics` outlive it.
  HttpEndpoints(HttpEndpointsOptions options, Clock& clock, Random& random, Metrics& metrics);
  HttpEndpoints(const HttpEndpoints&) = delete;
  HttpEndpoints& operator=(const HttpEndpoints&) = delete;

  /// As HttpClient::Call, with only path and query in `call.url`: "/books/_search?size=0". A reply
  /// of any status is a success; 502, 503 and 504 let the endpoint rest. Calls that stream their
  /// body (`upload`, `download`) are tried once.
  Result<HttpReply> Call(const RequestContext& context, HttpCall call);
  /// Health and load of the endpoints, in the order of HttpEndpointsOptions::hosts.
  std::vector<EndpointSet::State> endpoints() const { return endpoints_.states(); }

 private:
  bool MayRepeat(const HttpCall& call, const Error& error, size_t tries) const;

  const HttpEndpointsOptions options_;
  EndpointSet endpoints_;
  std::vector<std::unique_ptr<HttpClient>> clients_;  ///< of each host: its kept-alive connections
};

}  // namespace roost
