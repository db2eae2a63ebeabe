#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "net/http_testing.h"

namespace roost {

/// An HTTP/2 client of nghttp2's own, for tests. One thread; it reads and writes only in Pump().
class Http2TestClient {
 public:
  struct Stream {
    int status = 0;
    HttpHeaders headers;
    std::string body;
    bool ended = false;  ///< the reply is complete
    bool closed = false;
    uint32_t error = 0;
    size_t sent = 0;  ///< bytes of the request's body taken

    std::string upload;
    bool upload_open = false;  ///< more is to come: keep the stream open
  };
  using Send = std::function<bool(std::string_view)>;
  using Receive = std::function<std::string()>;

  /// `window`: the size of the streams' receive windows.
  Http2TestClient(Send send, Receive receive, uint32_t window = 1 << 20,
                  bool manual_windows = false);
  explicit Http2TestClient(TestConnection& connection, uint32_t window = 1 << 20,
                           bool manual_windows = false);
  ~Http2TestClient();

  int32_t Submit(const std::string& method, const std::string& path, std::string body = "",
                 HttpHeaders headers = {}, bool upload_open = false);
  /// Sends and receives until `done`, or the connection ends; the last value of `done`.
  bool Pump(const std::function<bool()>& done);
  /// Submits, waits for the end of the stream.
  Stream Call(const std::string& method, const std::string& path, std::string body = "",
              HttpHeaders headers = {});
  /// Only sends. False when the peer has gone.
  bool Flush();

  Stream& stream(int32_t id) { return streams_[id]; }
  nghttp2_session* session() { return session_; }
  bool goaway() const { return goaway_; }
  uint32_t goaway_error() const { return goaway_error_; }
  bool ended() const { return ended_; }

 private:
  struct Callbacks;

  Send send_;
  Receive receive_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
  bool goaway_ = false;
  uint32_t goaway_error_ = 0;
  bool ended_ = false;
};

}  // namespace roost
