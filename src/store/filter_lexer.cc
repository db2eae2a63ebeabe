#include "store/filter_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "store/scalar_text.h"

namespace roost {
namespace {

constexpr size_t kExcerptBytes = 60;  // of the line, on each side of the place

constexpr std::array<std::string_view, 10> kKeywords = {"and", "or",   "not",    "in",   "like",
                                                        "is",  "null", "exists", "true", "false"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The keyword that a word stands for: in lower or UPPER case; true and false also capitalised.
std::string_view KeywordOf(std::string_view word) {
  for (const std::string_view keyword : kKeywords) {
    std::string upper(keyword);
    for (char& c : upper) {
      c = static_cast<char>(c - 'a' + 'A');
    }
    std::string capital(keyword);
    capital[0] = upper[0];
    const bool truth = keyword == "true" || keyword == "false";
    if (word == keyword || word == upper || (truth && word == capital)) {
      return keyword;
    }
  }
  return {};
}

size_t CountCharacters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

/// The line around `column_bytes`, shortened, and a caret line below it.
std::string Excerpt(std::string_view line, size_t column_bytes) {
  size_t begin = column_bytes > kExcerptBytes ? column_bytes - kExcerptBytes : 0;
  while (begin > 0 && IsContinuation(line[begin])) {
    --begin;
  }
  size_t end = std::min(line.size(), column_bytes + kExcerptBytes);
  while (end < line.size() && IsContinuation(line[end])) {
    ++end;
  }
  std::string shown(line.substr(begin, end - begin));
  for (char& c : shown) {
    c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  const std::string lead = begin > 0 ? "…" : "";
  const size_t caret =
      CountCharacters(lead) + CountCharacters(line.substr(begin, column_bytes - begin));
  return "\n  " + lead + shown + (end < line.size() ? "…" : "") + "\n  " + std::string(caret, ' ') +
         "^";
}

}  // namespace

Error FilterErrorAt(std::string_view text, size_t position, const std::string& message) {
  position = std::min(position, text.size());
  const std::string_view before = text.substr(0, position);
  const size_t lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = lines == 0 ? 0 : before.rfind('\n') + 1;
  const size_t line_end = std::min(text.find('\n', position), text.size());
  const std::string_view line = text.substr(line_start, line_end - line_start);
  const size_t column = CountCharacters(text.substr(line_start, position - line_start));
  return InvalidArgument("filter " + std::to_string(lines + 1) + ":" + std::to_string(column + 1) +
                         ": " + message + Excerpt(line, position - line_start));
}

bool IsFilterKeyword(std::string_view name) { return !KeywordOf(name).empty(); }

void FilterLexer::SkipSpace() {
  while (position_ < text_.size() &&
         std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
    ++position_;
  }
}

Result<FilterToken> FilterLexer::Next() {
  SkipSpace();
  const size_t start = position_;
  if (start >= text_.size()) {
    return FilterToken{.position = text_.size()};
  }
  const char c = text_[start];
  const bool point = c == '.' && start + 1 < text_.size() && IsDigit(text_[start + 1]);
  if (IsDigit(c) || point) {
    return Number(start);
  }
  if (c == '"' || c == '\'') {
    return String(start);
  }
  if (c == '`') {
    return Quoted(start);
  }
  return IsNameStart(c) ? Result<FilterToken>(Word(start)) : Symbol(start);
}

Result<FilterToken> FilterLexer::Number(size_t start) {
  const std::string_view rest = text_.substr(start);
  const char second = rest.size() > 1 ? rest[1] : '\0';
  const bool zero = rest[0] == '0';
  if (zero && (second == 'x' || second == 'X')) {
    size_t end = 2;
    while (end < rest.size() && (IsHexDigit(rest[end]) || rest[end] == '.')) {
      ++end;
    }
    const bool floating = rest.substr(0, end).find('.') != std::string_view::npos ||
                          (end < rest.size() && (rest[end] == 'p' || rest[end] == 'P'));
    position_ = start + 2;
    return floating ? Float(start, true) : Digits(start, 16);
  }
  if (zero && (second == 'b' || second == 'B')) {
    position_ = start + 2;
    return Digits(start, 2);
  }
  size_t end = 0;
  while (end < rest.size() && IsDigit(rest[end])) {
    ++end;
  }
  const char after = end < rest.size() ? rest[end] : '\0';
  if (after == '.' || after == 'e' || after == 'E') {
    return Float(start, false);
  }
  const bool octal = zero && end > 1;
  position_ = start + (octal ? 1 : 0);
  return Digits(start, octal ? 8 : 10);
}

Result<FilterToken> FilterLexer::Digits(size_t start, int base) {
  uint64_t magnitude = 0;
  const char* const begin = text_.data() + position_;
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(begin, end, magnitude, base);
  position_ = static_cast<size_t>(stop - text_.data());
  if (stop == begin || (stop != end && IsNamePart(*stop))) {
    return FilterErrorAt(text_, start, "this is not a number");
  }
  constexpr uint64_t kMinimum = uint64_t{1} << 63;
  if (error != std::errc() || magnitude > kMinimum) {
    return FilterErrorAt(text_, start,
                         "the integer is out of range (-9223372036854775808 to "
                         "9223372036854775807)");
  }
  FilterToken token{.kind = FilterTokenKind::kInteger,
                    .text = std::string(text_.substr(start, position_ - start)),
                    .position = start};
  token.magnitude_of_minimum = magnitude == kMinimum;
  token.value = static_cast<int64_t>(magnitude);
  return token;
}

Result<FilterToken> FilterLexer::Float(size_t start, bool hexadecimal) {
  double number = 0;
  const char* const begin = text_.data() + start + (hexadecimal ? 2 : 0);
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(
      begin, end, number, hexadecimal ? std::chars_format::hex : std::chars_format::general);
  position_ = static_cast<size_t>(stop - text_.data());
  if (stop == begin || (stop != end && (IsNamePart(*stop) || *stop == '.'))) {
    return FilterErrorAt(text_, start, "this is not a number");
  }
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say which: strtod gives infinity or the nearest tiny number.
    const std::string copy(text_.substr(start, position_ - start));
    number = std::strtod(copy.c_str(), nullptr);
    if (!std::isfinite(number)) {
      return FilterErrorAt(text_, start, "the number is too large for a double");
    }
  }
  return FilterToken{.kind = FilterTokenKind::kFloat,
                     .text = std::string(text_.substr(start, position_ - start)),
                     .position = start,
                     .value = number};
}

Result<FilterToken> FilterLexer::String(size_t start) {
  const char quote = text_[start];
  std::string value;
  size_t at = start + 1;
  while (at < text_.size() && text_[at] != quote) {
    if (text_[at] == '\\') {
      at = TRY(Escape(at, value));
    } else {
      value += text_[at++];
    }
  }
  if (at >= text_.size()) {
    return FilterErrorAt(text_, start, std::string("the string has no closing ") + quote);
  }
  if (!IsUtf8(value)) {
    return FilterErrorAt(text_, start, "the string's escapes do not give valid UTF-8");
  }
  position_ = at + 1;
  return FilterToken{.kind = FilterTokenKind::kString,
                     .text = std::string(text_.substr(start, position_ - start)),
                     .position = start,
                     .value = std::move(value)};
}

/// Appends what the escape at `at` stands for; gives the position after it.
Result<size_t> FilterLexer::Escape(size_t at, std::string& out) const {
  const char c = at + 1 < text_.size() ? text_[at + 1] : '\0';
  constexpr std::string_view kNames = "abfnrtv\\'\"?";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"?";
  if (const size_t known = kNames.find(c); c != '\0' && known != std::string_view::npos) {
    out += kMeanings[known];
    return at + 2;
  }
  if (c == '%' || c == '_') {  // kept whole, so that patterns of `like` read naturally
    out += '\\';
    out += c;
    return at + 2;
  }
  const int base = c == 'x' || c == 'u' || c == 'U' ? 16 : 8;
  const size_t begin = at + (base == 16 ? 2 : 1);
  const size_t most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
  const std::string_view digits =
      begin < text_.size() ? text_.substr(begin, most) : std::string_view();
  uint32_t code = 0;
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  const auto used = static_cast<size_t>(stop - digits.data());
  const bool unicode = c == 'u' || c == 'U';
  if (error != std::errc() || (unicode ? used != most : used == 0 || code > 0xFF) ||
      code > 0x10FFFF) {
    return FilterErrorAt(text_, at,
                         "unknown escape; one of \\\\ \\\" \\' \\n \\r \\t \\b \\f \\v \\a \\x41 "
                         "\\101 \\u0041 \\% \\_");
  }
  if (!unicode || code < 0x80) {
    out += static_cast<char>(code);
  } else {
    for (int shift = code < 0x800     ? 6
                     : code < 0x10000 ? 12
                                      : 18,
             first = shift;
         shift >= 0; shift -= 6) {
      const uint32_t lead = first == 6 ? 0xC0 : first == 12 ? 0xE0 : 0xF0;
      out += static_cast<char>(shift == first ? lead | (code >> shift)
                                              : 0x80 | ((code >> shift) & 0x3F));
    }
  }
  return begin + used;
}

Result<FilterToken> FilterLexer::Quoted(size_t start) {
  const size_t close = text_.find('`', start + 1);
  if (close == std::string_view::npos || close == start + 1) {
    return FilterErrorAt(text_, start, "a name in backticks is not closed or empty");
  }
  position_ = close + 1;
  return FilterToken{.kind = FilterTokenKind::kName,
                     .text = std::string(text_.substr(start + 1, close - start - 1)),
                     .position = start,
                     .quoted = true};
}

FilterToken FilterLexer::Word(size_t start) {
  while (position_ < text_.size() && IsNamePart(text_[position_])) {
    ++position_;
  }
  const std::string_view word = text_.substr(start, position_ - start);
  const std::string_view keyword = KeywordOf(word);
  return FilterToken{.kind = keyword.empty() ? FilterTokenKind::kName : FilterTokenKind::kKeyword,
                     .text = std::string(keyword.empty() ? word : keyword),
                     .position = start};
}

Result<FilterToken> FilterLexer::Symbol(size_t start) {
  const std::string_view rest = text_.substr(start);
  FilterToken token{.kind = FilterTokenKind::kSymbol, .position = start};
  const auto take = [&](size_t size) {
    position_ = start + size;
    token.text = std::string(rest.substr(0, size));
    return token;
  };
  for (const std::string_view unsupported : {"**", "<<", ">>", "=~", "!~"}) {
    if (rest.starts_with(unsupported)) {
      return FilterErrorAt(text_, start,
                           "Roost's filters have no operator \"" + std::string(unsupported) + "\"");
    }
  }
  for (const std::string_view two : {"==", "!=", "<=", ">="}) {
    if (rest.starts_with(two)) {
      return take(2);
    }
  }
  if (rest.starts_with("&&") || rest.starts_with("||")) {
    token = take(2);
    token.kind = FilterTokenKind::kKeyword;
    token.text = rest[0] == '&' ? "and" : "or";
    return token;
  }
  if (rest[0] == '!') {
    token = take(1);
    token.kind = FilterTokenKind::kKeyword;
    token.text = "not";
    return token;
  }
  if (std::string_view("<>+-*/%()[]{},").find(rest[0]) != std::string_view::npos) {
    return take(1);
  }
  if (std::string_view("&|^~").find(rest[0]) != std::string_view::npos) {
    return FilterErrorAt(text_, start,
                         std::string("Roost's filters have no bit operator \"") + rest[0] + "\"");
  }
  if (rest[0] == '=') {
    return FilterErrorAt(text_, start, "found \"=\"; write \"==\" to compare");
  }
  size_t after = start;
  NextCodePoint(text_, after);
  return FilterErrorAt(text_, start,
                       "found \"" + std::string(text_.substr(start, after - start)) +
                           "\"; expected a field, a value or an operator");
}

}  // namespace roost
