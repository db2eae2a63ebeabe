#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "net/http_server.h"
#include "telemetry/metrics.h"

namespace roost {

/// Waits for `condition`, ten seconds at most; its last value.
bool Eventually(const std::function<bool()>& condition);
/// VmRSS of this process.
size_t ResidentBytes();
size_t ThreadCount();
/// User and system time of this process so far.
double CpuSeconds();

/// A server under test: add handlers, then Start().
class TestServer {
 public:
  struct Sizes {
    size_t threads = 8;
    size_t queue = 64;
  };

  TestServer() : TestServer(Sizes{}) {}
  explicit TestServer(Sizes sizes);
  ~TestServer();

  HttpHandler& On(const std::string& path) { return handlers_[path]; }
  /// "/echo" answers with method, path, query and body; "/inline" the same on the loop.
  void AddEcho();
  void Start();
  void Stop();
  uint16_t port() const { return server_->port(); }
  HttpServer& server() { return *server_; }
  Executor& executor() { return executor_; }
  /// A value of /metrics: the line that begins with `series`; -1 when there is none.
  double Metric(const std::string& series) const;

  HttpServerOptions options;

 private:
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::map<std::string, HttpHandler> handlers_;
  Executor executor_;
  std::unique_ptr<HttpServer> server_;
};

/// Blocks handlers until a test lets them go.
class Gate {
 public:
  Gate() = default;
  /// Opens and waits for those inside: tests declare their server first, so it still runs then.
  ~Gate();
  void Open();
  /// Waits for Open() or the request's end; true when opened.
  bool Wait(const RequestContext& context);
  size_t waiting() const { return waiting_; }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool open_ = false;
  std::atomic<size_t> waiting_{0};
};

struct TestReply {
  int status = 0;  ///< 0: the connection ended instead
  HttpHeaders headers;
  std::string body;
  bool complete = false;

  std::string Header(std::string_view name) const;
};

/// A plain socket with HTTP/1.1 replies read off it. Every wait ends after ten seconds.
class TestConnection {
 public:
  explicit TestConnection(uint16_t port, int receive_buffer = 0);
  ~TestConnection();
  TestConnection(TestConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  /// False when the peer has gone.
  bool Send(std::string_view bytes);
  /// At most `limit` bytes; empty at the end of the connection.
  std::string Receive(size_t limit = 65536);
  /// One reply. `head` for replies to HEAD.
  TestReply Read(bool head = false);
  TestReply Get(const std::string& path, const std::string& headers = "");
  TestReply Post(const std::string& path, const std::string& body, const std::string& headers = "");
  /// Reads and drops until the connection ends; true when it did.
  bool Ends();
  void EndSending();
  void Close();
  int fd() const { return fd_; }

 private:
  bool Fill();

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace roost
