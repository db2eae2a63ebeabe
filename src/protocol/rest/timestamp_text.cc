#include "protocol/rest/timestamp_text.h"

#include <charconv>
#include <chrono>
#include <string>

namespace roost::rest {

namespace {

// Takes `digits` digits off the front of `text`; false when there are fewer.
bool TakeNumber(std::string_view& text, size_t digits, int& number) {
  if (text.size() < digits) {
    return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits || text.front() == '-') {
    return false;
  }
  text.remove_prefix(digits);
  return true;
}

bool TakeOneOf(std::string_view& text, std::string_view choices) {
  if (text.empty() || choices.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// ".123456789" -> 123456; "" -> 0.
bool TakeFraction(std::string_view& text, int64_t& micros) {
  micros = 0;
  if (!TakeOneOf(text, ".")) {
    return true;
  }
  int64_t unit = 100'000;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    micros += unit * (text[digits] - '0');
    unit /= 10;
  }
  text.remove_prefix(digits);
  return digits > 0;
}

bool TakeZone(std::string_view& text, int& minutes_east) {
  minutes_east = 0;
  if (TakeOneOf(text, "Zz")) {
    return true;
  }
  const bool west = !text.empty() && text.front() == '-';
  int hours = 0;
  int minutes = 0;
  if (!TakeOneOf(text, "+-") || !TakeNumber(text, 2, hours) || !TakeOneOf(text, ":") ||
      !TakeNumber(text, 2, minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  minutes_east = (west ? -1 : 1) * (hours * 60 + minutes);
  return true;
}

}  // namespace

Result<int64_t> ParseRfc3339(std::string_view text) {
  const Error malformed = InvalidArgument("\"" + std::string(text.substr(0, 64)) +
                                          "\" is no time; write it as 2024-05-01T12:00:00Z, with a "
                                          "zone, or as microseconds since 1970");
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone = 0;
  int64_t micros = 0;
  if (!TakeNumber(text, 4, year) || !TakeOneOf(text, "-") || !TakeNumber(text, 2, month) ||
      !TakeOneOf(text, "-") || !TakeNumber(text, 2, day) || !TakeOneOf(text, "Tt ") ||
      !TakeNumber(text, 2, hour) || !TakeOneOf(text, ":") || !TakeNumber(text, 2, minute) ||
      !TakeOneOf(text, ":") || !TakeNumber(text, 2, second) || !TakeFraction(text, micros) ||
      !TakeZone(text, zone) || !text.empty()) {
    return malformed;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) {
    return malformed;
  }
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                    std::chrono::minutes(minute - zone) + std::chrono::seconds(second);
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count() +
         micros;
}

}  // namespace roost::rest
