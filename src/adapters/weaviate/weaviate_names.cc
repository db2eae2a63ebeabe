#include "adapters/weaviate/weaviate_names.h"

#include <array>
#include <bit>
#include <set>

#include <openssl/sha.h>

#include "base/strings.h"

namespace roost {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr int kOrderBits = 60;
constexpr uint64_t kOrderMask = (uint64_t{1} << kOrderBits) - 1;
constexpr uint64_t kHashMask = (uint64_t{1} << 62) - 1;

/// A prefix code whose order is that of the bytes. Letters, digits and what stands between words
/// in keys have short codes.
constexpr int CodeLength(int byte) {
  if (byte >= '0' && byte <= '9') {
    return 5;
  }
  if ((byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '/' || byte == ':' ||
      byte == '_') {
    return 6;
  }
  return byte >= 'A' && byte <= 'Z' ? 8 : 12;
}

struct Code {
  uint32_t bits = 0;
  int length = 0;
};

/// Code 0…0 (12 bits) is the end of a key: what is shorter comes first.
constexpr int kLongest = 12;
constexpr std::array<Code, 256> MakeCodes() {
  std::array<Code, 256> codes{};
  uint32_t next = 1;  // in units of 2^-12
  for (int byte = 0; byte < 256; ++byte) {
    const int length = CodeLength(byte);
    const uint32_t step = uint32_t{1} << (kLongest - length);
    next = (next + step - 1) / step * step;
    codes[static_cast<size_t>(byte)] = {next >> (kLongest - length), length};
    next += step;
  }
  // All must fit, or the code would not be one.
  return next <= (uint32_t{1} << kLongest) ? codes : std::array<Code, 256>{};
}
constexpr std::array<Code, 256> kCodes = MakeCodes();
static_assert(kCodes['z'].length == 6 && kCodes[255].length == 12);

/// The first 60 bits of the text's code, and how many of them the text decides.
std::pair<uint64_t, int> OrderOf(std::string_view text) {
  uint64_t bits = 0;
  int used = 0;
  for (const char c : text) {
    const Code code = kCodes[static_cast<unsigned char>(c)];
    const int room = kOrderBits - used;
    if (code.length >= room) {
      return {(bits << room) | (code.bits >> (code.length - room)), kOrderBits};
    }
    bits = (bits << code.length) | code.bits;
    used += code.length;
  }
  return {bits << (kOrderBits - used), used};
}

ObjectId Make(uint64_t order, uint64_t rest) {
  return {((order >> 12) << 16) | (uint64_t{8} << 12) | (order & 0xFFF),
          (uint64_t{2} << 62) | (rest & kHashMask)};
}

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest Sha256(std::string_view text) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

/// The first `count` bytes of the digest.
std::string HexOf(const Digest& digest, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  return out;
}

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether Weaviate keeps the name as it is.
bool KeepsName(std::string_view name) {
  constexpr size_t kLongestName = 200;
  return !name.empty() && name.size() <= kLongestName && name[0] >= 'a' && name[0] <= 'z' &&
         name != "id";
}

template <typename Schema>
std::vector<std::string> NamesOf(const std::vector<Schema>& fields, char kind) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (size_t i = 0; i < fields.size(); ++i) {
    const bool keep = KeepsName(fields[i].name) && taken.insert(ToLower(fields[i].name)).second;
    names.push_back(keep ? fields[i].name : std::string("_") + kind + std::to_string(i));
  }
  return names;
}

int HexDigit(char c) {
  const size_t digit = kHex.find(c);
  return digit == std::string_view::npos ? -1 : static_cast<int>(digit);
}

}  // namespace

std::string ObjectId::ToString() const {
  std::string out;
  for (const uint64_t half : {high, low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      out += kHex[(half >> shift) & 15];
      if (out.size() == 8 || out.size() == 13 || out.size() == 18 || out.size() == 23) {
        out += '-';
      }
    }
  }
  return out;
}

int64_t ObjectId::Bucket() const {
  // The bits mixed, because those of small integer keys are all alike (SplitMix64's last steps).
  uint64_t mixed = high ^ std::rotl(low, 29);
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return static_cast<int64_t>((mixed ^ (mixed >> 31)) % static_cast<uint64_t>(kObjectBuckets));
}

std::optional<ObjectId> ParseObjectId(std::string_view text) {
  ObjectId id;
  if (text.size() != 36) {
    return std::nullopt;
  }
  int digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') {
        return std::nullopt;
      }
      continue;
    }
    const int digit = HexDigit(text[i]);
    if (digit < 0) {
      return std::nullopt;
    }
    uint64_t& half = digits++ < 16 ? id.high : id.low;
    half = (half << 4) | static_cast<uint64_t>(digit);
  }
  return id;
}

ObjectId ObjectIdOf(const Key& key) {
  if (const auto* integer = std::get_if<int64_t>(&key)) {
    const uint64_t ordered = static_cast<uint64_t>(*integer) ^ (uint64_t{1} << 63);
    return Make(ordered >> 4, (ordered & 15) << 58);
  }
  const auto& text = std::get<std::string>(key);
  const auto digest = Sha256(text);
  uint64_t hash = 0;
  for (size_t i = 0; i < 8; ++i) {
    hash = (hash << 8) | digest[i];
  }
  return Make(OrderOf(text).first, hash);
}

std::pair<ObjectId, ObjectId> GroupOf(const Key& key) {
  if (std::holds_alternative<int64_t>(key)) {
    return {ObjectIdOf(key), ObjectIdOf(key)};
  }
  const uint64_t order = OrderOf(std::get<std::string>(key)).first;
  return {Make(order, 0), Make(order, kHashMask)};
}

std::pair<ObjectId, ObjectId> PrefixRange(std::string_view prefix) {
  const auto [order, used] = OrderOf(prefix);
  const uint64_t open = used == kOrderBits ? 0 : kOrderMask >> used;
  return {Make(order, 0), Make(order | open, kHashMask)};
}

std::string ClassNameOf(std::string_view collection) {
  constexpr size_t kShown = 40;
  std::string name = "Roost_";
  for (const char c : collection.substr(0, kShown)) {
    name += IsAlnum(c) ? c : '_';
  }
  return name + "_" + HexOf(Sha256(collection), 8);
}

std::vector<std::string> PropertyNames(const std::vector<FieldSchema>& fields) {
  return NamesOf(fields, 'f');
}

std::vector<std::string> VectorNames(const std::vector<VectorFieldSchema>& vectors) {
  return NamesOf(vectors, 'v');
}

std::string TenantNameOf(std::string_view tenant) {
  constexpr size_t kLongestTenant = 64;
  std::string name;
  for (const char c : tenant) {
    if (IsAlnum(c) || c == '-') {
      name += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    name += '_';
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name.size() <= kLongestTenant && !name.empty() ? name : "_h" + HexOf(Sha256(tenant), 20);
}

std::optional<std::string> TenantFromName(std::string_view name) {
  std::string tenant;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '_') {
      tenant += name[i];
      continue;
    }
    const int high = i + 2 < name.size() ? HexDigit(name[i + 1]) : -1;
    const int low = i + 2 < name.size() ? HexDigit(name[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    tenant += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return tenant;
}

}  // namespace roost
