#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace roost {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kCancelled:
      return "CANCELLED";
    case Code::kUnknown:
      return "UNKNOWN";
    case Code::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::kNotFound:
      return "NOT_FOUND";
    case Code::kAlreadyExists:
      return "ALREADY_EXISTS";
    case Code::kPermissionDenied:
      return "PERMISSION_DENIED";
    case Code::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case Code::kAborted:
      return "ABORTED";
    case Code::kOutOfRange:
      return "OUT_OF_RANGE";
    case Code::kUnimplemented:
      return "UNIMPLEMENTED";
    case Code::kInternal:
      return "INTERNAL";
    case Code::kUnavailable:
      return "UNAVAILABLE";
    case Code::kDataLoss:
      return "DATA_LOSS";
    case Code::kUnauthenticated:
      return "UNAUTHENTICATED";
  }
  return "UNKNOWN";
}

std::string Error::ToString() const {
  std::string text(CodeName(code));
  if (!message.empty()) {
    text += ": ";
    text += message;
  }
  return text;
}

Error Error::Within(std::string_view prefix) const {
  Error error = *this;
  error.message = std::string(prefix) + ": " + message;
  return error;
}

Error InvalidArgument(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }
Error NotFound(std::string message) { return {Code::kNotFound, std::move(message)}; }
Error AlreadyExists(std::string message) { return {Code::kAlreadyExists, std::move(message)}; }
Error FailedPrecondition(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}
Error ResourceExhausted(std::string message) {
  return {Code::kResourceExhausted, std::move(message)};
}
Error DeadlineExceeded(std::string message) {
  return {Code::kDeadlineExceeded, std::move(message)};
}
Error Cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
Error Aborted(std::string message) { return {Code::kAborted, std::move(message)}; }
Error Unimplemented(std::string message) { return {Code::kUnimplemented, std::move(message)}; }
Error Unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
Error Internal(std::string message) { return {Code::kInternal, std::move(message)}; }
Error DataLoss(std::string message) { return {Code::kDataLoss, std::move(message)}; }

bool IsRetryable(Code code) {
  return code == Code::kUnavailable || code == Code::kResourceExhausted || code == Code::kAborted;
}

namespace internal {

void CheckFailed(const char* condition, const char* file, int line) {
  // Plain stdio: the log may be what is broken.
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace internal

}  // namespace roost
