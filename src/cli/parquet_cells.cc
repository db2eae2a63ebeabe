#include "cli/parquet_cells.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "base/json.h"
#include "cli/npy.h"

namespace roost {

namespace {

constexpr int64_t kDayMicros = 86'400'000'000;

template <typename ArrayType>
auto At(const arrow::Array& column, int64_t row) {
  return static_cast<const ArrayType&>(column).Value(row);
}

template <typename ArrayType>
std::string_view TextAt(const arrow::Array& column, int64_t row) {
  return static_cast<const ArrayType&>(column).GetView(row);
}

int64_t Micros(const arrow::Array& column, int64_t row) {
  const int64_t value = At<arrow::TimestampArray>(column, row);
  switch (static_cast<const arrow::TimestampType&>(*column.type()).unit()) {
    case arrow::TimeUnit::SECOND:
      return value * 1'000'000;
    case arrow::TimeUnit::MILLI:
      return value * 1'000;
    case arrow::TimeUnit::MICRO:
      return value;
    case arrow::TimeUnit::NANO:
      return value / 1'000 - (value % 1'000 < 0 ? 1 : 0);
  }
  return value;
}

// The bytes of `count` fixed-size elements, as base64 in quotes. No element may be null.
Status AppendElementBytes(std::string& out, const arrow::Array& values, int64_t start,
                          int64_t count) {
  const auto& type = static_cast<const arrow::FixedWidthType&>(*values.type());
  const auto width = static_cast<int64_t>(type.bit_width() / 8);
  for (int64_t i = start; i < start + count; ++i) {
    if (values.IsNull(i)) {
      return InvalidArgument("a vector holds a null");
    }
  }
  const auto& primitive = static_cast<const arrow::PrimitiveArray&>(values);
  const uint8_t* bytes = primitive.values()->data() + (values.offset() + start) * width;
  out.push_back('"');
  AppendBase64(out, {reinterpret_cast<const char*>(bytes), static_cast<size_t>(count * width)});
  out.push_back('"');
  return {};
}

Status AppendList(std::string& out, const arrow::Array& values, int64_t start, int64_t count,
                  bool base64) {
  if (base64) {
    return AppendElementBytes(out, values, start, count);
  }
  out.push_back('[');
  for (int64_t i = start; i < start + count; ++i) {
    if (i > start) {
      out.push_back(',');
    }
    TRY(AppendCell(out, values, i, false));
  }
  out.push_back(']');
  return {};
}

template <typename ListArray>
Status AppendListAt(std::string& out, const arrow::Array& column, int64_t row, bool base64) {
  const auto& list = static_cast<const ListArray&>(column);
  return AppendList(out, *list.values(), list.value_offset(row), list.value_length(row), base64);
}

Status AppendStruct(std::string& out, const arrow::Array& column, int64_t row) {
  const auto& parts = static_cast<const arrow::StructArray&>(column);
  out.push_back('{');
  for (int i = 0; i < parts.num_fields(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    AppendJsonString(out, parts.struct_type()->field(i)->name());
    out.push_back(':');
    TRY(AppendCell(out, *parts.field(i), row, false));
  }
  out.push_back('}');
  return {};
}

// Texts, lists and what is nested; the numbers are handled by the caller.
Status AppendComposite(std::string& out, const arrow::Array& column, int64_t row, bool base64) {
  switch (column.type_id()) {
    case arrow::Type::STRING:
      AppendJsonString(out, TextAt<arrow::StringArray>(column, row));
      return {};
    case arrow::Type::LARGE_STRING:
      AppendJsonString(out, TextAt<arrow::LargeStringArray>(column, row));
      return {};
    case arrow::Type::BINARY:
    case arrow::Type::FIXED_SIZE_BINARY: {
      const std::string_view bytes = column.type_id() == arrow::Type::BINARY
                                         ? TextAt<arrow::BinaryArray>(column, row)
                                         : TextAt<arrow::FixedSizeBinaryArray>(column, row);
      out.push_back('"');
      AppendBase64(out, bytes);
      out.push_back('"');
      return {};
    }
    case arrow::Type::LIST:
      return AppendListAt<arrow::ListArray>(out, column, row, base64);
    case arrow::Type::LARGE_LIST:
      return AppendListAt<arrow::LargeListArray>(out, column, row, base64);
    case arrow::Type::FIXED_SIZE_LIST:
      return AppendListAt<arrow::FixedSizeListArray>(out, column, row, base64);
    case arrow::Type::STRUCT:
      return AppendStruct(out, column, row);
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(column);
      return AppendCell(out, *coded.dictionary(), coded.GetValueIndex(row), base64);
    }
    default:
      return Unimplemented(
          fmt::format("columns of type {} are not supported", column.type()->ToString()));
  }
}

bool IsDenseElement(arrow::Type::type type) {
  return type == arrow::Type::FLOAT || type == arrow::Type::HALF_FLOAT || type == arrow::Type::INT8;
}

}  // namespace

Status AppendCell(std::string& out, const arrow::Array& column, int64_t row, bool base64) {
  if (column.IsNull(row)) {
    out += "null";
    return {};
  }
  switch (column.type_id()) {
    case arrow::Type::NA:
      out += "null";
      return {};
    case arrow::Type::BOOL:
      out += At<arrow::BooleanArray>(column, row) ? "true" : "false";
      return {};
    case arrow::Type::INT8:
      return AppendJsonInt(out, At<arrow::Int8Array>(column, row)), Status();
    case arrow::Type::INT16:
      return AppendJsonInt(out, At<arrow::Int16Array>(column, row)), Status();
    case arrow::Type::INT32:
      return AppendJsonInt(out, At<arrow::Int32Array>(column, row)), Status();
    case arrow::Type::INT64:
      return AppendJsonInt(out, At<arrow::Int64Array>(column, row)), Status();
    case arrow::Type::UINT8:
      return AppendJsonUint(out, At<arrow::UInt8Array>(column, row)), Status();
    case arrow::Type::UINT16:
      return AppendJsonUint(out, At<arrow::UInt16Array>(column, row)), Status();
    case arrow::Type::UINT32:
      return AppendJsonUint(out, At<arrow::UInt32Array>(column, row)), Status();
    case arrow::Type::UINT64:
      return AppendJsonUint(out, At<arrow::UInt64Array>(column, row)), Status();
    case arrow::Type::HALF_FLOAT: {
      const uint16_t half = At<arrow::HalfFloatArray>(column, row);
      const std::string_view bytes(reinterpret_cast<const char*>(&half), sizeof half);
      std::string list;
      AppendNpyRow(list, NpyType::kFloat16, bytes);
      out += list.substr(1, list.size() - 2);
      return {};
    }
    case arrow::Type::FLOAT:
      return AppendJsonFloat(out, At<arrow::FloatArray>(column, row)), Status();
    case arrow::Type::DOUBLE:
      return AppendJsonDouble(out, At<arrow::DoubleArray>(column, row)), Status();
    case arrow::Type::TIMESTAMP:
      return AppendJsonInt(out, Micros(column, row)), Status();
    case arrow::Type::DATE32:
      return AppendJsonInt(out, At<arrow::Date32Array>(column, row) * kDayMicros), Status();
    default:
      return AppendComposite(out, column, row, base64);
  }
}

void DescribeColumn(const arrow::Field& column, CollectionSchema& schema) {
  const arrow::DataType& type = *column.type();
  const auto add = [&](DataType field_type) {
    schema.fields.push_back({.name = column.name(), .type = field_type});
  };
  switch (type.id()) {
    case arrow::Type::INT8:
      return add(DataType::kInt8);
    case arrow::Type::INT16:
      return add(DataType::kInt16);
    case arrow::Type::INT32:
      return add(DataType::kInt32);
    case arrow::Type::INT64:
      return add(DataType::kInt64);
    case arrow::Type::FLOAT:
      return add(DataType::kFloat);
    case arrow::Type::DOUBLE:
      return add(DataType::kDouble);
    case arrow::Type::BOOL:
      return add(DataType::kBool);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      return add(DataType::kVarChar);
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DATE32:
      return add(DataType::kTimestamp);
    case arrow::Type::FIXED_SIZE_BINARY: {
      VectorFieldSchema vector{.name = column.name(), .type = DataType::kBinaryVector};
      const auto& binary = static_cast<const arrow::FixedSizeBinaryType&>(type);
      vector.dimension = static_cast<uint32_t>(binary.byte_width()) * 8;
      vector.metric = Metric::kHamming;
      return schema.vectors.push_back(std::move(vector));
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::FixedSizeListType&>(type);
      const arrow::Type::type element = list.value_type()->id();
      if (IsDenseElement(element)) {
        VectorFieldSchema vector{.name = column.name()};
        vector.type = element == arrow::Type::HALF_FLOAT ? DataType::kFloat16Vector
                      : element == arrow::Type::INT8     ? DataType::kInt8Vector
                                                         : DataType::kFloatVector;
        vector.dimension = static_cast<uint32_t>(list.list_size());
        schema.vectors.push_back(std::move(vector));
      }
      return;
    }
    default:
      return;
  }
}

std::shared_ptr<arrow::DataType> ColumnType(DataType type, DataType element_type) {
  switch (type) {
    case DataType::kBool:
      return arrow::boolean();
    case DataType::kInt8:
      return arrow::int8();
    case DataType::kInt16:
      return arrow::int16();
    case DataType::kInt32:
      return arrow::int32();
    case DataType::kInt64:
      return arrow::int64();
    case DataType::kFloat:
      return arrow::float32();
    case DataType::kDouble:
      return arrow::float64();
    case DataType::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case DataType::kArray:
      return arrow::list(ColumnType(element_type, element_type));
    default:
      return arrow::utf8();  // Texts, UUIDs, and JSON as its text.
  }
}

std::shared_ptr<arrow::DataType> ColumnType(const VectorFieldSchema& vector) {
  switch (vector.type) {
    case DataType::kFloat16Vector:
      return arrow::list(arrow::float16());
    case DataType::kInt8Vector:
      return arrow::list(arrow::int8());
    case DataType::kBinaryVector:
      return arrow::fixed_size_binary(static_cast<int32_t>(vector.dimension / 8));
    case DataType::kSparseVector:
      return arrow::struct_({arrow::field("indices", arrow::list(arrow::uint32())),
                             arrow::field("values", arrow::list(arrow::float32()))});
    default:
      // bfloat16 has no type in Parquet; float32 holds each of its values exactly.
      return arrow::list(arrow::float32());
  }
}

bool HoldsElementsOf(const arrow::DataType& column, DataType vector) {
  if (vector == DataType::kBinaryVector) {
    return true;  // Bytes are base64 in any case.
  }
  const bool list = column.id() == arrow::Type::LIST || column.id() == arrow::Type::LARGE_LIST ||
                    column.id() == arrow::Type::FIXED_SIZE_LIST;
  if (!list) {
    return false;
  }
  switch (column.field(0)->type()->id()) {
    case arrow::Type::FLOAT:
      return vector == DataType::kFloatVector;
    case arrow::Type::HALF_FLOAT:
      return vector == DataType::kFloat16Vector;
    case arrow::Type::INT8:
      return vector == DataType::kInt8Vector;
    default:
      return false;
  }
}

Error FromArrow(const arrow::Status& status, std::string_view doing) {
  return Unavailable(fmt::format("{}: {}", doing, status.message()));
}

}  // namespace roost
