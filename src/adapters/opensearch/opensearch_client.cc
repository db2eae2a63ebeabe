#include "adapters/opensearch/opensearch_client.h"

#include <algorithm>

#include <openssl/evp.h>

#include "adapters/opensearch/opensearch_reply.h"

namespace roost {
namespace {

std::string Base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

HttpHeaders SignIn(const StoreAddress& address) {
  HttpHeaders headers;
  if (!address.token.empty()) {
    headers.emplace_back("Authorization", "Bearer " + address.token);
  } else if (!address.api_key.empty()) {
    headers.emplace_back("Authorization", "ApiKey " + address.api_key);
  } else if (!address.user.empty()) {
    headers.emplace_back("Authorization", "Basic " + Base64(address.user + ":" + address.password));
  }
  return headers;
}

HttpClient::Options HttpOptions(const StoreAddress& address, const OpenSearchOptions& options,
                                Metrics& metrics) {
  HttpClient::Options http;
  http.max_idle = options.max_connections;
  http.max_connections = std::max<size_t>(1, options.max_connections);
  CountConnections(http, "opensearch", metrics);
  http.connect_timeout = options.connect_timeout;
  http.max_reply_bytes = size_t{1} << 30;
  http.hint = "is OpenSearch running there, and does it speak " +
              std::string(address.tls.enabled ? "https" : "http (tls=true for https)") + "?";
  http.send_context = false;
  http.ca_file = address.tls.ca_file;
  http.verify_tls = address.tls.verify;
  http.certificate_file = address.tls.certificate_file;
  http.key_file = address.tls.key_file;
  return http;
}

std::string Said(const OsFailure& failure, int status) {
  if (failure.type.empty() && failure.reason.empty()) {
    return "HTTP status " + std::to_string(status);
  }
  return failure.reason.empty() ? failure.type : failure.type + ": " + failure.reason;
}

Error PermissionDenied(std::string message) {
  return {.code = Code::kPermissionDenied, .message = std::move(message)};
}

Error Forbidden(const OsFailure& failure, const std::string& said) {
  if (failure.type == "cluster_block_exception") {
    const bool flood = failure.reason.find("flood-stage") != std::string::npos ||
                       failure.reason.find("read-only-allow-delete") != std::string::npos ||
                       failure.reason.find("read-only / allow delete") != std::string::npos;
    return flood
               ? ResourceExhausted("a disk of the cluster is nearly full, so it takes no writes: " +
                                   said + "; free space there")
               : FailedPrecondition("the index takes no writes: " + said +
                                    "; remove the block from its settings");
  }
  return PermissionDenied("the user may not do this: " + said +
                          "; give it the rights in README.md");
}

/// The mapping does not take what the schema promises: others have changed the index.
bool IsChangedIndex(const OsFailure& failure) {
  return failure.type == "mapper_parsing_exception" ||
         failure.type == "strict_dynamic_mapping_exception" ||
         failure.type == "query_shard_exception";
}

}  // namespace

bool OsIsBusy(int status, std::string_view error_type) {
  return status == 429 || status == 503 || error_type == "rejected_execution_exception" ||
         error_type == "es_rejected_execution_exception" ||
         error_type == "opensearch_rejected_execution_exception" ||
         error_type == "circuit_breaking_exception";
}

Error OsErrorOf(int status, const std::string& body, const OsCall& call) {
  const OsFailure failure = ParseFailure(body);
  const std::string said = Said(failure, status);
  switch (status) {
    case 400:
      if (failure.type == "resource_already_exists_exception") {
        return AlreadyExists(said);
      }
      if (IsChangedIndex(failure)) {
        return FailedPrecondition("the index was changed behind Roost's back: " + said +
                                  "; drop the collection and load it again");
      }
      return Internal("it refused Roost's request: " + said);
    case 401:
      return {.code = Code::kUnauthenticated,
              .message =
                  "it does not know these credentials (HTTP status 401); check user and "
                  "password, token or API key"};
    case 403:
      return Forbidden(failure, said);
    case 404:
      return NotFound(said);
    case 409:
      return Aborted(said);
    case 413:
      return ResourceExhausted(
          "the request is larger than the server's http.max_content_length; write fewer or smaller "
          "records at a time");
    case 429:
      return ResourceExhausted("it is overloaded: " + said);
    case 502:
    case 504: {
      Error error = Unavailable("something between failed: " + said);
      error.outcome_unknown = call.write;
      return error;
    }
    case 503: {
      Error error = Unavailable(said);
      error.outcome_unknown =
          call.write && failure.type == "process_cluster_event_timeout_exception";
      return error;
    }
    default:
      break;
  }
  if (status >= 300 && status < 400) {
    return FailedPrecondition("it answers with a redirect (HTTP status " + std::to_string(status) +
                              "); is this the address of OpenSearch's REST interface?");
  }
  if (OsIsBusy(status, failure.type)) {
    return ResourceExhausted("it is overloaded: " + said);
  }
  Error error = status >= 500 ? Unavailable(said) : Internal(said);
  error.outcome_unknown = call.write && status >= 500;
  return error;
}

OsClient::OsClient(StoreAddress address, const OpenSearchOptions& options, Clock& clock,
                   Random& random, Metrics& metrics)
    : address_(std::move(address)),
      name_(address_.ToString()),
      headers_(SignIn(address_)),
      http_(HttpOptions(address_, options, metrics)),
      endpoints_(address_.hosts, {}, clock, random) {}

Result<HttpReply> OsClient::Send(const RequestContext& context, const OsCall& call) {
  std::vector<size_t> tried;
  while (true) {
    EndpointSet::Lease lease = endpoints_.Pick(tried);
    HttpCall http;
    http.method = call.method;
    http.url = std::string(address_.tls.enabled ? "https://" : "http://") +
               lease.host().ToString() + call.path;
    http.headers = headers_;
    http.safe = !call.write;
    if (!call.body.empty()) {
      http.headers.emplace_back("Content-Type",
                                call.lines ? "application/x-ndjson" : "application/json");
      http.body = call.body;
    }
    Result<HttpReply> reply = http_.Call(context, http);
    if (reply.ok() && reply->status != 502 && reply->status != 503 && reply->status != 504) {
      lease.Succeeded();
      return reply;
    }
    const bool unreached = !reply.ok() && reply.code() == Code::kUnavailable;
    if (reply.ok() || unreached) {
      lease.Failed();
    }
    tried.push_back(lease.index());
    const bool again = reply.ok() ? !call.write : unreached && !reply.error().outcome_unknown;
    if (!again || tried.size() >= endpoints_.size()) {
      return reply;
    }
  }
}

Result<std::string> OsClient::Call(const RequestContext& context, const OsCall& call) {
  TRY(context.CheckAlive("calling " + name_));
  Result<HttpReply> reply = Send(context, call);
  if (!reply.ok()) {
    return std::move(reply).error();
  }
  PadReply(reply->body);
  if (reply->status / 100 != 2) {
    return OsErrorOf(reply->status, reply->body, call).Within(name_);
  }
  return std::move(reply->body);
}

}  // namespace roost
