#include "store/scalar_text.h"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace roost {
namespace {

/// Takes digits and signs off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  std::optional<int> Digits(size_t count) {
    if (text_.size() < count) {
      return std::nullopt;
    }
    int value = 0;
    for (const char c : text_.substr(0, count)) {
      if (c < '0' || c > '9') {
        return std::nullopt;
      }
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(count);
    return value;
  }
  bool Eat(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_[0]) == std::string_view::npos) {
      return false;
    }
    last_ = text_[0];
    text_.remove_prefix(1);
    return true;
  }
  char last() const { return last_; }
  bool done() const { return text_.empty(); }

  /// Digits of a second as microseconds.
  std::optional<int64_t> Fraction() {
    int64_t micros = 0;
    int digits = 0;
    while (Eat("0123456789")) {
      if (digits < 6) {
        micros = micros * 10 + (last_ - '0');
      }
      ++digits;
    }
    if (digits == 0) {
      return std::nullopt;
    }
    for (; digits < 6; ++digits) {
      micros *= 10;
    }
    return micros;
  }

 private:
  std::string_view text_;
  char last_ = 0;
};

constexpr int64_t kMicrosPerSecond = 1'000'000;

std::optional<int64_t> ParseDate(Cursor& cursor) {
  const auto year = cursor.Digits(4);
  if (!year || !cursor.Eat("-")) {
    return std::nullopt;
  }
  const auto month = cursor.Digits(2);
  if (!month || !cursor.Eat("-")) {
    return std::nullopt;
  }
  const auto day = cursor.Digits(2);
  if (!day) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL;
}

/// Seconds east of UTC.
std::optional<int64_t> ParseOffset(Cursor& cursor) {
  if (cursor.Eat("Zz")) {
    return 0;
  }
  if (!cursor.Eat("+-")) {
    return std::nullopt;
  }
  const int64_t sign = cursor.last() == '-' ? -1 : 1;
  const auto hours = cursor.Digits(2);
  if (!hours || !cursor.Eat(":")) {
    return std::nullopt;
  }
  const auto minutes = cursor.Digits(2);
  if (!minutes || *hours > 23 || *minutes > 59) {
    return std::nullopt;
  }
  return sign * (*hours * 3'600 + *minutes * 60);
}

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

std::optional<int64_t> ParseTimestamp(std::string_view text) {
  Cursor cursor(text);
  const auto date = ParseDate(cursor);
  if (!date) {
    return std::nullopt;
  }
  if (cursor.done()) {
    return *date * kMicrosPerSecond;
  }
  if (!cursor.Eat("Tt ")) {
    return std::nullopt;
  }
  const auto hours = cursor.Digits(2);
  if (!hours || !cursor.Eat(":")) {
    return std::nullopt;
  }
  const auto minutes = cursor.Digits(2);
  if (!minutes || !cursor.Eat(":")) {
    return std::nullopt;
  }
  const auto seconds = cursor.Digits(2);
  if (!seconds || *hours > 23 || *minutes > 59 || *seconds > 59) {
    return std::nullopt;
  }
  int64_t fraction = 0;
  if (cursor.Eat(".")) {
    const auto parsed = cursor.Fraction();
    if (!parsed) {
      return std::nullopt;
    }
    fraction = *parsed;
  }
  const auto offset = ParseOffset(cursor);
  if (!offset || !cursor.done()) {
    return std::nullopt;
  }
  return (*date + *hours * 3'600 + *minutes * 60 + *seconds - *offset) * kMicrosPerSecond +
         fraction;
}

std::string FormatTimestamp(int64_t micros) {
  constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
  const int64_t in_day = (micros % kMicrosPerDay + kMicrosPerDay) % kMicrosPerDay;
  const std::chrono::sys_days day{
      std::chrono::days(micros / kMicrosPerDay - (micros % kMicrosPerDay < 0 ? 1 : 0))};
  const std::chrono::year_month_day date{day};
  const int64_t second = in_day / kMicrosPerSecond;
  const int64_t fraction = in_day % kMicrosPerSecond;
  char text[64];
  int size = std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d",
                           static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                           static_cast<unsigned>(date.day()), static_cast<int>(second / 3'600),
                           static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  std::string out(text, static_cast<size_t>(size));
  if (fraction != 0) {
    const bool millis = fraction % 1'000 == 0;
    size = std::snprintf(text, sizeof(text), millis ? ".%03d" : ".%06d",
                         static_cast<int>(millis ? fraction / 1'000 : fraction));
    out.append(text, static_cast<size_t>(size));
  }
  return out + "Z";
}

std::optional<std::string> NormalizeUuid(std::string_view text) {
  if (text.size() != 36) {
    return std::nullopt;
  }
  std::string lower(text);
  for (size_t i = 0; i < lower.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? lower[i] != '-' : !IsHex(lower[i])) {
      return std::nullopt;
    }
    if (lower[i] >= 'A' && lower[i] <= 'F') {
      lower[i] = static_cast<char>(lower[i] - 'A' + 'a');
    }
  }
  return lower;
}

size_t Utf8Prefix(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  size_t i = 0;
  while (i < text.size()) {
    const unsigned first = byte(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const unsigned second = byte(i + 1);
    size_t length = 0;
    if (first >= 0xC2 && first <= 0xDF) {
      length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
      length = 3;
      if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) {
        return i;
      }
    } else if (first >= 0xF0 && first <= 0xF4) {
      length = 4;
      if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
        return i;
      }
    } else {
      return i;
    }
    for (size_t next = i + 1; next < i + length; ++next) {
      if (byte(next) < 0x80 || byte(next) > 0xBF) {
        return i;
      }
    }
    i += length;
  }
  return i;
}

bool IsUtf8(std::string_view text) { return Utf8Prefix(text) == text.size(); }

char32_t NextCodePoint(std::string_view text, size_t& position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(position);
  size_t length = 1;
  char32_t code_point = first;
  if (first >= 0xF0) {
    length = 4;
    code_point = first & 0x07;
  } else if (first >= 0xE0) {
    length = 3;
    code_point = first & 0x0F;
  } else if (first >= 0xC0) {
    length = 2;
    code_point = first & 0x1F;
  }
  for (size_t i = position + 1; i < position + length && i < text.size(); ++i) {
    code_point = (code_point << 6) | (byte(i) & 0x3F);
  }
  position = position + length < text.size() ? position + length : text.size();
  return code_point;
}

}  // namespace roost
