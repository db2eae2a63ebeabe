#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/executor.h"
#include "base/result.h"
#include "telemetry/metrics.h"

namespace roost {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Bytes of a request's body, in order. For handlers with `stream_body`; used by one thread.
class HttpBodyReader {
 public:
  virtual ~HttpBodyReader() = default;
  /// The next piece (64 KiB or less); empty at the end. Blocks until bytes, end, deadline or the
  /// client's disconnect (kCancelled).
  virtual Result<std::string> Read() = 0;
};

/// One request, decoded from HTTP/1.1 or HTTP/2 alike.
struct HttpRequest {
  RequestContext context;  ///< deadline from `X-Request-Timeout-Ms` or the server's default; stop =
                           ///< client gone
  std::string method;      ///< upper case
  std::string path;        ///< before the `?`, as sent (percent-encoded)
  std::string query;       ///< after the `?`, as sent
  HttpHeaders headers;     ///< names in lower case
  std::string body;  ///< whole; empty when the handler streams. Capacity ≥ size + 64 (simdjson)
  HttpBodyReader* body_reader = nullptr;  ///< set when the handler has stream_body
  std::string peer;                       ///< "127.0.0.1:54321"

  /// The first header of that (lower-case) name; empty when there is none.
  std::string_view Header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HttpHeaders headers;  ///< beside content-type and content-length
};

/// Sends a response piece by piece (chunked in HTTP/1.1, DATA frames in HTTP/2).
class HttpResponseWriter {
 public:
  virtual ~HttpResponseWriter() = default;
  /// Once, before Write. `response.body` must be empty.
  virtual Status Start(HttpResponse response) = 0;
  /// Blocks while the client is more than 1 MiB behind; kCancelled when it is gone.
  virtual Status Write(std::string_view piece) = 0;
};

/// What serves one request. Exactly one of `handle` and `stream` is set.
struct HttpHandler {
  std::function<HttpResponse(const HttpRequest&)> handle;
  /// Sends its reply through the writer. An error before Start becomes a problem+json reply; after
  /// it the connection (HTTP/1.1) or stream (HTTP/2) is broken off so that the client sees the cut.
  std::function<Status(const HttpRequest&, HttpResponseWriter&)> stream;
  bool stream_body = false;  ///< the body is read through body_reader, not collected
  /// Runs on the event loop: must take < 50 µs and never wait (health, metrics of a trivial kind).
  bool inline_ok = false;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                 ///< 0: any free port
  std::string tls_certificate_file;  ///< PEM; empty: clear text
  std::string tls_key_file;
  size_t io_threads = 1;
  size_t max_connections = 10'000;
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = size_t{64} << 20;
  size_t max_streams_per_connection = 1024;
  size_t max_buffered_body_bytes = size_t{1} << 30;  ///< over all requests in flight
  /// Over all replies that clients have not taken yet; above it requests are refused.
  size_t max_buffered_reply_bytes = size_t{1} << 30;
  std::chrono::seconds header_timeout{10};
  std::chrono::seconds keep_alive_timeout{75};
  std::chrono::seconds body_idle_timeout{30};
  /// For a client to take 16 KiB of what waits for it (1 KiB of one HTTP/2 stream), or all of it.
  std::chrono::seconds write_stall_timeout{30};
  std::chrono::seconds drain_timeout{10};
  std::chrono::milliseconds default_request_timeout{30'000};
  std::chrono::milliseconds max_request_timeout{600'000};
};

/// One listener for HTTP/1.1 and HTTP/2 (prior knowledge or ALPN) on one port. Event loops inside;
/// handlers run on `executor` and may block. When the executor is full the reply is 503 with
/// `Retry-After` at once.
class HttpServer {
 public:
  /// Chooses the handler once the header is complete. Runs on the event loop; never waits. The
  /// returned handler must live as long as the server.
  using Router = std::function<const HttpHandler*(const HttpRequest&)>;

  /// `executor`, `metrics` outlive the server.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, Router router,
                                                   Executor& executor, Metrics& metrics);
  /// Stop() when still running.
  virtual ~HttpServer() = default;
  /// The port it listens on.
  virtual uint16_t port() const = 0;
  /// Closes the listener, lets requests in flight end (GOAWAY, `Connection: close`) within
  /// drain_timeout, then cuts. Returns when all is closed. Thread safe, idempotent.
  virtual void Stop() = 0;
};

/// An RFC 9457 reply: type, title, status, detail, code, request_id. 503 and 429 carry Retry-After.
HttpResponse ProblemResponse(const Error& error, std::string_view request_id);
/// The one table from codes to HTTP statuses.
int HttpStatus(Code code);

}  // namespace roost
