#include "net/socket.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace roost {
namespace {

constexpr std::chrono::milliseconds kLongestPoll{60'000};
constexpr int kKeepaliveIdleSeconds = 60;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

Result<std::unique_ptr<addrinfo, FreeAddresses>> LookUp(const HostPort& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed =
      getaddrinfo(host.host.c_str(), std::to_string(host.port).c_str(), &hints, &list);
  if (failed != 0) {
    return Unavailable("cannot reach " + host.ToString() + ": " +
                       (failed == EAI_NONAME ? "no such host; check the name"
                                             : std::string(gai_strerror(failed))));
  }
  return std::unique_ptr<addrinfo, FreeAddresses>(list);
}

void SetOptions(int fd, std::chrono::milliseconds silence) {
  const int on = 1;
  const int idle = kKeepaliveIdleSeconds;
  const auto timeout = static_cast<unsigned>(silence.count());
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

/// The socket, or none and the errno in `error`.
Result<FileDescriptor> ConnectTo(const SocketWaiter& waiter, const addrinfo& address,
                                 std::chrono::milliseconds silence, const std::string& doing,
                                 int& error) {
  FileDescriptor socket(
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
  if (socket.get() < 0) {
    error = errno;
    return FileDescriptor();
  }
  SetOptions(socket.get(), silence);
  if (connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) {
    return socket;
  }
  if (errno != EINPROGRESS) {
    error = errno;
    return FileDescriptor();
  }
  TRY(waiter.Wait(socket.get(), POLLOUT, doing));
  socklen_t size = sizeof error;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::move(socket) : FileDescriptor();
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

void SocketWaiter::Waker::operator()() const { eventfd_write(fd, 1); }

SocketWaiter::SocketWaiter(const RequestContext& context)
    : context_(context),
      wake_(context.stop.stop_possible() ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1) {
  if (wake_.get() >= 0) {
    on_stop_.emplace(context.stop, Waker{wake_.get()});
  }
}

Status SocketWaiter::Wait(int fd, short events, std::string_view doing) const {
  for (;;) {
    TRY(context_.CheckAlive(doing));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(context_.deadline.Remaining());
    pollfd polled[2] = {{fd, events, 0}, {wake_.get(), POLLIN, 0}};
    poll(polled, 2, static_cast<int>(std::min(left, kLongestPoll).count()));
    if (polled[0].revents != 0) {
      return {};
    }
  }
}

Result<FileDescriptor> ConnectTcp(const RequestContext& context, const HostPort& host,
                                  std::chrono::milliseconds silence) {
  const std::string doing = "connecting to " + host.ToString();
  TRY(context.CheckAlive(doing));
  const auto addresses = TRY(LookUp(host));
  const SocketWaiter waiter(context);
  int error = 0;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    error = 0;
    auto socket = TRY(ConnectTo(waiter, *address, silence, doing, error));
    if (socket.get() >= 0) {
      return socket;
    }
  }
  return Unavailable("cannot reach " + host.ToString() + ": " + SystemWords(error));
}

std::string SystemWords(int error_number) {
  std::string words = std::strerror(error_number);
  if (!words.empty()) {
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  }
  return words;
}

}  // namespace roost
