#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

/// The one text of a JSON value, so that texts may be compared and hashed.
///
/// Takes strict JSON (RFC 8259, UTF-8). Gives no white space; members sorted by the bytes of their
/// names, of equal names the last; strings with the fewest escapes. Giving the result in again
/// changes nothing.
///
/// Numbers: what is written as a whole number and fits int64 or uint64 keeps every digit. Anything
/// else is the nearest double: when that is whole and fits, it is written as a whole number (`1`,
/// `1.0`, `1e0` are all `1`; `1e16` is `10000000000000000`; `-0.0` is `0`), else with the fewest
/// digits that read back as the same double.
///
/// kInvalidArgument, naming the byte, for anything that is not JSON (NaN and Infinity are not),
/// numbers too large for a double, and nesting deeper than `max_depth` (the depth of `[]` is 1).
Result<std::string> CanonicalJson(std::string_view text, size_t max_depth = 64);

/// Appends `text` in quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);
/// The same as a text of its own.
std::string JsonString(std::string_view text);

/// Append a number with the fewest digits that read back as the same one; `null` for NaN and the
/// infinities, which JSON does not have.
void AppendJsonDouble(std::string& out, double number);
void AppendJsonFloat(std::string& out, float number);
void AppendJsonInt(std::string& out, int64_t number);
void AppendJsonUint(std::string& out, uint64_t number);

}  // namespace roost
