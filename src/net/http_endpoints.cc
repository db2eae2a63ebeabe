#include "net/http_endpoints.h"

#include <utility>

namespace roost {

HttpEndpoints::HttpEndpoints(HttpEndpointsOptions options, Clock& clock, Random& random,
                             Metrics& metrics)
    : options_(std::move(options)), endpoints_(options_.hosts, options_.endpoints, clock, random) {
  HttpClient::Options each{.max_idle = options_.max_connections_per_host,
                           .max_connections = options_.max_connections_per_host,
                           .connect_timeout = options_.connect_timeout,
                           .max_reply_bytes = options_.max_reply_bytes,
                           .hint = "",
                           .send_context = false,
                           .ca_file = options_.tls.ca_file,
                           .verify_tls = options_.tls.verify,
                           .certificate_file = options_.tls.certificate_file,
                           .key_file = options_.tls.key_file};
  CountConnections(each, options_.name, metrics);
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    clients_.push_back(std::make_unique<HttpClient>(each));
  }
}

bool HttpEndpoints::MayRepeat(const HttpCall& call, const Error& error, size_t tries) const {
  if (error.code != Code::kUnavailable || error.outcome_unknown || tries == options_.max_attempts ||
      call.upload || call.download) {
    return false;
  }
  const bool safe = call.safe || call.method == "GET" || call.method == "HEAD";
  // One that did not reach its endpoint would not reach it now, either.
  return safe || tries < endpoints_.size();
}

Result<HttpReply> HttpEndpoints::Call(const RequestContext& context, HttpCall call) {
  const std::string path = std::exchange(call.url, "");
  call.headers.insert(call.headers.begin(), options_.headers.begin(), options_.headers.end());
  std::vector<size_t> tried;
  for (;;) {
    const EndpointSet::Lease lease = endpoints_.Pick(tried);
    tried.push_back(lease.index());
    call.url = (options_.tls.enabled ? "https://" : "http://") + lease.host().ToString() + path;
    auto reply = clients_[lease.index()]->Call(context, call);
    if (reply.ok()) {
      reply->status >= 502 && reply->status <= 504 ? lease.Failed() : lease.Succeeded();
      return reply;
    }
    if (reply.code() == Code::kUnavailable) {
      lease.Failed();
    }
    if (!MayRepeat(call, reply.error(), tried.size()) || !context.CheckAlive("").ok()) {
      return reply;
    }
  }
}

}  // namespace roost
