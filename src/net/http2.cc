#include "net/http2.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "net/http1_reply.h"

namespace roost {
namespace {

/// Output is gathered up to this before it is sent.
constexpr size_t kGatherBytes = size_t{128} << 10;
constexpr uint32_t kStreamWindow = 1u << 20;
constexpr int32_t kConnectionWindow = 16 << 20;
/// Of a client that resets what it opens: so many at once, so many a second, then GOAWAY.
constexpr uint64_t kResetBurst = 2000;
constexpr uint64_t kResetsPerSecond = 1000;
/// The same for frames that make us reset a stream.
constexpr size_t kMistakeBurst = 500;
constexpr size_t kMistakesPerSecond = 50;
/// See write_stall_timeout; and what a stream costs beside its reply, more or less.
constexpr size_t kMinProgress = 1024;
constexpr size_t kStreamBytes = 1024;
constexpr size_t kMaxUnsentAcks = 256;
constexpr size_t kMaxSettingsEntries = 32;
constexpr size_t kMaxContinuations = 8;
/// A header list this many times over the limit is not even decoded to the end.
constexpr size_t kHopelessHeaders = 4;
constexpr std::chrono::minutes kIdleTimeout{30};
constexpr std::chrono::seconds kPingAfter{60};
constexpr std::chrono::seconds kPingTimeout{20};

nghttp2_nv Header(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

/// nghttp2 calls these from within mem_recv and mem_send. They never end the session or the
/// connection; they mark, and Input() and Fill() act.
struct Http2Callbacks {
  static int BeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      return 0;
    }
    auto* self = static_cast<Http2*>(user);
    auto stream = std::make_unique<Http2Stream>();
    stream->id = frame->hd.stream_id;
    stream->started = stream->last_input = self->head_began_ = self->loop_.now();
    nghttp2_session_set_stream_user_data(session, stream->id, stream.get());
    self->streams_[stream->id] = std::move(stream);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name_data,
                      size_t name_size, const uint8_t* value_data, size_t value_size, uint8_t,
                      void* user) {
    auto* self = static_cast<Http2*>(user);
    Http2Stream* stream = self->Find(frame->hd.stream_id);
    if (stream == nullptr || stream->codec != nullptr) {
      return 0;  // Trailers: nobody asked for them.
    }
    const size_t limit = self->shared_.options.max_header_bytes;
    stream->header_bytes += name_size + value_size + 32;
    if (stream->header_bytes > limit) {
      stream->headers_too_large = true;
      return stream->header_bytes > kHopelessHeaders * limit ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
                                                             : 0;
    }
    TakeHeader(*stream, View(name_data, name_size), View(value_data, value_size));
    return 0;
  }

  static void TakeHeader(Http2Stream& stream, std::string_view name, std::string_view value) {
    HttpRequest& request = stream.request;
    if (name == ":method") {
      request.method = value;
    } else if (name == ":path") {
      const size_t question = std::min(value.find('?'), value.size());
      request.path = value.substr(0, question);
      request.query = value.substr(std::min(question + 1, value.size()));
    } else if (name == ":authority") {
      request.headers.emplace_back("host", value);
    } else if (!name.starts_with(':')) {
      if (name == "content-length") {
        std::from_chars(value.data(), value.data() + value.size(), stream.announced_bytes);
      }
      request.headers.emplace_back(name, value);
    }
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto* self = static_cast<Http2*>(user);
    if (frame->hd.type == NGHTTP2_SETTINGS) {
      self->settings_received_ = true;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
      return 0;
    }
    Http2Stream* stream = self->Find(frame->hd.stream_id);
    if (stream == nullptr) {
      return 0;
    }
    stream->last_input = self->loop_.now();
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    stream->request_done |= ended;
    if (frame->hd.type == NGHTTP2_HEADERS && stream->codec == nullptr) {
      self->head_began_ = {};
      stream->codec = &RestCodec();  // A codec for "application/grpc" would be chosen here.
      stream->codec->Head(*self, *stream);
    } else if (ended && !stream->refused) {
      stream->codec->End(*self, *stream);
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    auto* self = static_cast<Http2*>(user);
    // The connection's window is for all streams: one slow handler must not hold it. What a stream
    // holds is bounded by its own window and by the server's budget for bodies.
    nghttp2_session_consume_connection(session, size);
    Http2Stream* stream = self->Find(id);
    if (stream == nullptr || stream->codec == nullptr) {
      return 0;
    }
    stream->last_input = self->loop_.now();
    stream->body_bytes += size;
    if (stream->refused) {
      return 0;
    }
    stream->codec->Data(*self, *stream, View(data, size));
    return 0;
  }

  static ssize_t ReadReply(nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                           nghttp2_data_source* source, void* user) {
    auto* self = static_cast<Http2*>(user);
    auto& stream = *static_cast<Http2Stream*>(source->ptr);
    size_t taken = 0;
    while (taken < size && !stream.out.empty()) {
      const std::string& front = stream.out.front();
      const size_t bytes = std::min(size - taken, front.size() - stream.out_offset);
      std::memcpy(buffer + taken, front.data() + stream.out_offset, bytes);
      taken += bytes;
      stream.out_offset += bytes;
      if (stream.out_offset == front.size()) {
        stream.out.pop_front();
        stream.out_offset = 0;
      }
    }
    self->reply_bytes_ -= taken;
    stream.sent_since += taken;
    if (stream.sent_since >= kMinProgress) {
      stream.last_output = self->loop_.now();
      stream.sent_since = 0;
    }
    if (taken > 0 && stream.streamed && stream.exchange != nullptr) {
      stream.exchange->Drained(taken);
    }
    if (stream.out.empty() && stream.reply_ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (taken == 0) {
      stream.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(taken);
  }

  static int OnSent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      return 0;
    }
    // RFC 9113 8.1: a complete reply to an incomplete request; the rest is not wanted.
    const Http2Stream* stream = static_cast<Http2*>(user)->Find(frame->hd.stream_id);
    if (stream != nullptr && !stream->request_done) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  /// A client can have its streams reset by us as well as by itself (CVE-2025-8671).
  static int OnInvalidFrame(nghttp2_session* session, const nghttp2_frame*, int, void* user) {
    auto* self = static_cast<Http2*>(user);
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(self->loop_.now() - self->forgiven_);
    const auto forgiven = static_cast<size_t>(seconds.count()) * kMistakesPerSecond;
    self->mistakes_ -= std::min(self->mistakes_, forgiven);
    self->forgiven_ += seconds;
    if (++self->mistakes_ <= kMistakeBurst) {
      return 0;
    }
    nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnStreamClose(nghttp2_session*, int32_t id, uint32_t, void* user) {
    auto* self = static_cast<Http2*>(user);
    if (Http2Stream* stream = self->Find(id); stream != nullptr) {
      self->head_began_ = stream->codec == nullptr ? SteadyTime{} : self->head_began_;
      self->Finish(*stream, stream->reply_ended ? stream->status : 499);
      for (const std::string& piece : stream->out) {
        self->reply_bytes_ -= piece.size();
      }
      self->reply_bytes_ += stream->out_offset;
      self->streams_.erase(id);
    }
    return 0;
  }

  static nghttp2_session* NewSession(Http2* user) {
    struct Setup {
      nghttp2_session_callbacks* callbacks = nullptr;
      nghttp2_option* option = nullptr;
      Setup() {
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, BeginHeaders);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnSent);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, OnInvalidFrame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
        nghttp2_option_new(&option);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_server_fallback_rfc7540_priorities(option, 0);
        nghttp2_option_set_max_outbound_ack(option, kMaxUnsentAcks);
        nghttp2_option_set_max_settings(option, kMaxSettingsEntries);
        nghttp2_option_set_max_continuations(option, kMaxContinuations);
        nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetsPerSecond);
      }
      ~Setup() {
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_option_del(option);
      }
    };
    static const Setup setup;  // Read only; the session copies it.
    nghttp2_session* session = nullptr;
    CHECK(nghttp2_session_server_new2(&session, setup.callbacks, user, setup.option) == 0);
    return session;
  }
};

Http2::Http2(HttpConnection& connection)
    : connection_(connection),
      loop_(connection.loop()),
      shared_(loop_.shared()),
      session_(Http2Callbacks::NewSession(this)),
      forgiven_(loop_.now()),
      began_(loop_.now()),
      last_input_(loop_.now()) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<uint32_t>(shared_.options.max_streams_per_connection)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(shared_.options.max_header_bytes)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2::~Http2() { nghttp2_session_del(session_); }

Http2Stream* Http2::Find(int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

// ---- The connection's side.

void Http2::Input(std::string_view bytes) {
  last_input_ = loop_.now();
  pinged_ = false;
  if (failed_) {
    return;
  }
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  failed_ = taken < 0;
  if (failed_ || nghttp2_session_want_read(session_) == 0) {
    connection_.ExpectUnreadInput();
  }
}

void Http2::InputEnd() { connection_.Close(); }

void Http2::Fill() {
  while (connection_.tail_bytes() < kGatherBytes) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0) {
      failed_ = true;
    }
    if (size <= 0) {
      return;
    }
    connection_.Send(View(data, static_cast<size_t>(size)));
  }
}

size_t Http2::Waiting() const { return reply_bytes_ + streams_.size() * kStreamBytes; }

bool Http2::Done() const {
  return failed_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void Http2::Closed() {
  for (auto& [id, stream] : streams_) {
    Finish(*stream, stream->reply_ended ? stream->status : 499);
  }
}

void Http2::GoAway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2::Drain(bool last) {
  if (last || streams_.empty()) {
    // Streams above the number in the frame were not looked at: the client may send them again.
    GoAway();
  } else if (!std::exchange(draining_, true)) {
    nghttp2_submit_shutdown_notice(session_);
  }
}

void Http2::Sweep(SteadyTime now) {
  const HttpServerOptions& options = shared_.options;
  const bool no_settings = !settings_received_ && now - began_ > options.header_timeout;
  const bool slow_head = head_began_ != SteadyTime{} && now - head_began_ > options.header_timeout;
  const bool no_pong = pinged_ && now - last_input_ > kPingAfter + kPingTimeout;
  if (no_settings || slow_head || no_pong) {
    return connection_.Close();
  }
  if (streams_.empty() && now - last_input_ > kIdleTimeout) {
    return GoAway();
  }
  if (now - last_input_ > kPingAfter && !std::exchange(pinged_, true)) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  }
  SweepStreams(now);
}

void Http2::SweepStreams(SteadyTime now) {
  const HttpServerOptions& options = shared_.options;
  std::vector<Http2Stream*> all;
  for (auto& [id, stream] : streams_) {
    all.push_back(stream.get());
  }
  for (Http2Stream* stream : all) {
    const bool reply_waits = stream->reply_started && !stream->out.empty();
    if (reply_waits && now - stream->last_output > shared_.WriteStallTimeout()) {
      Reset(*stream, NGHTTP2_CANCEL);
      continue;
    }
    if (stream->codec == nullptr || stream->reply_started) {
      continue;
    }
    const bool body_waits = stream->exchange != nullptr && stream->exchange->body_unread();
    if (!stream->request_done && !body_waits &&
        now - stream->last_input > options.body_idle_timeout) {
      stream->codec->BodyStalled(*this, *stream);
    } else if (stream->exchange != nullptr &&
               stream->exchange->request.context.deadline.time <= now) {
      stream->codec->Expire(*this, *stream);
    }
  }
}

void Http2::Apply(Exchange& exchange, HttpMessage& message) {
  Http2Stream* stream = Find(exchange.stream_id);
  if (stream != nullptr && stream->exchange.get() == &exchange) {
    stream->codec->Apply(*this, *stream, message);
  }
}

void Http2::Expire(Exchange& exchange) {
  Http2Stream* stream = Find(exchange.stream_id);
  if (stream != nullptr && stream->exchange.get() == &exchange && !stream->reply_started) {
    stream->codec->Expire(*this, *stream);
  }
}

// ---- For codecs.

void Http2::MakeExchange(Http2Stream& stream, bool timed) {
  stream.exchange = std::make_shared<Exchange>(loop_.SharedReference(), loop_,
                                               std::move(stream.request), *stream.handler, *this);
  stream.exchange->stream_id = stream.id;
  stream.exchange->started = stream.started;
  if (timed) {
    loop_.StartTimer(*stream.exchange);
  }
}

void Http2::SubmitHead(Http2Stream& stream, const HttpResponse& response, size_t length, bool known,
                       bool end) {
  char status[8];
  char digits[24];
  const auto status_end =
      std::to_chars(status, status + sizeof status, std::clamp(response.status, 200, 999)).ptr;
  const auto digits_end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  std::vector<nghttp2_nv> headers;
  std::vector<std::string> names;
  headers.reserve(5 + response.headers.size());
  names.reserve(response.headers.size());
  headers.push_back(Header(":status", {status, static_cast<size_t>(status_end - status)}));
  headers.push_back(Header("date", HttpDate()));
  if (!response.content_type.empty() && !HasNoBody(response.status)) {
    headers.push_back(Header("content-type", response.content_type));
  }
  if (known && !HasNoBody(response.status)) {
    headers.push_back(Header("content-length", {digits, static_cast<size_t>(digits_end - digits)}));
  }
  headers.push_back(Header("x-request-id", stream.request_id));
  for (const auto& [name, value] : response.headers) {
    std::string& lower = names.emplace_back(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    headers.push_back(Header(lower, value));
  }
  stream.status = response.status;
  stream.reply_started = true;
  stream.reply_ended = end;
  stream.last_output = loop_.now();
  nghttp2_data_provider body{{.ptr = &stream}, &Http2Callbacks::ReadReply};
  nghttp2_submit_response(session_, stream.id, headers.data(), headers.size(),
                          end ? nullptr : &body);
}

void Http2::SubmitContinue(Http2Stream& stream) {
  const nghttp2_nv status = Header(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
}

void Http2::SubmitData(Http2Stream& stream, std::string bytes) {
  if (stream.out.empty()) {
    stream.last_output = loop_.now();
    stream.sent_since = 0;
  }
  reply_bytes_ += bytes.size();
  stream.out.push_back(std::move(bytes));
  Resume(stream);
}

void Http2::EndData(Http2Stream& stream) {
  stream.reply_ended = true;
  Resume(stream);
}

void Http2::Resume(Http2Stream& stream) {
  if (std::exchange(stream.deferred, false)) {
    nghttp2_session_resume_data(session_, stream.id);
  }
}

void Http2::Reset(Http2Stream& stream, uint32_t error) {
  stream.refused = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, error);
}

void Http2::Consume(Http2Stream& stream, size_t bytes) {
  nghttp2_session_consume_stream(session_, stream.id, bytes);
}

void Http2::Finish(Http2Stream& stream, int status) {
  if (stream.codec != nullptr) {
    shared_.metrics.Count(HttpProtocolName::kHttp2, stream.method, status,
                          std::chrono::steady_clock::now() - stream.started);
  }
  if (stream.exchange != nullptr) {
    loop_.Detach(*stream.exchange);
    stream.exchange->Abandon();
    stream.exchange.reset();
  }
}

}  // namespace roost
