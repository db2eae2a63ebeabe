#include "net/grpc_reply.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "base/strings.h"

namespace roost {
namespace {

constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kPrefixBytes = 5;
constexpr size_t kMaxReserve = size_t{1} << 20;  ///< on the word of the peer
constexpr size_t kMaxOtherBody = 200;

int HexDigit(char digit) {
  const char lower = static_cast<char>(digit | 0x20);
  return digit >= '0' && digit <= '9'   ? digit - '0'
         : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                        : -1;
}

/// grpc-message is percent-encoded; what is not stays as it is.
std::string DecodeMessage(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (text[i] == '%' && low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

/// On one line, without what a terminal would act on.
std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return std::string(Trim(out));
}

/// As the gRPC protocol maps replies of proxies and web servers.
Code CodeOfHttp(int status) {
  switch (status) {
    case 400:
      return Code::kInternal;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

Error ResetError(uint32_t reset) {
  const std::string what =
      std::string("the server broke the call off (") + nghttp2_http2_strerror(reset) + ")";
  switch (reset) {
    case NGHTTP2_REFUSED_STREAM:
      return Unavailable("the server refused the call before it began");
    case NGHTTP2_CANCEL:
      return Cancelled(what);
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return ResourceExhausted(what);
    case NGHTTP2_INADEQUATE_SECURITY:
      return {Code::kPermissionDenied, what};
    default:
      return Internal(what);
  }
}

Error StatusError(uint32_t status, std::string message) {
  constexpr auto kHighest = static_cast<uint32_t>(Code::kUnauthenticated);
  if (status > kHighest) {
    return {Code::kUnknown, "unknown status " + std::to_string(status) + ": " + message};
  }
  return {static_cast<Code>(status), std::move(message)};
}

}  // namespace

std::string GrpcTimeout(Deadline deadline) {
  if (deadline.infinite()) {
    return "";
  }
  struct Unit {
    int64_t nanoseconds;
    char letter;
  };
  static constexpr std::array<Unit, 5> kUnits = {{{1'000, 'u'},
                                                  {1'000'000, 'm'},
                                                  {1'000'000'000, 'S'},
                                                  {60'000'000'000, 'M'},
                                                  {3'600'000'000'000, 'H'}}};
  constexpr int64_t kMaxValue = 99'999'999;  // Eight digits.
  const int64_t left = deadline.Remaining().count();
  for (const Unit& unit : kUnits) {
    const int64_t value = left / unit.nanoseconds;
    if (value <= kMaxValue) {
      return std::to_string(std::max<int64_t>(value, 1)) + unit.letter;
    }
  }
  return "";  // Ten thousand years.
}

bool GrpcMayHaveRun(Code code) {
  switch (code) {
    case Code::kCancelled:
    case Code::kUnknown:
    case Code::kDeadlineExceeded:
    case Code::kAborted:
    case Code::kInternal:
    case Code::kUnavailable:
    case Code::kDataLoss:
      return true;
    default:
      return false;
  }
}

bool GrpcReply::Break(Error error) {
  if (!broken_) {
    broken_ = std::move(error);
  }
  return false;
}

bool GrpcReply::AddHeader(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size() + 32;
  if (header_bytes_ > kMaxHeaderBytes) {
    return Break(Internal("the reply's headers are larger than " + HumanBytes(kMaxHeaderBytes)));
  }
  static constexpr uint64_t kNoNumber = uint64_t{1} << 32;
  const auto number = [value] {
    const auto parsed = ParseUint64(value);
    return parsed.ok() ? std::min(*parsed, kNoNumber) : kNoNumber;
  };
  if (name == ":status") {
    const uint64_t status = number();
    http_status_ = status <= 999 ? static_cast<int>(status) : 0;
  } else if (name == "content-type") {
    is_grpc_ = value.starts_with("application/grpc");
  } else if (name == "grpc-status") {
    const uint64_t status = number();
    status_ =
        status < kNoNumber ? static_cast<uint32_t>(status) : static_cast<uint32_t>(Code::kUnknown);
  } else if (name == "grpc-message") {
    status_message_ = DecodeMessage(value);
  }
  return true;
}

bool GrpcReply::AddData(std::string_view bytes) {
  if (broken_) {
    return false;
  }
  if (http_status_ != 200 || !is_grpc_) {
    other_body_.append(bytes.substr(0, kMaxOtherBody - other_body_.size()));
    return true;
  }
  if (prefix_.size() < kPrefixBytes) {
    const size_t taken = std::min(kPrefixBytes - prefix_.size(), bytes.size());
    prefix_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (prefix_.size() < kPrefixBytes) {
      return true;
    }
    for (size_t i = 1; i < kPrefixBytes; ++i) {
      message_bytes_ = message_bytes_ << 8 | static_cast<unsigned char>(prefix_[i]);
    }
    if (prefix_[0] != 0) {
      return Break(Internal("the reply is compressed, which was not asked for"));
    }
    if (message_bytes_ > max_bytes_) {
      return Break(
          ResourceExhausted("the reply has " + std::to_string(message_bytes_) + " bytes; at most " +
                            std::to_string(max_bytes_) +
                            " are allowed (max_reply_bytes): ask for fewer rows or raise it"));
    }
    message_.reserve(std::min(message_bytes_, kMaxReserve));
  }
  if (bytes.size() > message_bytes_ - message_.size()) {
    return Break(Internal("the reply goes on after its message"));
  }
  message_.append(bytes);
  return true;
}

Error GrpcReply::HttpError() const {
  std::string what = http_status_ != 200
                         ? "the server answered with HTTP status " + std::to_string(http_status_)
                         : "the server's answer is no gRPC";
  if (const std::string body = Printable(other_body_); !body.empty()) {
    what += ", \"" + body + "\"";
  }
  return {CodeOfHttp(http_status_), what + "; is this the store's gRPC port?"};
}

Result<std::string> GrpcReply::Finish(uint32_t reset) && {
  if (broken_) {
    return std::move(*broken_);
  }
  if (!ended_ && reset != NGHTTP2_NO_ERROR) {
    return ResetError(reset);
  }
  if (status_ && *status_ != 0) {
    return StatusError(*status_, std::move(status_message_));
  }
  if (http_status_ != 200 || (!is_grpc_ && !status_)) {
    return HttpError();
  }
  if (!status_ || !ended_) {
    return Internal("the reply ends without a status");
  }
  if (prefix_.size() < kPrefixBytes || message_.size() < message_bytes_) {
    return Internal(prefix_.empty() ? "the reply has no message" : "the reply is cut short");
  }
  return std::move(message_);
}

}  // namespace roost
