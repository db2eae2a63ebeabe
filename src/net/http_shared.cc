#include "net/http_shared.h"

#include <algorithm>
#include <utility>

#include "net/http_loop.h"
#include "net/http_tls.h"

namespace roost {

HttpShared::HttpShared(HttpServerOptions server_options, HttpServer::Router request_router,
                       Executor& request_executor, Metrics& metrics_registry)
    : options(std::move(server_options)),
      router(std::move(request_router)),
      executor(request_executor),
      metrics(metrics_registry) {}

HttpShared::~HttpShared() = default;

void HttpShared::JobEnded() {
  if (jobs.fetch_sub(1) == 1 && draining) {
    std::lock_guard lock(mutex_);
    quiet_.notify_all();
  }
}

void HttpShared::ConnectionOpened() {
  connections.fetch_add(1);
  metrics.connections().Add(1);
}

void HttpShared::ConnectionClosed() {
  metrics.connections().Add(-1);
  if (connections.fetch_sub(1) == 1 && draining) {
    std::lock_guard lock(mutex_);
    quiet_.notify_all();
  }
}

bool HttpShared::HoldBody(size_t bytes) {
  if (body_bytes.fetch_add(bytes) + bytes <= options.max_buffered_body_bytes) {
    return true;
  }
  body_bytes.fetch_sub(bytes);
  return false;
}

std::chrono::seconds HttpShared::WriteStallTimeout() const {
  constexpr std::chrono::seconds kHurry{1};
  return RepliesPileUp() ? std::min(kHurry, options.write_stall_timeout)
                         : options.write_stall_timeout;
}

bool HttpShared::WaitForConnections(SteadyTime until) {
  std::unique_lock lock(mutex_);
  return quiet_.wait_until(lock, until, [this] { return connections == 0; });
}

bool HttpShared::WaitForJobs(SteadyTime until) {
  std::unique_lock lock(mutex_);
  return quiet_.wait_until(lock, until, [this] { return jobs == 0; });
}

}  // namespace roost
