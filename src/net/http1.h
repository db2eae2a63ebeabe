#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http1_parser.h"
#include "net/http1_reply.h"
#include "net/http_connection.h"

namespace roost {

/// HTTP/1.1 (and 1.0) over a connection, which outlives it: one request at a time; later ones wait
/// unread or in a bounded buffer. http1.cc reads requests, http1_send.cc sends replies.
class Http1 final : public HttpProtocol, public ExchangeOwner {
 public:
  explicit Http1(HttpConnection& connection);

  void Input(std::string_view bytes) override;
  void InputEnd() override;
  void Fill() override {}
  void Sent() override;
  size_t Waiting() const override { return 0; }
  bool Done() const override { return false; }
  void Sweep(SteadyTime now) override;
  void Drain(bool last) override;
  void Closed() override;

  void Apply(Exchange& exchange, HttpMessage& message) override;
  void Expire(Exchange& exchange) override;
  HttpConnection& connection() override { return connection_; }

 private:
  void Begin();
  void ParsePending();
  void Parse(std::string_view& input);
  bool MayParse() const;
  void OnHead(bool more_input);
  void Expect(bool more_input);
  void OnBody(std::string_view bytes);
  void OnEnd();
  void Dispatch();
  void Refuse(int status, const Error& error);
  void RefuseAfterBody(int status, const Error& error);
  void SendWhole(HttpResponse response);
  void StartStream(const HttpResponse& response);
  void SendPiece(std::string piece);
  void FinishStream();
  void AppendReplyHead(const HttpResponse& response, Http1Head::Body body, size_t length);
  void EndRequest();
  bool MayKeepAlive() const;
  void CloseAfterEnd();
  void BreakOff();
  HttpRequest& current() { return exchange_ ? exchange_->request : request_; }

  HttpConnection& connection_;
  HttpLoop& loop_;
  HttpShared& shared_;
  Http1Parser parser_;
  std::string pending_;  ///< input not yet parsed
  std::shared_ptr<std::atomic<size_t>> jobs_ = std::make_shared<std::atomic<size_t>>(0);

  // The present request.
  HttpRequest request_;  ///< until it moves into exchange_
  const HttpHandler* handler_ = nullptr;
  std::shared_ptr<Exchange> exchange_;
  std::string method_;
  bool head_done_ = false;
  bool body_done_ = false;
  bool dispatched_ = false;
  bool head_only_ = false;
  bool keep_alive_ = true;
  bool streaming_ = false;  ///< the reply's head was sent, pieces follow
  Http1Head::Body stream_body_ = Http1Head::Body::kChunked;
  std::optional<HttpResponse> refusal_;  ///< sent when the small body has been read
  uint64_t body_bytes_ = 0;
  int status_ = 0;
  size_t stream_unsent_ = 0;  ///< bytes of the streamed reply not yet taken by the kernel
  SteadyTime started_{};

  bool input_ended_ = false;
  bool closing_ = false;
  bool parsing_ = false;
  SteadyTime first_byte_{};  ///< of the present head; zero: none yet
  SteadyTime last_input_;
};

}  // namespace roost
