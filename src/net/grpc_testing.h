#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/http_server.h"

struct nghttp2_session;
struct ssl_ctx_st;

namespace roost {

/// A message as gRPC frames it.
std::string GrpcFramed(std::string_view message);

/// A gRPC server on nghttp2 that does what a test's script says, right or wrong. It listens on a
/// free port of 127.0.0.1; every connection has a thread of its own.
class GrpcTestServer {
 public:
  struct Request {
    std::string path;
    HttpHeaders headers;
    std::string body;  ///< framed, as it came
    int32_t stream = 0;
    int connection = 0;  ///< from 0 in the order of their coming

    std::string Header(std::string_view name) const;
    /// The message in `body`.
    std::string message() const { return body.size() < 5 ? "" : body.substr(5); }
  };
  struct Reply {
    HttpHeaders headers = {{":status", "200"}, {"content-type", "application/grpc"}};
    std::string body;                     ///< bytes of DATA
    std::optional<HttpHeaders> trailers;  ///< none: the headers or DATA end the stream
    std::optional<uint32_t> reset;        ///< instead of an end
    bool no_end = false;                  ///< nothing follows the body

    static Reply Message(std::string_view message);
    /// Trailers only.
    static Reply Status(int code, std::string message);
  };

  /// What a script can do with a connection; on the connection's thread.
  class Connection {
   public:
    virtual ~Connection() = default;
    virtual void Send(int32_t stream, Reply reply) = 0;
    virtual void GoAway(int32_t last_stream, uint32_t code, std::string_view words) = 0;
    virtual void Raw(std::string_view bytes) = 0;
    /// Ends our side of the connection after what was sent.
    virtual void Close() = 0;
    virtual nghttp2_session* session() = 0;
  };
  /// Called for each complete request.
  using Script = std::function<void(Connection&, const Request&)>;

  struct Options {
    uint32_t max_streams = 1000;
    uint32_t window = 1 << 20;
    bool answer_pings = true;
    bool greet = true;             ///< false: takes connections, says nothing
    bool on_headers = false;       ///< the script runs when the headers are there
    std::string first_bytes;       ///< sent instead of HTTP/2's greeting
    std::string certificate_file;  ///< PEM; with key_file: TLS
    std::string key_file;
    std::string client_ca_file;  ///< clients must show a certificate signed by it
    bool alpn = true;
  };

  explicit GrpcTestServer(Script script) : GrpcTestServer(std::move(script), Options()) {}
  GrpcTestServer(Script script, Options options);
  ~GrpcTestServer();

  uint16_t port() const { return port_; }
  /// Taken so far.
  int connections() const { return accepted_; }
  size_t open() const;
  int pings() const { return pings_; }
  /// RST_STREAM frames that clients sent.
  int resets() const { return resets_; }

 private:
  class Peer;
  friend struct GrpcTestCallbacks;

  void Accept();
  void Serve(int fd, int number);

  const Script script_;
  const Options options_;
  ssl_ctx_st* tls_ = nullptr;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<int> pings_{0};
  std::atomic<int> resets_{0};
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

/// A certificate for "localhost" and 127.0.0.1 that it signed itself, with its key, in two PEM
/// files that live as long as the object.
class TestCertificate {
 public:
  explicit TestCertificate(const std::string& name = "server");
  ~TestCertificate();
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string certificate_file;
  std::string key_file;
};

}  // namespace roost
