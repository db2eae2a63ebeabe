#include "adapters/milvus/milvus_codec.h"

#include <cstring>
#include <limits>

#include <milvus.pb.h>

#include "adapters/milvus/milvus_key.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace pb = milvus::proto::schema;
using Role = MilvusColumn::Role;

constexpr size_t kMaxJsonBytes = 65'536;
std::string WrapJson(const std::string& text) { return std::string(kMilvusJsonHead) + text + "}"; }

size_t JsonBytes(const std::string& text) { return kMilvusJsonHead.size() + text.size() + 1; }

const Value* FindValue(const Record& record, const std::string& field) {
  const auto found = record.fields.find(field);
  return found == record.fields.end() || found->second.is_null() ? nullptr : &found->second;
}

int64_t IntOf(const Value* value) { return value == nullptr ? 0 : std::get<int64_t>(*value); }
double DoubleOf(const Value* value) { return value == nullptr ? 0 : std::get<double>(*value); }
std::string StringOf(const Value* value) {
  return value == nullptr ? std::string() : std::get<std::string>(*value);
}

void AddScalar(DataType type, const Value* value, pb::ScalarField& out) {
  switch (type) {
    case DataType::kBool:
      out.mutable_bool_data()->add_data(value != nullptr && std::get<bool>(*value));
      break;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      out.mutable_int_data()->add_data(static_cast<int32_t>(IntOf(value)));
      break;
    case DataType::kInt64:
    case DataType::kTimestamp:
      out.mutable_long_data()->add_data(IntOf(value));
      break;
    case DataType::kFloat:
      out.mutable_float_data()->add_data(static_cast<float>(DoubleOf(value)));
      break;
    case DataType::kDouble:
      out.mutable_double_data()->add_data(DoubleOf(value));
      break;
    case DataType::kJson:
      out.mutable_json_data()->add_data(value == nullptr ? "{}"
                                                         : WrapJson(std::get<Json>(*value).text));
      break;
    default:
      out.mutable_string_data()->add_data(StringOf(value));
  }
}

/// A message of the element's kind, so that an empty array has a type, too.
void Touch(DataType type, pb::ScalarField& out) {
  switch (type) {
    case DataType::kBool:
      out.mutable_bool_data();
      break;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      out.mutable_int_data();
      break;
    case DataType::kInt64:
    case DataType::kTimestamp:
      out.mutable_long_data();
      break;
    case DataType::kFloat:
      out.mutable_float_data();
      break;
    case DataType::kDouble:
      out.mutable_double_data();
      break;
    default:
      out.mutable_string_data();
  }
}

void EncodeField(const FieldSchema& field, std::span<const Record* const> rows,
                 pb::FieldData& out) {
  out.set_type(MilvusScalarType(field.type));
  auto& scalars = *out.mutable_scalars();
  for (const Record* row : rows) {
    const Value* value = FindValue(*row, field.name);
    if (field.type != DataType::kArray) {
      AddScalar(field.type, value, scalars);
      continue;
    }
    auto& arrays = *scalars.mutable_array_data();
    arrays.set_element_type(MilvusScalarType(field.element_type));
    auto& array = *arrays.add_data();
    Touch(field.element_type, array);
    if (value != nullptr) {
      for (const Value& element : std::get<Array>(*value)) {
        AddScalar(field.element_type, &element, array);
      }
    }
  }
}

void AppendFloats(DataType type, const Vector& vector, pb::FloatArray& out) {
  auto& data = *out.mutable_data();
  const int start = data.size();
  if (type == DataType::kFloatVector) {
    const auto count = static_cast<int>(vector.bytes.size() / sizeof(float));
    data.Resize(start + count, 0);
    std::memcpy(data.mutable_data() + start, vector.bytes.data(), vector.bytes.size());
    return;
  }
  for (const float value : ToFloats(vector)) {
    data.Add(value);
  }
}

void EncodeVector(const VectorFieldSchema& field, std::span<const Record* const> rows,
                  pb::FieldData& out) {
  const Vector stand_in = StandInVector(field);
  auto& vectors = *out.mutable_vectors();
  vectors.set_dim(field.dimension);
  for (const Record* row : rows) {
    const auto found = row->vectors.find(field.name);
    const Vector& vector = found == row->vectors.end() ? stand_in : found->second;
    switch (field.type) {
      case DataType::kBinaryVector:
        out.set_type(pb::BinaryVector);
        vectors.mutable_binary_vector()->append(vector.bytes);
        break;
      case DataType::kSparseVector:
        out.set_type(pb::SparseFloatVector);
        vectors.mutable_sparse_float_vector()->add_contents(vector.bytes);
        break;
      default:
        out.set_type(pb::FloatVector);
        AppendFloats(field.type, vector, *vectors.mutable_float_vector());
    }
  }
}

void EncodeNulls(const MilvusLayout& layout, std::span<const Record* const> rows,
                 pb::FieldData& out) {
  out.set_type(pb::Array);
  auto& arrays = *out.mutable_scalars()->mutable_array_data();
  arrays.set_element_type(pb::Int16);
  for (const Record* row : rows) {
    auto& list = *arrays.add_data()->mutable_int_data();
    for (const auto& column : layout.columns) {
      if (!layout.Nullable(column)) {
        continue;
      }
      const bool there = column.role == Role::kVector
                             ? row->vectors.contains(layout.vector(column).name)
                             : FindValue(*row, layout.field(column).name) != nullptr;
      if (!there) {
        list.add_data(layout.NullNumber(column));
      }
    }
  }
}

void EncodeKey(const MilvusLayout& layout, Role role, std::span<const Record* const> rows,
               pb::FieldData& out) {
  for (const Record* row : rows) {
    const Key key = role == Role::kKey      ? StoredKey(layout, row->key)
                    : role == Role::kTenant ? Key(row->key.tenant)
                                            : row->key.key;
    if (const auto* integer = std::get_if<int64_t>(&key)) {
      out.set_type(pb::Int64);
      out.mutable_scalars()->mutable_long_data()->add_data(*integer);
    } else {
      out.set_type(pb::VarChar);
      out.mutable_scalars()->mutable_string_data()->add_data(std::get<std::string>(key));
    }
  }
}

Error TooLarge(size_t row, const MilvusLayout& layout, const Record& record,
               const std::string& what, size_t bytes) {
  return InvalidArgument("row " + std::to_string(row) + " (" + layout.schema.key_field + " " +
                         ToString(record.key) + "): " + what + " has " + std::to_string(bytes) +
                         " bytes as JSON; Milvus takes " + std::to_string(kMaxJsonBytes));
}

}  // namespace

Vector StandInVector(const VectorFieldSchema& field) {
  if (field.type == DataType::kSparseVector) {
    return FromSparseEntries(std::vector<SparseEntry>{{0, 1.0f}});
  }
  std::vector<float> values(field.dimension);
  values.front() = 1;
  return FromFloats(field.type, values);
}

Status CheckLimits(const MilvusLayout& layout, std::span<const Record> records) {
  for (size_t row = 0; row < records.size(); ++row) {
    const Record& record = records[row];
    if (record.dynamic.size() > kMaxJsonBytes) {
      return TooLarge(row, layout, record, "the undeclared fields' object", record.dynamic.size());
    }
    for (const auto& [name, value] : record.fields) {
      const auto* json = std::get_if<Json>(&value);
      if (json != nullptr && JsonBytes(json->text) > kMaxJsonBytes) {
        return TooLarge(row, layout, record, "field \"" + name + "\"", JsonBytes(json->text));
      }
    }
  }
  return {};
}

void EncodeRows(const MilvusLayout& layout, std::span<const Record* const> rows,
                MilvusFields& out) {
  for (const auto& column : layout.columns) {
    auto& added = *out.Add();
    added.set_field_name(column.name);
    switch (column.role) {
      case Role::kKey:
      case Role::kTenant:
      case Role::kOwnKey:
        EncodeKey(layout, column.role, rows, added);
        break;
      case Role::kNulls:
        EncodeNulls(layout, rows, added);
        break;
      case Role::kDynamic:
        added.set_type(pb::JSON);
        for (const Record* row : rows) {
          added.mutable_scalars()->mutable_json_data()->add_data(
              row->dynamic.empty() ? "{}" : row->dynamic);
        }
        break;
      case Role::kField:
        EncodeField(layout.field(column), rows, added);
        break;
      case Role::kVector:
        EncodeVector(layout.vector(column), rows, added);
        break;
    }
  }
}

namespace {

uint64_t ValueBytes(const Value& value) {
  constexpr uint64_t kOther = 12;
  if (const auto* text = std::get_if<std::string>(&value)) {
    return text->size() + kOther;
  }
  if (const auto* json = std::get_if<Json>(&value)) {
    return json->text.size() + 2 * kOther;
  }
  uint64_t bytes = kOther;
  if (const auto* array = std::get_if<Array>(&value)) {
    for (const Value& element : *array) {
      bytes += ValueBytes(element);
    }
  }
  return bytes;
}

}  // namespace

uint64_t EncodedBytes(const MilvusLayout& layout, const Record& record) {
  uint64_t bytes = 64 + layout.columns.size() * 16 + record.dynamic.size();
  if (const auto* key = std::get_if<std::string>(&record.key.key)) {
    bytes += 2 * key->size() + 4 * record.key.tenant.size();
  }
  for (const auto& [name, value] : record.fields) {
    bytes += ValueBytes(value);
  }
  for (const auto& field : layout.schema.vectors) {
    const auto found = record.vectors.find(field.name);
    bytes += field.type == DataType::kSparseVector && found != record.vectors.end()
                 ? found->second.bytes.size() + 8
                 : uint64_t{4} * field.dimension;
  }
  return bytes;
}

}  // namespace roost
