#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/random.h"
#include "base/result.h"
#include "net/endpoint_set.h"
#include "net/http_server.h"
#include "net/tls_options.h"
#include "telemetry/metrics.h"

namespace roost {

/// kWrite: a call whose reply got lost may have changed something (Error::outcome_unknown).
enum class GrpcEffect : uint8_t { kRead, kWrite };

/// One unary call, as bytes. grpc_typed.h makes one from Protocol Buffers messages.
struct GrpcCall {
  std::string_view method;  ///< "/milvus.proto.milvus.MilvusService/Search"
  std::string message;      ///< serialised
  GrpcEffect effect = GrpcEffect::kWrite;
  HttpHeaders metadata;  ///< after GrpcOptions::metadata; names in lower case
};

struct GrpcOptions {
  std::vector<HostPort> hosts;  ///< at least one
  TlsOptions tls;
  /// Sent with every call: {"authorization", "Bearer …"}. Names in lower case, values in printable
  /// ASCII; "-bin" values must be base64 already.
  HttpHeaders metadata;
  /// For log and metrics; the label {store} of roost_grpc_*.
  std::string name = "grpc";
  /// Connections to one endpoint; each carries any number of calls at once. More than one pays
  /// where TLS or large messages keep a core busy.
  size_t connections_per_host = 1;
  size_t max_calls = 1024;  ///< in progress; above: kResourceExhausted at once
  size_t max_request_bytes = size_t{64} << 20;
  size_t max_reply_bytes = size_t{64} << 20;
  std::chrono::milliseconds connect_timeout{5'000};  ///< TCP, TLS and HTTP/2's first frames
  /// Tries of a call that certainly was not processed (refused, never sent), and of reads whose
  /// connection broke.
  size_t max_attempts = 3;
  /// While calls wait and nothing came for this long, the peer is asked whether it lives …
  std::chrono::milliseconds keepalive_time{30'000};
  /// … and if it says nothing for this long, the connection is given up.
  std::chrono::milliseconds keepalive_timeout{10'000};
  EndpointOptions endpoints;
};

/// Blocking unary gRPC calls over HTTP/2, to one or several endpoints of a store. Thread safe, any
/// number of calls at once; it connects when the first call needs it and again after a loss.
///
/// A call honours the context's deadline (the server is told it, too) and stop within milliseconds.
/// Errors: the server's own status with its message; kUnavailable (cannot connect, connection lost,
/// TLS refused), kDeadlineExceeded, kCancelled, kResourceExhausted (a message beyond its limit, too
/// many calls), kInternal (a reply that breaks the protocol). They name endpoint and method, never
/// metadata. `outcome_unknown` is set for writes that may have been carried out.
///
/// There is no thread between caller and socket: of the calls that wait on a connection one reads
/// it for all. A background thread looks after idle connections once a second.
class GrpcClient {
 public:
  /// kInvalidArgument: TLS files, metadata, no hosts. Connects nothing yet. `clock`, `random`,
  /// `metrics` outlive it.
  static Result<std::unique_ptr<GrpcClient>> Create(GrpcOptions options, Clock& clock,
                                                    Random& random, Metrics& metrics);
  /// No call may be in progress.
  virtual ~GrpcClient() = default;

  /// The serialised reply.
  virtual Result<std::string> Call(const RequestContext& context, const GrpcCall& call) = 0;
  /// Health and load of the endpoints, in the order of GrpcOptions::hosts.
  virtual std::vector<EndpointSet::State> endpoints() const = 0;
};

}  // namespace roost
