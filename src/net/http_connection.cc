#include "net/http_connection.h"

#include <algorithm>
#include <cerrno>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/http1.h"
#include "net/http2.h"
#include "net/http_tls.h"

namespace roost {
namespace {

namespace asio = boost::asio;
// The concrete executor type: the type-erased one costs a virtual call and an allocation a read.
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Protocols are asked for more output while less than this waits.
constexpr size_t kFillBelow = size_t{128} << 10;
/// What one connection may read or send before the others have their turn.
constexpr size_t kBytesPerTurn = size_t{1} << 20;
constexpr size_t kEncryptBytes = size_t{64} << 10;
/// A buffer larger than this is given back when it is empty.
constexpr size_t kKeepBytes = size_t{16} << 10;
/// A client that takes less than this in write_stall_timeout, and not all there is, counts as
/// stalled: one byte a second would hold its replies for hours.
constexpr size_t kMinProgress = size_t{16} << 10;
constexpr std::chrono::seconds kLingerTime{2};
constexpr size_t kLingerBytes = size_t{16} << 20;

void ClearBuffer(std::string& buffer) {
  if (buffer.capacity() > kKeepBytes) {
    std::string().swap(buffer);
  } else {
    buffer.clear();
  }
}

}  // namespace

struct HttpConnection::Socket {
  explicit Socket(asio::io_context& context) : tcp(context) {}
  TcpSocket tcp;
};

HttpConnection::HttpConnection(HttpLoop& loop, std::string peer)
    : loop_(loop),
      peer_(std::move(peer)),
      socket_(std::make_unique<Socket>(loop.context())),
      opened_(loop.now()) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::Start(HttpLoop& loop, int fd, std::string peer) {
  loop.Stamp();
  auto connection = std::make_shared<HttpConnection>(loop, std::move(peer));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  boost::system::error_code error;
  connection->socket_->tcp.assign(asio::ip::tcp::v4(), fd, error);
  if (error) {
    ::close(fd);
    loop.shared().ConnectionClosed();
    return;
  }
  connection->socket_->tcp.native_non_blocking(true, error);
  if (loop.shared().tls != nullptr) {
    connection->tls_ = std::make_unique<TlsSession>(*loop.shared().tls);
  }
  loop.Add(connection);
  connection->ReadLater();
}

// ---- Reading.

void HttpConnection::ReadLater() {
  if (closed_ || reading_ || paused_ || input_ended_) {
    return;
  }
  reading_ = true;
  socket_->tcp.async_read_some(
      asio::buffer(input_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        self->loop_.CatchUp();  // Still "reading": what is in input_ must not be read over.
        self->reading_ = false;
        if (self->closed_) {
          return;
        }
        self->loop_.Stamp();
        if (error == asio::error::eof) {
          self->OnReadEnd();
          self->Flush();
        } else if (error) {
          self->Close();
        } else {
          self->OnRead(size);
        }
      });
}

void HttpConnection::OnRead(size_t size) {
  Receive({input_.data(), size});
  if (size == input_.size()) {
    ReadMore();
  }
  Flush();
}

void HttpConnection::ReadMore() {
  const std::span<char> buffer = loop_.read_buffer();
  size_t total = 0;
  while (!closed_ && !paused_ && total < kBytesPerTurn) {
    const ssize_t got =
        ::recv(socket_->tcp.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      total += static_cast<size_t>(got);
      Receive({buffer.data(), static_cast<size_t>(got)});
      if (static_cast<size_t>(got) < buffer.size()) {
        return;
      }
    } else if (got == 0) {
      return OnReadEnd();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      return Close();
    }
  }
}

void HttpConnection::OnReadEnd() {
  input_ended_ = true;
  if (lingering_ || protocol_ == nullptr) {
    Close();
  } else if (!close_when_sent_) {
    protocol_->InputEnd();
  }
}

void HttpConnection::Receive(std::string_view bytes) {
  if (close_when_sent_ || lingering_) {
    lingered_bytes_ += bytes.size();
    if (lingered_bytes_ > kLingerBytes) {
      Close();
    }
    return;
  }
  if (tls_ == nullptr) {
    return Deliver(bytes);
  }
  const TlsSession::State state = tls_->Receive(bytes, loop_.plain_buffer(),
                                                [this](std::string_view plain) { Deliver(plain); });
  if (closed_) {
    return;
  }
  if (state == TlsSession::State::kFailed) {
    CloseWhenSent(false);
  } else if (state == TlsSession::State::kEnded && !input_ended_) {
    OnReadEnd();
  }
}

void HttpConnection::Deliver(std::string_view plain) {
  if (closed_ || close_when_sent_) {
    return;
  }
  if (protocol_ != nullptr) {
    return protocol_->Input(plain);
  }
  if (tls_ != nullptr && !tls_->alpn().empty()) {
    StartProtocol(tls_->alpn() == "h2");
    return protocol_->Input(plain);
  }
  Sniff(plain);
}

void HttpConnection::Sniff(std::string_view bytes) {
  // HTTP/2 begins with a fixed text; the first other byte means HTTP/1.1.
  sniffed_.append(bytes);
  const size_t known = std::min(sniffed_.size(), kHttp2Preface.size());
  const bool http2 = std::string_view(sniffed_).substr(0, known) == kHttp2Preface.substr(0, known);
  if (http2 && known < kHttp2Preface.size()) {
    return;
  }
  StartProtocol(http2);
  std::string first;
  first.swap(sniffed_);
  protocol_->Input(first);
}

void HttpConnection::StartProtocol(bool http2) {
  if (http2) {
    protocol_ = std::make_unique<Http2>(*this);
  } else {
    protocol_ = std::make_unique<Http1>(*this);
  }
}

// ---- Sending.

int HttpConnection::DirectSocket() {
  return tls_ == nullptr && unsent() == 0 && !blocked_ && !closed_ && !close_when_sent_
             ? socket_->tcp.native_handle()
             : -1;
}

size_t HttpConnection::cipher_unsent() const {
  return tls_ == nullptr ? 0 : tls_->cipher().size() - cipher_sent_;
}

void HttpConnection::Send(std::string_view bytes) {
  SendInPlace([bytes](std::string& out) { out.append(bytes); });
}

void HttpConnection::SendOwned(std::string bytes) {
  if (bytes.size() <= kKeepBytes) {
    return Send(bytes);
  }
  queued_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
}

std::string_view HttpConnection::NextPlain() const {
  if (out_sent_ < out_.size()) {
    return std::string_view(out_).substr(out_sent_);
  }
  return queue_.empty() ? std::string_view() : std::string_view(queue_.front());
}

void HttpConnection::AdvancePlain(size_t bytes) {
  if (out_sent_ == out_.size()) {  // The bytes were those of the queue's front.
    out_ = std::move(queue_.front());
    queue_.erase(queue_.begin());
    queued_bytes_ -= out_.size();
    out_sent_ = 0;
  }
  out_sent_ += bytes;
  if (out_sent_ == out_.size()) {
    ClearBuffer(out_);
    out_sent_ = 0;
  }
}

std::string_view HttpConnection::NextOutput() {
  if (tls_ == nullptr) {
    return NextPlain();
  }
  std::string& cipher = tls_->cipher();
  if (cipher_sent_ == cipher.size()) {
    ClearBuffer(cipher);
    cipher_sent_ = 0;
    const std::string_view plain = NextPlain().substr(0, kEncryptBytes);
    if (!plain.empty()) {
      if (!tls_->Encrypt(plain)) {
        Close();
        return {};
      }
      AdvancePlain(plain.size());
    }
  }
  return std::string_view(cipher).substr(cipher_sent_);
}

void HttpConnection::Advance(size_t bytes) {
  sent_since_ += bytes;
  if (sent_since_ >= kMinProgress && send_progress_ != SteadyTime{}) {
    send_progress_ = loop_.now();
    sent_since_ = 0;
  }
  if (tls_ == nullptr) {
    AdvancePlain(bytes);
  } else {
    cipher_sent_ += bytes;
  }
  if (protocol_ != nullptr && !close_when_sent_) {
    protocol_->Sent();
  }
}

void HttpConnection::Flush() {
  if (!closed_ && !blocked_) {
    SendSome();
  }
  CountHeld();
  ReadLater();
}

void HttpConnection::CountHeld() {
  const size_t waiting = protocol_ == nullptr ? 0 : protocol_->Waiting();
  const size_t held = closed_ ? 0 : unsent() + waiting;
  if (held != held_) {
    loop_.shared().reply_bytes += held - held_;  // The difference may be below zero: it wraps.
    held_ = held;
  }
}

void HttpConnection::SendSome() {
  size_t total = 0;
  while (!closed_) {
    if (protocol_ != nullptr && !close_when_sent_ && unsent() < kFillBelow) {
      protocol_->Fill();
    }
    const std::string_view next = NextOutput();
    if (next.empty()) {
      if (closed_) {
        return;
      }
      return AllSent();
    }
    if (total >= kBytesPerTurn) {
      return WaitWritable();
    }
    const ssize_t sent =
        ::send(socket_->tcp.native_handle(), next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      const bool full = static_cast<size_t>(sent) < next.size();
      total += static_cast<size_t>(sent);
      Advance(static_cast<size_t>(sent));
      if (full && !closed_) {
        return WaitWritable();
      }
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return WaitWritable();
    } else if (errno != EINTR) {
      return Close();
    }
  }
}

void HttpConnection::WaitWritable() {
  blocked_ = true;
  if (send_progress_ == SteadyTime{}) {
    send_progress_ = loop_.now();
    sent_since_ = 0;
  }
  socket_->tcp.async_wait(TcpSocket::wait_write,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            self->blocked_ = false;
                            if (self->closed_) {
                              return;
                            }
                            self->loop_.Stamp();
                            if (error) {
                              self->Close();
                            } else {
                              self->Flush();
                            }
                          });
}

void HttpConnection::AllSent() {
  send_progress_ = {};
  const bool done = close_when_sent_ || (protocol_ != nullptr && protocol_->Done());
  if (!done || lingering_) {
    return;
  }
  if (tls_ != nullptr && tls_->established() && !std::exchange(said_goodbye_, true)) {
    tls_->SayGoodbye();
    return SendSome();
  }
  if (!unread_input_ || input_ended_) {
    return Close();
  }
  // The client is still sending. Closing now would reset the connection and could destroy the
  // reply before the client has read it.
  lingering_ = close_when_sent_ = true;
  linger_until_ = loop_.now() + kLingerTime;
  paused_ = false;
  ::shutdown(socket_->tcp.native_handle(), SHUT_WR);
}

void HttpConnection::CloseWhenSent(bool unread) {
  close_when_sent_ = true;
  unread_input_ = unread;
  paused_ = false;
}

void HttpConnection::Close(bool reset) {
  if (closed_) {
    return;
  }
  closed_ = true;
  const auto self = shared_from_this();
  if (protocol_ != nullptr) {
    protocol_->Closed();
  }
  CountHeld();
  if (reset) {
    const linger now{1, 0};
    setsockopt(socket_->tcp.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  boost::system::error_code error;
  socket_->tcp.close(error);
  loop_.Remove(self);
  loop_.shared().ConnectionClosed();
}

// ---- Time.

void HttpConnection::Drain(bool last) {
  if (protocol_ != nullptr) {
    protocol_->Drain(last);
  } else if (last) {
    Close();
  }
}

void HttpConnection::Sweep(SteadyTime now) {
  const HttpServerOptions& options = loop_.shared().options;
  const bool stalled = blocked_ && now - send_progress_ > loop_.shared().WriteStallTimeout();
  const bool silent = protocol_ == nullptr && now - opened_ > options.header_timeout;
  if (stalled) {
    return Close(true);  // The kernel, too, lets go of what the client does not take.
  }
  if (silent || (lingering_ && now >= linger_until_)) {
    return Close();
  }
  if (protocol_ != nullptr && !close_when_sent_) {
    protocol_->Sweep(now);
  }
}

}  // namespace roost
