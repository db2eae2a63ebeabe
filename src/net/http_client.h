#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "net/http_server.h"
#include "telemetry/metrics.h"

namespace roost {

/// One call to an HTTP server.
struct HttpCall {
  std::string method = "GET";
  std::string url;  ///< http:// or https://
  HttpHeaders headers;
  std::string body;
  /// Instead of `body`: gives the next piece of the request's body, empty at the end. An error
  /// stops the call, which returns it.
  std::function<Result<std::string>()> upload;
  std::optional<uint64_t> upload_bytes;  ///< sent as Content-Length; unknown: chunked
  /// Takes each piece of a 2xx reply's body instead of HttpReply::body. An error stops the call,
  /// which returns it.
  std::function<Status(std::string_view)> download;
  /// Changes nothing at the server, whatever the method says (a search by POST).
  bool safe = false;
};

struct HttpReply {
  int status = 0;
  HttpHeaders headers;  ///< names in lower case
  std::string body;

  /// The first header of that (lower-case) name; empty when there is none.
  std::string_view Header(std::string_view name) const;
};

/// Blocking HTTP/1.1 calls over kept-alive connections. Thread safe: concurrent calls use
/// connections of their own, at most max_connections, and wait for one until their deadline; up to
/// max_idle of them are kept for later calls.
///
/// A reply of any status is a success here. Errors: kUnavailable (cannot connect, connection lost,
/// TLS refused), kDeadlineExceeded, kCancelled, kResourceExhausted (the reply is larger than
/// max_reply_bytes), kInvalidArgument (the URL). An error after the request may have reached the
/// server has `outcome_unknown` set, save for GET, HEAD and safe calls.
class HttpClient {
 public:
  struct Options {
    size_t max_idle = 16;
    size_t max_connections = 256;
    std::chrono::milliseconds connect_timeout{5'000};
    size_t max_reply_bytes = size_t{256} << 20;  ///< not for `download`
    /// Appended to "cannot reach …": what the user may do about it.
    std::string hint = "is `roost serve` running?";
    /// Sends the context's id and deadline as X-Request-Id and X-Request-Timeout-Ms.
    bool send_context = true;
    std::string ca_file;  ///< PEM; empty: the system's
    bool verify_tls = true;
    std::string certificate_file;  ///< PEM, the client's own; empty: none. With key_file
    std::string key_file;          ///< PEM
    /// Follow the numbers in Stats; null: nobody asks. They outlive the client.
    Gauge* in_use = nullptr;
    Gauge* idle = nullptr;
  };
  struct Stats {
    size_t in_use = 0;
    size_t idle = 0;
    size_t waiting = 0;  ///< calls that wait for a connection
  };

  HttpClient() : HttpClient(Options()) {}
  explicit HttpClient(Options options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Honours the context's deadline and stop within milliseconds.
  Result<HttpReply> Call(const RequestContext& context, const HttpCall& call);
  Stats stats() const;

 private:
  class Handle;

  Result<std::unique_ptr<Handle>> TakeHandle(const RequestContext& context);
  void GiveBack(std::unique_ptr<Handle> handle);

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<Handle>> idle_;
  size_t in_use_ = 0;
  size_t waiting_ = 0;
};

/// Has the connections of clients with these options counted for the store of that name:
/// roost_http_client_connections{store,state="in_use"|"idle"}. `metrics` outlives them.
void CountConnections(HttpClient::Options& options, const std::string& store, Metrics& metrics);

}  // namespace roost
