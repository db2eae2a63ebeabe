#include "adapters/opensearch/opensearch_tokens.h"

#include <bit>
#include <cmath>
#include <limits>

#include <openssl/evp.h>

#include "base/result.h"
#include "store/scalar_text.h"

namespace roost {
namespace {

/// Paths longer than this are written as a digest.
constexpr size_t kMaxPathBytes = 4'000;

void AppendHex(std::string& out, uint64_t value, int digits) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; --i) {
    out += kHex[(value >> (4 * i)) & 15];
  }
}

/// Steps begin with \1 and words with \0, so neither may stand inside a name.
std::string Escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '\0') {
      out += "\1\4";
    } else if (c == '\1') {
      out += "\1\3";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Sortable(double number, uint64_t above) {
  const auto bits = std::bit_cast<uint64_t>(number == 0 ? 0.0 : number);
  const bool negative = (bits >> 63) != 0;
  std::string out;
  AppendHex(out, negative ? ~bits : bits | (uint64_t{1} << 63), 16);
  AppendHex(out, above, 4);
  return out;
}

/// Equal texts for equal values: what digests of arrays and objects are made of.
void AppendNormal(std::string& out, const Value& value) {
  switch (value.index()) {
    case 0:
      out += "z";
      break;
    case 1:
      out += std::get<bool>(value) ? "b1" : "b0";
      break;
    case 2:
      out += "n" + OsSortableInt(std::get<int64_t>(value));
      break;
    case 3:
      out += "n" + OsSortableDouble(std::get<double>(value));
      break;
    case 4: {
      const std::string& text = std::get<std::string>(value);
      out += "s" + std::to_string(text.size()) + ":" + text;
      break;
    }
    case 5: {
      out += "{";
      for (const auto& [name, member] : JsonMembers(std::get<Json>(value).text)) {
        out += std::to_string(name.size()) + ":" + name;
        AppendNormal(out, JsonToValue(member));
      }
      out += "}";
      break;
    }
    default:
      out += "[";
      for (const Value& element : std::get<Array>(value)) {
        AppendNormal(out, element);
      }
      out += "]";
  }
}

}  // namespace

std::string OsDigest(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    AppendHex(out, digest[i], 2);
  }
  return out;
}

std::string OsIndexedString(std::string_view text) {
  if (text.size() <= kOsMaxIndexedBytes) {
    return std::string(text);
  }
  const std::string_view begin = text.substr(0, Utf8Prefix(text.substr(0, kOsMaxIndexedBytes)));
  return std::string(begin) + "\1" + OsDigest(text);
}

std::string OsSortableInt(int64_t number) {
  auto below = static_cast<double>(number);
  if (below >= 0x1p63 || static_cast<int64_t>(below) > number) {
    below = std::nextafter(below, -std::numeric_limits<double>::infinity());
  }
  return Sortable(
      below, static_cast<uint64_t>(number) - static_cast<uint64_t>(static_cast<int64_t>(below)));
}

std::string OsSortableDouble(double number) { return Sortable(number, 0); }

OsPath OsPath::Member(std::string_view name) const {
  OsPath path = *this;
  path.text_ += "\1m" + Escaped(name);
  return path;
}

OsPath OsPath::Element(int64_t position) const {
  OsPath path = *this;
  path.text_ += "\1i" + std::to_string(position);
  return path;
}

OsPath OsPath::AnyElement() const {
  OsPath path = *this;
  path.text_ += "\1*";
  return path;
}

std::string OsPath::Word(std::string_view rest) const {
  std::string word = text_.size() <= kMaxPathBytes ? text_ : "\2" + OsDigest(text_);
  word += '\0';
  word += rest;
  return word;
}

std::string OsPath::Length(size_t elements) const {
  std::string length = "a";
  AppendHex(length, elements, 8);
  return Word(length);
}

std::string OsPath::Of(const Value& value) const {
  switch (value.index()) {
    case 0:
      return {};
    case 1:
      return Word(std::get<bool>(value) ? "b1" : "b0");
    case 2:
      return Number(OsSortableInt(std::get<int64_t>(value)));
    case 3:
      return Number(OsSortableDouble(std::get<double>(value)));
    case 4:
      return String(OsIndexedString(std::get<std::string>(value)));
    default: {
      std::string normal;
      AppendNormal(normal, value);
      return Word("w" + OsDigest(normal));
    }
  }
}

OsPath OsPathOf(const Operand& operand) {
  OsPath path(operand.name);
  for (const auto& step : operand.path) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      path = path.Member(*name);
    } else {
      path = path.Element(std::get<int64_t>(step));
    }
  }
  return path;
}

void AddTokens(OsTokens& tokens, const OsPath& path, const Value& value) {
  if (value.is_null()) {
    return;
  }
  tokens.words.push_back(path.Present());
  tokens.words.push_back(path.Of(value));
  if (const auto* text = std::get_if<std::string>(&value)) {
    tokens.cut = tokens.cut || text->size() > kOsMaxIndexedBytes;
  } else if (const auto* array = std::get_if<Array>(&value)) {
    tokens.words.push_back(path.Length(array->size()));
    const OsPath any = path.AnyElement();
    for (size_t i = 0; i < array->size(); ++i) {
      AddTokens(tokens, path.Element(static_cast<int64_t>(i)), (*array)[i]);
      if (!(*array)[i].is_null()) {
        tokens.words.push_back(any.Of((*array)[i]));
      }
    }
  } else if (const auto* object = std::get_if<Json>(&value)) {
    for (const auto& [name, member] : JsonMembers(object->text)) {
      AddTokens(tokens, path.Member(name), JsonToValue(member));
    }
  }
}

void AddJsonTokens(OsTokens& tokens, const OsPath& path, std::string_view json) {
  AddTokens(tokens, path, JsonToValue(json));
}

}  // namespace roost
