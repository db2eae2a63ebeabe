#include "net/http_exchange.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include <sys/socket.h>

#include "base/executor.h"
#include "base/log.h"
#include "net/http1_reply.h"
#include "net/http_loop.h"

namespace roost {
namespace {

constexpr size_t kHoldStep = size_t{64} << 10;
constexpr size_t kMaxPiece = size_t{64} << 10;
constexpr size_t kSpareBytes = 64;  // simdjson reads past the end
constexpr size_t kMaxRequestIdBytes = 128;
/// Larger replies are sent by the loop, which does not copy them.
constexpr size_t kMaxDirectBody = size_t{16} << 10;

bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
}

Error TooManyBodies() {
  return Unavailable("the server holds too many request bodies at the moment; retry");
}

HttpResponse HandlerThrew(const HttpRequest& request, const char* what) {
  LogError("A request handler threw an exception.",
           {{"path", request.path}, {"what", what}, {"request_id", request.context.request_id}});
  return ProblemResponse(Internal("the server failed to handle this request; its log has more"),
                         request.context.request_id);
}

}  // namespace

Result<bool> PrepareRequest(HttpRequest& request, const HttpServerOptions& options,
                            HttpLoop& loop) {
  std::string_view id = request.Header("x-request-id");
  if (IsRequestId(id)) {
    request.context.request_id = id;
  } else {
    loop.NewRequestId(request.context.request_id);
  }
  std::string_view timeout = request.Header("x-request-timeout-ms");
  if (timeout.empty()) {
    request.context.deadline = {loop.now() + options.default_request_timeout};
    return false;
  }
  uint64_t milliseconds = 0;
  auto [end, error] =
      std::from_chars(timeout.data(), timeout.data() + timeout.size(), milliseconds);
  if (error != std::errc() || end != timeout.data() + timeout.size() || milliseconds == 0) {
    request.context.deadline = {loop.now() + options.default_request_timeout};
    return InvalidArgument("header X-Request-Timeout-Ms must be a positive number of milliseconds");
  }
  const auto limit = static_cast<uint64_t>(options.max_request_timeout.count());
  request.context.deadline = {loop.now() +
                              std::chrono::milliseconds(std::min(milliseconds, limit))};
  return true;
}

Error RepliesUntaken() {
  return Unavailable("the server holds too many replies that clients do not read; retry");
}

HttpResponse RunHandler(const HttpHandler& handler, const HttpRequest& request) {
  try {
    return handler.handle(request);
  } catch (const std::exception& error) {
    return HandlerThrew(request, error.what());
  } catch (...) {
    return HandlerThrew(request, "not a std::exception");
  }
}

Exchange::Exchange(std::shared_ptr<HttpShared> shared, HttpLoop& loop, HttpRequest request_head,
                   const HttpHandler& request_handler, ExchangeOwner& request_owner)
    : request(std::move(request_head)),
      handler(request_handler),
      owner(&request_owner),
      shared_(std::move(shared)),
      loop_(loop) {
  request.context.stop = stop_.get_token();
  shared_->metrics.in_flight().Add(1);
}

Exchange::~Exchange() {
  Settle();
  shared_->ReleaseBody(head_held_);
}

/// Lets go of what the request held. By the worker once it has replied, else by the destructor.
void Exchange::Settle() {
  if (std::exchange(in_flight_, false)) {
    shared_->metrics.in_flight().Add(-1);
  }
  std::string().swap(request.body);
  shared_->ReleaseBody(held_.exchange(0));
}

bool Exchange::ClaimReply() {
  std::lock_guard lock(mutex_);
  socket_ = -1;
  return !replied_;
}

Status Exchange::HoldHead(size_t bytes) {
  if (!shared_->HoldBody(bytes)) {
    return TooManyBodies();
  }
  head_held_ += bytes;
  return {};
}

Status Exchange::Collect(std::string_view bytes, uint64_t expected) {
  std::string& body = request.body;
  const size_t size = body.size() + bytes.size();
  if (size > held_) {
    const size_t more = (size - held_ + kHoldStep - 1) / kHoldStep * kHoldStep;
    if (!shared_->HoldBody(more)) {
      return TooManyBodies();
    }
    held_ += more;
  }
  if (size + kSpareBytes > body.capacity()) {
    size_t capacity = std::max(size, body.capacity() * 2);
    if (expected >= size) {
      capacity = std::min<uint64_t>(capacity, expected);
    }
    body.reserve(capacity + kSpareBytes);
  }
  body.append(bytes);
  return {};
}

Status Exchange::PushBody(std::string_view bytes) {
  if (!shared_->HoldBody(bytes.size())) {
    return TooManyBodies();
  }
  held_ += bytes.size();
  std::lock_guard lock(mutex_);
  for (size_t at = 0; at < bytes.size(); at += kMaxPiece) {
    body_.emplace_back(bytes.substr(at, kMaxPiece));
  }
  body_bytes_ += bytes.size();
  changed_.notify_all();
  return {};
}

void Exchange::EndBody() {
  std::lock_guard lock(mutex_);
  body_ended_ = true;
  changed_.notify_all();
}

size_t Exchange::body_waiting() const {
  std::lock_guard lock(mutex_);
  return body_bytes_ + unreported_;
}

bool Exchange::body_unread() const {
  std::lock_guard lock(mutex_);
  return body_bytes_ > 0;
}

Status Exchange::Submit(std::shared_ptr<std::atomic<size_t>> connection_jobs) {
  request.body_reader = handler.stream_body ? this : nullptr;
  connection_jobs_ = std::move(connection_jobs);
  connection_jobs_->fetch_add(1);
  shared_->JobStarted();
  // The request is let go before the job counts as ended: after that the server may be gone.
  auto job = [self = shared_from_this(), shared = shared_]() mutable {
    self->Run();
    self.reset();
    shared->JobEnded();
  };
  Status submitted = shared_->executor.Submit(std::move(job));
  if (!submitted.ok()) {
    connection_jobs_->fetch_sub(1);
    shared_->JobEnded();
    shared_->metrics.refused_overload().Increment();
  }
  return submitted;
}

void Exchange::RequestStop() {
  stop_.request_stop();
  std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void Exchange::Abandon() {
  abandoned_ = true;
  ClaimReply();  // After this the socket may be closed.
  RequestStop();
}

void Exchange::Drained(size_t bytes) {
  std::lock_guard lock(mutex_);
  ahead_ -= std::min(ahead_, bytes);
  changed_.notify_all();
}

Status Exchange::Waited(bool in_time, const char* doing) const {
  if (abandoned_ || stop_.stop_requested()) {
    return Cancelled(std::string("the client left while the server was ") + doing);
  }
  if (!in_time) {
    return DeadlineExceeded(std::string("the request's deadline passed while the server was ") +
                            doing);
  }
  return {};
}

/// False when the request's deadline passed first.
template <typename Condition>
bool Exchange::AwaitChange(std::unique_lock<std::mutex>& lock, const Condition& condition) {
  if (condition()) {
    return true;
  }
  const BlockingSection blocking;
  return changed_.wait_until(lock, request.context.deadline.time, condition);
}

Result<std::string> Exchange::Read() {
  std::unique_lock lock(mutex_);
  auto ready = [this] { return !body_.empty() || body_ended_ || stop_.stop_requested(); };
  const bool in_time = AwaitChange(lock, ready);
  if (body_.empty()) {
    if (body_ended_) {
      return std::string();
    }
    TRY(Waited(in_time, "reading the request's body"));
  }
  std::string piece = std::move(body_.front());
  body_.pop_front();
  body_bytes_ -= piece.size();
  unreported_ += piece.size();
  held_ -= piece.size();
  shared_->ReleaseBody(piece.size());
  if (unreported_ >= kBodyReadStep) {
    const size_t bytes = std::exchange(unreported_, 0);
    lock.unlock();
    loop_.Post({HttpMessage::Kind::kBodyRead, shared_from_this(), {}, {}, bytes});
  }
  return piece;
}

Status Exchange::StartReply(HttpResponse response) {
  if (abandoned_) {
    return Waited(true, "starting the reply");
  }
  Post(HttpMessage::Kind::kStart, std::move(response));
  return {};
}

Status Exchange::WritePiece(std::string_view piece) {
  {
    std::unique_lock lock(mutex_);
    auto ready = [this] { return ahead_ < kMaxBytesAhead || abandoned_; };
    const bool in_time = AwaitChange(lock, ready);
    if (!in_time || abandoned_) {
      TRY(Waited(in_time, "sending the reply"));
    }
    ahead_ += piece.size();
  }
  if (!piece.empty()) {
    Post(HttpMessage::Kind::kPiece, {}, std::string(piece));
  }
  return {};
}

void Exchange::Post(HttpMessage::Kind kind, HttpResponse response, std::string piece) {
  loop_.Post({kind, shared_from_this(), std::move(response), std::move(piece), 0});
}

void Exchange::Run() {
  if (!abandoned_) {
    if (request.context.deadline.Passed()) {
      Post(HttpMessage::Kind::kReply,
           ProblemResponse(DeadlineExceeded("the deadline passed while the request waited for a "
                                            "free worker; retry later or raise the deadline"),
                           request.context.request_id));
    } else if (handler.handle) {
      RunHandle();
    } else {
      RunStream();
    }
  }
  connection_jobs_->fetch_sub(1);
}

void Exchange::RunHandle() {
  HttpResponse response = RunHandler(handler, request);
  if (!abandoned_ && !ReplyDirectly(response)) {
    Post(HttpMessage::Kind::kReply, std::move(response));
  }
}

/// False when the reply is left to the loop.
bool Exchange::ReplyDirectly(const HttpResponse& response) {
  if (!direct_ || response.body.size() > kMaxDirectBody || HasNoBody(response.status) ||
      shared_->draining) {
    return false;
  }
  std::string text;
  AppendHead(text, {.response = response,
                    .request_id = request.context.request_id,
                    .date = HttpDate(),
                    .length = response.body.size()});
  text += response.body;
  // Before the client can ask for the metrics.
  counted = true;
  shared_->metrics.Count(HttpProtocolName::kHttp1, request.method, response.status,
                         std::chrono::steady_clock::now() - started);
  size_t sent = 0;
  {
    std::lock_guard lock(mutex_);
    if (socket_ < 0) {
      return false;
    }
    const ssize_t result = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result <= 0) {
      return false;  // The loop waits for room, or finds out what is wrong.
    }
    sent = static_cast<size_t>(result);
    replied_ = true;
  }
  Settle();
  Post(HttpMessage::Kind::kSent, {}, text.substr(sent));
  return true;
}

namespace {

/// The writer that a streaming handler sees; checks the order of its calls.
class ExchangeWriter final : public HttpResponseWriter {
 public:
  explicit ExchangeWriter(Exchange& exchange) : exchange_(exchange) {}

  Status Start(HttpResponse response) override {
    CHECK(!started_ && response.body.empty());
    started_ = true;
    return exchange_.StartReply(std::move(response));
  }
  Status Write(std::string_view piece) override {
    CHECK(started_);
    return exchange_.WritePiece(piece);
  }
  bool started() const { return started_; }

 private:
  Exchange& exchange_;
  bool started_ = false;
};

Status RunStreamHandler(const HttpHandler& handler, const HttpRequest& request,
                        HttpResponseWriter& writer) {
  try {
    return handler.stream(request, writer);
  } catch (const std::exception& error) {
    HandlerThrew(request, error.what());
  } catch (...) {
    HandlerThrew(request, "not a std::exception");
  }
  return Internal("the server failed to handle this request; its log has more");
}

}  // namespace

void Exchange::RunStream() {
  ExchangeWriter writer(*this);
  Status status = RunStreamHandler(handler, request, writer);
  if (status.ok() && writer.started()) {
    Post(HttpMessage::Kind::kFinish);
  } else if (writer.started()) {
    Post(HttpMessage::Kind::kAbort);
  } else {
    const Error error = status.ok() ? Internal("the handler sent no reply") : status.error();
    Post(HttpMessage::Kind::kReply, ProblemResponse(error, request.context.request_id));
  }
}

}  // namespace roost
