#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// The words of a filter's text.
enum class FilterTokenKind : uint8_t {
  kEnd,
  kName,     ///< a field or function; `text` without backticks
  kKeyword,  ///< and or not in like is null exists true false, in lower case
  kInteger,  ///< value; or magnitude 2^63, which only a minus makes valid
  kFloat,    ///< value
  kString,   ///< value, unescaped
  kSymbol,   ///< operators and brackets; && || ! come as keywords
};

struct FilterToken {
  FilterTokenKind kind = FilterTokenKind::kEnd;
  std::string text;     ///< as the parser compares it
  size_t position = 0;  ///< byte where it begins
  Value value;
  bool magnitude_of_minimum = false;  ///< the integer 9223372036854775808
  bool quoted = false;                ///< a name in backticks
};

/// Splits a filter's text into tokens. The text must be valid UTF-8 and outlive the lexer.
class FilterLexer {
 public:
  explicit FilterLexer(std::string_view text) : text_(text) {}

  /// kEnd again and again after the last. kInvalidArgument with position and excerpt.
  Result<FilterToken> Next();

 private:
  void SkipSpace();
  Result<FilterToken> Number(size_t start);
  Result<FilterToken> Digits(size_t start, int base);
  Result<FilterToken> Float(size_t start, bool hexadecimal);
  Result<FilterToken> String(size_t start);
  Result<size_t> Escape(size_t at, std::string& out) const;
  Result<FilterToken> Quoted(size_t start);
  FilterToken Word(size_t start);
  Result<FilterToken> Symbol(size_t start);

  std::string_view text_;
  size_t position_ = 0;
};

/// kInvalidArgument: "filter 1:9: ⟨message⟩", then the line with a caret under the place.
Error FilterErrorAt(std::string_view text, size_t position, const std::string& message);
/// Whether a name must be written in backticks.
bool IsFilterKeyword(std::string_view name);

}  // namespace roost
