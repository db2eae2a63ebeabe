#include "migration/key_codec.h"

namespace roost {
namespace {

// The tenant is followed by 00 01; a 00 inside it is written 00 FF. So a tenant sorts before every
// longer one that starts with it.
constexpr char kZero = '\0';
constexpr char kEnd = '\x01';
constexpr char kEscaped = '\xff';
constexpr char kInteger = 'i';
constexpr char kString = 's';
constexpr uint64_t kSignBit = uint64_t{1} << 63;

Error Damaged() { return DataLoss("a key in the control store is damaged"); }

}  // namespace

std::string EncodeKey(const RecordKey& key) {
  std::string bytes;
  for (const char c : key.tenant) {
    bytes += c;
    if (c == kZero) {
      bytes += kEscaped;
    }
  }
  bytes += kZero;
  bytes += kEnd;
  if (const auto* number = std::get_if<int64_t>(&key.key)) {
    bytes += kInteger;
    // Big endian with the sign turned round: negative numbers sort first.
    const uint64_t bits = static_cast<uint64_t>(*number) ^ kSignBit;
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(bits >> shift & 0xff);
    }
  } else {
    bytes += kString;
    bytes += std::get<std::string>(key.key);
  }
  return bytes;
}

Result<RecordKey> DecodeKey(std::string_view bytes) {
  RecordKey key;
  size_t at = 0;
  while (true) {
    if (at >= bytes.size()) {
      return Damaged();
    }
    const char c = bytes[at++];
    if (c != kZero) {
      key.tenant += c;
      continue;
    }
    const char next = at < bytes.size() ? bytes[at++] : kZero;
    if (next == kEnd) {
      break;
    }
    if (next != kEscaped) {
      return Damaged();
    }
    key.tenant += kZero;
  }
  const char type = at < bytes.size() ? bytes[at++] : kZero;
  const std::string_view rest = bytes.substr(at);
  if (type == kString) {
    key.key = std::string(rest);
    return key;
  }
  if (type != kInteger || rest.size() != sizeof(uint64_t)) {
    return Damaged();
  }
  uint64_t bits = 0;
  for (const char c : rest) {
    bits = bits << 8 | static_cast<uint8_t>(c);
  }
  key.key = static_cast<int64_t>(bits ^ kSignBit);
  return key;
}

}  // namespace roost
