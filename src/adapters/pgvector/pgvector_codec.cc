#include "adapters/pgvector/pgvector_codec.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/json.h"
#include "store/tokenizer.h"
#include "store/vector_math.h"

namespace roost {
namespace {

using Role = PgColumn::Role;

constexpr uint32_t kPartDimensions = 1'000'000'000;  // SPARSEVEC_MAX_DIM
constexpr size_t kMaxPositions = 255;                // MAXNUMPOS of tsvector
constexpr size_t kMaxPosition = 16'383;              // MAXENTRYPOS - 1

Error Damaged(std::string_view what) {
  return DataLoss("PostgreSQL sent bytes that are not " + std::string(what) +
                  "; was the table changed by hand?");
}

uint8_t HexDigit(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

void EncodeUuid(PgWriter& out, std::string_view text) {
  std::string digits(text);
  std::erase(digits, '-');
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.Uint8(static_cast<uint8_t>(HexDigit(digits[i]) << 4 | HexDigit(digits[i + 1])));
  }
}

std::string DecodeUuid(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += kHex[static_cast<uint8_t>(bytes[i]) >> 4];
    text += kHex[static_cast<uint8_t>(bytes[i]) & 15];
  }
  return text;
}

std::string EncodeArray(DataType element, const Array& values) {
  PgArrayBuilder array(ScalarOid(element));
  for (const Value& value : values) {
    array.Begin();
    EncodeScalar(array.writer(), element, value);
    array.End();
  }
  return array.Take();
}

Result<Value> DecodeArray(DataType element, std::string_view bytes) {
  PgReader reader(bytes);
  const int32_t dimensions = reader.Int32();
  reader.Int32();
  reader.Uint32();
  Array values;
  if (dimensions == 0) {
    return reader.done() ? Result<Value>(Value(std::move(values))) : Damaged("an array");
  }
  const int32_t count = reader.Int32();
  reader.Int32();
  for (int32_t i = 0; i < count && reader.ok(); ++i) {
    const int32_t size = reader.Int32();
    Value value = TRY(DecodeScalar(element, reader.Bytes(static_cast<uint32_t>(size))));
    values.push_back(std::move(value));
  }
  if (dimensions != 1 || !reader.done()) {
    return Damaged("an array of one dimension");
  }
  return Value(std::move(values));
}

void EncodeField(PgWriter& out, const FieldSchema& field, const Value& value) {
  const size_t begin = out.BeginSized();
  if (field.type == DataType::kArray) {
    out.Bytes(EncodeArray(field.element_type, std::get<Array>(value)));
  } else {
    EncodeScalar(out, field.type, value);
  }
  out.EndSized(begin);
}

uint16_t Load16(const std::string& bytes, size_t element) {
  uint16_t value = 0;
  std::memcpy(&value, bytes.data() + element * 2, 2);
  return value;
}

void Store16(std::string& bytes, uint16_t value) {
  bytes += static_cast<char>(value & 0xFF);
  bytes += static_cast<char>(value >> 8);
}

/// JSON as others wrote it. Its null is none of ours.
Status DecodeRawJson(Record& record, const FieldSchema& field, std::string_view bytes) {
  Result<std::string> text = CanonicalJson(bytes, 200);
  if (!text.ok()) {
    return DataLoss("field \"" + field.name + "\" of record " + ToString(record.key) +
                    " holds JSON that Roost cannot keep: " + text.error().message);
  }
  if (*text != "null") {
    record.fields.insert_or_assign(field.name, Json{*std::move(text)});
  }
  return {};
}

void AppendSparse(PgWriter& out, const std::vector<SparseEntry>& entries) {
  out.Int32(static_cast<int32_t>(kPartDimensions));
  out.Int32(static_cast<int32_t>(entries.size()));
  out.Int32(0);
  for (const auto& [index, value] : entries) {
    out.Uint32(index);
  }
  for (const auto& [index, value] : entries) {
    out.Float(value);
  }
}

std::vector<std::vector<SparseEntry>> SplitParts(const Vector& vector) {
  std::vector<std::vector<SparseEntry>> parts;
  for (const auto& [index, value] : ToSparseEntries(vector)) {
    if (value == 0) {
      continue;
    }
    const size_t part = index / kPartDimensions;
    parts.resize(std::max(parts.size(), part + 1));
    parts[part].emplace_back(index % kPartDimensions, value);
  }
  return parts;
}

}  // namespace

uint32_t ScalarOid(DataType type) {
  switch (type) {
    case DataType::kBool:
      return pg::kBool;
    case DataType::kInt8:
    case DataType::kInt16:
      return pg::kInt2;
    case DataType::kInt32:
      return pg::kInt4;
    case DataType::kInt64:
    case DataType::kTimestamp:
      return pg::kInt8;
    case DataType::kFloat:
      return pg::kFloat4;
    case DataType::kDouble:
      return pg::kFloat8;
    case DataType::kJson:
      return pg::kJson;
    case DataType::kUuid:
      return pg::kUuid;
    default:
      return pg::kText;
  }
}

void EncodeScalar(PgWriter& out, DataType type, const Value& value) {
  switch (type) {
    case DataType::kBool:
      return out.Uint8(std::get<bool>(value) ? 1 : 0);
    case DataType::kInt8:
    case DataType::kInt16:
      return out.Int16(static_cast<int16_t>(std::get<int64_t>(value)));
    case DataType::kInt32:
      return out.Int32(static_cast<int32_t>(std::get<int64_t>(value)));
    case DataType::kInt64:
    case DataType::kTimestamp:
      return out.Int64(std::get<int64_t>(value));
    case DataType::kFloat:
      return out.Float(static_cast<float>(std::get<double>(value)));
    case DataType::kDouble:
      return out.Double(std::get<double>(value));
    case DataType::kJson:
      return out.Bytes(std::get<Json>(value).text);
    case DataType::kUuid:
      return EncodeUuid(out, std::get<std::string>(value));
    default:
      return out.Bytes(std::get<std::string>(value));
  }
}

Result<Value> DecodeScalar(DataType type, std::string_view bytes) {
  PgReader reader(bytes);
  Value value;
  switch (type) {
    case DataType::kBool:
      value = reader.Uint8() != 0;
      break;
    case DataType::kInt8:
    case DataType::kInt16:
      value = int64_t{reader.Int16()};
      break;
    case DataType::kInt32:
      value = int64_t{reader.Int32()};
      break;
    case DataType::kInt64:
    case DataType::kTimestamp:
      value = reader.Int64();
      break;
    case DataType::kFloat:
      value = static_cast<double>(reader.Float());
      break;
    case DataType::kDouble:
      value = reader.Double();
      break;
    case DataType::kJson:
      return Value(Json{std::string(bytes)});
    case DataType::kUuid:
      return bytes.size() == 16 ? Result<Value>(Value(DecodeUuid(bytes))) : Damaged("a uuid");
    default:
      return Value(std::string(bytes));
  }
  if (!reader.done()) {
    return Damaged("a " + std::string(DataTypeName(type)));
  }
  return value;
}

void EncodeVector(PgWriter& out, const Vector& vector) {
  const size_t dimension = vector.dimension();
  if (vector.type == DataType::kBinaryVector) {
    out.Int32(static_cast<int32_t>(dimension));
    out.Bytes(vector.bytes);
    return;
  }
  out.Int16(static_cast<int16_t>(dimension));
  out.Int16(0);
  for (size_t i = 0; i < dimension; ++i) {
    switch (vector.type) {
      case DataType::kFloat16Vector:
        out.Int16(static_cast<int16_t>(Load16(vector.bytes, i)));
        break;
      case DataType::kInt8Vector:
        out.Int16(static_cast<int16_t>(FloatToHalf(static_cast<int8_t>(vector.bytes[i]))));
        break;
      case DataType::kBFloat16Vector:
        out.Float(BFloat16ToFloat(Load16(vector.bytes, i)));
        break;
      default: {
        uint32_t bits = 0;
        std::memcpy(&bits, vector.bytes.data() + i * 4, 4);
        out.Uint32(bits);
      }
    }
  }
}

Result<Vector> DecodeVector(DataType type, std::string_view bytes) {
  Vector vector{.type = type, .bytes = {}};
  PgReader reader(bytes);
  if (type == DataType::kSparseVector) {
    vector.bytes = std::string(bytes);
    return vector;
  }
  if (type == DataType::kBinaryVector) {
    const auto bits = static_cast<size_t>(reader.Int32());
    vector.bytes = std::string(reader.rest());
    return bits == vector.bytes.size() * 8 ? Result<Vector>(vector) : Damaged("a bit string");
  }
  const auto dimension = static_cast<uint16_t>(reader.Int16());
  reader.Int16();
  const bool wide = type == DataType::kFloatVector || type == DataType::kBFloat16Vector;
  if (reader.rest().size() != size_t{dimension} * (wide ? 4 : 2)) {
    return Damaged("a vector");
  }
  vector.bytes.reserve(size_t{dimension} * 4);
  for (size_t i = 0; i < dimension; ++i) {
    switch (type) {
      case DataType::kFloat16Vector:
        Store16(vector.bytes, static_cast<uint16_t>(reader.Int16()));
        break;
      case DataType::kInt8Vector:
        vector.bytes += static_cast<char>(
            static_cast<int8_t>(HalfToFloat(static_cast<uint16_t>(reader.Int16()))));
        break;
      case DataType::kBFloat16Vector:
        Store16(vector.bytes, static_cast<uint16_t>(reader.Uint32() >> 16));
        break;
      default: {
        const uint32_t bits = reader.Uint32();
        vector.bytes.append(reinterpret_cast<const char*>(&bits), 4);
      }
    }
  }
  return vector;
}

std::string EncodeParts(const Vector& vector, uint32_t sparsevec_oid) {
  PgArrayBuilder array(sparsevec_oid);
  for (const auto& part : SplitParts(vector)) {
    array.Begin();
    AppendSparse(array.writer(), part);
    array.End();
  }
  return array.Take();
}

std::vector<std::pair<size_t, std::string>> EncodeQueryParts(const Vector& vector) {
  std::vector<std::pair<size_t, std::string>> encoded;
  const auto parts = SplitParts(vector);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].empty()) {
      PgWriter writer;
      AppendSparse(writer, parts[i]);
      encoded.emplace_back(i, writer.Take());
    }
  }
  return encoded;
}

std::string EncodeWords(std::string_view text) {
  std::map<std::string, std::vector<uint16_t>> words;
  size_t position = 0;
  for (std::string& word : Tokenize(text)) {
    position = std::min(position + 1, kMaxPosition);
    auto& positions = words[std::move(word)];
    if (positions.size() < kMaxPositions && (positions.empty() || positions.back() < position)) {
      positions.push_back(static_cast<uint16_t>(position));
    }
  }
  PgWriter out;
  out.Int32(static_cast<int32_t>(words.size()));
  for (const auto& [word, positions] : words) {
    out.Bytes(word);
    out.Uint8(0);
    out.Int16(static_cast<int16_t>(positions.size()));
    for (const uint16_t at : positions) {
      out.Int16(static_cast<int16_t>(at));
    }
  }
  return out.Take();
}

std::vector<std::string> QuotedWords(std::string_view text) {
  std::vector<std::string> words = Tokenize(text);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  for (std::string& word : words) {
    word = "'" + word + "'";  // letters, marks and digits only: nothing to escape
  }
  return words;
}

std::string AnyWordQuery(std::span<const std::string> quoted_words) {
  std::string query;
  for (const std::string& word : quoted_words) {
    query += (query.empty() ? "" : " | ") + word;
  }
  return query;
}

void EncodeRow(PgWriter& out, const PgTable& table, const Record& record,
               std::optional<int64_t> fence, uint32_t sparsevec_oid) {
  out.Int32(static_cast<int32_t>(table.columns.size()));
  for (const PgColumn& column : table.columns) {
    out.Uint32(column.oid);
    const Value* value = nullptr;
    const Vector* vector = nullptr;
    if (column.role == Role::kField || column.role == Role::kWords) {
      const auto found = record.fields.find(table.field(column).name);
      value = found == record.fields.end() || found->second.is_null() ? nullptr : &found->second;
    } else if (column.role == Role::kVector || column.role == Role::kParts) {
      const auto found = record.vectors.find(table.vector(column).name);
      vector = found == record.vectors.end() ? nullptr : &found->second;
    }
    if (column.role == Role::kTenant) {
      out.Sized(record.key.tenant);
    } else if (column.role == Role::kKey && table.schema.key_type == KeyType::kInt64) {
      out.Int32(8);
      out.Int64(std::get<int64_t>(record.key.key));
    } else if (column.role == Role::kKey) {
      out.Sized(std::get<std::string>(record.key.key));
    } else if (column.role == Role::kFence && fence) {
      out.Int32(8);
      out.Int64(*fence);
    } else if (column.role == Role::kDeleted) {
      out.Sized(std::string_view("\0", 1));
    } else if (column.role == Role::kDynamic && !record.dynamic.empty()) {
      out.Sized(record.dynamic);
    } else if (column.role == Role::kField && value != nullptr) {
      EncodeField(out, table.field(column), *value);
    } else if (column.role == Role::kWords && value != nullptr) {
      out.Sized(EncodeWords(std::get<std::string>(*value)));
    } else if (column.role == Role::kVector && vector != nullptr &&
               vector->type == DataType::kSparseVector) {
      out.Sized(vector->bytes);
    } else if (column.role == Role::kVector && vector != nullptr) {
      const size_t begin = out.BeginSized();
      EncodeVector(out, *vector);
      out.EndSized(begin);
    } else if (column.role == Role::kParts && vector != nullptr) {
      out.Sized(EncodeParts(*vector, sparsevec_oid));
    } else {
      out.Null();
    }
  }
}

Result<Record> DecodeRow(const PgTable& table, std::span<const PgColumn* const> columns,
                         const PgResult& result, size_t row) {
  Record record;
  for (size_t i = 0; i < columns.size(); ++i) {
    const PgColumn& column = *columns[i];
    if (result.IsNull(row, i)) {
      continue;
    }
    const std::string_view bytes = result.Bytes(row, i);
    switch (column.role) {
      case Role::kTenant:
        record.key.tenant = std::string(bytes);
        break;
      case Role::kKey:
        if (table.schema.key_type == KeyType::kInt64) {
          record.key.key = result.Int(row, i);
        } else {
          record.key.key = std::string(bytes);
        }
        break;
      case Role::kDynamic:
        record.dynamic = std::string(bytes);
        break;
      case Role::kField: {
        const FieldSchema& field = table.field(column);
        if (column.raw_json) {
          TRY(DecodeRawJson(record, field, bytes));
          break;
        }
        Value value = TRY(field.type == DataType::kArray ? DecodeArray(field.element_type, bytes)
                                                         : DecodeScalar(field.type, bytes));
        record.fields.emplace_hint(record.fields.end(), field.name, std::move(value));
        break;
      }
      case Role::kVector: {
        const VectorFieldSchema& field = table.vector(column);
        Vector vector = TRY(DecodeVector(field.type, bytes));
        record.vectors.emplace_hint(record.vectors.end(), field.name, std::move(vector));
        break;
      }
      default:
        break;
    }
  }
  return record;
}

void AddKeys(PgParams& params, KeyType type, std::span<const RecordKey> keys) {
  std::vector<std::string> tenants;
  std::vector<std::string> texts;
  std::vector<int64_t> integers;
  for (const RecordKey& key : keys) {
    tenants.push_back(key.tenant);
    if (type == KeyType::kInt64) {
      integers.push_back(std::get<int64_t>(key.key));
    } else {
      texts.push_back(std::get<std::string>(key.key));
    }
  }
  params.TextArray(tenants);
  if (type == KeyType::kInt64) {
    params.Int64Array(integers);
  } else {
    params.TextArray(texts);
  }
}

}  // namespace roost
