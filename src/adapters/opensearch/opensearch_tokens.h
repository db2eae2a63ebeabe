#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/filter.h"
#include "store/json_value.h"
#include "store/types.h"

namespace roost {

/// JSON values and arrays are made findable as words of one keyword field: a path, a zero byte and
/// the value there, written so that equal values have equal words and numbers and strings keep
/// their order. Arrays and objects get words for all that is inside them. OpenSearch can then say
/// every comparison of filter.h exactly. Part of the index format.

/// Terms have at most 32,766 bytes. Longer strings are indexed by a beginning and a digest.
inline constexpr size_t kOsMaxIndexedBytes = 8'000;
/// Literals up to here compare with cut strings as with whole ones.
inline constexpr size_t kOsComparableBytes = 7'500;

/// 64 hex digits of SHA-256.
std::string OsDigest(std::string_view bytes);
/// The string itself up to kOsMaxIndexedBytes, else its beginning and a digest: equal only where
/// the strings are, and in the same order against every string up to kOsComparableBytes.
std::string OsIndexedString(std::string_view text);
/// 20 hex digits, in the order of exact values: 5 and 5.0 are equal, 2^53 + 1 is no double.
std::string OsSortableInt(int64_t number);
std::string OsSortableDouble(double number);

/// The beginning of the words of a path: name and steps.
class OsPath {
 public:
  /// `field` is empty for the dynamic field.
  explicit OsPath(std::string_view field) : text_(field.empty() ? "$" : field) {}

  OsPath Member(std::string_view name) const;
  OsPath Element(int64_t position) const;
  OsPath AnyElement() const;

  std::string Present() const { return Word("?"); }
  std::string Number(std::string_view sortable) const { return Word("n" + std::string(sortable)); }
  std::string String(std::string_view indexed) const { return Word("s" + std::string(indexed)); }
  std::string Length(size_t elements) const;
  /// The word of a value; nothing for null.
  std::string Of(const Value& value) const;
  /// What all words of this kind at the path begin with: 'n', 's', 'a' (array, by length).
  std::string Kind(char kind) const { return Word(std::string(1, kind)); }

 private:
  std::string Word(std::string_view rest) const;

  std::string text_;
};

OsPath OsPathOf(const Operand& operand);

struct OsTokens {
  std::vector<std::string> words;
  bool cut = false;  ///< holds a string longer than is indexed
};
/// Adds the words of a value and of all that is inside it.
void AddTokens(OsTokens& tokens, const OsPath& path, const Value& value);
/// Canonical JSON.
void AddJsonTokens(OsTokens& tokens, const OsPath& path, std::string_view json);

}  // namespace roost
