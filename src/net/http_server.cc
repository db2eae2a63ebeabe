#include "net/http_server.h"

#include <cerrno>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/http_connection.h"
#include "net/http_loop.h"
#include "net/http_shared.h"
#include "net/http_tls.h"

namespace roost {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kAcceptPause{100};
/// How long HTTP/2 clients may still open streams after they were told that the server leaves.
constexpr std::chrono::milliseconds kGoAwayNotice{500};
constexpr std::chrono::seconds kWarnAboutJobs{5};
/// wait_until must not overflow when it converts between clocks.
constexpr std::chrono::hours kForever{24 * 365};
constexpr int kAcceptsPerTurn = 64;

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::string PeerName(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port,
                  sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  return address.ss_family == AF_INET6 ? "[" + std::string(host) + "]:" + port
                                       : std::string(host) + ":" + port;
}

class Server final : public HttpServer {
 public:
  explicit Server(std::shared_ptr<HttpShared> shared) : shared_(std::move(shared)) {}
  ~Server() override { Stop(); }

  Status Listen();
  void StartLoops();
  uint16_t port() const override { return port_; }
  void Stop() override;

 private:
  void AcceptLater();
  void AcceptSome();
  void PauseAccepting();
  void HandOver(int fd, std::string peer);
  HttpLoop& front() { return *shared_->loops.front(); }
  void OnEachLoop(const std::function<void(HttpLoop&)>& task);

  const std::shared_ptr<HttpShared> shared_;
  // Used on the first loop only, once the loops run.
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> pause_;
  size_t next_loop_ = 0;
  uint16_t port_ = 0;

  std::mutex mutex_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

Status Server::Listen() {
  const HttpServerOptions& options = shared_->options;
  boost::system::error_code error;
  const std::string text = options.address == "localhost" ? "127.0.0.1" : options.address;
  const auto address = asio::ip::make_address(text, error);
  if (error) {
    return InvalidArgument("\"" + options.address +
                           "\" is not an IP address to listen on; use 127.0.0.1, 0.0.0.0 or ::");
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor_ = std::make_unique<tcp::acceptor>(front().context());
  pause_ = std::make_unique<asio::steady_timer>(front().context());
  acceptor_->open(endpoint.protocol(), error);
  if (!error) {
    acceptor_->set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor_->bind(endpoint, error);
  }
  if (!error) {
    acceptor_->listen(asio::socket_base::max_listen_connections, error);
  }
  if (!error) {
    acceptor_->native_non_blocking(true, error);
  }
  if (error) {
    return Unavailable("cannot listen on " + options.address + ":" + std::to_string(options.port) +
                       ": " + error.message() + "; choose another address or port");
  }
  port_ = acceptor_->local_endpoint().port();
  return {};
}

void Server::StartLoops() {
  AcceptLater();
  for (size_t i = 0; i < shared_->loops.size(); ++i) {
    threads_.emplace_back([loop = shared_->loops[i].get(), i] {
      pthread_setname_np(pthread_self(), ("http-loop-" + std::to_string(i)).c_str());
      loop->Run();
    });
  }
}

void Server::AcceptLater() {
  acceptor_->async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (!error) {
      AcceptSome();
    }
  });
}

void Server::AcceptSome() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = accept4(acceptor_->native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      HandOver(fd, PeerName(address, size));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return PauseAccepting();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    }  // Any other error is that of one connection that is already gone.
  }
  AcceptLater();
}

void Server::PauseAccepting() {
  LogWarning("Out of file descriptors or memory for new connections; pausing.",
             {{"error", std::strerror(errno)}, {"connections", shared_->connections.load()}});
  pause_->expires_after(kAcceptPause);
  pause_->async_wait([this](const boost::system::error_code& error) {
    if (!error && acceptor_->is_open()) {
      AcceptLater();
    }
  });
}

void Server::HandOver(int fd, std::string peer) {
  if (shared_->connections >= shared_->options.max_connections) {
    shared_->metrics.refused_connections().Increment();
    ::close(fd);
    return;
  }
  shared_->ConnectionOpened();
  HttpLoop& loop = *shared_->loops[next_loop_++ % shared_->loops.size()];
  if (&loop == &front()) {
    HttpConnection::Start(loop, fd, std::move(peer));
  } else {
    loop.Post([&loop, fd, name = std::move(peer)] { HttpConnection::Start(loop, fd, name); });
  }
}

void Server::OnEachLoop(const std::function<void(HttpLoop&)>& task) {
  for (const auto& loop : shared_->loops) {
    loop->Post([task, target = loop.get()] { task(*target); });
  }
}

void Server::Stop() {
  std::lock_guard lock(mutex_);
  if (stopped_) {
    return;
  }
  stopped_ = true;
  shared_->draining = true;
  const SteadyTime cut = std::chrono::steady_clock::now() + shared_->options.drain_timeout;
  if (threads_.empty()) {
    return;  // Start() failed.
  }
  std::promise<void> told;
  front().Post([this, &told] {
    boost::system::error_code ignored;
    acceptor_->close(ignored);
    pause_->cancel();
    // After every connection that was handed over before.
    OnEachLoop([](HttpLoop& loop) { loop.Drain(false); });
    told.set_value();
  });
  told.get_future().wait();
  const SteadyTime notice = std::chrono::steady_clock::now() + kGoAwayNotice;
  if (!shared_->WaitForConnections(std::min(notice, cut))) {
    OnEachLoop([](HttpLoop& loop) { loop.Drain(true); });
  }
  if (!shared_->WaitForConnections(cut)) {
    LogWarning("Cutting connections that did not end in time.",
               {{"connections", shared_->connections.load()}});
    OnEachLoop([](HttpLoop& loop) { loop.CloseAll(); });
    shared_->WaitForConnections(std::chrono::steady_clock::now() + kForever);
  }
  // Their handlers were told to stop; they use what the caller frees after this.
  if (!shared_->WaitForJobs(std::chrono::steady_clock::now() + kWarnAboutJobs)) {
    LogWarning("Waiting for request handlers that do not stop.", {{"jobs", shared_->jobs.load()}});
    shared_->WaitForJobs(std::chrono::steady_clock::now() + kForever);
  }
  OnEachLoop([](HttpLoop& loop) { loop.Quit(); });
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, Router router,
                                                      Executor& executor, Metrics& metrics) {
  CHECK(options.io_threads > 0 && router != nullptr);
  RaiseFileLimit();
  auto shared =
      std::make_shared<HttpShared>(std::move(options), std::move(router), executor, metrics);
  if (!shared->options.tls_certificate_file.empty()) {
    shared->tls =
        TRY(TlsContext::Load(shared->options.tls_certificate_file, shared->options.tls_key_file));
  }
  for (size_t i = 0; i < shared->options.io_threads; ++i) {
    shared->loops.push_back(std::make_unique<HttpLoop>(*shared));
    shared->loops.back()->SetSharedReference(shared);
  }
  auto server = std::make_unique<Server>(shared);
  TRY(server->Listen());
  server->StartLoops();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace roost
