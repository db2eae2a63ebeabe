#include <string>

#include <nghttp2/nghttp2.h>

#include "net/http1_reply.h"
#include "net/http2.h"
#include "net/http_problem.h"

namespace roost {
namespace {

/// REST over HTTP/2: the same requests and replies as HTTP/1.1.
class Rest final : public Http2Codec {
 public:
  void Head(Http2& session, Http2Stream& stream) override;
  void Data(Http2& session, Http2Stream& stream, std::string_view bytes) override;
  void End(Http2& session, Http2Stream& stream) override;
  void Apply(Http2& session, Http2Stream& stream, HttpMessage& message) override;
  void Expire(Http2& session, Http2Stream& stream) override;
  void BodyStalled(Http2& session, Http2Stream& stream) override;

 private:
  static void Refuse(Http2& session, Http2Stream& stream, int status, const Error& error);
  static void Reply(Http2& session, Http2Stream& stream, HttpResponse response);
  static void Dispatch(Http2& session, Http2Stream& stream);
  static bool Inline(const Http2Stream& stream) {
    return stream.handler->inline_ok && stream.handler->handle;
  }
};

bool IsGrpc(const HttpRequest& request) {
  return request.Header("content-type").starts_with("application/grpc");
}

void Rest::Head(Http2& session, Http2Stream& stream) {
  HttpRequest& request = stream.request;
  HttpShared& shared = session.shared();
  stream.started = session.loop().now();
  stream.method = request.method;
  request.peer = session.connection().peer();
  const Result<bool> prepared = PrepareRequest(request, shared.options, session.loop());
  stream.request_id = request.context.request_id;
  if (stream.headers_too_large) {
    return Refuse(session, stream, 431, ResourceExhausted("the request's headers are too large"));
  }
  if (!prepared.ok()) {
    return Refuse(session, stream, 400, prepared.error());
  }
  if (IsGrpc(request)) {
    return Refuse(session, stream, 415, Unimplemented("gRPC is not served here"));
  }
  if (!request.path.starts_with('/') && request.path != "*") {
    return Refuse(session, stream, 400, InvalidArgument("the path must begin with /"));
  }
  stream.handler = shared.router(request);
  if (stream.handler == nullptr) {
    return Refuse(session, stream, 404,
                  NotFound("there is no route for " + request.method + " " + request.path));
  }
  if (!stream.handler->stream_body && stream.announced_bytes > shared.options.max_body_bytes) {
    return Refuse(
        session, stream, 413,
        ResourceExhausted("the body has " + std::to_string(stream.announced_bytes) +
                          " bytes; the limit is " + std::to_string(shared.options.max_body_bytes)));
  }
  if (!stream.handler->inline_ok && shared.RepliesPileUp()) {
    shared.metrics.refused_memory().Increment();
    return Refuse(session, stream, 503, RepliesUntaken());
  }
  if (stream.request_done && Inline(stream)) {
    return Reply(session, stream, RunHandler(*stream.handler, request));
  }
  session.MakeExchange(stream, *prepared);
  // Compressed headers cost a client nothing: a few bytes can stand for all that the limit allows.
  if (const Status held = stream.exchange->HoldHead(stream.header_bytes); !held.ok()) {
    shared.metrics.refused_memory().Increment();
    return Refuse(session, stream, 503, held.error());
  }
  if (!stream.request_done && !stream.exchange->request.Header("expect").empty()) {
    session.SubmitContinue(stream);
  }
  if (stream.handler->stream_body) {
    Dispatch(session, stream);
  }
  if (stream.request_done && !stream.refused) {
    End(session, stream);
  }
}

void Rest::Data(Http2& session, Http2Stream& stream, std::string_view bytes) {
  const size_t limit = session.shared().options.max_body_bytes;
  if (stream.exchange == nullptr) {
    return session.Consume(stream, bytes.size());  // The reply is on its way already.
  }
  if (!stream.handler->stream_body && stream.body_bytes > limit) {
    return Refuse(session, stream, 413,
                  ResourceExhausted("the body is larger than " + std::to_string(limit) + " bytes"));
  }
  const Status held = stream.handler->stream_body
                          ? stream.exchange->PushBody(bytes)
                          : stream.exchange->Collect(bytes, stream.announced_bytes);
  if (!held.ok()) {
    session.shared().metrics.refused_memory().Increment();
    return Refuse(session, stream, 503, held.error());
  }
  if (!stream.handler->stream_body) {
    session.Consume(stream, bytes.size());
  }
}

void Rest::End(Http2& session, Http2Stream& stream) {
  if (stream.exchange == nullptr) {
    return;
  }
  if (stream.handler->stream_body) {
    return stream.exchange->EndBody();
  }
  if (Inline(stream)) {
    return Reply(session, stream, RunHandler(*stream.handler, stream.exchange->request));
  }
  Dispatch(session, stream);
}

void Rest::Dispatch(Http2& session, Http2Stream& stream) {
  // Streams that were reset count until their handler has returned; otherwise a client could fill
  // the executor's queue while staying below the limit of open streams.
  const bool too_many = *session.jobs() >= session.shared().options.max_streams_per_connection;
  if (too_many || !stream.exchange->Submit(session.jobs()).ok()) {
    Refuse(session, stream, 503,
           Unavailable("the server has too many requests at the moment; retry"));
  }
}

void Rest::Refuse(Http2& session, Http2Stream& stream, int status, const Error& error) {
  Reply(session, stream, ProblemWithStatus(status, error, stream.request_id));
}

void Rest::Reply(Http2& session, Http2Stream& stream, HttpResponse response) {
  if (stream.reply_started) {
    return session.Reset(stream, NGHTTP2_INTERNAL_ERROR);
  }
  stream.refused = true;
  const bool empty = response.body.empty() || stream.method == "HEAD" || HasNoBody(response.status);
  session.SubmitHead(stream, response, response.body.size(), true, empty);
  if (!empty) {
    session.SubmitData(stream, std::move(response.body));
    session.EndData(stream);
  }
  stream.request = {};  // Not held while the reply waits for the client.
  if (stream.exchange != nullptr) {
    session.loop().Detach(*stream.exchange);
    stream.exchange->Abandon();
    stream.exchange.reset();
  }
}

void Rest::Apply(Http2& session, Http2Stream& stream, HttpMessage& message) {
  switch (message.kind) {
    case HttpMessage::Kind::kSent:
      break;  // Streams share a connection: workers never send on it.
    case HttpMessage::Kind::kReply:
      return Reply(session, stream, std::move(message.response));
    case HttpMessage::Kind::kStart: {
      stream.streamed = true;
      const bool empty = stream.method == "HEAD" || HasNoBody(message.response.status);
      return session.SubmitHead(stream, message.response, 0, false, empty);
    }
    case HttpMessage::Kind::kPiece:
      if (stream.reply_ended) {  // HEAD
        return stream.exchange->Drained(message.piece.size());
      }
      return session.SubmitData(stream, std::move(message.piece));
    case HttpMessage::Kind::kFinish:
      return session.EndData(stream);
    case HttpMessage::Kind::kAbort:
      return session.Reset(stream, NGHTTP2_INTERNAL_ERROR);
    case HttpMessage::Kind::kBodyRead:
      return session.Consume(stream, message.bytes);
  }
}

void Rest::Expire(Http2& session, Http2Stream& stream) {
  Refuse(session, stream, 504,
         DeadlineExceeded("the request's deadline passed before the reply was ready"));
}

void Rest::BodyStalled(Http2& session, Http2Stream& stream) {
  Refuse(session, stream, 408, DeadlineExceeded("the request's body stopped arriving"));
}

}  // namespace

Http2Codec& RestCodec() {
  static Rest codec;
  return codec;
}

}  // namespace roost
