#include "migration/record_codec.h"

#include <utility>

#include "base/bytes.h"
#include "migration/key_codec.h"

namespace roost {
namespace {

constexpr size_t kMaxDepth = 8;  // Arrays of arrays do not exist; this stops damaged bytes.

void PutValue(std::string& out, const Value& value) {
  PutU8(out, static_cast<uint8_t>(value.index()));
  if (const auto* flag = std::get_if<bool>(&value)) {
    PutU8(out, *flag ? 1 : 0);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    PutI64(out, *number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    PutDouble(out, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    PutBytes(out, *text);
  } else if (const auto* json = std::get_if<Json>(&value)) {
    PutBytes(out, json->text);
  } else if (const auto* array = std::get_if<Array>(&value)) {
    PutVarint(out, array->size());
    for (const Value& element : *array) {
      PutValue(out, element);
    }
  }
}

Result<Value> GetValue(ByteReader& reader, size_t depth) {
  switch (TRY(reader.GetU8())) {
    case 0:
      return Value();
    case 1:
      return Value(TRY(reader.GetU8()) != 0);
    case 2:
      return Value(TRY(reader.GetI64()));
    case 3:
      return Value(TRY(reader.GetDouble()));
    case 4:
      return Value(std::string(TRY(reader.GetBytes())));
    case 5:
      return Value(Json{std::string(TRY(reader.GetBytes()))});
    case 6:
      break;
    default:
      return DataLoss("a stored record has a value of an unknown type");
  }
  const uint64_t size = TRY(reader.GetVarint());
  if (size > reader.remaining() || depth >= kMaxDepth) {
    return DataLoss("a stored record has a damaged array");
  }
  Array array;
  for (uint64_t i = 0; i < size; ++i) {
    array.push_back(TRY(GetValue(reader, depth + 1)));
  }
  return Value(std::move(array));
}

}  // namespace

std::string EncodeRecord(const Record& record) {
  std::string out;
  PutBytes(out, EncodeKey(record.key));
  uint64_t fields = 0;
  for (const auto& [name, value] : record.fields) {
    fields += value.is_null() ? 0 : 1;
  }
  PutVarint(out, fields);
  for (const auto& [name, value] : record.fields) {
    if (!value.is_null()) {
      PutBytes(out, name);
      PutValue(out, value);
    }
  }
  PutVarint(out, record.vectors.size());
  for (const auto& [name, vector] : record.vectors) {
    PutBytes(out, name);
    PutU8(out, static_cast<uint8_t>(vector.type));
    PutBytes(out, vector.bytes);
  }
  // No dynamic fields may be written as an empty object, too.
  PutBytes(out, record.dynamic == "{}" ? std::string_view() : std::string_view(record.dynamic));
  return out;
}

Result<Record> DecodeRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  Record record;
  const std::string_view key = TRY(reader.GetBytes());
  record.key = TRY(DecodeKey(key));
  const uint64_t fields = TRY(reader.GetVarint());
  for (uint64_t i = 0; i < fields; ++i) {
    std::string name(TRY(reader.GetBytes()));
    record.fields[std::move(name)] = TRY(GetValue(reader, 0));
  }
  const uint64_t vectors = TRY(reader.GetVarint());
  for (uint64_t i = 0; i < vectors; ++i) {
    std::string name(TRY(reader.GetBytes()));
    Vector vector;
    vector.type = static_cast<DataType>(TRY(reader.GetU8()));
    vector.bytes = std::string(TRY(reader.GetBytes()));
    record.vectors[std::move(name)] = std::move(vector);
  }
  record.dynamic = std::string(TRY(reader.GetBytes()));
  if (!reader.AtEnd()) {
    return DataLoss("a stored record is followed by other bytes");
  }
  return record;
}

std::string EncodePayload(const Record* record) {
  return record == nullptr ? std::string() : EncodeRecord(*record);
}

Result<std::optional<Record>> DecodePayload(std::string_view bytes) {
  if (bytes.empty()) {
    return std::optional<Record>();
  }
  return std::optional<Record>(TRY(DecodeRecord(bytes)));
}

Digest128 DigestOf(const Record& record) { return Hash128(EncodeRecord(record)); }

std::string DigestSum::Bytes() const {
  std::string bytes;
  for (int shift = 120; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<uint8_t>(sum_ >> shift));
  }
  return bytes;
}

}  // namespace roost
