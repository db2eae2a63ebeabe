#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_server.h"

namespace roost::rest {

/// One request, matched to its route.
struct RestCall {
  const HttpRequest& http;
  std::vector<std::string> path_values;  ///< of `{…}` in the path, in order, decoded

  const std::string& PathValue(size_t position) const { return path_values.at(position); }
  /// Decoded value of a query parameter; nullopt when absent.
  std::optional<std::string> Query(std::string_view name) const;
};

struct QueryParameter {
  std::string name;
  std::string type;  ///< JSON Schema's: "string", "integer", "boolean"
  std::string description;
};

/// One row of the API: what is served and what /openapi.json says of it.
struct RestRoute {
  std::string method;
  std::string path;       ///< "/v1/collections/{collection}/search"
  std::string operation;  ///< OpenAPI's operationId
  std::string tag;
  std::string summary;
  std::string request_schema;   ///< name under components/schemas; empty: no body
  std::string response_schema;  ///< likewise; empty: see response_type
  std::string response_type = "application/json";
  int response_status = 200;
  std::vector<QueryParameter> query;
  /// Exactly one of the two.
  std::function<Result<HttpResponse>(const RestCall&)> call;
  std::function<Status(const RestCall&, HttpResponseWriter&)> stream;
  bool stream_body = false;  ///< the body is NDJSON, read piece by piece
  bool inline_ok = false;
};

/// Finds the route of a request. Immutable after construction; thread safe.
class RouteTable {
 public:
  explicit RouteTable(std::vector<RestRoute> routes);
  ~RouteTable();

  /// Never null: unknown paths get a handler that answers 404, wrong methods one that answers 405
  /// with Allow.
  const HttpHandler* Find(const HttpRequest& request) const;
  const std::vector<RestRoute>& routes() const { return routes_; }

 private:
  struct Entry;
  std::vector<RestRoute> routes_;
  std::vector<std::unique_ptr<Entry>> entries_;
  HttpHandler not_found_;
  HttpHandler wrong_method_;
};

/// %41 -> A; kInvalidArgument for a broken escape. `plus_is_space` in query strings.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space);

HttpResponse JsonResponse(std::string body, int status = 200);

}  // namespace roost::rest
