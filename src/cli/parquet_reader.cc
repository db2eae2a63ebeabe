#include <set>

#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/parquet_cells.h"
#include "cli/parquet_files.h"

namespace roost {

namespace {

constexpr int64_t kBatchRows = 1'000;

class Reader final : public ParquetReader {
 public:
  Status Open(const std::string& path) {
    path_ = path;
    try {
      auto opened = arrow::io::ReadableFile::Open(path);
      if (!opened.ok()) {
        return FromArrow(opened.status(), path);
      }
      parquet::arrow::FileReaderBuilder builder;
      arrow::Status status = builder.Open(*opened);
      parquet::ArrowReaderProperties properties(false);
      properties.set_batch_size(kBatchRows);
      if (status.ok()) {
        status = builder.properties(properties)->Build(&reader_);
      }
      if (status.ok()) {
        status = reader_->GetSchema(&schema_);
      }
      if (status.ok()) {
        status = reader_->GetRecordBatchReader(&batches_);
      }
      if (!status.ok()) {
        return InvalidArgument(
            fmt::format("{}: not a readable Parquet file: {}", path, status.message()));
      }
    } catch (const std::exception& error) {
      return InvalidArgument(
          fmt::format("{}: not a readable Parquet file: {}", path, error.what()));
    }
    return {};
  }

  uint64_t rows() const override {
    return static_cast<uint64_t>(reader_->parquet_reader()->metadata()->num_rows());
  }

  CollectionSchema columns() const override {
    CollectionSchema schema;
    for (const auto& column : schema_->fields()) {
      DescribeColumn(*column, schema);
    }
    return schema;
  }

  std::optional<std::string> schema_json() const override {
    const auto metadata = schema_->metadata();
    if (metadata == nullptr) {
      return std::nullopt;
    }
    const auto found = metadata->Get(kParquetSchemaKey);
    return found.ok() ? std::optional(*found) : std::nullopt;
  }

  void UseBase64(const CollectionSchema& schema) override {
    for (const VectorFieldSchema& vector : schema.vectors) {
      const auto column = schema_->GetFieldByName(vector.name);
      if (column != nullptr && HoldsElementsOf(*column->type(), vector.type)) {
        base64_.insert(vector.name);
      }
    }
  }

  Result<std::vector<std::string>> Next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    try {
      const arrow::Status status = batches_->ReadNext(&batch);
      if (!status.ok()) {
        return DataLoss(fmt::format("{}: {}", path_, status.message()));
      }
    } catch (const std::exception& error) {
      return DataLoss(fmt::format("{}: {}", path_, error.what()));
    }
    std::vector<std::string> rows;
    for (int64_t row = 0; batch != nullptr && row < batch->num_rows(); ++row) {
      std::string json = TRY(RowJson(*batch, row));
      rows.push_back(std::move(json));
    }
    return rows;
  }

 private:
  Result<std::string> RowJson(const arrow::RecordBatch& batch, int64_t row) {
    std::string out = "{";
    for (int i = 0; i < batch.num_columns(); ++i) {
      const arrow::Array& column = *batch.column(i);
      const std::string& name = batch.column_name(i);
      if (name == kParquetDynamicColumn) {
        AppendMembers(out, column, row);
        continue;
      }
      if (out.size() > 1) {
        out.push_back(',');
      }
      AppendJsonString(out, name);
      out.push_back(':');
      if (IsJson(name) && !column.IsNull(row)) {
        out += static_cast<const arrow::StringArray&>(column).GetView(row);
        continue;
      }
      const Status status = AppendCell(out, column, row, base64_.contains(name));
      if (!status.ok()) {
        return status.error().Within(fmt::format("{}: column \"{}\"", path_, name));
      }
    }
    return out + "}";
  }

  // JSON is kept as its text; the field's metadata tells.
  bool IsJson(const std::string& name) const {
    const auto field = schema_->GetFieldByName(name);
    return field != nullptr && field->metadata() != nullptr &&
           field->metadata()->Contains(kParquetJsonKey);
  }

  static void AppendMembers(std::string& out, const arrow::Array& column, int64_t row) {
    if (column.IsNull(row)) {
      return;
    }
    const std::string_view object = static_cast<const arrow::StringArray&>(column).GetView(row);
    if (object.size() > 2) {
      out += out.size() > 1 ? "," : "";
      out += object.substr(1, object.size() - 2);
    }
  }

  std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::set<std::string> base64_;
};

}  // namespace

Result<std::unique_ptr<ParquetReader>> OpenParquetFile(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return NotFound(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  auto reader = std::make_unique<Reader>();
  TRY(reader->Open(path));
  return std::unique_ptr<ParquetReader>(std::move(reader));
}

}  // namespace roost
