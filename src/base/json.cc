#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

namespace roost {

namespace {

// Whole doubles in [-2^63, 2^64) fit a 64-bit integer.
constexpr double kLeastWhole = -0x1p63;
constexpr double kWholeLimit = 0x1p64;

template <typename Number>
void AppendToChars(std::string& out, Number number) {
  char digits[32];  // The longest shortest double has 24 characters.
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), number);
  CHECK(error == std::errc());
  out.append(digits, end);
}

/// The form of a double in canonical JSON.
void AppendCanonicalDouble(std::string& out, double number) {
  if (number != std::trunc(number) || number < kLeastWhole || number >= kWholeLimit) {
    AppendToChars(out, number);
  } else if (number < 0) {
    AppendToChars(out, static_cast<int64_t>(number));
  } else {
    AppendToChars(out, static_cast<uint64_t>(number));
  }
}

/// Collects a document from Boost.JSON's parser. An open object or array keeps the canonical texts
/// of what it holds; closing it joins them into its own text.
class Canonicaliser {
 public:
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  using ErrorCode = boost::json::error_code;
  using Text = boost::json::string_view;

  std::string TakeText() { return std::move(root_); }
  const std::string& refusal() const { return refusal_; }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_object_begin(ErrorCode&) { return Open(); }
  bool on_array_begin(ErrorCode&) { return Open(); }
  bool on_object_end(size_t, ErrorCode&) {
    std::vector<Member> members = Close();
    // Stable: of equal names the last one read stays last and is the one that counts.
    std::stable_sort(members.begin(), members.end(),
                     [](const Member& a, const Member& b) { return a.name < b.name; });
    std::string text = "{";
    for (size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i].name == members[i + 1].name) {
        continue;
      }
      if (text.size() > 1) {
        text += ',';
      }
      AppendJsonString(text, members[i].name);
      text += ':';
      text += members[i].text;
    }
    text += '}';
    return Put(std::move(text));
  }
  bool on_array_end(size_t, ErrorCode&) {
    const std::vector<Member> members = Close();
    std::string text = "[";
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) {
        text += ',';
      }
      text += members[i].text;
    }
    text += ']';
    return Put(std::move(text));
  }

  bool on_key_part(Text part, size_t, ErrorCode&) { return Collect(part); }
  bool on_key(Text part, size_t, ErrorCode&) {
    Collect(part);
    open_.back().name = std::exchange(collected_, {});
    return true;
  }
  bool on_string_part(Text part, size_t, ErrorCode&) { return Collect(part); }
  bool on_string(Text part, size_t, ErrorCode&) {
    Collect(part);
    std::string text;
    AppendJsonString(text, std::exchange(collected_, {}));
    return Put(std::move(text));
  }
  bool on_number_part(Text part, ErrorCode&) { return Collect(part); }
  bool on_int64(int64_t number, Text, ErrorCode&) {
    collected_.clear();
    std::string text;
    AppendToChars(text, number);
    return Put(std::move(text));
  }
  bool on_uint64(uint64_t number, Text, ErrorCode&) {
    collected_.clear();
    std::string text;
    AppendToChars(text, number);
    return Put(std::move(text));
  }
  bool on_double(double roughly, Text part, ErrorCode& error) {
    Collect(part);
    const std::string digits = std::exchange(collected_, {});
    // Boost.JSON 1.81 may miss the nearest double by one step; from_chars does not.
    double number = 0;
    const auto [end, status] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (status == std::errc::result_out_of_range) {
      if (std::abs(roughly) > 1) {
        refusal_ = "the number " + digits.substr(0, 40) + " is too large for a double";
        error = boost::json::make_error_code(boost::json::error::exponent_overflow);
        return false;
      }
      number = 0;  // Too small to tell from zero.
    }
    std::string text;
    AppendCanonicalDouble(text, number);
    return Put(std::move(text));
  }
  bool on_bool(bool flag, ErrorCode&) { return Put(flag ? "true" : "false"); }
  bool on_null(ErrorCode&) { return Put("null"); }
  bool on_comment_part(Text, ErrorCode&) { return true; }
  bool on_comment(Text, ErrorCode&) { return true; }

 private:
  struct Member {
    std::string name;  ///< empty in arrays
    std::string text;
  };
  struct Container {
    std::string name;  ///< of the member being read
    std::vector<Member> members;
  };

  bool Open() {
    open_.emplace_back();
    return true;
  }
  std::vector<Member> Close() {
    std::vector<Member> members = std::move(open_.back().members);
    open_.pop_back();
    return members;
  }
  bool Put(std::string text) {
    if (open_.empty()) {
      root_ = std::move(text);
    } else {
      open_.back().members.push_back({std::exchange(open_.back().name, {}), std::move(text)});
    }
    return true;
  }
  bool Collect(Text part) {
    collected_.append(part.data(), part.size());
    return true;
  }

  std::vector<Container> open_;
  std::string collected_;
  std::string root_;
  std::string refusal_;
};

/// Length of the valid UTF-8 sequence at the start of `text`; 0 when there is none. `skip` is then
/// how many bytes one U+FFFD stands for (Unicode's "maximal subpart").
size_t Utf8Length(std::string_view text, size_t& skip) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  skip = 1;
  if (lead < 0x80) {
    return 1;
  }
  size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    low = lead == 0xe0 ? 0xa0 : low;
    high = lead == 0xed ? 0x9f : high;  // No surrogates.
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    low = lead == 0xf0 ? 0x90 : low;
    high = lead == 0xf4 ? 0x8f : high;
  } else {
    return 0;
  }
  for (; skip < length; ++skip) {
    if (skip >= text.size() || byte(skip) < low || byte(skip) > high) {
      return 0;
    }
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

void AppendEscaped(std::string& out, unsigned char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kDigits[c >> 4];
      out += kDigits[c & 15];
  }
}

}  // namespace

Result<std::string> CanonicalJson(std::string_view text, size_t max_depth) {
  boost::json::parse_options options;
  options.max_depth = max_depth;
  try {
    boost::json::basic_parser<Canonicaliser> parser(options);
    boost::json::error_code error;
    size_t read = parser.write_some(false, text.data(), text.size(), error);
    if (!error && read < text.size()) {
      error = boost::json::make_error_code(boost::json::error::extra_data);
    }
    if (!error) {
      return parser.handler().TakeText();
    }
    std::string reason = parser.handler().refusal();
    if (error == boost::json::error::too_deep) {
      reason = "nested deeper than " + std::to_string(max_depth) + " levels";
    } else if (reason.empty()) {
      reason = error.message();
    }
    return InvalidArgument("JSON is malformed at byte " + std::to_string(read) + ": " + reason);
  } catch (const std::exception& error) {
    return ResourceExhausted(std::string("JSON of ") + std::to_string(text.size()) +
                             " bytes cannot be read: " + error.what());
  }
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  size_t plain = 0;  // Start of the bytes that can be copied as they are.
  size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    size_t skip = 1;
    const size_t length = c >= 0x80 ? Utf8Length(text.substr(i), skip) : 0;
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text.substr(plain, i - plain));
    if (c >= 0x80) {
      out += "\xef\xbf\xbd";
    } else {
      AppendEscaped(out, c);
    }
    i += skip;
    plain = i;
  }
  out.append(text.substr(plain));
  out += '"';
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

void AppendJsonDouble(std::string& out, double number) {
  if (std::isfinite(number)) {
    AppendToChars(out, number);
  } else {
    out += "null";
  }
}

void AppendJsonFloat(std::string& out, float number) {
  if (std::isfinite(number)) {
    AppendToChars(out, number);
  } else {
    out += "null";
  }
}

void AppendJsonInt(std::string& out, int64_t number) { AppendToChars(out, number); }

void AppendJsonUint(std::string& out, uint64_t number) { AppendToChars(out, number); }

}  // namespace roost
