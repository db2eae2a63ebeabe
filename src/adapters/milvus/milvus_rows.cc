// Reads Milvus' columns; milvus_codec.cc writes them.

#include <milvus.pb.h>

#include "adapters/milvus/milvus_codec.h"
#include "adapters/milvus/milvus_key.h"
#include "store/vector_math.h"

namespace roost {

namespace pb = milvus::proto::schema;
using Role = MilvusColumn::Role;

size_t CountOf(const pb::IDs& ids) {
  return static_cast<size_t>(ids.has_int_id() ? ids.int_id().data_size()
                                              : ids.str_id().data_size());
}

Key StoredKeyAt(const pb::IDs& ids, size_t row) {
  const auto place = static_cast<int>(row);
  if (ids.has_int_id()) {
    return ids.int_id().data(place);
  }
  return ids.str_id().data(place);
}

namespace {

Error Strange(const MilvusColumn& column) {
  return DataLoss("Milvus' reply has no proper values for field \"" + column.name + "\"");
}

/// One scalar; nothing when it is not there.
std::optional<Value> ScalarAt(DataType type, const pb::ScalarField& data, int place) {
  const auto in = [place](const auto& array) { return place < array.data_size(); };
  switch (type) {
    case DataType::kBool:
      return in(data.bool_data()) ? std::optional<Value>(data.bool_data().data(place))
                                  : std::nullopt;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return in(data.int_data()) ? std::optional<Value>(int64_t{data.int_data().data(place)})
                                 : std::nullopt;
    case DataType::kInt64:
    case DataType::kTimestamp:
      return in(data.long_data()) ? std::optional<Value>(int64_t{data.long_data().data(place)})
                                  : std::nullopt;
    case DataType::kFloat:
      return in(data.float_data()) ? std::optional<Value>(double{data.float_data().data(place)})
                                   : std::nullopt;
    case DataType::kDouble:
      return in(data.double_data()) ? std::optional<Value>(data.double_data().data(place))
                                    : std::nullopt;
    case DataType::kJson: {
      if (!in(data.json_data())) {
        return std::nullopt;
      }
      const std::string& text = data.json_data().data(place);
      if (!text.starts_with(kMilvusJsonHead)) {
        return std::nullopt;
      }
      return Json{text.substr(kMilvusJsonHead.size(), text.size() - kMilvusJsonHead.size() - 1)};
    }
    default:
      return in(data.string_data()) ? std::optional<Value>(data.string_data().data(place))
                                    : std::nullopt;
  }
}

int ElementsOf(DataType type, const pb::ScalarField& data) {
  switch (type) {
    case DataType::kBool:
      return data.bool_data().data_size();
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return data.int_data().data_size();
    case DataType::kInt64:
    case DataType::kTimestamp:
      return data.long_data().data_size();
    case DataType::kFloat:
      return data.float_data().data_size();
    case DataType::kDouble:
      return data.double_data().data_size();
    default:
      return data.string_data().data_size();
  }
}

std::optional<Value> FieldAt(const FieldSchema& field, const pb::ScalarField& data, int place) {
  if (field.type != DataType::kArray) {
    return ScalarAt(field.type, data, place);
  }
  if (place >= data.array_data().data_size()) {
    return std::nullopt;
  }
  const auto& elements = data.array_data().data(place);
  Array array;
  const int count = ElementsOf(field.element_type, elements);
  for (int i = 0; i < count; ++i) {
    array.push_back(*ScalarAt(field.element_type, elements, i));
  }
  return Value(std::move(array));
}

std::optional<Vector> VectorAt(const VectorFieldSchema& field, const pb::VectorField& data,
                               size_t place) {
  Vector vector{.type = field.type, .bytes = {}};
  if (field.type == DataType::kBinaryVector) {
    const size_t size = field.dimension / 8;
    if (data.binary_vector().size() < (place + 1) * size) {
      return std::nullopt;
    }
    vector.bytes = data.binary_vector().substr(place * size, size);
    return vector;
  }
  if (field.type == DataType::kSparseVector) {
    const auto& contents = data.sparse_float_vector().contents();
    if (static_cast<int>(place) >= contents.size()) {
      return std::nullopt;
    }
    vector.bytes = contents.Get(static_cast<int>(place));
    return vector;
  }
  const auto& floats = data.float_vector().data();
  const size_t size = field.dimension;
  if (static_cast<size_t>(floats.size()) < (place + 1) * size) {
    return std::nullopt;
  }
  const std::span<const float> values(floats.data() + place * size, size);
  return field.type == DataType::kFloatVector ? Vector::Floats(values)
                                              : FromFloats(field.type, values);
}

}  // namespace

Result<MilvusRows> MilvusRows::Open(const MilvusLayout& layout,
                                    std::span<const MilvusColumn* const> columns,
                                    const MilvusFields& fields, size_t rows) {
  MilvusRows opened;
  opened.layout_ = &layout;
  opened.rows_ = rows;
  for (const MilvusColumn* column : columns) {
    const pb::FieldData* found = nullptr;
    for (const auto& field : fields) {
      if (field.field_name() == column->name) {
        found = &field;
      }
    }
    if (found == nullptr) {
      if (rows == 0) {
        continue;
      }
      return Strange(*column);
    }
    if (column->role == Role::kNulls) {
      if (static_cast<size_t>(found->scalars().array_data().data_size()) < rows) {
        return Strange(*column);
      }
      opened.nulls_ = found;
    } else {
      opened.columns_.push_back({.column = column, .data = found});
    }
  }
  return opened;
}

bool MilvusRows::IsNull(const MilvusColumn& column, size_t row) const {
  if (nulls_ == nullptr || !layout_->Nullable(column)) {
    return false;
  }
  const int number = layout_->NullNumber(column);
  for (const int null :
       nulls_->scalars().array_data().data(static_cast<int>(row)).int_data().data()) {
    if (null == number) {
      return true;
    }
  }
  return false;
}

Status MilvusRows::ReadCell(const Column& cell, size_t row, Record& record) const {
  const auto place = static_cast<int>(row);
  const MilvusColumn& column = *cell.column;
  const pb::ScalarField& scalars = cell.data->scalars();
  switch (column.role) {
    case Role::kKey: {
      const auto stored =
          ScalarAt(layout_->integer_keys() ? DataType::kInt64 : DataType::kVarChar, scalars, place);
      if (!stored) {
        return Strange(column);
      }
      const auto* integer = std::get_if<int64_t>(&*stored);
      record.key = TRY(FromStoredKey(
          *layout_, integer != nullptr ? Key(*integer) : Key(std::get<std::string>(*stored))));
      return {};
    }
    case Role::kDynamic: {
      if (place >= scalars.json_data().data_size()) {
        return Strange(column);
      }
      const std::string& text = scalars.json_data().data(place);
      record.dynamic = text == "{}" ? "" : text;
      return {};
    }
    case Role::kField: {
      if (IsNull(column, row)) {
        return {};
      }
      auto value = FieldAt(layout_->field(column), scalars, place);
      if (!value) {
        return Strange(column);
      }
      record.fields.emplace(layout_->field(column).name, *std::move(value));
      return {};
    }
    case Role::kVector: {
      if (IsNull(column, row)) {
        return {};
      }
      auto vector = VectorAt(layout_->vector(column), cell.data->vectors(), row);
      if (!vector) {
        return Strange(column);
      }
      record.vectors.emplace(layout_->vector(column).name, *std::move(vector));
      return {};
    }
    default:
      return {};
  }
}

Result<Record> MilvusRows::Read(size_t row) const {
  Record record;
  for (const Column& cell : columns_) {
    TRY(ReadCell(cell, row, record));
  }
  return record;
}

}  // namespace roost
