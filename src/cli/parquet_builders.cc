#include "cli/parquet_builders.h"

#include <charconv>

#include "cli/parquet_cells.h"
#include "store/half.h"

namespace roost {

namespace {

namespace sj = simdjson::ondemand;

// A float straight from the digits: going through double would round twice.
float ReadFloat(sj::value& value) {
  std::string_view token = value.raw_json_token();
  const double wide = value.get_double();
  float number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  return error == std::errc() ? number : static_cast<float>(wide);
}

arrow::Status AppendScalarTo(arrow::ArrayBuilder& builder, DataType type, sj::value& value) {
  switch (type) {
    case DataType::kBool:
      return static_cast<arrow::BooleanBuilder&>(builder).Append(value.get_bool());
    case DataType::kInt8:
      return static_cast<arrow::Int8Builder&>(builder).Append(
          static_cast<int8_t>(int64_t{value.get_int64()}));
    case DataType::kInt16:
      return static_cast<arrow::Int16Builder&>(builder).Append(
          static_cast<int16_t>(int64_t{value.get_int64()}));
    case DataType::kInt32:
      return static_cast<arrow::Int32Builder&>(builder).Append(
          static_cast<int32_t>(int64_t{value.get_int64()}));
    case DataType::kInt64:
      return static_cast<arrow::Int64Builder&>(builder).Append(value.get_int64());
    case DataType::kTimestamp:
      return static_cast<arrow::TimestampBuilder&>(builder).Append(value.get_int64());
    case DataType::kFloat:
      return static_cast<arrow::FloatBuilder&>(builder).Append(ReadFloat(value));
    case DataType::kDouble:
      return static_cast<arrow::DoubleBuilder&>(builder).Append(value.get_double());
    case DataType::kJson: {
      const std::string_view text = simdjson::to_json_string(value);
      return static_cast<arrow::StringBuilder&>(builder).Append(text);
    }
    default: {
      const std::string_view text = value.get_string();
      return static_cast<arrow::StringBuilder&>(builder).Append(text);
    }
  }
}

class ScalarColumn final : public ColumnBuilder {
 public:
  ScalarColumn(std::shared_ptr<arrow::ArrayBuilder> builder, DataType type)
      : ColumnBuilder(std::move(builder)), type_(type) {}

 protected:
  arrow::Status AppendValue(sj::value& value) override {
    return AppendScalarTo(*builder_, type_, value);
  }

 private:
  const DataType type_;
};

class ArrayColumn final : public ColumnBuilder {
 public:
  ArrayColumn(std::shared_ptr<arrow::ArrayBuilder> builder, DataType element)
      : ColumnBuilder(std::move(builder)), element_(element) {}

 protected:
  arrow::Status AppendValue(sj::value& value) override {
    auto& list = static_cast<arrow::ListBuilder&>(*builder_);
    ARROW_RETURN_NOT_OK(list.Append());
    for (auto element : value.get_array()) {
      sj::value item = element.value();
      ARROW_RETURN_NOT_OK(AppendScalarTo(*list.value_builder(), element_, item));
    }
    return arrow::Status::OK();
  }

 private:
  const DataType element_;
};

class DenseColumn final : public ColumnBuilder {
 public:
  DenseColumn(std::shared_ptr<arrow::ArrayBuilder> builder, DataType type)
      : ColumnBuilder(std::move(builder)), type_(type) {}

 protected:
  arrow::Status AppendValue(sj::value& value) override {
    auto& list = static_cast<arrow::ListBuilder&>(*builder_);
    ARROW_RETURN_NOT_OK(list.Append());
    for (auto element : value.get_array()) {
      sj::value item = element.value();
      const float number = ReadFloat(item);
      ARROW_RETURN_NOT_OK(AppendElement(*list.value_builder(), number));
    }
    return arrow::Status::OK();
  }

 private:
  arrow::Status AppendElement(arrow::ArrayBuilder& values, float number) const {
    switch (type_) {
      case DataType::kFloat16Vector:
        return static_cast<arrow::HalfFloatBuilder&>(values).Append(FloatToHalf(number));
      case DataType::kInt8Vector:
        return static_cast<arrow::Int8Builder&>(values).Append(static_cast<int8_t>(number));
      default:
        return static_cast<arrow::FloatBuilder&>(values).Append(number);
    }
  }

  const DataType type_;
};

int SextetOf(char c) {
  if (c >= 'A' && c <= 'Z') {
    return c - 'A';
  }
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 26;
  }
  if (c >= '0' && c <= '9') {
    return c - '0' + 52;
  }
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

class BitColumn final : public ColumnBuilder {
 public:
  using ColumnBuilder::ColumnBuilder;

 protected:
  arrow::Status AppendValue(sj::value& value) override {
    const std::string_view text = value.get_string();
    std::string bytes;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
      const int sextet = SextetOf(c);
      if (sextet < 0) {
        break;  // The padding.
      }
      bits = bits << 6 | static_cast<uint32_t>(sextet);
      count += 6;
      if (count >= 8) {
        count -= 8;
        bytes.push_back(static_cast<char>(bits >> count));
      }
    }
    auto& builder = static_cast<arrow::FixedSizeBinaryBuilder&>(*builder_);
    if (bytes.size() != static_cast<size_t>(builder.byte_width())) {
      return arrow::Status::Invalid("a binary vector of ", bytes.size(), " bytes");
    }
    return builder.Append(bytes);
  }
};

class SparseColumn final : public ColumnBuilder {
 public:
  using ColumnBuilder::ColumnBuilder;

 protected:
  arrow::Status AppendValue(sj::value& value) override {
    auto& parts = static_cast<arrow::StructBuilder&>(*builder_);
    ARROW_RETURN_NOT_OK(parts.Append());
    auto& indices = static_cast<arrow::ListBuilder&>(*parts.field_builder(0));
    auto& values = static_cast<arrow::ListBuilder&>(*parts.field_builder(1));
    ARROW_RETURN_NOT_OK(indices.Append());
    ARROW_RETURN_NOT_OK(values.Append());
    for (auto member : value.get_object()) {
      const std::string_view name = member.unescaped_key();
      const bool is_index = name == "indices";
      for (auto element : member.value().get_array()) {
        sj::value item = element.value();
        if (is_index) {
          auto& to = static_cast<arrow::UInt32Builder&>(*indices.value_builder());
          ARROW_RETURN_NOT_OK(to.Append(static_cast<uint32_t>(uint64_t{item.get_uint64()})));
        } else {
          auto& to = static_cast<arrow::FloatBuilder&>(*values.value_builder());
          ARROW_RETURN_NOT_OK(to.Append(ReadFloat(item)));
        }
      }
    }
    return arrow::Status::OK();
  }
};

std::shared_ptr<arrow::ArrayBuilder> BuilderFor(const std::shared_ptr<arrow::DataType>& type) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  CHECK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder).ok());
  return builder;
}

Status Checked(const arrow::Status& status) {
  return status.ok() ? Status() : Status(FromArrow(status, "a value does not fit its column"));
}

}  // namespace

Status ColumnBuilder::Append(sj::value value) {
  if (value.is_null()) {
    return Checked(builder_->AppendNull());
  }
  return Checked(AppendValue(value));
}

Status ColumnBuilder::AppendText(std::string_view text) {
  return Checked(static_cast<arrow::StringBuilder&>(*builder_).Append(text));
}

Status ColumnBuilder::FillTo(int64_t rows) {
  return builder_->length() < rows ? Checked(builder_->AppendNulls(rows - builder_->length()))
                                   : Status();
}

Result<std::shared_ptr<arrow::Array>> ColumnBuilder::Finish() {
  std::shared_ptr<arrow::Array> array;
  TRY(Checked(builder_->Finish(&array)));
  return array;
}

std::unique_ptr<ColumnBuilder> MakeColumnBuilder(const FieldSchema& field) {
  auto builder = BuilderFor(ColumnType(field.type, field.element_type));
  if (field.type == DataType::kArray) {
    return std::make_unique<ArrayColumn>(std::move(builder), field.element_type);
  }
  return std::make_unique<ScalarColumn>(std::move(builder), field.type);
}

std::unique_ptr<ColumnBuilder> MakeColumnBuilder(const VectorFieldSchema& vector) {
  auto builder = BuilderFor(ColumnType(vector));
  switch (vector.type) {
    case DataType::kBinaryVector:
      return std::make_unique<BitColumn>(std::move(builder));
    case DataType::kSparseVector:
      return std::make_unique<SparseColumn>(std::move(builder));
    default:
      return std::make_unique<DenseColumn>(std::move(builder), vector.type);
  }
}

}  // namespace roost
