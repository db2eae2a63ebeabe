#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "net/http_metrics.h"
#include "net/http_server.h"

namespace roost {

class HttpLoop;
class TlsContext;

/// What the event loops and the requests in flight of one server share. Kept alive by both, so that
/// a worker that ends late never touches freed memory.
struct HttpShared {
  HttpShared(HttpServerOptions server_options, HttpServer::Router request_router,
             Executor& request_executor, Metrics& metrics_registry);
  ~HttpShared();
  HttpShared(const HttpShared&) = delete;
  HttpShared& operator=(const HttpShared&) = delete;

  /// A handler was given to the executor / has returned.
  void JobStarted() { jobs.fetch_add(1); }
  void JobEnded();
  void ConnectionOpened();
  void ConnectionClosed();
  /// Counts `bytes` of request body as held; false when max_buffered_body_bytes would be passed.
  bool HoldBody(size_t bytes);
  void ReleaseBody(size_t bytes) { body_bytes.fetch_sub(bytes); }
  /// Clients leave so much of their replies untaken that new requests must wait.
  bool RepliesPileUp() const { return reply_bytes > options.max_buffered_reply_bytes; }
  /// How long a client may take nothing: less while replies pile up, as who takes none is to blame.
  std::chrono::seconds WriteStallTimeout() const;
  /// Waits until `connections` (or `jobs`) is zero; false when `until` came first.
  bool WaitForConnections(SteadyTime until);
  bool WaitForJobs(SteadyTime until);

  const HttpServerOptions options;
  const HttpServer::Router router;
  Executor& executor;
  HttpMetrics metrics;
  std::unique_ptr<TlsContext> tls;  ///< null: clear text
  std::vector<std::unique_ptr<HttpLoop>> loops;

  std::atomic<bool> draining{false};
  std::atomic<size_t> body_bytes{0};
  std::atomic<size_t> reply_bytes{0};  ///< see HttpConnection::CountHeld
  std::atomic<size_t> connections{0};
  std::atomic<size_t> jobs{0};  ///< handlers queued or running on the executor

 private:
  std::mutex mutex_;
  std::condition_variable quiet_;  ///< signalled while draining when a count reaches zero
};

}  // namespace roost
