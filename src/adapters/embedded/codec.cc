#include "adapters/embedded/codec.h"

#include <utility>

namespace roost::embedded {

namespace {

constexpr uint8_t kSchemaVersion = 1;

enum Tag : uint8_t { kNull, kFalse, kTrue, kInteger, kNumber, kString, kJsonText, kArrayOf };

Result<std::string> GetString(ByteReader& reader) { return std::string(TRY(reader.GetBytes())); }

/// A count of things that take at least a byte each.
Result<size_t> GetCount(ByteReader& reader) {
  const uint64_t count = TRY(reader.GetVarint());
  if (count > reader.remaining()) {
    return DataLoss("the data at byte " + std::to_string(reader.position()) +
                    " is shorter than it says");
  }
  return static_cast<size_t>(count);
}

Result<bool> GetBool(ByteReader& reader) { return TRY(reader.GetU8()) != 0; }

Result<uint32_t> GetU32(ByteReader& reader) {
  return static_cast<uint32_t>(TRY(reader.GetVarint()));
}

template <typename Enum>
Result<Enum> GetEnum(ByteReader& reader, Enum last) {
  const uint8_t value = TRY(reader.GetU8());
  if (value > static_cast<uint8_t>(last)) {
    return DataLoss("unknown kind " + std::to_string(value) + " at byte " +
                    std::to_string(reader.position() - 1));
  }
  return static_cast<Enum>(value);
}

void EncodeField(const FieldSchema& field, std::string& out) {
  PutBytes(out, field.name);
  PutU8(out, static_cast<uint8_t>(field.type));
  PutU8(out, static_cast<uint8_t>(field.element_type));
  PutVarint(out, field.max_length);
  PutVarint(out, field.max_capacity);
  PutU8(out, field.nullable ? 1 : 0);
  PutU8(out, field.default_value ? 1 : 0);
  if (field.default_value) {
    EncodeValue(*field.default_value, out);
  }
}

Result<FieldSchema> DecodeField(ByteReader& reader) {
  FieldSchema field;
  field.name = TRY(GetString(reader));
  field.type = TRY(GetEnum(reader, DataType::kArray));
  field.element_type = TRY(GetEnum(reader, DataType::kArray));
  field.max_length = TRY(GetU32(reader));
  field.max_capacity = TRY(GetU32(reader));
  field.nullable = TRY(GetBool(reader));
  if (TRY(GetBool(reader))) {
    field.default_value = TRY(DecodeValue(reader));
  }
  return field;
}

void EncodeVectorField(const VectorFieldSchema& field, std::string& out) {
  PutBytes(out, field.name);
  PutU8(out, static_cast<uint8_t>(field.type));
  PutVarint(out, field.dimension);
  PutU8(out, static_cast<uint8_t>(field.metric));
  PutU8(out, field.nullable ? 1 : 0);
  PutBytes(out, field.index);
  PutVarint(out, field.hnsw_m);
  PutVarint(out, field.hnsw_ef_construction);
}

Result<VectorFieldSchema> DecodeVectorField(ByteReader& reader) {
  VectorFieldSchema field;
  field.name = TRY(GetString(reader));
  field.type = TRY(GetEnum(reader, DataType::kSparseVector));
  field.dimension = TRY(GetU32(reader));
  field.metric = TRY(GetEnum(reader, Metric::kBm25));
  field.nullable = TRY(GetBool(reader));
  field.index = TRY(GetString(reader));
  field.hnsw_m = TRY(GetU32(reader));
  field.hnsw_ef_construction = TRY(GetU32(reader));
  return field;
}

Result<Value> DecodeScalar(ByteReader& reader, uint8_t tag) {
  switch (tag) {
    case kNull:
      return Value();
    case kFalse:
      return Value(false);
    case kTrue:
      return Value(true);
    case kInteger:
      return Value(TRY(reader.GetI64()));
    case kNumber:
      return Value(TRY(reader.GetDouble()));
    case kString:
      return Value(TRY(GetString(reader)));
    case kJsonText:
      return Value(Json{TRY(GetString(reader))});
    default:
      return DataLoss("unknown kind of value " + std::to_string(tag) + " at byte " +
                      std::to_string(reader.position() - 1));
  }
}

}  // namespace

void EncodeValue(const Value& value, std::string& out) {
  switch (value.index()) {
    case 0:
      return PutU8(out, kNull);
    case 1:
      return PutU8(out, std::get<bool>(value) ? kTrue : kFalse);
    case 2:
      PutU8(out, kInteger);
      return PutI64(out, std::get<int64_t>(value));
    case 3:
      PutU8(out, kNumber);
      return PutDouble(out, std::get<double>(value));
    case 4:
      PutU8(out, kString);
      return PutBytes(out, std::get<std::string>(value));
    case 5:
      PutU8(out, kJsonText);
      return PutBytes(out, std::get<Json>(value).text);
    default: {
      const Array& array = std::get<Array>(value);
      PutU8(out, kArrayOf);
      PutVarint(out, array.size());
      for (const Value& element : array) {
        EncodeValue(element, out);
      }
    }
  }
}

Result<Value> DecodeValue(ByteReader& reader) {
  const uint8_t tag = TRY(reader.GetU8());
  if (tag != kArrayOf) {
    return DecodeScalar(reader, tag);
  }
  Array array(TRY(GetCount(reader)));
  for (Value& element : array) {
    const uint8_t element_tag = TRY(reader.GetU8());  // No arrays in arrays.
    element = TRY(DecodeScalar(reader, element_tag));
  }
  return Value(std::move(array));
}

void EncodeSchema(const CollectionSchema& schema, std::string& out) {
  PutU8(out, kSchemaVersion);
  PutBytes(out, schema.name);
  PutBytes(out, schema.description);
  PutU8(out, static_cast<uint8_t>(schema.key_type));
  PutBytes(out, schema.key_field);
  PutBytes(out, schema.tenant_field);
  PutU8(out, schema.dynamic ? 1 : 0);
  PutVarint(out, schema.fields.size());
  for (const FieldSchema& field : schema.fields) {
    EncodeField(field, out);
  }
  PutVarint(out, schema.vectors.size());
  for (const VectorFieldSchema& field : schema.vectors) {
    EncodeVectorField(field, out);
  }
}

Result<CollectionSchema> DecodeSchema(ByteReader& reader) {
  CollectionSchema schema;
  const uint8_t version = TRY(reader.GetU8());
  if (version != kSchemaVersion) {
    return FailedPrecondition("the schema has format version " + std::to_string(version) +
                              "; this program reads " + std::to_string(kSchemaVersion));
  }
  schema.name = TRY(GetString(reader));
  schema.description = TRY(GetString(reader));
  schema.key_type = TRY(GetEnum(reader, KeyType::kVarChar));
  schema.key_field = TRY(GetString(reader));
  schema.tenant_field = TRY(GetString(reader));
  schema.dynamic = TRY(GetBool(reader));
  for (size_t left = TRY(GetCount(reader)); left > 0; --left) {
    schema.fields.push_back(TRY(DecodeField(reader)));
  }
  for (size_t left = TRY(GetCount(reader)); left > 0; --left) {
    schema.vectors.push_back(TRY(DecodeVectorField(reader)));
  }
  return schema;
}

void EncodeKey(const RecordKey& key, std::string& out) {
  PutBytes(out, key.tenant);
  if (const auto* number = std::get_if<int64_t>(&key.key)) {
    PutU8(out, 0);
    PutI64(out, *number);
  } else {
    PutU8(out, 1);
    PutBytes(out, std::get<std::string>(key.key));
  }
}

Result<RecordKey> DecodeKey(ByteReader& reader) {
  RecordKey key;
  key.tenant = TRY(GetString(reader));
  if (TRY(reader.GetU8()) == 0) {
    key.key = TRY(reader.GetI64());
  } else {
    key.key = TRY(GetString(reader));
  }
  return key;
}

void EncodeRecord(const CollectionSchema& schema, const Record& record, std::string& out) {
  EncodeKey(record.key, out);
  for (const FieldSchema& field : schema.fields) {
    const auto found = record.fields.find(field.name);
    if (found == record.fields.end()) {
      PutU8(out, kNull);
    } else {
      EncodeValue(found->second, out);
    }
  }
  for (const VectorFieldSchema& field : schema.vectors) {
    const auto found = record.vectors.find(field.name);
    PutU8(out, found == record.vectors.end() ? 0 : 1);
    if (found != record.vectors.end()) {
      PutBytes(out, found->second.bytes);
    }
  }
  PutBytes(out, record.dynamic);
}

Result<Record> DecodeRecord(const CollectionSchema& schema, ByteReader& reader) {
  Record record;
  record.key = TRY(DecodeKey(reader));
  for (const FieldSchema& field : schema.fields) {
    Value value = TRY(DecodeValue(reader));
    if (!value.is_null()) {
      record.fields.emplace(field.name, std::move(value));
    }
  }
  for (const VectorFieldSchema& field : schema.vectors) {
    if (TRY(GetBool(reader))) {
      Vector vector{field.type, {}};
      vector.bytes = TRY(GetString(reader));
      record.vectors.emplace(field.name, std::move(vector));
    }
  }
  record.dynamic = TRY(GetString(reader));
  return record;
}

}  // namespace roost::embedded
