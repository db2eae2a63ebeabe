#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "net/http_server.h"

namespace roost {

/// Reads HTTP/1.x requests strictly: what two implementations could read in two ways (obs-fold,
/// bare LF, Content-Length beside Transfer-Encoding, repeated lengths or hosts, other codings) is
/// an error, so that nothing can be smuggled past a proxy in front.
class Http1Parser {
 public:
  enum class Event : uint8_t {
    kNeedMore,  ///< the rest of `input` is an incomplete piece: come back with more bytes after it
    kHead,      ///< the request's head is complete
    kBody,      ///< body() is the next part of the body
    kEnd,       ///< the request is complete; Reset() before the next
    kError,     ///< error_status() and error() say why; the connection is of no use any more
  };

  /// Heads (and trailers, and chunk lines) larger than `max_header_bytes` are refused.
  explicit Http1Parser(size_t max_header_bytes);
  ~Http1Parser();

  /// Ready for a new request, whose method, path, query and headers will be put into `request`.
  void Reset(HttpRequest& request);
  /// Takes bytes off the front of `input`.
  Event Next(std::string_view& input);
  /// Points into the input of the last Next().
  std::string_view body() const { return body_; }

  /// True once a byte of the request was seen.
  bool started() const { return started_; }
  // After kHead:
  bool keep_alive() const;
  bool http10() const { return version_ == 10; }
  bool has_body() const;
  std::optional<uint64_t> content_length() const;

  int error_status() const { return error_status_; }
  const char* error() const { return error_; }

 private:
  struct Impl;

  Event Fail(int status, const char* message);
  bool CheckHead();

  const size_t max_header_bytes_;
  std::unique_ptr<Impl> impl_;
  HttpRequest* request_ = nullptr;
  std::string_view body_;
  size_t head_bytes_ = 0;
  int version_ = 11;
  bool started_ = false;
  int error_status_ = 400;
  const char* error_ = "";
};

}  // namespace roost
