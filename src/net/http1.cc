#include "net/http1.h"

#include <string>
#include <utility>

#include <strings.h>

#include "net/http_problem.h"

namespace roost {
namespace {

using Event = Http1Parser::Event;

/// Input that may wait behind a request in flight.
constexpr size_t kMaxPipelined = size_t{64} << 10;
/// Unread body that is not worth closing the connection for.
constexpr size_t kMaxDiscarded = size_t{64} << 10;
/// Body bytes that may wait for a handler that streams; several Exchange::kBodyReadStep.
constexpr size_t kMaxBodyWaiting = size_t{512} << 10;
/// Replies to pipelined requests that may wait for a client that does not read.
constexpr size_t kMaxUnsentReplies = size_t{256} << 10;

}  // namespace

Http1::Http1(HttpConnection& connection)
    : connection_(connection),
      loop_(connection.loop()),
      shared_(loop_.shared()),
      parser_(shared_.options.max_header_bytes) {
  Begin();
}

void Http1::Begin() {
  request_.method.clear();
  request_.path.clear();
  request_.query.clear();
  request_.headers.clear();
  request_.body.clear();
  request_.peer = connection_.peer();
  request_.context.request_id.clear();
  parser_.Reset(request_);
  method_.clear();
  handler_ = nullptr;
  head_only_ = false;
  head_done_ = body_done_ = dispatched_ = streaming_ = false;
  body_bytes_ = 0;
  stream_unsent_ = 0;
  first_byte_ = {};
  last_input_ = loop_.now();
}

// ---- Input.

void Http1::Input(std::string_view bytes) {
  last_input_ = loop_.now();
  if (closing_) {
    return;
  }
  if (pending_.empty()) {
    Parse(bytes);
    if (!closing_) {
      pending_.append(bytes);
    }
  } else {
    pending_.append(bytes);
    ParsePending();
  }
  if (pending_.size() > kMaxPipelined && !MayParse()) {
    connection_.PauseReading();
  }
  if (exchange_ != nullptr && dispatched_ && !pending_.empty()) {
    loop_.Await(*exchange_);
  }
}

void Http1::ParsePending() {
  // In a body the parser may still owe its end although every byte was taken.
  const bool in_body = head_done_ && !body_done_;
  if (parsing_ || (pending_.empty() && !in_body)) {
    return;
  }
  std::string_view rest(pending_);
  Parse(rest);
  pending_.erase(0, pending_.size() - rest.size());
  if (pending_.empty() && pending_.capacity() > kMaxPipelined) {
    pending_.shrink_to_fit();
  }
}

bool Http1::MayParse() const {
  if (closing_ || connection_.closed()) {
    return false;
  }
  if (!body_done_ && head_done_) {  // In the middle of a request's body.
    return exchange_ == nullptr || !dispatched_ || exchange_->body_waiting() < kMaxBodyWaiting;
  }
  return !head_done_ && connection_.unsent() < kMaxUnsentReplies;
}

void Http1::Parse(std::string_view& input) {
  parsing_ = true;
  bool more = true;
  while (more && MayParse()) {
    switch (parser_.Next(input)) {
      case Event::kNeedMore:
        if (!head_done_ && parser_.started() && first_byte_ == SteadyTime{}) {
          first_byte_ = loop_.now();
        }
        more = false;
        break;
      case Event::kHead:
        OnHead(!input.empty());
        break;
      case Event::kBody:
        OnBody(parser_.body());
        break;
      case Event::kEnd:
        OnEnd();
        break;
      case Event::kError:
        keep_alive_ = false;
        started_ = head_done_ ? started_ : loop_.now();
        Refuse(parser_.error_status(), InvalidArgument(parser_.error()));
        break;
    }
  }
  parsing_ = false;
  if (!MayParse() && head_done_ && !body_done_) {
    connection_.PauseReading();
  }
}

void Http1::OnHead(bool more_input) {
  head_done_ = true;
  first_byte_ = {};
  started_ = loop_.now();
  method_ = request_.method;
  head_only_ = method_ == "HEAD";
  keep_alive_ = parser_.keep_alive() && !shared_.draining;
  const Result<bool> prepared = PrepareRequest(request_, shared_.options, loop_);
  if (!prepared.ok()) {
    return RefuseAfterBody(400, prepared.error());
  }
  handler_ = shared_.router(request_);
  if (handler_ == nullptr) {
    return RefuseAfterBody(
        404, NotFound("there is no route for " + request_.method + " " + request_.path));
  }
  if (!handler_->inline_ok && shared_.RepliesPileUp()) {
    shared_.metrics.refused_memory().Increment();
    return RefuseAfterBody(503, RepliesUntaken());
  }
  const std::optional<uint64_t> length = parser_.content_length();
  if (!handler_->stream_body && length && *length > shared_.options.max_body_bytes) {
    return Refuse(
        413, ResourceExhausted("the body has " + std::to_string(*length) + " bytes; the limit is " +
                               std::to_string(shared_.options.max_body_bytes)));
  }
  if (!parser_.has_body() && handler_->inline_ok && handler_->handle) {
    return;  // The usual small request: runs in OnEnd() without any object of its own.
  }
  exchange_ = std::make_shared<Exchange>(loop_.SharedReference(), loop_, std::move(request_),
                                         *handler_, *this);
  exchange_->started = started_;
  if (*prepared) {
    loop_.StartTimer(*exchange_);
  }
  Expect(more_input);
  if (!closing_ && handler_->stream_body) {
    Dispatch();
  }
}

void Http1::Expect(bool more_input) {
  const std::string_view expectation = current().Header("expect");
  if (expectation.empty() || parser_.http10()) {
    return;
  }
  if (expectation.size() != 12 || strncasecmp(expectation.data(), "100-continue", 12) != 0) {
    return Refuse(417, InvalidArgument("the only expectation known is 100-continue"));
  }
  if (parser_.has_body() && !more_input) {
    connection_.Send("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void Http1::OnBody(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (refusal_) {
    if (body_bytes_ > kMaxDiscarded) {
      keep_alive_ = false;
      SendWhole(*std::exchange(refusal_, std::nullopt));
    }
    return;
  }
  if (!handler_->stream_body && body_bytes_ > shared_.options.max_body_bytes) {
    return Refuse(413,
                  ResourceExhausted("the body is larger than " +
                                    std::to_string(shared_.options.max_body_bytes) + " bytes"));
  }
  const Status held = handler_->stream_body
                          ? exchange_->PushBody(bytes)
                          : exchange_->Collect(bytes, parser_.content_length().value_or(0));
  if (!held.ok()) {
    shared_.metrics.refused_memory().Increment();
    Refuse(503, held.error());
  }
}

void Http1::OnEnd() {
  body_done_ = true;
  if (refusal_) {
    return SendWhole(*std::exchange(refusal_, std::nullopt));
  }
  if (exchange_ == nullptr) {
    return SendWhole(RunHandler(*handler_, request_));
  }
  if (handler_->stream_body) {
    return exchange_->EndBody();
  }
  if (handler_->inline_ok && handler_->handle) {
    return SendWhole(RunHandler(*handler_, exchange_->request));
  }
  Dispatch();
}

void Http1::Dispatch() {
  dispatched_ = true;
  if (body_done_ && keep_alive_ && !head_only_ && !parser_.http10() && !input_ended_ &&
      handler_->handle) {
    exchange_->AllowDirectReply(connection_.DirectSocket());
  }
  if (!exchange_->Submit(jobs_).ok()) {
    Refuse(503, Unavailable("the server has too many requests at the moment; retry"));
  }
}

void Http1::InputEnd() {
  input_ended_ = true;
  if (exchange_ != nullptr && dispatched_) {
    // The client may have closed only its sending side and still wait, or be gone: the handler is
    // told, and what it answers is sent.
    exchange_->RequestStop();
    loop_.Await(*exchange_);
  } else {
    CloseAfterEnd();
  }
}

void Http1::RefuseAfterBody(int status, const Error& error) {
  HttpResponse response = ProblemWithStatus(status, error, request_.context.request_id);
  const bool small = parser_.content_length().value_or(kMaxDiscarded + 1) <= kMaxDiscarded;
  if (parser_.has_body() && small && request_.Header("expect").empty()) {
    refusal_ = std::move(response);
    return;
  }
  if (!parser_.has_body()) {
    body_done_ = true;
  }
  SendWhole(std::move(response));
}

void Http1::Sent() {
  if (streaming_ && exchange_ != nullptr) {
    const size_t unsent = std::min(stream_unsent_, connection_.unsent());
    if (unsent < stream_unsent_) {
      exchange_->Drained(stream_unsent_ - unsent);
      stream_unsent_ = unsent;
    }
  }
  if (!head_done_ && !pending_.empty() && connection_.unsent() < kMaxUnsentReplies / 2) {
    connection_.ResumeReading();
    ParsePending();
    CloseAfterEnd();
  }
}

// ---- Time and end.

void Http1::Expire(Exchange& exchange) {
  if (&exchange != exchange_.get() || streaming_ || !exchange.ClaimReply()) {
    return;  // A handler that streams meets the deadline in its next Write().
  }
  keep_alive_ = false;
  Refuse(504, DeadlineExceeded("the request's deadline passed before the reply was ready"));
}

void Http1::Sweep(SteadyTime now) {
  const HttpServerOptions& options = shared_.options;
  if (closing_) {
    return;
  }
  if (!head_done_) {
    if (first_byte_ != SteadyTime{} && now - first_byte_ > options.header_timeout) {
      started_ = first_byte_;
      keep_alive_ = false;
      Refuse(408, DeadlineExceeded("the request's headers took too long to arrive"));
    } else if (first_byte_ == SteadyTime{} && now - last_input_ > options.keep_alive_timeout &&
               connection_.unsent() == 0) {
      connection_.Close();
    }
    return;
  }
  if (refusal_ && now - started_ > options.header_timeout) {
    keep_alive_ = false;  // A refused body is not waited for any longer than a head.
    return SendWhole(*std::exchange(refusal_, std::nullopt));
  }
  if (!body_done_ && !connection_.paused() && now - last_input_ > options.body_idle_timeout) {
    keep_alive_ = false;
    if (streaming_) {
      return BreakOff();
    }
    return Refuse(408, DeadlineExceeded("the request's body stopped arriving"));
  }
  if (exchange_ != nullptr && exchange_->request.context.deadline.time <= now) {
    Expire(*exchange_);
  }
}

void Http1::Drain(bool) {
  keep_alive_ = false;
  if (exchange_ != nullptr && dispatched_) {
    loop_.Await(*exchange_);
  }
  if (!head_done_) {
    closing_ = true;
    connection_.CloseWhenSent(false);
  }
}

void Http1::Closed() {
  if (exchange_ == nullptr) {
    return;
  }
  const bool unanswered = exchange_->ClaimReply();
  loop_.Detach(*exchange_);
  exchange_->Abandon();
  exchange_.reset();
  if (!closing_ && unanswered) {
    shared_.metrics.Count(HttpProtocolName::kHttp1, method_, 499,
                          std::chrono::steady_clock::now() - started_);
  }
}

}  // namespace roost
