#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roost {

/// The type numbers of PostgreSQL's built-in types that we send and read; they never change.
namespace pg {
inline constexpr uint32_t kBool = 16;
inline constexpr uint32_t kBytea = 17;
inline constexpr uint32_t kInt8 = 20;
inline constexpr uint32_t kInt2 = 21;
inline constexpr uint32_t kInt4 = 23;
inline constexpr uint32_t kText = 25;
inline constexpr uint32_t kJson = 114;
inline constexpr uint32_t kFloat4 = 700;
inline constexpr uint32_t kFloat8 = 701;
inline constexpr uint32_t kInt8Array = 1016;
inline constexpr uint32_t kTextArray = 1009;
inline constexpr uint32_t kUuid = 2950;
}  // namespace pg

/// Builds values in PostgreSQL's binary format: everything big endian.
class PgWriter {
 public:
  void Uint8(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void Int16(int16_t value) { Number(static_cast<uint16_t>(value)); }
  void Int32(int32_t value) { Number(static_cast<uint32_t>(value)); }
  void Uint32(uint32_t value) { Number(value); }
  void Int64(int64_t value) { Number(static_cast<uint64_t>(value)); }
  void Float(float value) { Number(std::bit_cast<uint32_t>(value)); }
  void Double(double value) { Number(std::bit_cast<uint64_t>(value)); }
  void Bytes(std::string_view bytes) { bytes_.append(bytes); }
  /// int32 length, then the bytes: a value inside a row, an array or a composite.
  void Sized(std::string_view bytes) {
    Int32(static_cast<int32_t>(bytes.size()));
    Bytes(bytes);
  }
  void Null() { Int32(-1); }
  /// Leaves room for a length and returns its place for EndSized.
  size_t BeginSized() {
    Int32(0);
    return bytes_.size();
  }
  void EndSized(size_t begin);
  /// Overwrites the four bytes at `offset`.
  void SetInt32(size_t offset, int32_t value);

  size_t size() const { return bytes_.size(); }
  void Reserve(size_t size) { bytes_.reserve(size); }
  std::string Take() { return std::move(bytes_); }

 private:
  template <typename Unsigned>
  void Number(Unsigned value);

  std::string bytes_;
};

/// Reads what PgWriter writes. After reading beyond the end `ok()` is false and everything reads as
/// zero or empty, so that callers may check once.
class PgReader {
 public:
  explicit PgReader(std::string_view bytes) : rest_(bytes) {}
  uint8_t Uint8() { return static_cast<uint8_t>(Number(1)); }
  int16_t Int16() { return static_cast<int16_t>(Number(2)); }
  int32_t Int32() { return static_cast<int32_t>(Number(4)); }
  uint32_t Uint32() { return static_cast<uint32_t>(Number(4)); }
  int64_t Int64() { return static_cast<int64_t>(Number(8)); }
  float Float() { return std::bit_cast<float>(static_cast<uint32_t>(Number(4))); }
  double Double() { return std::bit_cast<double>(Number(8)); }
  std::string_view Bytes(size_t size);
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  /// Everything was read, nothing more.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  uint64_t Number(size_t size);

  std::string_view rest_;
  bool ok_ = true;
};

/// A one-dimensional array in binary format; nulls are not needed.
class PgArrayBuilder {
 public:
  explicit PgArrayBuilder(uint32_t element_type);
  void Add(std::string_view element) {
    ++count_;
    writer_.Sized(element);
  }
  /// For elements built in place: Begin(), write to writer(), End().
  PgWriter& writer() { return writer_; }
  void Begin() {
    ++count_;
    begin_ = writer_.BeginSized();
  }
  void End() { writer_.EndSized(begin_); }
  std::string Take();

 private:
  uint32_t element_type_;
  int32_t count_ = 0;
  size_t begin_ = 0;
  PgWriter writer_;
};

/// The parameters $1, $2, … of a statement, in binary format. A type of 0 lets the server infer it,
/// which needs a cast in the statement: `$1::vector`.
class PgParams {
 public:
  struct Param {
    uint32_t type = 0;
    bool null = false;
    std::string bytes;
  };

  // Each appends one and returns its number, from 1.
  size_t Bool(bool value);
  size_t Int64(int64_t value);
  size_t Double(double value);
  size_t Text(std::string_view value);
  size_t Int64Array(std::span<const int64_t> values);
  size_t TextArray(std::span<const std::string> values);
  size_t Raw(uint32_t type, std::string bytes);
  size_t Null(uint32_t type);

  std::span<const Param> params() const { return params_; }

 private:
  std::vector<Param> params_;
};

/// `name` as a quoted identifier. Precondition: at most 63 bytes (PostgreSQL cuts longer ones), no
/// "\0".
std::string PgQuoteName(std::string_view name);

}  // namespace roost
