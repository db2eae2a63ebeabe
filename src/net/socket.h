#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/context.h"
#include "base/result.h"
#include "net/store_address.h"

namespace roost {

/// Owns a file descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Waits for a socket as long as the context allows, and is woken by its stop. One thread.
class SocketWaiter {
 public:
  /// The context outlives the waiter.
  explicit SocketWaiter(const RequestContext& context);
  SocketWaiter(const SocketWaiter&) = delete;
  SocketWaiter& operator=(const SocketWaiter&) = delete;

  /// Until one of poll()'s `events` (or an error) is there; kDeadlineExceeded, kCancelled.
  Status Wait(int fd, short events, std::string_view doing) const;

 private:
  struct Waker {
    int fd;
    void operator()() const;
  };

  const RequestContext& context_;
  FileDescriptor wake_;
  std::optional<std::stop_callback<Waker>> on_stop_;
};

/// A connected, non-blocking TCP socket without Nagle's delay; every address of the name is tried.
/// A peer that neither takes nor confirms what is sent for `silence` is taken for dead.
/// kUnavailable names host, port and reason. Looking up the name is not bounded by the deadline.
Result<FileDescriptor> ConnectTcp(const RequestContext& context, const HostPort& host,
                                  std::chrono::milliseconds silence);

/// The system's words for an errno, with a small first letter.
std::string SystemWords(int error_number);

}  // namespace roost
