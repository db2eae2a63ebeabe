#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/grpc_client.h"
#include "net/grpc_reply.h"
#include "net/http_tls.h"
#include "net/socket.h"

struct nghttp2_session;

namespace roost {

/// How one try of a call went.
struct GrpcOutcome {
  Result<std::string> reply;
  bool not_processed = false;  ///< the server certainly did nothing: try again, elsewhere perhaps
  bool lost = false;           ///< the connection broke while the call was under way
};

/// One HTTP/2 connection that carries any number of calls at once. Thread safe.
///
/// No thread belongs to it. Whoever calls sends its request itself; of the callers that then wait,
/// one (the reader) reads the socket for all of them, until its own reply is there, and hands the
/// office over to another. A call that is alone so never waits for a second thread, and many share
/// each read.
class GrpcConnection {
 public:
  /// TCP, TLS, HTTP/2's greeting, within the context and options.connect_timeout. `tls` is null for
  /// clear text. `options`, `tls`, `clock` outlive the connection.
  static Result<std::shared_ptr<GrpcConnection>> Open(const RequestContext& context,
                                                      const HostPort& host,
                                                      const GrpcOptions& options,
                                                      const TlsContext* tls, Clock& clock);
  ~GrpcConnection();
  GrpcConnection(const GrpcConnection&) = delete;
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  GrpcOutcome Call(const RequestContext& context, const GrpcCall& call);
  /// False once the server takes no more calls on it; those under way go on.
  bool usable() const { return usable_.load(std::memory_order_relaxed); }
  /// Once a second: answers the peer while nobody calls, asks it whether it lives while calls wait.
  void Tend();

 private:
  friend struct GrpcCallbacks;

  struct Stream {
    Stream(const GrpcCall& its_call, size_t max_reply_bytes)
        : call(its_call), reply(max_reply_bytes) {}

    const GrpcCall& call;  ///< read under the mutex while the stream is in streams_
    GrpcReply reply;
    int32_t id = 0;
    size_t uploaded = 0;  ///< of prefix and message
    bool sent = false;    ///< a byte of it may have left
    bool done = false;
    bool refused = false;
    uint32_t reset = 0;
    std::optional<Error> broken;  ///< the connection's
    bool cancelled = false;       ///< the caller's stop was requested
    bool abandoned = false;       ///< we gave it up
    std::condition_variable wake;
  };
  using Lock = std::unique_lock<std::mutex>;
  using StreamPointer = std::shared_ptr<Stream>;

  GrpcConnection(const HostPort& host, const GrpcOptions& options, Clock& clock);

  Status Greet(const RequestContext& context, const TlsContext* tls);
  Error GreetError() const;
  void MakeSession();

  bool Submit(const RequestContext& context, const StreamPointer& stream);
  void Read(Lock& lock, Stream& own, Deadline deadline);
  void PollAndReceive(Lock& lock, Deadline deadline, bool wait);
  void HandOver(Lock& lock);
  void WakeFinished(Lock& lock);
  void Abandon(Stream& stream);
  GrpcOutcome Conclude(const RequestContext& context, Stream& stream) const;

  void Received(std::string_view bytes);
  void ReceivedPlain(std::string_view bytes);
  void Flush();
  bool SendSome();
  bool unsent() const { return sent_ < out_.size(); }
  void Finish(int32_t id, uint32_t reset, bool refused);
  void Break(std::string why);
  void InterruptReader();
  Error Lost(const std::string& why) const;

  const HostPort host_;
  const GrpcOptions& options_;
  Clock& clock_;
  FileDescriptor socket_;
  FileDescriptor wake_;  ///< an eventfd that interrupts the reader's poll
  std::atomic<bool> usable_{true};
  std::vector<char> buffer_;  ///< the reader's

  std::mutex mutex_;
  nghttp2_session* session_ = nullptr;
  std::unique_ptr<TlsSession> tls_;
  std::vector<char> plain_;  ///< scratch of TLS
  std::string out_;          ///< what the socket has yet to take, from sent_ on
  size_t sent_ = 0;
  std::unordered_map<int32_t, StreamPointer> streams_;
  std::vector<StreamPointer> finished_;  ///< to be woken
  bool reading_ = false;                 ///< somebody is the reader
  bool polling_ = false;                 ///< and is waiting at this moment
  bool polls_for_output_ = false;
  bool greeted_ = false;  ///< the server's SETTINGS are here
  std::optional<std::string> broken_;
  std::string mistake_;  ///< the peer's, in nghttp2's words
  std::string goodbye_;  ///< the reason that GOAWAY gave
  SteadyTime last_input_;
  SteadyTime busy_since_;
  std::optional<SteadyTime> pinged_;
};

}  // namespace roost
