#include "net/grpc_client.h"

#include <algorithm>
#include <atomic>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/executor.h"
#include "net/grpc_channel.h"
#include "net/http_tls.h"

namespace roost {
namespace {

constexpr std::chrono::seconds kTendEvery{1};
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

Status CheckMetadata(const HttpHeaders& metadata) {
  for (const auto& [name, value] : metadata) {
    const bool own = name.starts_with("grpc-") || name == "te" || name == "content-type" ||
                     name == "user-agent" || name == "connection";
    if (name.empty() || own || name.find_first_not_of(kNameCharacters) != std::string::npos) {
      return InvalidArgument("\"" + name +
                             "\" cannot be the name of gRPC metadata: lower-case letters, digits, "
                             "\"-\", \"_\" and \".\" may stand in it, and some names are reserved");
    }
    const bool printable =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!printable) {
      return InvalidArgument("the value of gRPC metadata \"" + name +
                             "\" holds other than printable ASCII characters");
    }
  }
  return {};
}

Status CheckOptions(const GrpcOptions& options) {
  TRY(CheckMetadata(options.metadata));
  if (options.hosts.empty()) {
    return InvalidArgument("a gRPC client needs at least one host");
  }
  if (options.connections_per_host == 0 || options.max_calls == 0 || options.max_attempts == 0) {
    return InvalidArgument(
        "connections_per_host, max_calls and max_attempts of a gRPC client must be at least 1");
  }
  return {};
}

/// One more in progress, for the time of its life.
class CallSlot {
 public:
  explicit CallSlot(std::atomic<size_t>& count) : count_(count), number_(++count) {}
  ~CallSlot() { --count_; }
  CallSlot(const CallSlot&) = delete;
  CallSlot& operator=(const CallSlot&) = delete;
  size_t number() const { return number_; }

 private:
  std::atomic<size_t>& count_;
  const size_t number_;
};

class Client final : public GrpcClient {
 public:
  Client(GrpcOptions options, std::unique_ptr<TlsContext> tls, Clock& clock, Random& random,
         Metrics& metrics)
      : options_(std::move(options)),
        tls_(std::move(tls)),
        endpoints_(options_.hosts, options_.endpoints, clock, random),
        retries_(metrics.GetCounter("roost_grpc_retries_total",
                                    "Calls to a store that were sent again",
                                    {{"store", options_.name}})) {
    const MetricLabels store = {{"store", options_.name}};
    const GrpcChannel::Parts parts{
        .options = options_,
        .tls = tls_.get(),
        .clock = clock,
        .open =
            metrics.GetGauge("roost_grpc_connections", "Open gRPC connections to a store", store),
        .opened = metrics.GetCounter("roost_grpc_connects_total",
                                     "gRPC connections to a store that were opened", store),
        .failed =
            metrics.GetCounter("roost_grpc_connect_failures_total",
                               "gRPC connections to a store that could not be opened", store)};
    for (const HostPort& host : options_.hosts) {
      channels_.push_back(std::make_unique<GrpcChannel>(host, parts));
    }
    tender_ = std::jthread([this, &clock](const std::stop_token& stop) {
      while (clock.SleepFor(kTendEvery, stop)) {
        for (const auto& channel : channels_) {
          channel->Tend();
        }
      }
    });
  }

  Result<std::string> Call(const RequestContext& context, const GrpcCall& call) override {
    TRY(CheckMetadata(call.metadata));
    if (call.message.size() > options_.max_request_bytes) {
      return ResourceExhausted("the request for " + std::string(call.method) + " has " +
                               std::to_string(call.message.size()) + " bytes; at most " +
                               std::to_string(options_.max_request_bytes) +
                               " are allowed (max_request_bytes): send fewer rows or raise it");
    }
    const CallSlot slot(calls_);
    if (slot.number() > options_.max_calls) {
      return ResourceExhausted("there are " + std::to_string(options_.max_calls) +
                               " calls to the store in progress (max_calls); try again later");
    }
    const BlockingSection blocking;
    std::vector<size_t> tried;
    for (size_t attempt = 1;; ++attempt) {
      Try result = CallOnce(context, call, tried);
      if (result.outcome.reply.ok() || attempt == options_.max_attempts ||
          !MayRepeat(call, result, tried) || !context.CheckAlive("").ok()) {
        return std::move(result.outcome.reply);
      }
      retries_.Increment();
    }
  }

  std::vector<EndpointSet::State> endpoints() const override { return endpoints_.states(); }

 private:
  struct Try {
    GrpcOutcome outcome;
    bool connected = false;
  };

  Try CallOnce(const RequestContext& context, const GrpcCall& call, std::vector<size_t>& tried) {
    const EndpointSet::Lease lease = endpoints_.Pick(tried);
    tried.push_back(lease.index());
    Try result{.outcome = {.reply = std::string()}};
    auto connection = channels_[lease.index()]->Get(context);
    if (connection.ok()) {
      result.connected = true;
      result.outcome = (*connection)->Call(context, call);
    } else {
      result.outcome = {.reply = std::move(connection).error(), .not_processed = true};
    }
    switch (result.outcome.reply.code()) {
      case Code::kUnavailable:
        // A connection that came to its end in good order says nothing about the endpoint.
        if (!(result.connected && result.outcome.not_processed)) {
          lease.Failed();
        }
        break;
      case Code::kDeadlineExceeded:
      case Code::kCancelled:
        break;
      default:
        lease.Succeeded();
    }
    return result;
  }

  bool MayRepeat(const GrpcCall& call, const Try& result, const std::vector<size_t>& tried) const {
    const Code code = result.outcome.reply.code();
    if (code == Code::kDeadlineExceeded || code == Code::kCancelled) {
      return false;
    }
    if (!result.connected) {
      return tried.size() < endpoints_.size();  // The same endpoint would refuse again.
    }
    return result.outcome.not_processed ||
           (result.outcome.lost && call.effect == GrpcEffect::kRead);
  }

  const GrpcOptions options_;
  const std::unique_ptr<TlsContext> tls_;
  EndpointSet endpoints_;
  Counter& retries_;
  std::atomic<size_t> calls_{0};
  std::vector<std::unique_ptr<GrpcChannel>> channels_;
  std::jthread tender_;
};

}  // namespace

Result<std::unique_ptr<GrpcClient>> GrpcClient::Create(GrpcOptions options, Clock& clock,
                                                       Random& random, Metrics& metrics) {
  TRY(CheckOptions(options));
  std::unique_ptr<TlsContext> tls;
  if (options.tls.enabled) {
    tls = TRY(TlsContext::LoadClient(options.tls));
  }
  return std::unique_ptr<GrpcClient>(
      std::make_unique<Client>(std::move(options), std::move(tls), clock, random, metrics));
}

}  // namespace roost
