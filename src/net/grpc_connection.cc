#include "net/grpc_connection.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace roost {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kTlsRecordBytes = 16 * 1024;

int PollTimeout(Deadline deadline) {
  if (deadline.infinite()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.Remaining()).count();
  return static_cast<int>(std::min<int64_t>(left, INT_MAX));
}

std::string MethodName(std::string_view method) {
  return std::string(method.substr(method.rfind('/') + 1));
}

}  // namespace

GrpcConnection::GrpcConnection(const HostPort& host, const GrpcOptions& options, Clock& clock)
    : host_(host),
      options_(options),
      clock_(clock),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      buffer_(kReadBytes),
      last_input_(clock.Now()),
      busy_since_(last_input_) {}

GrpcConnection::~GrpcConnection() { nghttp2_session_del(session_); }

Result<std::shared_ptr<GrpcConnection>> GrpcConnection::Open(const RequestContext& context,
                                                             const HostPort& host,
                                                             const GrpcOptions& options,
                                                             const TlsContext* tls, Clock& clock) {
  std::shared_ptr<GrpcConnection> connection(new GrpcConnection(host, options, clock));
  const RequestContext limited = context.WithTimeout(options.connect_timeout);
  Status opened = [&]() -> Status {
    connection->socket_ =
        TRY(ConnectTcp(limited, host, options.keepalive_time + options.keepalive_timeout));
    return connection->Greet(limited, tls);
  }();
  if (opened.ok()) {
    return connection;
  }
  if (opened.code() == Code::kDeadlineExceeded && context.CheckAlive("").ok()) {
    return Unavailable("cannot reach " + host.ToString() + ": no answer within " +
                       std::to_string(options.connect_timeout.count()) + " ms");
  }
  return std::move(opened).error();
}

Status GrpcConnection::Greet(const RequestContext& context, const TlsContext* tls) {
  const SocketWaiter waiter(context);
  if (tls != nullptr) {
    tls_ = std::make_unique<TlsSession>(*tls, host_.host);
    plain_.resize(kTlsRecordBytes);
  }
  MakeSession();
  const std::string doing = "connecting to " + host_.ToString();
  if (tls_ != nullptr) {
    Received("");  // Makes the client's hello.
  }
  for (;;) {
    if (tls_ == nullptr || tls_->established()) {
      if (tls_ != nullptr && tls_->alpn() != "h2") {
        Break("the server does not offer HTTP/2 by TLS; check the port");
        return GreetError();
      }
      Flush();
    } else {
      out_ += tls_->cipher();
      tls_->cipher().clear();
      SendSome();
    }
    if (broken_) {
      return GreetError();
    }
    if (greeted_) {
      return {};
    }
    TRY(waiter.Wait(socket_.get(), static_cast<short>(unsent() ? POLLIN | POLLOUT : POLLIN),
                    doing));
    const ssize_t got = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (got > 0) {
      Received({buffer_.data(), static_cast<size_t>(got)});
    } else if (got == 0) {
      Break("the server closed the connection");
    } else if (errno != EAGAIN && errno != EINTR) {
      Break(SystemWords(errno));
    }
  }
}

Error GrpcConnection::GreetError() const {
  std::string advice;
  if (tls_ == nullptr) {
    advice = "; does it expect TLS?";
  } else if (!tls_->failure().empty()) {
    advice = "; check its certificate, the CA file, and that it expects TLS";
  }
  return Unavailable("cannot reach " + host_.ToString() + ": " + *broken_ + advice);
}

GrpcOutcome GrpcConnection::Call(const RequestContext& context, const GrpcCall& call) {
  const auto stream = std::make_shared<Stream>(call, options_.max_reply_bytes);
  const std::stop_callback on_stop(context.stop, [this, &stream] {
    const std::lock_guard lock(mutex_);
    stream->cancelled = true;
    stream->wake.notify_one();
    InterruptReader();
  });
  Lock lock(mutex_);
  if (!Submit(context, stream)) {
    return {.reply = Unavailable("the connection to " + host_.ToString() + " takes no more calls"),
            .not_processed = true};
  }
  Flush();
  WakeFinished(lock);
  while (!stream->done) {
    if (stream->cancelled || context.deadline.Passed()) {
      Abandon(*stream);
    } else if (!reading_) {
      Read(lock, *stream, context.deadline);
    } else if (context.deadline.infinite()) {
      stream->wake.wait(lock);
    } else {
      stream->wake.wait_until(lock, context.deadline.time);
    }
  }
  HandOver(lock);
  return Conclude(context, *stream);
}

void GrpcConnection::Read(Lock& lock, Stream& own, Deadline deadline) {
  reading_ = true;
  while (!own.done && !own.cancelled && !deadline.Passed()) {
    WakeFinished(lock);
    PollAndReceive(lock, deadline, true);
    Flush();
  }
  reading_ = false;
}

void GrpcConnection::PollAndReceive(Lock& lock, Deadline deadline, bool wait) {
  const bool output = unsent();
  polls_for_output_ = output;
  polling_ = true;
  lock.unlock();
  pollfd polled[2] = {{socket_.get(), static_cast<short>(output ? POLLIN | POLLOUT : POLLIN), 0},
                      {wake_.get(), POLLIN, 0}};
  poll(polled, 2, wait ? PollTimeout(deadline) : 0);
  if (polled[1].revents != 0) {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
  }
  ssize_t got = -1;
  int error = EAGAIN;
  if ((polled[0].revents & ~POLLOUT) != 0) {
    // The lock is not held, which the analyser does not see, and the socket does not block.
    got = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);  // NOLINT
    error = errno;
  }
  lock.lock();
  polls_for_output_ = false;
  polling_ = false;
  if (broken_) {
    return;
  }
  if (got > 0) {
    Received({buffer_.data(), static_cast<size_t>(got)});
  } else if (got == 0) {
    Break("the server closed the connection");
  } else if (error != EAGAIN && error != EINTR) {
    Break(SystemWords(error));
  }
}

void GrpcConnection::WakeFinished(Lock& lock) {
  if (finished_.empty()) {
    return;
  }
  std::vector<StreamPointer> finished;
  finished.swap(finished_);
  lock.unlock();  // Those woken need it.
  for (const StreamPointer& stream : finished) {
    stream->wake.notify_one();
  }
  lock.lock();
}

void GrpcConnection::HandOver(Lock& lock) {
  WakeFinished(lock);
  if (!reading_ && !streams_.empty()) {
    const StreamPointer next = streams_.begin()->second;
    lock.unlock();
    next->wake.notify_one();
  } else {
    lock.unlock();
  }
}

GrpcOutcome GrpcConnection::Conclude(const RequestContext& context, Stream& stream) const {
  const bool write = stream.call.effect == GrpcEffect::kWrite;
  const std::string where = MethodName(stream.call.method) + " at " + host_.ToString();
  if (stream.broken) {
    Error error = stream.broken->Within(MethodName(stream.call.method));
    error.outcome_unknown = write && stream.sent;
    return {.reply = std::move(error), .not_processed = !stream.sent, .lost = stream.sent};
  }
  if (stream.refused) {
    return {.reply = Unavailable(where + ": the server refused the call before it began"),
            .not_processed = true};
  }
  if (stream.abandoned) {
    Error error = context.CheckAlive("waiting for " + where).error();
    error.outcome_unknown = write && stream.sent;
    return {.reply = std::move(error)};
  }
  Result<std::string> reply = std::move(stream.reply).Finish(stream.reset);
  if (reply.ok()) {
    return {.reply = std::move(reply)};
  }
  Error error = std::move(reply).error().Within(where);
  error.outcome_unknown = write && GrpcMayHaveRun(error.code);
  return {.reply = std::move(error)};
}

void GrpcConnection::Tend() {
  Lock lock(mutex_);
  if (broken_) {
    return;
  }
  if (!reading_) {
    reading_ = true;
    PollAndReceive(lock, Deadline::Infinite(), false);
    reading_ = false;
  }
  const SteadyTime now = clock_.Now();
  if (pinged_ && now - *pinged_ >= options_.keepalive_timeout) {
    Break("no sign of life for " +
          std::to_string((options_.keepalive_time + options_.keepalive_timeout).count()) + " ms");
  } else if (!pinged_ && !streams_.empty() &&
             now - std::max(last_input_, busy_since_) >= options_.keepalive_time) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    pinged_ = now;
  }
  Flush();
  HandOver(lock);
}

}  // namespace roost
