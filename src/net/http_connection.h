#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/http_loop.h"

namespace roost {

class TlsSession;

/// What speaks HTTP/1.1 or HTTP/2 over a connection. It appends to the connection's output; the
/// connection sends that after each event, so a protocol never calls the socket.
class HttpProtocol {
 public:
  virtual ~HttpProtocol() = default;
  virtual void Input(std::string_view bytes) = 0;
  /// The client will send no more.
  virtual void InputEnd() = 0;
  /// Appends what is ready while the connection has little to send.
  virtual void Fill() = 0;
  /// Bytes have left; HttpConnection::unsent() are still here.
  virtual void Sent() = 0;
  /// What waits for the client beside the connection's output, in bytes.
  virtual size_t Waiting() const = 0;
  /// True when the connection can be closed as soon as its output has left.
  virtual bool Done() const = 0;
  /// Once a second.
  virtual void Sweep(SteadyTime now) = 0;
  /// See HttpLoop::Drain.
  virtual void Drain(bool last) = 0;
  /// The connection is gone: let go of every request.
  virtual void Closed() = 0;
};

/// One client connection: socket, TLS, choice of protocol by the first bytes, output queue, time
/// limits. Lives and dies on its loop.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// Takes `fd`, a connected non-blocking socket that is counted in HttpShared::connections.
  static void Start(HttpLoop& loop, int fd, std::string peer);

  HttpConnection(HttpLoop& loop, std::string peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  HttpLoop& loop() { return loop_; }
  const std::string& peer() const { return peer_; }
  bool closed() const { return closed_; }

  /// Output. Small texts are appended to one buffer; a large one is kept as it is.
  void Send(std::string_view bytes);
  void SendOwned(std::string bytes);
  /// As Send(), for what is best written in place: `append` adds to the string it is given.
  template <typename Append>
  void SendInPlace(const Append& append) {
    const size_t before = tail().size();
    append(tail());
    if (!queue_.empty()) {
      queued_bytes_ += tail().size() - before;
    }
  }
  /// Bytes in the buffer that Send() appends to.
  size_t tail_bytes() const { return queue_.empty() ? out_.size() : queue_.back().size(); }
  /// Bytes not yet taken by the kernel.
  size_t unsent() const { return out_.size() - out_sent_ + queued_bytes_ + cipher_unsent(); }
  /// The socket where what is sent on it now is the next the client gets; else -1.
  int DirectSocket();
  /// Sends what is there. Not from inside a protocol.
  void Flush();

  void PauseReading() { paused_ = true; }
  /// Takes effect after the present event.
  void ResumeReading() { paused_ = false; }
  bool paused() const { return paused_; }
  /// Closes after the output has left. With `unread` input the socket is drained for a moment
  /// first: a close with unread bytes would destroy the reply on its way.
  void CloseWhenSent(bool unread);
  /// The protocol is done although the client still sends; see CloseWhenSent.
  void ExpectUnreadInput() { unread_input_ = true; }
  /// Cuts the connection now; with `reset` the client sees an error instead of an end.
  void Close(bool reset = false);

  void Drain(bool last);
  void Sweep(SteadyTime now);
  /// True once per batch of messages.
  bool MarkTouched() { return !std::exchange(touched_, true); }
  void ClearTouched() { touched_ = false; }

 private:
  struct Socket;

  void ReadLater();
  void OnRead(size_t size);
  void ReadMore();
  void OnReadEnd();
  void Receive(std::string_view bytes);
  void Deliver(std::string_view plain);
  void Sniff(std::string_view bytes);
  void StartProtocol(bool http2);
  void SendSome();
  std::string_view NextOutput();
  std::string_view NextPlain() const;
  void AdvancePlain(size_t bytes);
  void Advance(size_t bytes);
  void WaitWritable();
  void AllSent();
  void CountHeld();
  std::string& tail() { return queue_.empty() ? out_ : queue_.back(); }
  size_t cipher_unsent() const;

  HttpLoop& loop_;
  const std::string peer_;
  std::unique_ptr<Socket> socket_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<HttpProtocol> protocol_;
  std::string sniffed_;

  std::string out_;
  size_t out_sent_ = 0;
  std::vector<std::string> queue_;  ///< after out_
  size_t queued_bytes_ = 0;
  size_t cipher_sent_ = 0;

  bool closed_ = false;
  bool reading_ = false;
  bool paused_ = false;
  bool input_ended_ = false;
  bool close_when_sent_ = false;
  bool unread_input_ = false;
  bool lingering_ = false;
  bool touched_ = false;
  bool blocked_ = false;  ///< the kernel takes no more at the moment
  bool said_goodbye_ = false;
  SteadyTime opened_;
  SteadyTime send_progress_{};  ///< of what waits; zero: nothing waits
  size_t sent_since_ = 0;       ///< bytes sent after send_progress_
  size_t held_ = 0;             ///< our share of HttpShared::reply_bytes
  SteadyTime linger_until_{};
  size_t lingered_bytes_ = 0;
  // An idle connection holds only this much input buffer; what does not fit is read into the
  // loop's shared buffer.
  std::array<char, 1024> input_;
};

}  // namespace roost
