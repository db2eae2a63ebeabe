#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace roost {

/// Why an operation failed. The values are those of gRPC's status codes.
enum class Code : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The code's name as users see it in replies and logs: "INVALID_ARGUMENT".
std::string_view CodeName(Code code);

/// A failure: a code for programs and a sentence for people that says what, where and what to do.
struct [[nodiscard]] Error {
  Code code = Code::kUnknown;
  std::string message;
  /// True for a write whose effect is not known: it may still land at the store (a lost reply, a
  /// deadline). The caller must treat the key as unsettled.
  bool outcome_unknown = false;

  bool operator==(const Error&) const = default;
  /// "INVALID_ARGUMENT: field "price" is FLOAT; …".
  std::string ToString() const;
  /// The same error with `prefix` and ": " before its message.
  Error Within(std::string_view prefix) const;
};

Error InvalidArgument(std::string message);
Error NotFound(std::string message);
Error AlreadyExists(std::string message);
Error FailedPrecondition(std::string message);
Error ResourceExhausted(std::string message);
Error DeadlineExceeded(std::string message);
Error Cancelled(std::string message);
Error Aborted(std::string message);
Error Unimplemented(std::string message);
Error Unavailable(std::string message);
Error Internal(std::string message);
Error DataLoss(std::string message);

/// True where the same call may succeed a little later without a change by the caller.
bool IsRetryable(Code code);

/// A value or the error that stands in its place.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  /// From what turns into a T by itself: a unique_ptr to a derived class, a string literal.
  template <typename U>
    requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Precondition: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Precondition: !ok().
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }
  /// kOk where there is a value.
  Code code() const { return ok() ? Code::kOk : error().code; }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {}
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }
  Code code() const { return ok() ? Code::kOk : error_->code; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

namespace internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace internal

}  // namespace roost

/// Evaluates to the value of `expression` or returns its error from the enclosing function.
#define TRY(expression)                      \
  ({                                         \
    auto try_result_ = (expression);         \
    if (!try_result_.ok()) [[unlikely]] {    \
      return std::move(try_result_).error(); \
    }                                        \
    std::move(try_result_).value();          \
  })

/// Ends the process when our own reasoning was wrong. Never for input from outside.
#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) [[unlikely]] {                                  \
      ::roost::internal::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                                 \
  } while (false)
