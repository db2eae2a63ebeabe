#include <algorithm>
#include <string>
#include <utility>

#include "net/http1.h"
#include "net/http_problem.h"

namespace roost {
namespace {

/// A reply's body up to this size is copied behind its head, to leave in one packet.
constexpr size_t kCopyBody = size_t{16} << 10;

}  // namespace

void Http1::Refuse(int status, const Error& error) {
  if (current().context.request_id.empty()) {
    loop_.NewRequestId(current().context.request_id);
  }
  SendWhole(ProblemWithStatus(status, error, current().context.request_id));
}

void Http1::AppendReplyHead(const HttpResponse& response, Http1Head::Body body, size_t length) {
  status_ = response.status;
  keep_alive_ = body != Http1Head::Body::kUntilClose && MayKeepAlive();
  connection_.SendInPlace([&](std::string& out) {
    AppendHead(out, {.response = response,
                     .request_id = current().context.request_id,
                     .date = HttpDate(),
                     .body = body,
                     .length = length,
                     .keep_alive = keep_alive_,
                     .http10 = parser_.http10()});
  });
}

void Http1::SendWhole(HttpResponse response) {
  const bool no_body = HasNoBody(response.status);
  AppendReplyHead(response, no_body ? Http1Head::Body::kNone : Http1Head::Body::kLength,
                  response.body.size());
  if (!no_body && !head_only_) {
    if (response.body.size() <= kCopyBody) {
      connection_.Send(response.body);
    } else {
      connection_.SendOwned(std::move(response.body));
    }
  }
  EndRequest();
}

void Http1::StartStream(const HttpResponse& response) {
  streaming_ = true;
  stream_body_ = HasNoBody(response.status) ? Http1Head::Body::kNone
                 : parser_.http10()         ? Http1Head::Body::kUntilClose
                                            : Http1Head::Body::kChunked;
  AppendReplyHead(response, stream_body_, 0);
}

void Http1::SendPiece(std::string piece) {
  if (head_only_ || stream_body_ == Http1Head::Body::kNone) {
    return exchange_->Drained(piece.size());
  }
  stream_unsent_ += piece.size();
  if (stream_body_ == Http1Head::Body::kChunked) {
    connection_.SendInPlace([&](std::string& out) { AppendChunkSize(out, piece.size()); });
    connection_.SendOwned(std::move(piece));
    connection_.Send("\r\n");
  } else {
    connection_.SendOwned(std::move(piece));
  }
}

void Http1::FinishStream() {
  if (stream_body_ == Http1Head::Body::kChunked && !head_only_) {
    connection_.Send("0\r\n\r\n");
  }
  EndRequest();
}

/// With a part of the request unread there is no way to find the next one.
bool Http1::MayKeepAlive() const {
  return keep_alive_ && body_done_ && !shared_.draining && !(input_ended_ && pending_.empty());
}

void Http1::EndRequest() {
  if (exchange_ == nullptr || !exchange_->counted) {
    shared_.metrics.Count(HttpProtocolName::kHttp1, method_, status_,
                          std::chrono::steady_clock::now() - started_);
  }
  if (exchange_ != nullptr) {
    loop_.Detach(*exchange_);
    if (dispatched_) {
      exchange_->Abandon();
    }
    exchange_.reset();
  }
  if (!keep_alive_) {
    closing_ = true;
    return connection_.CloseWhenSent(!body_done_ || !pending_.empty());
  }
  Begin();
  connection_.ResumeReading();
  if (!parsing_) {
    ParsePending();
    CloseAfterEnd();
  }
}

void Http1::CloseAfterEnd() {
  // MayParse() after parsing means that the next request is incomplete: it will never be whole.
  if (input_ended_ && (exchange_ == nullptr || !dispatched_) && MayParse()) {
    closing_ = true;
    connection_.CloseWhenSent(false);
  }
}

void Http1::BreakOff() {
  closing_ = true;
  shared_.metrics.Count(HttpProtocolName::kHttp1, method_, 500,
                        std::chrono::steady_clock::now() - started_);
  connection_.Close(true);
}

void Http1::Apply(Exchange& exchange, HttpMessage& message) {
  if (&exchange != exchange_.get() || closing_) {
    return;
  }
  switch (message.kind) {
    case HttpMessage::Kind::kReply:
      return SendWhole(std::move(message.response));
    case HttpMessage::Kind::kSent:
      keep_alive_ = MayKeepAlive();
      connection_.SendOwned(std::move(message.piece));
      return EndRequest();
    case HttpMessage::Kind::kStart:
      return StartStream(message.response);
    case HttpMessage::Kind::kPiece:
      return SendPiece(std::move(message.piece));
    case HttpMessage::Kind::kFinish:
      return FinishStream();
    case HttpMessage::Kind::kAbort:
      return BreakOff();
    case HttpMessage::Kind::kBodyRead:
      connection_.ResumeReading();
      return ParsePending();
  }
}

}  // namespace roost
