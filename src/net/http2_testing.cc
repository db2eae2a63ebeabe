#include "net/http2_testing.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace roost {
namespace {

nghttp2_nv Header(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2TestClient::Callbacks {
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    Stream& stream = static_cast<Http2TestClient*>(user)->streams_[frame->hd.stream_id];
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":status") {
      stream.status = std::stoi(text);
    } else {
      stream.headers.emplace_back(key, text);
    }
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    static_cast<Http2TestClient*>(user)->streams_[id].body.append(
        reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto* self = static_cast<Http2TestClient*>(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self->goaway_ = true;
      self->goaway_error_ = frame->goaway.error_code;
    }
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      self->streams_[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static int OnClose(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    Stream& stream = static_cast<Http2TestClient*>(user)->streams_[id];
    stream.closed = true;
    stream.error = error;
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size,
                          uint32_t* flags, nghttp2_data_source*, void* user) {
    Stream& stream = static_cast<Http2TestClient*>(user)->streams_[id];
    const size_t bytes = std::min(size, stream.upload.size() - stream.sent);
    std::memcpy(buffer, stream.upload.data() + stream.sent, bytes);
    stream.sent += bytes;
    if (stream.sent == stream.upload.size()) {
      if (!stream.upload_open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      } else if (bytes == 0) {
        return NGHTTP2_ERR_DEFERRED;
      }
    }
    return static_cast<ssize_t>(bytes);
  }
};

Http2TestClient::Http2TestClient(Send send, Receive receive, uint32_t window, bool manual_windows)
    : send_(std::move(send)), receive_(std::move(receive)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::OnClose);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, manual_windows ? 1 : 0);
  nghttp2_option_set_peer_max_concurrent_streams(option, 1024);
  nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 1);
}

Http2TestClient::Http2TestClient(TestConnection& connection, uint32_t window, bool manual_windows)
    : Http2TestClient([&connection](std::string_view bytes) { return connection.Send(bytes); },
                      [&connection] { return connection.Receive(); }, window, manual_windows) {}

Http2TestClient::~Http2TestClient() { nghttp2_session_del(session_); }

int32_t Http2TestClient::Submit(const std::string& method, const std::string& path,
                                std::string body, HttpHeaders headers, bool upload_open) {
  std::vector<nghttp2_nv> list = {Header(":method", method), Header(":scheme", "http"),
                                  Header(":authority", "test"), Header(":path", path)};
  for (const auto& [name, value] : headers) {
    list.push_back(Header(name, value));
  }
  nghttp2_data_provider provider{{.ptr = nullptr}, &Callbacks::ReadBody};
  const bool has_body = !body.empty() || upload_open;
  const int32_t id = nghttp2_submit_request(session_, nullptr, list.data(), list.size(),
                                            has_body ? &provider : nullptr, nullptr);
  EXPECT_GT(id, 0) << nghttp2_strerror(id);
  streams_[id].upload = std::move(body);
  streams_[id].upload_open = upload_open;
  return id;
}

bool Http2TestClient::Flush() {
  std::string out;
  for (;;) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) {
      break;
    }
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  }
  return out.empty() || send_(out);
}

bool Http2TestClient::Pump(const std::function<bool()>& done) {
  for (;;) {
    Flush();
    if (done()) {
      return true;
    }
    const std::string bytes = receive_();
    if (bytes.empty()) {
      ended_ = true;
      return done();
    }
    if (nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                 bytes.size()) < 0) {
      return done();
    }
  }
}

Http2TestClient::Stream Http2TestClient::Call(const std::string& method, const std::string& path,
                                              std::string body, HttpHeaders headers) {
  const int32_t id = Submit(method, path, std::move(body), std::move(headers));
  EXPECT_TRUE(Pump([&] { return streams_[id].closed; }));
  return streams_[id];
}

}  // namespace roost
