#include "net/pg_codec.h"

#include <cstring>

namespace roost {

template <typename Unsigned>
void PgWriter::Number(Unsigned value) {
  char bytes[sizeof(Unsigned)];
  for (size_t i = 0; i < sizeof(Unsigned); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * (sizeof(Unsigned) - 1 - i)));
  }
  bytes_.append(bytes, sizeof(bytes));
}
template void PgWriter::Number<uint16_t>(uint16_t);
template void PgWriter::Number<uint32_t>(uint32_t);
template void PgWriter::Number<uint64_t>(uint64_t);

void PgWriter::EndSized(size_t begin) {
  SetInt32(begin - 4, static_cast<int32_t>(bytes_.size() - begin));
}

void PgWriter::SetInt32(size_t offset, int32_t value) {
  const auto bits = static_cast<uint32_t>(value);
  for (size_t i = 0; i < 4; ++i) {
    bytes_[offset + i] = static_cast<char>(bits >> (24 - 8 * i));
  }
}

std::string_view PgReader::Bytes(size_t size) {
  if (size > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

uint64_t PgReader::Number(size_t size) {
  uint64_t number = 0;
  for (const char byte : Bytes(size)) {
    number = number << 8 | static_cast<uint8_t>(byte);
  }
  return number;
}

namespace {
// int32 dimensions, int32 has nulls, uint32 type, then int32 length and int32 first index.
constexpr size_t kArrayDimensions = 0;
constexpr size_t kArrayLength = 12;
}  // namespace

PgArrayBuilder::PgArrayBuilder(uint32_t element_type) : element_type_(element_type) {
  writer_.Int32(1);
  writer_.Int32(0);
  writer_.Uint32(element_type_);
  writer_.Int32(0);
  writer_.Int32(1);
}

std::string PgArrayBuilder::Take() {
  if (count_ == 0) {
    // An empty array has no dimensions at all.
    PgWriter empty;
    empty.Int32(0);
    empty.Int32(0);
    empty.Uint32(element_type_);
    return empty.Take();
  }
  writer_.SetInt32(kArrayDimensions, 1);
  writer_.SetInt32(kArrayLength, count_);
  return writer_.Take();
}

size_t PgParams::Bool(bool value) { return Raw(pg::kBool, std::string(1, value ? '\1' : '\0')); }

size_t PgParams::Int64(int64_t value) {
  PgWriter writer;
  writer.Int64(value);
  return Raw(pg::kInt8, writer.Take());
}

size_t PgParams::Double(double value) {
  PgWriter writer;
  writer.Double(value);
  return Raw(pg::kFloat8, writer.Take());
}

size_t PgParams::Text(std::string_view value) { return Raw(pg::kText, std::string(value)); }

size_t PgParams::Int64Array(std::span<const int64_t> values) {
  PgArrayBuilder array(pg::kInt8);
  for (const int64_t value : values) {
    array.Begin();
    array.writer().Int64(value);
    array.End();
  }
  return Raw(pg::kInt8Array, array.Take());
}

size_t PgParams::TextArray(std::span<const std::string> values) {
  PgArrayBuilder array(pg::kText);
  for (const std::string& value : values) {
    array.Add(value);
  }
  return Raw(pg::kTextArray, array.Take());
}

size_t PgParams::Raw(uint32_t type, std::string bytes) {
  params_.push_back({.type = type, .null = false, .bytes = std::move(bytes)});
  return params_.size();
}

size_t PgParams::Null(uint32_t type) {
  params_.push_back({.type = type, .null = true, .bytes = {}});
  return params_.size();
}

std::string PgQuoteName(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') {
      quoted += '"';
    }
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

}  // namespace roost
