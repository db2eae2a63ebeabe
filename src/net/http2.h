#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/http_connection.h"

struct nghttp2_session;

namespace roost {

class Http2;
class Http2Codec;

/// One HTTP/2 stream: a request on its way in, its reply on its way out.
struct Http2Stream {
  int32_t id = 0;
  HttpRequest request;  ///< until it moves into `exchange`
  std::shared_ptr<Exchange> exchange;
  const HttpHandler* handler = nullptr;
  Http2Codec* codec = nullptr;  ///< chosen when the headers are complete
  std::string method;
  std::string request_id;
  size_t header_bytes = 0;
  bool headers_too_large = false;
  uint64_t announced_bytes = 0;  ///< content-length; 0: unknown
  uint64_t body_bytes = 0;
  bool request_done = false;
  bool refused = false;  ///< a reply went out early: what still arrives is ignored
  SteadyTime started{};
  SteadyTime last_input{};

  bool reply_started = false;
  bool reply_ended = false;
  bool deferred = false;  ///< nghttp2 waits for us to resume the data
  bool streamed = false;  ///< the reply's bytes are counted by Exchange::Drained
  std::deque<std::string> out;
  size_t out_offset = 0;
  SteadyTime last_output{};
  size_t sent_since = 0;  ///< bytes of the reply sent after last_output
  int status = 0;
};

/// What a stream's bytes mean. REST is one implementation; gRPC will be another on the same
/// listener, chosen by content-type when the headers are complete (Http2Callbacks::OnFrame).
/// Stateless; called on the loop, also from within nghttp2's callbacks: it must not close the
/// connection.
class Http2Codec {
 public:
  virtual ~Http2Codec() = default;
  /// The headers are complete, and so is the request when `stream.request_done`.
  virtual void Head(Http2& session, Http2Stream& stream) = 0;
  virtual void Data(Http2& session, Http2Stream& stream, std::string_view bytes) = 0;
  /// The request is complete; not called when Head saw request_done.
  virtual void End(Http2& session, Http2Stream& stream) = 0;
  virtual void Apply(Http2& session, Http2Stream& stream, HttpMessage& message) = 0;
  /// The deadline passed before the reply began.
  virtual void Expire(Http2& session, Http2Stream& stream) = 0;
  /// The client stopped sending in the middle of the body.
  virtual void BodyStalled(Http2& session, Http2Stream& stream) = 0;
};

Http2Codec& RestCodec();

/// HTTP/2 over a connection, which outlives it: frames, flow control, streams, limits. What codecs
/// call is public.
class Http2 final : public HttpProtocol, public ExchangeOwner {
 public:
  explicit Http2(HttpConnection& connection);
  ~Http2() override;

  void Input(std::string_view bytes) override;
  void InputEnd() override;
  void Fill() override;
  void Sent() override {}
  size_t Waiting() const override;
  bool Done() const override;
  void Sweep(SteadyTime now) override;
  void Drain(bool last) override;
  void Closed() override;

  void Apply(Exchange& exchange, HttpMessage& message) override;
  void Expire(Exchange& exchange) override;
  HttpConnection& connection() override { return connection_; }

  // ---- For codecs.
  HttpLoop& loop() { return loop_; }
  HttpShared& shared() { return shared_; }
  const std::shared_ptr<std::atomic<size_t>>& jobs() const { return jobs_; }
  /// Moves the request into an Exchange, with a timer when `timed`.
  void MakeExchange(Http2Stream& stream, bool timed);
  /// Sends the reply's headers; with `end` there is no body.
  void SubmitHead(Http2Stream& stream, const HttpResponse& response, size_t length, bool known,
                  bool end);
  /// 100: go on and send the body.
  void SubmitContinue(Http2Stream& stream);
  void SubmitData(Http2Stream& stream, std::string bytes);
  void EndData(Http2Stream& stream);
  void Reset(Http2Stream& stream, uint32_t error);
  /// Body bytes were read: the client may send as many more.
  void Consume(Http2Stream& stream, size_t bytes);
  /// Drops the tie between stream and handler; counts the request.
  void Finish(Http2Stream& stream, int status);

 private:
  friend struct Http2Callbacks;

  Http2Stream* Find(int32_t id);
  void Resume(Http2Stream& stream);
  void SweepStreams(SteadyTime now);
  void GoAway();

  HttpConnection& connection_;
  HttpLoop& loop_;
  HttpShared& shared_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::unique_ptr<Http2Stream>> streams_;
  std::shared_ptr<std::atomic<size_t>> jobs_ = std::make_shared<std::atomic<size_t>>(0);
  size_t reply_bytes_ = 0;  ///< in the streams' `out`
  size_t mistakes_ = 0;     ///< frames that broke a rule, less what time has forgiven
  SteadyTime forgiven_;     ///< until when
  bool settings_received_ = false;
  bool failed_ = false;  ///< a fatal error: send what is queued, then close
  bool pinged_ = false;
  bool draining_ = false;
  SteadyTime began_;
  SteadyTime head_began_{};  ///< of a header block that is not complete; zero: none
  SteadyTime last_input_;
};

}  // namespace roost
