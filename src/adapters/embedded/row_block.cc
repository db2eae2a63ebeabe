#include "adapters/embedded/row_block.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "adapters/embedded/codec.h"
#include "base/bytes.h"

namespace roost::embedded {

namespace {

size_t DenseBytes(const VectorFieldSchema& field) {
  switch (field.type) {
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      return size_t{2} * field.dimension;
    case DataType::kInt8Vector:
      return field.dimension;
    case DataType::kBinaryVector:
      return (field.dimension + 7) / 8;
    case DataType::kSparseVector:
      return 0;
    default:
      return size_t{4} * field.dimension;
  }
}

/// Rows of a cache line or more start on one; shorter ones never lie across two.
size_t Stride(size_t row_bytes) {
  return row_bytes >= 64 ? (row_bytes + 63) / 64 * 64
                         : std::bit_ceil(std::max<size_t>(row_bytes, 4));
}

}  // namespace

KeyRef::KeyRef(const RecordKey& key) : tenant(key.tenant) {
  if (const auto* integer = std::get_if<int64_t>(&key.key)) {
    is_number = true;
    number = *integer;
  } else {
    text = std::get<std::string>(key.key);
  }
}

RecordKey KeyRef::ToKey() const {
  RecordKey key{.tenant = std::string(tenant), .key = number};
  if (!is_number) {
    key.key = std::string(text);
  }
  return key;
}

std::strong_ordering KeyRef::operator<=>(const KeyRef& other) const {
  if (const auto order = tenant <=> other.tenant; order != 0) {
    return order;
  }
  if (is_number != other.is_number) {
    return is_number ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return is_number ? number <=> other.number : text <=> other.text;
}

Layout::Layout(const CollectionSchema& schema)
    : fixed_(kFields, false), sparse_base_(kFields + schema.fields.size()) {
  fixed_[kKey] = schema.key_type == KeyType::kInt64;
  for (const FieldSchema& field : schema.fields) {
    fixed_.push_back(IsFixed(field.type));
  }
  for (const VectorFieldSchema& field : schema.vectors) {
    fixed_.push_back(false);
    const size_t bytes = DenseBytes(field);
    matrices_.push_back({.row_bytes = bytes, .stride = bytes == 0 ? 0 : Stride(bytes)});
  }
}

size_t Layout::row_bytes() const {
  const size_t columns = fixed_.size() * (sizeof(std::string_view) + 1);
  return std::accumulate(matrices_.begin(), matrices_.end(), columns + sizeof(uint64_t),
                         [](size_t sum, const Matrix& matrix) { return sum + matrix.stride; });
}

KeyRef RowBlock::Key(uint32_t slot) const {
  KeyRef key;
  key.tenant = columns[Layout::kTenant].Bytes(slot);
  if (layout->is_fixed(Layout::kKey)) {
    key.is_number = true;
    key.number = columns[Layout::kKey].values[slot];
  } else {
    key.text = columns[Layout::kKey].Bytes(slot);
  }
  return key;
}

VectorColumn RowBlock::AsVectorColumn(const CollectionSchema& schema, size_t vector_field) const {
  const VectorFieldSchema& field = schema.vectors[vector_field];
  return {.type = field.type,
          .metric = field.metric,
          .dimension = field.dimension,
          .data = matrices[vector_field].data,
          .stride = layout->matrices()[vector_field].stride,
          .count = rows,
          .present = matrices[vector_field].present_bits};
}

bool IsFixed(DataType type) {
  switch (type) {
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kJson:
    case DataType::kUuid:
    case DataType::kArray:
      return false;
    default:
      return !IsVector(type);
  }
}

int64_t PackNumber(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return *integer;
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return std::bit_cast<int64_t>(*number);
  }
  const auto* flag = std::get_if<bool>(&value);
  return flag != nullptr && *flag ? 1 : 0;
}

Value UnpackNumber(DataType type, int64_t packed) {
  switch (type) {
    case DataType::kBool:
      return packed != 0;
    case DataType::kFloat:
    case DataType::kDouble:
      return std::bit_cast<double>(packed);
    default:
      return packed;
  }
}

std::string_view PackBytes(const Value& value, std::string& buffer) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  if (const auto* json = std::get_if<Json>(&value)) {
    return json->text;
  }
  buffer.clear();
  EncodeValue(value, buffer);
  return buffer;
}

Value ReadValue(const FieldSchema& field, const Column& column, uint32_t slot) {
  if (column.IsNull(slot)) {
    return {};
  }
  if (IsFixed(field.type)) {
    return UnpackNumber(field.type, column.values[slot]);
  }
  const std::string_view bytes = column.Bytes(slot);
  if (field.type == DataType::kJson) {
    return Json{std::string(bytes)};
  }
  if (field.type != DataType::kArray) {
    return std::string(bytes);
  }
  ByteReader reader(bytes);
  auto array = DecodeValue(reader);
  CHECK(array.ok());  // The bytes are ours and their checksum was right.
  return std::move(array).value();
}

Selection SelectAll(const CollectionSchema& schema, bool vectors) {
  Selection selection{.dynamic = schema.dynamic};
  selection.fields.resize(schema.fields.size());
  std::iota(selection.fields.begin(), selection.fields.end(), size_t{0});
  if (vectors) {
    selection.vectors.resize(schema.vectors.size());
    std::iota(selection.vectors.begin(), selection.vectors.end(), size_t{0});
  }
  return selection;
}

Selection SelectOutput(const CollectionSchema& schema, const OutputFields& output) {
  const auto named = [&](const std::string& name) {
    return std::find(output.fields.begin(), output.fields.end(), name) != output.fields.end();
  };
  Selection selection;
  selection.dynamic = schema.dynamic && (output.all_scalars || !output.fields.empty());
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (output.all_scalars || named(schema.fields[i].name)) {
      selection.fields.push_back(i);
    }
  }
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    if (output.vectors || named(schema.vectors[i].name)) {
      selection.vectors.push_back(i);
    }
  }
  return selection;
}

Record ReadRecord(const CollectionSchema& schema, const RowBlock& block, uint32_t slot,
                  const Selection& selection) {
  Record record;
  record.key = block.Key(slot).ToKey();
  for (const size_t i : selection.fields) {
    const FieldSchema& field = schema.fields[i];
    Value value = ReadValue(field, block.columns[Layout::kFields + i], slot);
    if (!value.is_null()) {
      record.fields.emplace(field.name, std::move(value));
    }
  }
  for (const size_t i : selection.vectors) {
    const VectorFieldSchema& field = schema.vectors[i];
    const Layout::Matrix& matrix = block.layout->matrices()[i];
    const MatrixView& view = block.matrices[i];
    if (matrix.row_bytes == 0) {
      const Column& column = block.columns[block.layout->SparseColumn(i)];
      if (!column.IsNull(slot)) {
        record.vectors.emplace(field.name, Vector{field.type, std::string(column.Bytes(slot))});
      }
    } else if (view.present == nullptr || view.present[slot] != 0) {
      const auto* bytes = reinterpret_cast<const char*>(view.data + slot * matrix.stride);
      record.vectors.emplace(field.name, Vector{field.type, std::string(bytes, matrix.row_bytes)});
    }
  }
  if (selection.dynamic) {
    record.dynamic = block.columns[Layout::kDynamic].Bytes(slot);
  }
  return record;
}

}  // namespace roost::embedded
