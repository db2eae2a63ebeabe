#include "adapters/milvus/milvus_key.h"

#include <limits>
#include <span>

namespace roost {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr std::string_view kHexDigits = "0123456789abcdef";

/// 16 hex digits in the order of the integers.
std::string OrderedHex(int64_t number) {
  const uint64_t bits = static_cast<uint64_t>(number) ^ kSignBit;
  std::string hex;
  for (int shift = 60; shift >= 0; shift -= 4) {
    hex += kHexDigits[(bits >> shift) & 15];
  }
  return hex;
}

Result<int64_t> FromOrderedHex(std::string_view hex) {
  uint64_t bits = 0;
  for (const char c : hex) {
    const size_t digit = kHexDigits.find(c);
    if (digit == std::string_view::npos) {
      return DataLoss("a key in Milvus is none of Roost's");
    }
    bits = bits << 4 | digit;
  }
  if (hex.size() != 16) {
    return DataLoss("a key in Milvus is none of Roost's");
  }
  return static_cast<int64_t>(bits ^ kSignBit);
}

/// The smallest INT64 is written as what is below the next one.
std::string Compared(std::string_view field, std::string_view sign, int64_t value) {
  return std::string(field) + std::string(sign) + std::to_string(value);
}

}  // namespace

std::string TenantPrefix(std::string_view tenant) {
  // "\0" ends the tenant and sorts before everything, so a tenant that begins with another comes
  // after it; "\0" and "\1" inside are written as two bytes, in the same order.
  std::string prefix;
  for (const char c : tenant) {
    if (c == '\0' || c == '\1') {
      prefix += '\1';
      prefix += static_cast<char>(c + 1);
    } else {
      prefix += c;
    }
  }
  prefix += '\0';
  return prefix;
}

Key StoredKey(const MilvusLayout& layout, const RecordKey& key) {
  if (!layout.schema.multi_tenant()) {
    return key.key;
  }
  const auto* integer = std::get_if<int64_t>(&key.key);
  return TenantPrefix(key.tenant) +
         (integer != nullptr ? OrderedHex(*integer) : std::get<std::string>(key.key));
}

Result<RecordKey> FromStoredKey(const MilvusLayout& layout, Key stored) {
  if (!layout.schema.multi_tenant()) {
    return RecordKey{.tenant = {}, .key = std::move(stored)};
  }
  const auto* text = std::get_if<std::string>(&stored);
  const size_t end = text == nullptr ? std::string::npos : text->find('\0');
  if (end == std::string::npos) {
    return DataLoss("a key in Milvus is none of Roost's: it names no tenant");
  }
  RecordKey key;
  for (size_t i = 0; i < end; ++i) {
    if ((*text)[i] == '\1' && i + 1 < end) {
      key.tenant += static_cast<char>((*text)[++i] - 1);
    } else {
      key.tenant += (*text)[i];
    }
  }
  if (layout.schema.key_type == KeyType::kInt64) {
    key.key = TRY(FromOrderedHex(std::string_view(*text).substr(end + 1)));
  } else {
    key.key = text->substr(end + 1);
  }
  return key;
}

std::string MilvusString(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string IntegersIn(std::string_view field, std::span<const int64_t> values) {
  std::string list;
  bool lowest = false;
  for (const int64_t value : values) {
    if (value == kLowest) {
      lowest = true;
    } else {
      list += (list.empty() ? "" : ",") + std::to_string(value);
    }
  }
  const std::string in = list.empty() ? "" : std::string(field) + " in [" + list + "]";
  if (!lowest) {
    return in;
  }
  const std::string is_lowest = Compared(field, " < ", kLowest + 1);
  return in.empty() ? is_lowest : "(" + in + " or " + is_lowest + ")";
}

std::string KeyEquals(const MilvusLayout& layout, const Key& stored) {
  if (const auto* integer = std::get_if<int64_t>(&stored)) {
    return IntegersIn(layout.key_name(), std::span(integer, 1));
  }
  return layout.key_name() + " == " + MilvusString(std::get<std::string>(stored));
}

std::string KeyAbove(const MilvusLayout& layout, const Key& stored) {
  if (const auto* integer = std::get_if<int64_t>(&stored)) {
    return *integer == kLowest ? Compared(layout.key_name(), " >= ", kLowest + 1)
                               : Compared(layout.key_name(), " > ", *integer);
  }
  return layout.key_name() + " > " + MilvusString(std::get<std::string>(stored));
}

std::string KeyUpTo(const MilvusLayout& layout, const Key& stored) {
  if (const auto* integer = std::get_if<int64_t>(&stored)) {
    return *integer == kLowest ? Compared(layout.key_name(), " < ", kLowest + 1)
                               : Compared(layout.key_name(), " <= ", *integer);
  }
  return layout.key_name() + " <= " + MilvusString(std::get<std::string>(stored));
}

}  // namespace roost
