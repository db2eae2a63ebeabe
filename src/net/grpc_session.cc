// The HTTP/2 half of GrpcConnection: nghttp2's callbacks, bytes in and out. All of it runs under
// the connection's mutex.

#include <algorithm>
#include <array>
#include <cerrno>

#include <nghttp2/nghttp2.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "net/grpc_connection.h"

namespace roost {
namespace {

constexpr size_t kPrefixBytes = 5;
constexpr size_t kOutputBytes = 256 * 1024;      ///< gathered for one send
constexpr uint32_t kStreamWindow = 4U << 20;     ///< bytes a reply may be ahead
constexpr int32_t kConnectionWindow = 16 << 20;  ///< of all replies together
constexpr size_t kMaxWords = 100;
constexpr size_t kAssumedMaxStreams = 1'000'000;  ///< until the server tells its own

nghttp2_nv Header(std::string_view name, std::string_view value,
                  uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          flags};
}

std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The beginning of what a peer wrote for people.
std::string Words(std::string_view text) {
  std::string words(text.substr(0, kMaxWords));
  std::replace_if(words.begin(), words.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return words;
}

}  // namespace

/// nghttp2 finds a call by its stream's number, so one that was given up is simply not there.
struct GrpcCallbacks {
  static GrpcConnection* Self(void* user) { return static_cast<GrpcConnection*>(user); }

  static GrpcConnection::Stream* Find(void* user, int32_t id) {
    const auto found = Self(user)->streams_.find(id);
    return found == Self(user)->streams_.end() ? nullptr : found->second.get();
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    auto* stream = Find(user, frame->hd.stream_id);
    if (stream != nullptr &&
        !stream->reply.AddHeader(Text(name, name_size), Text(value, value_size))) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // Resets the stream.
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    auto* stream = Find(user, id);
    if (stream != nullptr && !stream->reply.AddData(Text(data, size))) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
      Self(user)->Finish(id, NGHTTP2_CANCEL, false);
    }
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    GrpcConnection* self = Self(user);
    const nghttp2_frame_hd& head = frame->hd;
    if (head.type == NGHTTP2_SETTINGS && (head.flags & NGHTTP2_FLAG_ACK) == 0) {
      self->greeted_ = true;
    } else if (head.type == NGHTTP2_GOAWAY) {
      self->usable_.store(false, std::memory_order_relaxed);
      const nghttp2_goaway& goaway = frame->goaway;
      if (goaway.error_code != NGHTTP2_NO_ERROR) {
        self->goodbye_ = nghttp2_http2_strerror(goaway.error_code);
        if (goaway.opaque_data_len > 0) {
          self->goodbye_ += ", " + Words(Text(goaway.opaque_data, goaway.opaque_data_len));
        }
      }
    } else if ((head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA) &&
               (head.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      if (auto* stream = Find(user, head.stream_id); stream != nullptr) {
        stream->reply.End();
        if (stream->uploaded < kPrefixBytes + stream->call.message.size()) {
          // The server has decided without the rest of the request.
          nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, head.stream_id, NGHTTP2_CANCEL);
          self->Finish(head.stream_id, NGHTTP2_NO_ERROR, false);
        }
      }
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t id, uint32_t reset, void* user) {
    // nghttp2 closes with the same code what a GOAWAY leaves out.
    Self(user)->Finish(id, reset, reset == NGHTTP2_REFUSED_STREAM);
    return 0;
  }

  static int BeforeSend(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (auto* stream = Find(user, frame->hd.stream_id); stream != nullptr) {
        stream->sent = true;
      }
    } else if (frame->hd.type == NGHTTP2_GOAWAY && Self(user)->mistake_.empty()) {
      // nghttp2 ends the connection because of what it received.
      Self(user)->mistake_ = nghttp2_http2_strerror(frame->goaway.error_code);
    }
    return 0;
  }

  static int NotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      Self(user)->Finish(frame->hd.stream_id, NGHTTP2_REFUSED_STREAM, true);
    }
    return 0;
  }

  static ssize_t ReadMessage(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size,
                             uint32_t* flags, nghttp2_data_source*, void* user) {
    auto* stream = Find(user, id);
    if (stream == nullptr) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    const std::string& message = stream->call.message;
    size_t taken = 0;
    const auto length = static_cast<uint32_t>(message.size());
    const std::array<uint8_t, kPrefixBytes> prefix = {
        0, static_cast<uint8_t>(length >> 24), static_cast<uint8_t>(length >> 16),
        static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
    while (stream->uploaded < kPrefixBytes && taken < size) {
      buffer[taken++] = prefix.at(stream->uploaded++);
    }
    const size_t offset = stream->uploaded - kPrefixBytes;
    if (stream->uploaded >= kPrefixBytes && offset < message.size()) {
      const size_t bytes = std::min(size - taken, message.size() - offset);
      std::copy_n(message.data() + offset, bytes, buffer + taken);
      taken += bytes;
      stream->uploaded += bytes;
    }
    if (stream->uploaded == kPrefixBytes + message.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(taken);
  }

  static int OnMistake(nghttp2_session*, int, const char* text, size_t size, void* user) {
    Self(user)->mistake_ = std::string(text, size);
    return 0;
  }
};

void GrpcConnection::MakeSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &GrpcCallbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &GrpcCallbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &GrpcCallbacks::OnFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &GrpcCallbacks::OnClose);
  nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, &GrpcCallbacks::BeforeSend);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &GrpcCallbacks::NotSent);
  nghttp2_session_callbacks_set_error_callback2(callbacks, &GrpcCallbacks::OnMistake);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_peer_max_concurrent_streams(option, kAssumedMaxStreams);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  CHECK(session_ != nullptr);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

bool GrpcConnection::Submit(const RequestContext& context, const StreamPointer& stream) {
  if (broken_ || !usable()) {
    return false;
  }
  const std::string authority = host_.ToString();
  const std::string timeout = GrpcTimeout(context.deadline);
  std::vector<nghttp2_nv> headers = {
      Header(":method", "POST"),
      Header(":scheme", tls_ != nullptr ? "https" : "http"),
      Header(":path", stream->call.method),
      Header(":authority", authority),
      Header("te", "trailers"),
      Header("content-type", "application/grpc"),
      Header("user-agent", "roost"),
  };
  if (!timeout.empty()) {
    headers.push_back(Header("grpc-timeout", timeout, NGHTTP2_NV_FLAG_NO_INDEX));
  }
  for (const HttpHeaders* list : {&options_.metadata, &stream->call.metadata}) {
    for (const auto& [name, value] : *list) {
      headers.push_back(Header(name, value));
    }
  }
  const nghttp2_data_provider provider{{.ptr = nullptr}, &GrpcCallbacks::ReadMessage};
  const int32_t id =
      nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &provider, nullptr);
  if (id < 0) {  // Out of stream numbers: the connection has served its time.
    usable_.store(false, std::memory_order_relaxed);
    return false;
  }
  if (streams_.empty()) {
    busy_since_ = clock_.Now();
  }
  stream->id = id;
  streams_.emplace(id, stream);
  return true;
}

void GrpcConnection::Finish(int32_t id, uint32_t reset, bool refused) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) {
    return;
  }
  Stream& stream = *found->second;
  stream.done = true;
  stream.reset = reset;
  stream.refused = refused;
  finished_.push_back(std::move(found->second));
  streams_.erase(found);
  if (polling_) {
    InterruptReader();  // It may be its own call.
  }
}

void GrpcConnection::Abandon(Stream& stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  streams_.erase(stream.id);
  stream.done = true;
  stream.abandoned = true;
  Flush();
}

void GrpcConnection::Break(std::string why) {
  if (broken_) {
    return;
  }
  if (!goodbye_.empty()) {
    why += " (its last words: " + goodbye_ + ")";
  }
  broken_ = std::move(why);
  usable_.store(false, std::memory_order_relaxed);
  for (auto& [id, stream] : streams_) {
    stream->done = true;
    stream->broken = Lost(*broken_);
    finished_.push_back(std::move(stream));
  }
  streams_.clear();
  InterruptReader();
}

void GrpcConnection::Received(std::string_view bytes) {
  last_input_ = clock_.Now();
  pinged_.reset();
  if (tls_ == nullptr) {
    ReceivedPlain(bytes);
    return;
  }
  const auto state =
      tls_->Receive(bytes, plain_, [this](std::string_view plain) { ReceivedPlain(plain); });
  if (state == TlsSession::State::kFailed) {
    Break("TLS: " + tls_->failure());
  } else if (state == TlsSession::State::kEnded) {
    Break("the server closed the connection");
  }
}

void GrpcConnection::ReceivedPlain(std::string_view bytes) {
  if (broken_) {
    return;
  }
  if (!greeted_ && bytes.starts_with("HTTP/1")) {
    Break("the server speaks HTTP/1.1, not gRPC; check the port");
    return;
  }
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    Break("the server breaks the rules of HTTP/2: " +
          (mistake_.empty() ? nghttp2_strerror(static_cast<int>(taken)) : mistake_));
  }
}

bool GrpcConnection::SendSome() {
  const ssize_t sent = send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      Break(SystemWords(errno));
    }
    return false;
  }
  sent_ += static_cast<size_t>(sent);
  if (sent_ == out_.size() || sent_ >= kOutputBytes) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return true;
}

void GrpcConnection::Flush() {
  std::string plain;
  std::string& gathered = tls_ != nullptr ? plain : out_;
  while (!broken_) {
    while (out_.size() - sent_ + plain.size() < kOutputBytes) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) {
        break;
      }
      gathered.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    }
    if (tls_ != nullptr) {
      if (!tls_->Encrypt(plain)) {
        Break("TLS broke while sending");
        return;
      }
      plain.clear();
      out_ += tls_->cipher();
      tls_->cipher().clear();
    }
    if (!unsent()) {
      break;
    }
    if (!SendSome()) {
      if (!broken_ && reading_ && !polls_for_output_) {
        InterruptReader();  // So that it waits for room, too.
      }
      return;
    }
  }
  if (!broken_ && nghttp2_session_want_read(session_) == 0 &&
      nghttp2_session_want_write(session_) == 0) {
    Break(!mistake_.empty() ? "the server breaks the rules of HTTP/2: " + mistake_
                            : "the server ended the connection");
  }
}

void GrpcConnection::InterruptReader() { eventfd_write(wake_.get(), 1); }

Error GrpcConnection::Lost(const std::string& why) const {
  return Unavailable("lost the connection to " + host_.ToString() + ": " + why);
}

}  // namespace roost
