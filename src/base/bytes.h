#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

static_assert(std::endian::native == std::endian::little,
              "what is written to disk is little endian; add byte swaps for other machines");

/// Append fixed-width numbers, least significant byte first.
template <typename Number>
  requires std::is_arithmetic_v<Number>
void PutFixed(std::string& out, Number number) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(Number));
  out.append(bytes, sizeof(Number));
}
inline void PutU8(std::string& out, uint8_t number) { PutFixed(out, number); }
inline void PutU16(std::string& out, uint16_t number) { PutFixed(out, number); }
inline void PutU32(std::string& out, uint32_t number) { PutFixed(out, number); }
inline void PutU64(std::string& out, uint64_t number) { PutFixed(out, number); }
inline void PutI64(std::string& out, int64_t number) { PutFixed(out, number); }
inline void PutFloat(std::string& out, float number) { PutFixed(out, number); }
inline void PutDouble(std::string& out, double number) { PutFixed(out, number); }

/// Appends 7 bits a byte, lowest first, as Protocol Buffers do: 1 to 10 bytes.
inline void PutVarint(std::string& out, uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}
/// A signed number whose small magnitudes are short.
inline void PutZigzag(std::string& out, int64_t number) {
  PutVarint(out, (static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
}
/// Appends the length as a varint, then the bytes.
inline void PutBytes(std::string& out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out.append(bytes);
}

/// Reads a number from memory that is known to be long enough; no alignment needed.
template <typename Number>
  requires std::is_arithmetic_v<Number>
Number LoadFixed(const void* from) {
  Number number;
  std::memcpy(&number, from, sizeof(Number));
  return number;
}
inline uint32_t LoadU32(const void* from) { return LoadFixed<uint32_t>(from); }
inline uint64_t LoadU64(const void* from) { return LoadFixed<uint64_t>(from); }

/// Takes values off the front of bytes that nobody vouches for. Borrows them. After an error the
/// position is where it was before the call. For one thread.
class ByteReader {
 public:
  explicit ByteReader(std::string_view data) : data_(data) {}
  explicit ByteReader(std::span<const std::byte> data)
      : data_(reinterpret_cast<const char*>(data.data()), data.size()) {}

  size_t position() const { return position_; }
  size_t remaining() const { return data_.size() - position_; }
  bool AtEnd() const { return remaining() == 0; }

  /// kDataLoss, naming the position, when fewer bytes are left.
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  Result<Number> GetFixed() {
    if (remaining() < sizeof(Number)) {
      return Short(sizeof(Number));
    }
    const auto number = LoadFixed<Number>(data_.data() + position_);
    position_ += sizeof(Number);
    return number;
  }
  Result<uint8_t> GetU8() { return GetFixed<uint8_t>(); }
  Result<uint16_t> GetU16() { return GetFixed<uint16_t>(); }
  Result<uint32_t> GetU32() { return GetFixed<uint32_t>(); }
  Result<uint64_t> GetU64() { return GetFixed<uint64_t>(); }
  Result<int64_t> GetI64() { return GetFixed<int64_t>(); }
  Result<float> GetFloat() { return GetFixed<float>(); }
  Result<double> GetDouble() { return GetFixed<double>(); }

  /// kDataLoss when cut short, longer than 10 bytes or beyond 64 bits.
  Result<uint64_t> GetVarint() {
    uint64_t number = 0;
    for (size_t i = 0; i < 10; ++i) {
      if (i >= remaining()) {
        return Short(i + 1);
      }
      const auto byte = static_cast<uint8_t>(data_[position_ + i]);
      if (i == 9 && byte > 1) {
        break;
      }
      number |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        position_ += i + 1;
        return number;
      }
    }
    return DataLoss("the number at byte " + std::to_string(position_) + " exceeds 64 bits");
  }
  Result<int64_t> GetZigzag() {
    const uint64_t bits = TRY(GetVarint());
    return static_cast<int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  /// The next `size` bytes, a view into the data.
  Result<std::string_view> GetRaw(uint64_t size) {
    if (size > remaining()) {
      return Short(size);
    }
    const std::string_view bytes = data_.substr(position_, size);
    position_ += size;
    return bytes;
  }
  /// What PutBytes wrote, a view into the data.
  Result<std::string_view> GetBytes() {
    const size_t start = position_;
    const uint64_t size = TRY(GetVarint());
    auto bytes = GetRaw(size);
    if (!bytes.ok()) {
      position_ = start;
    }
    return bytes;
  }

 private:
  Error Short(uint64_t wanted) const {
    return DataLoss("the data ends " + std::to_string(remaining()) + " bytes after byte " +
                    std::to_string(position_) + "; " + std::to_string(wanted) +
                    " bytes were expected");
  }

  std::string_view data_;
  size_t position_ = 0;
};

}  // namespace roost
