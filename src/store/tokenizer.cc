#include "store/tokenizer.h"

#include <boost/spirit/home/support/char_encoding/unicode/query.hpp>

#include "store/scalar_text.h"

namespace roost {
namespace {

namespace ucd = boost::spirit::ucd;

constexpr size_t kMaxWordBytes = 255;

/// Blocks of signs, where later versions of Unicode than the tables' put more signs. The tables
/// call what they do not know a letter, which is right for new scripts and wrong for new emoji.
bool IsInSignBlock(char32_t c) {
  return (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x1F000 && c <= 0x1FAFF) || c >= 0xE0000;
}

bool IsWordPart(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }
  const auto category = ucd::get_major_category(c);
  const bool known_letter = ucd::get_category(c) != ucd::properties::uppercase_letter ||
                            ucd::to_lowercase(c) != c || !IsInSignBlock(c);
  return (category == ucd::properties::letter && known_letter) ||
         category == ucd::properties::mark || category == ucd::properties::number;
}

/// Written without blanks, and short words: a character is a word.
bool IsWordByItself(char32_t c) {
  return (c >= 0x3041 && c <= 0x309F) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x3FFFF);
}

char32_t ToLower(char32_t c) {
  if (c < 0x80) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
  }
  return ucd::to_lowercase(c);
}

void AppendUtf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int first = c < 0x800 ? 6 : c < 0x10000 ? 12 : 18;
  const char32_t lead = first == 6 ? 0xC0 : first == 12 ? 0xE0 : 0xF0;
  out += static_cast<char>(lead | (c >> first));
  for (int shift = first - 6; shift >= 0; shift -= 6) {
    out += static_cast<char>(0x80 | ((c >> shift) & 0x3F));
  }
}

/// The code point at `position`; nothing that is part of a word where the bytes are not UTF-8.
char32_t TakeCodePoint(std::string_view text, size_t& position) {
  const auto first = static_cast<unsigned char>(text[position]);
  const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (!IsUtf8(text.substr(position, length))) {
    ++position;
    return ' ';
  }
  return NextCodePoint(text, position);
}

}  // namespace

std::vector<std::string> Tokenize(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  };
  for (size_t position = 0; position < text.size();) {
    const char32_t c = TakeCodePoint(text, position);
    const bool alone = IsWordByItself(c);
    if (alone || !IsWordPart(c)) {
      end_word();
    }
    if (alone || IsWordPart(c)) {
      if (word.size() + 4 > kMaxWordBytes) {
        end_word();
      }
      AppendUtf8(word, ToLower(c));
    }
    if (alone) {
      end_word();
    }
  }
  end_word();
  return words;
}

}  // namespace roost
