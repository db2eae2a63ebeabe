#include "net/http_testing.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace roost {
namespace {

constexpr std::chrono::seconds kPatience{10};

size_t StatusNumber(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) {
      return std::stoul(line.substr(name.size()));
    }
  }
  return 0;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return condition();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

size_t ResidentBytes() { return StatusNumber("VmRSS:") * 1024; }
size_t ThreadCount() { return StatusNumber("Threads:"); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

TestServer::TestServer(Sizes sizes)
    : executor_({.name = "test", .max_threads = sizes.threads, .max_queue = sizes.queue}) {}

TestServer::~TestServer() { Stop(); }

void TestServer::AddEcho() {
  const auto echo = [](const HttpRequest& request) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = request.method + " " + request.path + " " + request.query + " " + request.body;
    return response;
  };
  On("/echo").handle = echo;
  On("/inline").handle = echo;
  On("/inline").inline_ok = true;
}

void TestServer::Start() {
  auto started = HttpServer::Start(
      options,
      [this](const HttpRequest& request) -> const HttpHandler* {
        const auto found = handlers_.find(request.path);
        return found == handlers_.end() ? nullptr : &found->second;
      },
      executor_, *metrics_);
  ASSERT_TRUE(started.ok()) << started.error().ToString();
  server_ = std::move(started).value();
}

void TestServer::Stop() { server_.reset(); }

double TestServer::Metric(const std::string& series) const {
  std::istringstream text(metrics_->Render());
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(series + " ")) {
      return std::stod(line.substr(series.size() + 1));
    }
  }
  return -1;
}

void Gate::Open() {
  std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

Gate::~Gate() {
  std::unique_lock lock(mutex_);
  open_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return waiting_ == 0; });
}

bool Gate::Wait(const RequestContext& context) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.wait_until(lock, context.stop, std::chrono::steady_clock::now() + kPatience,
                      [this] { return open_; });
  --waiting_;
  changed_.notify_all();
  return open_;
}

std::string TestReply::Header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? "" : found->second;
}

TestConnection::TestConnection(uint16_t port, int receive_buffer)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  const timeval limit{kPatience.count(), 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

TestConnection::~TestConnection() { Close(); }

void TestConnection::Close() {
  if (fd_ >= 0) {
    close(std::exchange(fd_, -1));
  }
}

void TestConnection::EndSending() { shutdown(fd_, SHUT_WR); }

bool TestConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string TestConnection::Receive(size_t limit) {
  if (!buffer_.empty()) {
    std::string bytes = buffer_.substr(0, limit);
    buffer_.erase(0, bytes.size());
    return bytes;
  }
  std::string bytes(limit, '\0');
  const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return bytes;
}

bool TestConnection::Fill() {
  std::string bytes(65536, '\0');
  const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
  if (got > 0) {
    buffer_.append(bytes, 0, static_cast<size_t>(got));
  }
  return got > 0;
}

bool TestConnection::Ends() {
  std::string bytes(65536, '\0');
  for (;;) {
    const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
    if (got <= 0) {
      return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
  }
}

TestReply TestConnection::Read(bool head) {
  TestReply reply;
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) {
      return reply;
    }
  }
  std::istringstream text(buffer_.substr(0, end + 2));
  buffer_.erase(0, end + 4);
  std::string line;
  std::getline(text, line);
  reply.status = std::stoi(line.substr(line.find(' ') + 1));
  while (std::getline(text, line)) {
    const size_t colon = line.find(':');
    reply.headers.emplace_back(Lower(line.substr(0, colon)),
                               line.substr(colon + 2, line.size() - colon - 3));
  }
  const auto take = [&](size_t bytes) {
    while (buffer_.size() < bytes) {
      if (!Fill()) {
        return false;
      }
    }
    reply.body.append(buffer_, 0, bytes);
    buffer_.erase(0, bytes);
    return true;
  };
  if (head || reply.status < 200 || reply.status == 204 || reply.status == 304) {
    reply.complete = true;
  } else if (reply.Header("transfer-encoding") == "chunked") {
    for (;;) {
      while ((end = buffer_.find("\r\n")) == std::string::npos) {
        if (!Fill()) {
          return reply;
        }
      }
      const size_t size = std::stoul(buffer_.substr(0, end), nullptr, 16);
      buffer_.erase(0, end + 2);
      if (!take(size + 2)) {
        return reply;
      }
      reply.body.resize(reply.body.size() - 2);
      if (size == 0) {
        reply.complete = true;
        return reply;
      }
    }
  } else if (const std::string length = reply.Header("content-length"); !length.empty()) {
    reply.complete = take(std::stoul(length));
  } else {
    while (Fill()) {
    }
    reply.body = std::exchange(buffer_, "");
    reply.complete = true;
  }
  return reply;
}

TestReply TestConnection::Get(const std::string& path, const std::string& headers) {
  Send("GET " + path + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n");
  return Read();
}

TestReply TestConnection::Post(const std::string& path, const std::string& body,
                               const std::string& headers) {
  Send("POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Length: " +
       std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
  return Read();
}

}  // namespace roost
