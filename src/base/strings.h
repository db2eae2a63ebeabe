#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// The parts between separators, empty ones too; "" gives one empty part. Views into `text`.
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string Join(std::span<const std::string_view> parts, std::string_view separator);
/// Without spaces, tabs, CR, LF, VT and FF at both ends. A view into `text`.
std::string_view Trim(std::string_view text);
/// A name in double quotes, as messages to people show it. Nothing is escaped.
std::string Quoted(std::string_view name);
/// ASCII letters only.
std::string ToLower(std::string_view text);

/// The whole of `text`: an optional minus sign and decimal digits. kInvalidArgument, quoting it.
Result<int64_t> ParseInt64(std::string_view text);
/// The whole of `text`: decimal digits. kInvalidArgument, quoting it.
Result<uint64_t> ParseUint64(std::string_view text);
/// The whole of `text`: a finite decimal number with a point, independent of the locale.
/// kInvalidArgument, quoting it, for anything else, infinities and NaN included.
Result<double> ParseDouble(std::string_view text);

/// For people: "0 B", "1023 B", "1.5 KiB", "64 MiB", "2.25 GiB".
std::string HumanBytes(uint64_t bytes);
/// For people: "350 ns", "1.2 ms", "3.4 s", "5 min 10 s", "2 h 5 min", "3 d 4 h".
std::string HumanDuration(std::chrono::nanoseconds duration);
/// For people: "999", "12.3 k", "4.56 M", "7.89 G".
std::string HumanCount(uint64_t count);

}  // namespace roost
