#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/http_server.h"
#include "net/http_shared.h"

namespace roost {

class Exchange;
class HttpConnection;

/// What a worker tells the event loop about its request.
struct HttpMessage {
  enum class Kind : uint8_t {
    kReply,     ///< `response` is the whole reply
    kSent,      ///< the worker sent the reply itself, all but `piece`
    kStart,     ///< `response` is the head; pieces follow
    kPiece,     ///< `piece` is the next part of the body
    kFinish,    ///< the body is complete
    kAbort,     ///< the handler failed after the head: cut
    kBodyRead,  ///< the handler read `bytes` of the request's body
  };
  Kind kind;
  std::shared_ptr<Exchange> exchange;
  HttpResponse response;
  std::string piece;
  size_t bytes = 0;
};

/// The protocol session that a request came in by. Event loop only.
class ExchangeOwner {
 public:
  virtual ~ExchangeOwner() = default;
  virtual void Apply(Exchange& exchange, HttpMessage& message) = 0;
  /// The request's deadline passed.
  virtual void Expire(Exchange& exchange) = 0;
  virtual HttpConnection& connection() = 0;
};

/// One request and its reply: the only object that the event loop and a worker both see. The owner
/// lets go of it (Detach) when the client has its reply or is gone; the worker's copy then ends
/// with the handler.
class Exchange final : public HttpBodyReader, public std::enable_shared_from_this<Exchange> {
 public:
  using Timers = std::multimap<SteadyTime, Exchange*>;
  /// How far a streaming handler may run ahead of its client.
  static constexpr size_t kMaxBytesAhead = size_t{1} << 20;
  /// The loop hears of body bytes read in steps of at least this.
  static constexpr size_t kBodyReadStep = size_t{256} << 10;

  Exchange(std::shared_ptr<HttpShared> shared, HttpLoop& loop, HttpRequest request_head,
           const HttpHandler& request_handler, ExchangeOwner& request_owner);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // ---- Event loop.

  /// Counts the head of a request whose body may be long in coming. kUnavailable as in Collect.
  Status HoldHead(size_t bytes);
  /// Appends to request.body. `expected` is the announced length, 0 when unknown: a hint that is
  /// believed only as far as bytes have come. kUnavailable when the server holds too much.
  Status Collect(std::string_view bytes, uint64_t expected);
  /// The same for a handler that streams the body.
  Status PushBody(std::string_view bytes);
  void EndBody();
  /// Streamed body bytes that the handler has not read or not yet reported as read.
  size_t body_waiting() const;
  bool body_unread() const;
  /// The worker may send a small reply on the socket itself: nothing is before it, and until it is
  /// there nobody else sends. The loop then need not wake for it. Before Submit().
  void AllowDirectReply(int socket) {
    socket_ = socket;
    direct_ = socket >= 0;
  }
  /// False when the worker has sent a reply; else it will not send one itself.
  bool ClaimReply();
  /// Runs the handler on the executor. `connection_jobs` counts it while it is queued or running.
  Status Submit(std::shared_ptr<std::atomic<size_t>> connection_jobs);
  /// Asks the handler to stop. The reply, if one comes, is still wanted.
  void RequestStop();
  /// No reply is wanted any more; also RequestStop().
  void Abandon();
  /// `bytes` of the streamed reply have left.
  void Drained(size_t bytes);

  // ---- Worker.

  Result<std::string> Read() override;
  Status StartReply(HttpResponse response);
  Status WritePiece(std::string_view piece);

  HttpRequest request;
  const HttpHandler& handler;
  // Event loop only:
  ExchangeOwner* owner;  ///< null: detached
  int32_t stream_id = 0;
  std::optional<Timers::iterator> timer;
  SteadyTime started{};              ///< set before Submit()
  std::atomic<bool> counted{false};  ///< in the metrics
  bool awaited = false;              ///< under the loop's lock: see HttpLoop::Await

 private:
  void Run();
  Status Waited(bool in_time, const char* doing) const;
  template <typename Condition>
  bool AwaitChange(std::unique_lock<std::mutex>& lock, const Condition& condition);
  void RunHandle();
  bool ReplyDirectly(const HttpResponse& response);
  void Settle();
  void RunStream();
  void Post(HttpMessage::Kind kind, HttpResponse response = {}, std::string piece = {});

  const std::shared_ptr<HttpShared> shared_;
  HttpLoop& loop_;
  std::stop_source stop_;
  std::atomic<bool> abandoned_{false};
  std::shared_ptr<std::atomic<size_t>> connection_jobs_;
  std::atomic<size_t> held_{0};  ///< body bytes counted in shared_->body_bytes
  size_t head_held_ = 0;         ///< the same of the head
  bool in_flight_ = true;        ///< counted in the metrics
  bool direct_ = false;          ///< AllowDirectReply() was called with a socket

  mutable std::mutex mutex_;
  int socket_ = -1;       ///< where the worker may send; under mutex_ once submitted
  bool replied_ = false;  ///< the worker has sent
  std::condition_variable changed_;
  std::deque<std::string> body_;
  size_t body_bytes_ = 0;
  size_t unreported_ = 0;
  bool body_ended_ = false;
  size_t ahead_ = 0;
};

/// Fills request.context (id, deadline) from the headers. True when the client named a deadline
/// itself; kInvalidArgument when X-Request-Timeout-Ms is no positive number.
Result<bool> PrepareRequest(HttpRequest& request, const HttpServerOptions& options, HttpLoop& loop);
/// What a request is refused with when HttpShared::RepliesPileUp().
Error RepliesUntaken();
/// Runs a `handle`, turning an exception into a 500.
HttpResponse RunHandler(const HttpHandler& handler, const HttpRequest& request);

}  // namespace roost
