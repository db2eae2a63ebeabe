// The HTTP server with two trivial routes, for tests/bench/edge_bench.py. Prints its port, then
// serves until its standard input ends.
//
// GET /inline: answered on the event loop, as health checks are.
// GET /worker: answered by the executor, as every other request is.

#include <cstdio>
#include <string>

#include "base/executor.h"
#include "net/http_server.h"
#include "telemetry/metrics.h"

int main() {
  using namespace roost;
  const std::string body = R"({"status":"ok","version":"0.1.0"})";
  const auto answer = [&body](const HttpRequest&) { return HttpResponse{.body = body}; };
  const HttpHandler inline_handler{.handle = answer, .inline_ok = true};
  const HttpHandler worker_handler{.handle = answer};
  auto metrics = MakeMetrics();
  Executor executor({.name = "requests", .max_threads = 64, .max_queue = 4096, .max_running = 2});
  auto router = [&](const HttpRequest& request) -> const HttpHandler* {
    if (request.path == "/inline") {
      return &inline_handler;
    }
    return request.path == "/worker" ? &worker_handler : nullptr;
  };
  auto server = HttpServer::Start({}, router, executor, *metrics);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.error().ToString().c_str());
    return 1;
  }
  std::printf("%u\n", static_cast<unsigned>((*server)->port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  (*server)->Stop();
  return 0;
}
