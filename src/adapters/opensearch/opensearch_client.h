#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/opensearch/opensearch_store.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/random.h"
#include "base/result.h"
#include "net/endpoint_set.h"
#include "net/http_client.h"
#include "net/store_address.h"
#include "telemetry/metrics.h"

namespace roost {

/// One call of OpenSearch's REST interface.
struct OsCall {
  std::string_view method = "GET";
  std::string path;  ///< with its leading slash and parameters
  std::string body;
  bool lines = false;  ///< the body is NDJSON
  bool write = false;  ///< an error after it was sent leaves the outcome unknown
};

/// Where a cluster is, and the options with those that its address gives.
struct OsPlace {
  OpenSearchOptions options;
  StoreAddress address;
};
/// Reads `options.uri`. kInvalidArgument.
Result<OsPlace> ReadOpenSearchAddress(const OpenSearchOptions& options);

/// What an error reply means (README.md has the table). Pure.
Error OsErrorOf(int status, const std::string& body, const OsCall& call);
/// Whether the server may take the same row a little later.
bool OsIsBusy(int status, std::string_view error_type);

/// Calls to the nodes of one cluster: sign-in, several endpoints, a limit of calls at a time.
/// Thread safe.
class OsClient {
 public:
  /// `clock`, `random` and `metrics` outlive the client.
  OsClient(StoreAddress address, const OpenSearchOptions& options, Clock& clock, Random& random,
           Metrics& metrics);

  /// The reply's body, ready for opensearch_reply.h; whatever is not 2xx is an error of OsErrorOf.
  /// Calls that reached no server are tried on every endpoint once; those that broke off after they
  /// were sent only when they read.
  Result<std::string> Call(const RequestContext& context, const OsCall& call);

  /// "opensearch://host:9200", for messages.
  const std::string& name() const { return name_; }

 private:
  Result<HttpReply> Send(const RequestContext& context, const OsCall& call);

  const StoreAddress address_;
  const std::string name_;
  const HttpHeaders headers_;
  HttpClient http_;
  EndpointSet endpoints_;
};

}  // namespace roost
