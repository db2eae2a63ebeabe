#include "base/strings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace roost {

namespace {

constexpr size_t kQuoteLimit = 60;

std::string Quote(std::string_view text) {
  if (text.size() <= kQuoteLimit) {
    return "\"" + std::string(text) + "\"";
  }
  return "\"" + std::string(text.substr(0, kQuoteLimit)) + "…\"";
}

template <typename Number>
Result<Number> ParseWhole(std::string_view text) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range && stop == end) {
    return InvalidArgument(Quote(text) + " does not fit 64 bits");
  }
  if (error != std::errc() || stop != end) {
    return InvalidArgument(Quote(text) + " is not a whole number");
  }
  return number;
}

template <typename Text>
std::string JoinParts(std::span<const Text> parts, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) {
      text += separator;
    }
    text += parts[i];
  }
  return text;
}

/// Three digits of meaning, no trailing zeros: 1.50 is "1.5", 12.04 is "12", 123.4 is "123". Whole
/// numbers keep all their digits.
std::string ThreeDigits(double number) {
  const int decimals = number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  char text[32];
  int size = std::snprintf(text, sizeof(text), "%.*f", decimals, number);
  if (decimals > 0) {
    while (text[size - 1] == '0') {
      --size;
    }
    if (text[size - 1] == '.') {
      --size;
    }
  }
  return std::string(text, static_cast<size_t>(size));
}

/// `number` in the largest of `units` (each `step` times the one before) in which it is at least 1
/// as printed.
std::string Scaled(double number, double step, std::span<const char* const> units) {
  size_t unit = 0;
  while (unit + 1 < units.size() && number >= step - 0.5) {
    number /= step;
    ++unit;
  }
  return ThreeDigits(number) + units[unit];
}

}  // namespace

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

std::string Join(std::span<const std::string> parts, std::string_view separator) {
  return JoinParts(parts, separator);
}

std::string Join(std::span<const std::string_view> parts, std::string_view separator) {
  return JoinParts(parts, separator);
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n\v\f";
  const size_t start = text.find_first_not_of(kSpaces);
  if (start == std::string_view::npos) {
    return {};
  }
  return text.substr(start, text.find_last_not_of(kSpaces) - start + 1);
}

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return lower;
}

Result<int64_t> ParseInt64(std::string_view text) { return ParseWhole<int64_t>(text); }

Result<uint64_t> ParseUint64(std::string_view text) { return ParseWhole<uint64_t>(text); }

Result<double> ParseDouble(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range && stop == end) {
    return InvalidArgument(Quote(text) + " is outside the range of a double");
  }
  if (error != std::errc() || stop != end || !std::isfinite(number)) {
    return InvalidArgument(Quote(text) + " is not a number");
  }
  return number;
}

std::string HumanBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  if (bytes < 1024) {
    return std::to_string(bytes) + " B";
  }
  return Scaled(static_cast<double>(bytes), 1024, kUnits);
}

std::string HumanDuration(std::chrono::nanoseconds duration) {
  constexpr const char* kShort[] = {" ns", " µs", " ms", " s"};
  if (duration < duration.zero()) {
    // -min() has no positive counterpart; one nanosecond in 292 years does not matter.
    const auto positive = duration == duration.min() ? duration.max() : -duration;
    return "-" + HumanDuration(positive);
  }
  const double nanos = static_cast<double>(duration.count());
  const auto seconds = static_cast<int64_t>(std::llround(nanos / 1e9));
  if (seconds < 60) {
    return Scaled(nanos, 1000, kShort);
  }
  const auto pair = [](int64_t large, const char* large_unit, int64_t small,
                       const char* small_unit) {
    std::string text = std::to_string(large) + large_unit;
    if (small > 0) {
      text += " " + std::to_string(small) + small_unit;
    }
    return text;
  };
  if (seconds < 3600) {
    return pair(seconds / 60, " min", seconds % 60, " s");
  }
  const int64_t minutes = seconds / 60;
  if (minutes < 24 * 60) {
    return pair(minutes / 60, " h", minutes % 60, " min");
  }
  const int64_t hours = minutes / 60;
  return pair(hours / 24, " d", hours % 24, " h");
}

std::string HumanCount(uint64_t count) {
  constexpr const char* kUnits[] = {"", " k", " M", " G", " T", " P", " E"};
  return Scaled(static_cast<double>(count), 1000, kUnits);
}

}  // namespace roost
