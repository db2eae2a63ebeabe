#include "adapters/weaviate/weaviate_client.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <v1/batch.pb.h>
#include <v1/batch_delete.pb.h>
#include <v1/search_get.pb.h>

#include "base/json.h"
#include "base/strings.h"
#include "net/grpc_typed.h"

namespace roost {
namespace {

namespace bj = boost::json;
namespace pb = weaviate::v1;

constexpr uint16_t kRestPort = 8080;
constexpr uint64_t kGrpcPort = 50051;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Where gRPC is: at "grpc_port", or with "+1" that much above the REST port.
Result<std::vector<HostPort>> GrpcHosts(const StoreAddress& address) {
  const std::string text = address.Text("grpc_port", std::to_string(kGrpcPort));
  const bool relative = text.starts_with("+");
  const auto number = ParseUint64(relative ? std::string_view(text).substr(1) : text);
  std::vector<HostPort> hosts = address.hosts;
  for (HostPort& host : hosts) {
    const uint64_t port = number.ok() ? *number + (relative ? host.port : 0) : 0;
    if (port < 1 || port > 65'535) {
      return InvalidArgument(
          "option grpc_port of the Weaviate address is a port, or '+1' for the "
          "one after each REST port");
    }
    host.port = static_cast<uint16_t>(port);
  }
  return hosts;
}

HttpClient::Options RestOptions(const WeaviateOptions& options, const StoreAddress& address,
                                Metrics& metrics) {
  HttpClient::Options http;
  CountConnections(http, "weaviate", metrics);
  http.connect_timeout = options.connect_timeout;
  http.max_reply_bytes = options.max_reply_bytes;
  http.hint = "is Weaviate running there?";
  http.send_context = false;
  http.ca_file = address.tls.ca_file;
  http.verify_tls = address.tls.verify;
  http.certificate_file = address.tls.certificate_file;
  http.key_file = address.tls.key_file;
  return http;
}

/// The message in {"error":[{"message":"…"}]}, or the whole body.
std::string MessageOf(const std::string& body) {
  boost::system::error_code failed;
  const bj::value value = bj::parse(body, failed);
  if (!failed && value.is_object()) {
    if (const auto* message = value.get_object().if_contains("message");
        message != nullptr && message->is_string()) {
      return std::string(message->get_string());
    }
    const auto* errors = value.get_object().if_contains("error");
    if (errors == nullptr) {
      errors = value.get_object().if_contains("errors");
    }
    if (errors != nullptr && errors->is_array() && !errors->get_array().empty()) {
      const auto* first = errors->get_array()[0].if_object();
      const auto* message = first == nullptr ? nullptr : first->if_contains("message");
      if (message != nullptr && message->is_string()) {
        return std::string(message->get_string());
      }
    }
  }
  constexpr size_t kShown = 300;
  return body.substr(0, kShown);
}

Code CodeOfStatus(int status) {
  switch (status) {
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 413:
    case 429:
      return Code::kResourceExhausted;
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return status >= 500 ? Code::kInternal : Code::kInvalidArgument;
  }
}

}  // namespace

Code CodeOfMessage(std::string_view message, Code fallback) {
  struct Meaning {
    std::string_view part;
    Code code;
  };
  static constexpr std::array kMeanings = {
      Meaning{"Too many requests", Code::kResourceExhausted},
      Meaning{"too many requests", Code::kResourceExhausted},
      Meaning{"read-only", Code::kUnavailable},
      Meaning{"readonly", Code::kUnavailable},
      Meaning{"READONLY", Code::kUnavailable},
      Meaning{"shutting down", Code::kUnavailable},
      Meaning{"shutdown", Code::kUnavailable},
      Meaning{"leader not found", Code::kUnavailable},
      Meaning{"no leader", Code::kUnavailable},
      Meaning{"connection refused", Code::kUnavailable},
      Meaning{"not enough memory", Code::kResourceExhausted},
      Meaning{"memory pressure", Code::kResourceExhausted},
      Meaning{"no space left", Code::kResourceExhausted},
      Meaning{"context deadline exceeded", Code::kDeadlineExceeded},
      Meaning{"context canceled", Code::kCancelled},
      Meaning{"anonymous access not enabled", Code::kUnauthenticated},
      Meaning{"invalid api key", Code::kUnauthenticated},
      Meaning{"unauthorized", Code::kUnauthenticated},
      Meaning{"forbidden", Code::kPermissionDenied},
      Meaning{"could not find class", Code::kNotFound},
      Meaning{"class not found", Code::kNotFound},
      Meaning{"tenant not found", Code::kNotFound},
      Meaning{"already exists", Code::kAlreadyExists},
      Meaning{"vector lengths don't match", Code::kFailedPrecondition},
      Meaning{"vector dimension", Code::kFailedPrecondition},
      Meaning{"new node has a vector with length", Code::kFailedPrecondition},
      Meaning{"query maximum results exceeded", Code::kFailedPrecondition},
  };
  for (const Meaning& meaning : kMeanings) {
    if (Contains(message, meaning.part)) {
      return meaning.code;
    }
  }
  return fallback;
}

std::string_view AdviceFor(const Error& error) {
  if (error.code == Code::kUnauthenticated) {
    return "; check the address's api_key";
  }
  if (error.code == Code::kFailedPrecondition && Contains(error.message, "vector")) {
    return "; others wrote vectors of another length into the collection: delete them there, or "
           "drop "
           "the collection and load it again";
  }
  return "";
}

bool IsAbsentTenant(const Error& error) { return Contains(error.message, "tenant not found"); }

bool IsAbsentClass(const Error& error) {
  return error.code == Code::kNotFound && !IsAbsentTenant(error);
}

WeaviateClient::WeaviateClient(const WeaviateOptions& options, StoreAddress address, Clock& clock,
                               Metrics& metrics)
    : address_(address.ToString()),
      scheme_(address.tls.enabled ? "https://" : "http://"),
      http_(RestOptions(options, address, metrics)),
      rest_(address.hosts, {}, clock, random_) {
  const std::string& key = address.api_key.empty() ? address.token : address.api_key;
  if (!key.empty()) {
    headers_.emplace_back("authorization", "Bearer " + key);
  }
}

Result<std::unique_ptr<WeaviateClient>> WeaviateClient::Create(const WeaviateOptions& options,
                                                               Clock& clock, Metrics& metrics) {
  const StoreAddressRules rules{
      .scheme = "weaviate", .default_port = kRestPort, .options = {"grpc_port"}};
  StoreAddress address = TRY(ParseStoreAddress(options.uri, rules));
  if (!address.user.empty() || !address.password.empty()) {
    return InvalidArgument(
        "Weaviate takes no user and password in its address; give api_key=… (or token=… of OIDC)");
  }
  GrpcOptions grpc;
  grpc.hosts = TRY(GrpcHosts(address));
  grpc.tls = address.tls;
  grpc.name = "weaviate";
  grpc.connections_per_host = std::max<size_t>(1, options.connections_per_host);
  grpc.max_calls = options.max_calls;
  grpc.max_request_bytes = size_t{100} << 20;  // what the server takes
  grpc.max_reply_bytes = options.max_reply_bytes;
  grpc.connect_timeout = options.connect_timeout;
  std::unique_ptr<WeaviateClient> client(
      new WeaviateClient(options, std::move(address), clock, metrics));
  grpc.metadata = client->headers_;
  client->grpc_ = TRY(GrpcClient::Create(std::move(grpc), clock, client->random_, metrics));
  return client;
}

Error WeaviateClient::Named(Error error) const {
  if (error.code == Code::kUnknown || error.code == Code::kInternal ||
      error.code == Code::kInvalidArgument) {
    error.code = CodeOfMessage(error.message, error.code);
  }
  if (error.code == Code::kUnknown) {
    error.code = Code::kInternal;
  }
  error.message += AdviceFor(error);
  return error.Within("Weaviate at " + address_);
}

Result<pb::SearchReply> WeaviateClient::Search(const RequestContext& context,
                                               const pb::SearchRequest& request) {
  auto reply = CallGrpc<pb::SearchReply>(*grpc_, context, "/weaviate.v1.Weaviate/Search", request,
                                         GrpcEffect::kRead);
  return reply.ok() ? std::move(reply) : Named(std::move(reply).error());
}

Result<pb::BatchObjectsReply> WeaviateClient::BatchObjects(const RequestContext& context,
                                                           const pb::BatchObjectsRequest& request) {
  auto reply = CallGrpc<pb::BatchObjectsReply>(
      *grpc_, context, "/weaviate.v1.Weaviate/BatchObjects", request, GrpcEffect::kWrite);
  return reply.ok() ? std::move(reply) : Named(std::move(reply).error());
}

Result<pb::BatchDeleteReply> WeaviateClient::BatchDelete(const RequestContext& context,
                                                         const pb::BatchDeleteRequest& request) {
  auto reply = CallGrpc<pb::BatchDeleteReply>(*grpc_, context, "/weaviate.v1.Weaviate/BatchDelete",
                                              request, GrpcEffect::kWrite);
  return reply.ok() ? std::move(reply) : Named(std::move(reply).error());
}

Result<HttpReply> WeaviateClient::RestCall(const RequestContext& context, const HttpCall& call,
                                           const std::string& path, bool read) {
  std::vector<size_t> tried;
  while (true) {
    TRY(context.CheckAlive("calling Weaviate"));
    const EndpointSet::Lease lease = rest_.Pick(tried);
    HttpCall at = call;
    at.url = scheme_ + lease.host().ToString() + path;
    auto reply = http_.Call(context, at);
    const bool down = reply.ok() ? CodeOfStatus(reply->status) == Code::kUnavailable
                                 : reply.code() == Code::kUnavailable;
    if (!down) {
      if (reply.ok()) {
        lease.Succeeded();
      }
      return reply;
    }
    lease.Failed();
    tried.push_back(lease.index());
    const bool again = read || (!reply.ok() && !reply.error().outcome_unknown);
    if (!again || tried.size() >= rest_.size()) {
      return reply;
    }
  }
}

Result<std::string> WeaviateClient::Rest(const RequestContext& context, std::string_view method,
                                         const std::string& path, const std::string& body) {
  HttpCall call{.method = std::string(method), .headers = headers_, .body = body};
  if (!body.empty()) {
    call.headers.emplace_back("content-type", "application/json");
  }
  const bool read = method == "GET" || path == "/v1/graphql";
  auto reply = RestCall(context, call, path, read);
  if (!reply.ok()) {
    Error error = std::move(reply).error();
    error.outcome_unknown = error.outcome_unknown && !read;
    return Named(std::move(error));
  }
  if (reply->status >= 200 && reply->status < 300) {
    return std::move(reply->body);
  }
  Error error{.code = CodeOfStatus(reply->status), .message = MessageOf(reply->body)};
  if (error.message.empty()) {
    error.message = "HTTP " + std::to_string(reply->status);
  }
  error.outcome_unknown = !read && reply->status >= 500;
  return Named(std::move(error));
}

Result<uint64_t> WeaviateClient::CountObjects(const RequestContext& context,
                                              const std::string& class_name,
                                              const std::string& tenant) {
  // Names are ours: nothing in them needs quoting.
  const std::string at = tenant.empty() ? "" : "(tenant:\"" + tenant + "\")";
  const std::string query = "{Aggregate{" + class_name + at + "{meta{count}}}}";
  std::string body = "{\"query\":";
  AppendJsonString(body, query);
  const std::string text = TRY(Rest(context, "POST", "/v1/graphql", body + "}"));
  boost::system::error_code failed;
  const bj::value value = bj::parse(text, failed);
  if (!failed) {
    const bj::value* count =
        value.find_pointer("/data/Aggregate/" + class_name + "/0/meta/count", failed);
    if (count != nullptr && !failed && count->is_int64()) {
      return static_cast<uint64_t>(count->get_int64());
    }
  }
  // GraphQL answers errors with 200.
  return Named(Error{.code = Code::kInternal, .message = MessageOf(text)});
}

Result<std::vector<std::string>> WeaviateClient::Tenants(const RequestContext& context,
                                                         const std::string& class_name) {
  const std::string text = TRY(Rest(context, "GET", "/v1/schema/" + class_name + "/tenants"));
  boost::system::error_code failed;
  const bj::value value = bj::parse(text, failed);
  if (failed || !value.is_array()) {
    return Named(Internal("the list of tenants cannot be read"));
  }
  std::vector<std::string> names;
  for (const bj::value& one : value.get_array()) {
    const bj::object* tenant = one.if_object();
    const bj::value* name = tenant == nullptr ? nullptr : tenant->if_contains("name");
    if (name != nullptr && name->is_string()) {
      names.emplace_back(name->get_string());
    }
  }
  return names;
}

Result<std::string> WeaviateClient::Version(const RequestContext& context) {
  constexpr std::string_view kCheckAddress =
      "; check host and port of the address (those of REST), and tls=true";
  auto text = Rest(context, "GET", "/v1/meta");
  const auto other = [&](const std::string& why) {
    return FailedPrecondition("the server at " + address_ + " is not Weaviate: " + why +
                              std::string(kCheckAddress));
  };
  if (!text.ok()) {
    switch (text.code()) {
      case Code::kNotFound:
      case Code::kInvalidArgument:
      case Code::kInternal:
        return other(text.error().message);
      case Code::kUnavailable:
        return Unavailable(text.error().message + std::string(kCheckAddress));
      case Code::kUnauthenticated: {  // Perhaps by a server of another kind, which knows others.
        Error error = text.error();
        error.message += kCheckAddress;
        return error;
      }
      default:
        return text.error();
    }
  }
  boost::system::error_code failed;
  const bj::value value = bj::parse(*text, failed);
  const bj::value* version =
      failed || !value.is_object() ? nullptr : value.get_object().if_contains("version");
  if (version == nullptr || !version->is_string()) {
    return other("it does not say its version at /v1/meta");
  }
  return std::string(version->get_string());
}

}  // namespace roost
