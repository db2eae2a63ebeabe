#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace roost {

/// "200m": what `grpc-timeout` says of a deadline; at least a microsecond. Empty for infinite ones.
std::string GrpcTimeout(Deadline deadline);

/// Whether a call that ended with this status may have had an effect all the same.
bool GrpcMayHaveRun(Code code);

/// The reply to one unary call, as its HTTP/2 headers, data and trailers come in from a server that
/// nobody vouches for. One thread.
class GrpcReply {
 public:
  /// `max_bytes`: of the message.
  explicit GrpcReply(size_t max_bytes) : max_bytes_(max_bytes) {}

  /// False: the reply breaks a rule or a limit; reset the stream, Finish() tells.
  bool AddHeader(std::string_view name, std::string_view value);
  bool AddData(std::string_view bytes);
  /// The server has ended its side of the stream.
  void End() { ended_ = true; }
  bool ended() const { return ended_; }

  /// The message or what is wrong, once the stream is closed; `reset` is RST_STREAM's code.
  Result<std::string> Finish(uint32_t reset) &&;
  /// True when Finish() gives the server's own status, not our complaint.
  bool has_status() const { return ended_ && !broken_ && status_.has_value(); }

 private:
  bool Break(Error error);
  Error HttpError() const;

  const size_t max_bytes_;
  size_t header_bytes_ = 0;
  int http_status_ = 0;
  bool is_grpc_ = false;
  std::optional<uint32_t> status_;
  std::string status_message_;
  std::string prefix_;  ///< the message's first five bytes, as far as they came
  size_t message_bytes_ = 0;
  std::string message_;
  std::string other_body_;  ///< the beginning of what is no gRPC
  std::optional<Error> broken_;
  bool ended_ = false;
};

}  // namespace roost
