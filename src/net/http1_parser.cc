#include "net/http1_parser.h"

#include <algorithm>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>

namespace roost {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;
using BeastView = boost::beast::string_view;

/// Each costs more memory than its bytes.
constexpr size_t kMaxHeaders = 256;

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

/// A line that begins with a blank continues the one before it: long obsolete, read differently by
/// different servers.
bool HasFoldedLine(std::string_view head) {
  for (size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    if (at + 1 < head.size() && (head[at + 1] == ' ' || head[at + 1] == '\t')) {
      return true;
    }
  }
  return false;
}

/// Beast waits for CRLF CRLF before it looks at a line; a client that ends lines otherwise would
/// wait with it.
bool HasBareLineFeed(std::string_view head) {
  for (size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    if (at == 0 || head[at - 1] != '\r') {
      return true;
    }
  }
  return false;
}

class Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(HttpRequest& request) : request_(request) {}

  std::string_view body;
  int http_version = 11;
  int hosts = 0;
  int lengths = 0;
  int codings = 0;
  bool bad_framing = false;

 private:
  void on_request_impl(http::verb, BeastView method, BeastView request_target, int version,
                       BeastError&) override {
    request_.method.assign(method.data(), method.size());
    TakeTarget({request_target.data(), request_target.size()});
    http_version = version;
  }
  void on_field_impl(http::field field, BeastView name, BeastView value, BeastError&) override {
    if (in_trailer_) {
      return;  // Nobody asked for trailers; to merge them into the headers would be a hole.
    }
    auto& [own_name, own_value] = request_.headers.emplace_back();
    own_name.resize(name.size());
    std::transform(name.begin(), name.end(), own_name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    own_value.assign(value.data(), value.size());
    if (field == http::field::host) {
      ++hosts;
    } else if (field == http::field::content_length) {
      ++lengths;
      bad_framing |= !std::all_of(own_value.begin(), own_value.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
    } else if (field == http::field::transfer_encoding) {
      ++codings;
      bad_framing |= !EqualsIgnoringCase(own_value, "chunked");
    }
  }
  void on_header_impl(BeastError&) override { in_trailer_ = true; }
  size_t on_body_impl(BeastView piece, BeastError&) override {
    body = {piece.data(), piece.size()};
    return piece.size();
  }
  size_t on_chunk_body_impl(uint64_t, BeastView piece, BeastError&) override {
    body = {piece.data(), piece.size()};
    return piece.size();
  }
  void on_response_impl(int, BeastView, int, BeastError&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, BeastError&) override {}
  void on_chunk_header_impl(uint64_t, BeastView, BeastError&) override {}
  void on_finish_impl(BeastError&) override {}

  /// Leaves the path empty when the target is of no known form.
  void TakeTarget(std::string_view target) {
    for (std::string_view scheme : {"http://", "https://"}) {
      if (target.starts_with(scheme)) {  // The form that is sent to proxies: valid here too.
        const size_t path = std::min(target.find_first_of("/?", scheme.size()), target.size());
        target.remove_prefix(path);
        request_.path = "/";
      }
    }
    const size_t question = std::min(target.find('?'), target.size());
    if (target.starts_with('/') || target == "*") {
      request_.path = target.substr(0, question);
    }
    if (question < target.size()) {
      request_.query = target.substr(question + 1);
    }
  }

  HttpRequest& request_;
  bool in_trailer_ = false;
};

}  // namespace

struct Http1Parser::Impl {
  std::optional<Parser> parser;
};

Http1Parser::Http1Parser(size_t max_header_bytes)
    : max_header_bytes_(max_header_bytes), impl_(std::make_unique<Impl>()) {}

Http1Parser::~Http1Parser() = default;

void Http1Parser::Reset(HttpRequest& request) {
  request_ = &request;
  Parser& parser = impl_->parser.emplace(request);
  parser.header_limit(static_cast<uint32_t>(max_header_bytes_));
  parser.body_limit(boost::none);
  body_ = {};
  head_bytes_ = 0;
  started_ = false;
}

Http1Parser::Event Http1Parser::Fail(int status, const char* message) {
  error_status_ = status;
  error_ = message;
  return Event::kError;
}

Http1Parser::Event Http1Parser::Next(std::string_view& input) {
  Parser& parser = *impl_->parser;
  body_ = {};
  for (;;) {
    if (parser.is_done()) {
      return Event::kEnd;
    }
    if (!started_ && input.starts_with("\r\n")) {
      input.remove_prefix(2);  // RFC 9112 2.2: an empty line before a request is ignored.
    }
    if (input.empty() || (!started_ && input == "\r")) {
      return Event::kNeedMore;
    }
    started_ = true;
    const bool in_head = !parser.is_header_done();
    parser.body = {};
    BeastError error;
    const size_t taken = parser.put(asio::buffer(input.data(), input.size()), error);
    const std::string_view consumed = input.substr(0, taken);
    input.remove_prefix(taken);
    if (in_head) {
      head_bytes_ += taken;
      if (HasFoldedLine(consumed)) {
        return Fail(400, "a header line begins with a blank");
      }
      if (error == http::error::need_more && HasBareLineFeed(input)) {
        return Fail(400, "a header line ends with LF instead of CRLF");
      }
      const size_t incomplete = parser.is_header_done() ? 0 : input.size();
      if (error == http::error::header_limit || head_bytes_ + incomplete > max_header_bytes_) {
        return Fail(431, "the request's headers are too large");
      }
    }
    if (error == http::error::need_more) {
      return input.size() > max_header_bytes_ ? Fail(400, "a chunk header or trailer is too large")
                                              : Event::kNeedMore;
    }
    if (request_->headers.size() > kMaxHeaders) {
      return Fail(431, "the request has too many headers");
    }
    if (error) {
      return Fail(400, "the request is not valid HTTP/1.1");
    }
    if (in_head) {
      return CheckHead() ? Event::kHead : Event::kError;
    }
    if (!parser.body.empty()) {
      body_ = parser.body;
      return Event::kBody;
    }
  }
}

bool Http1Parser::CheckHead() {
  const Parser& parser = *impl_->parser;
  version_ = parser.http_version;
  if (parser.hosts > 1 || (parser.hosts == 0 && version_ == 11)) {
    Fail(400, "a request needs exactly one Host header");
    return false;
  }
  if (parser.bad_framing || parser.lengths > 1 || parser.codings > 1 ||
      (parser.codings > 0 && version_ == 10)) {
    Fail(400, "Content-Length must be one number and Transfer-Encoding must be \"chunked\"");
    return false;
  }
  if (request_->path.empty()) {
    Fail(400, "the request target must begin with /");
    return false;
  }
  return true;
}

bool Http1Parser::keep_alive() const { return impl_->parser->keep_alive(); }

bool Http1Parser::has_body() const { return !impl_->parser->is_done(); }

std::optional<uint64_t> Http1Parser::content_length() const {
  const auto length = impl_->parser->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

}  // namespace roost
