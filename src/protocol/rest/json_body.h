#pragma once

// Only for the .cc files of this folder: simdjson is heavy to compile.

#include <charconv>
#include <functional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"

namespace roost::rest {

namespace sj = simdjson::ondemand;

/// A user's mistake inside a body: thrown by the readers below, caught by ReadBody.
struct BodyError {
  std::string message;
};

/// Parses `body` as one JSON object and calls `member(name, value)` for each of its members, in
/// order; anything thrown becomes kInvalidArgument. `body` must have 64 spare bytes of capacity
/// (HttpRequest::body has). An empty body is an empty object.
Status ReadBody(const std::string& body,
                const std::function<void(std::string_view, sj::value)>& member);

[[noreturn]] void FailBody(std::string message);
/// `unknown member "topk"; known members: top_k, vector`.
[[noreturn]] void UnknownMember(std::string_view name, std::string_view known);

std::string_view ReadString(std::string_view name, sj::value value);
bool ReadBool(std::string_view name, sj::value value);
int64_t ReadInt(std::string_view name, sj::value value, int64_t least, int64_t most);
double ReadDouble(std::string_view name, sj::value value);

/// A number's own text, so that floats are rounded once and integers stay exact.
std::string_view NumberToken(std::string_view name, sj::value value);
/// kInvalidArgument unless the whole token is a number of that type.
template <typename Number>
Number ParseToken(std::string_view name, std::string_view token) {
  Number number{};
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc() || end != token.data() + token.size()) {
    FailBody(
        "\"" + std::string(name) + "\": " + std::string(token) +
        (error == std::errc::result_out_of_range ? " is out of range" : " is not a number here"));
  }
  return number;
}

}  // namespace roost::rest
