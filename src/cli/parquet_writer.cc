#include <charconv>

#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <simdjson.h>

#include "base/json.h"
#include "cli/parquet_builders.h"
#include "cli/parquet_cells.h"
#include "cli/parquet_files.h"

namespace roost {

namespace {

namespace sj = simdjson::ondemand;

constexpr size_t kGroupRows = 10'000;  ///< rows of a row group: what the writer holds in memory

class Writer final : public ParquetWriter {
 public:
  Status Open(const std::string& path, const CollectionSchema& schema,
              const std::string& schema_json) {
    path_ = path;
    arrow::FieldVector columns;
    AddScalar({.name = schema.key_field,
               .type = schema.key_type == KeyType::kInt64 ? DataType::kInt64 : DataType::kVarChar},
              columns);
    if (schema.multi_tenant()) {
      AddScalar({.name = schema.tenant_field, .type = DataType::kVarChar}, columns);
    }
    for (const FieldSchema& field : schema.fields) {
      AddScalar(field, columns);
    }
    for (const VectorFieldSchema& vector : schema.vectors) {
      columns.push_back(arrow::field(vector.name, ColumnType(vector)));
      builders_.emplace(vector.name, MakeColumnBuilder(vector));
      order_.push_back(vector.name);
    }
    if (schema.dynamic) {
      AddScalar({.name = kParquetDynamicColumn, .type = DataType::kJson}, columns);
    }
    schema_ = arrow::schema(columns, arrow::key_value_metadata({kParquetSchemaKey}, {schema_json}));
    return OpenFile();
  }

  Status Append(std::span<const std::string> records) override {
    try {
      for (const std::string& record : records) {
        TRY(AppendRecord(record));
        if (++rows_ == kGroupRows) {
          TRY(WriteGroup());
        }
      }
      return {};
    } catch (const simdjson::simdjson_error& error) {
      return DataLoss(fmt::format("the server's reply cannot be read: {}", error.what()));
    } catch (const std::exception& error) {
      return Unavailable(fmt::format("{}: {}", path_, error.what()));
    }
  }

  Status Finish() override {
    try {
      TRY(WriteGroup());
      arrow::Status status = writer_->Close();
      if (status.ok()) {
        status = file_->Close();
      }
      return status.ok() ? Status() : Status(FromArrow(status, path_));
    } catch (const std::exception& error) {
      return Unavailable(fmt::format("{}: {}", path_, error.what()));
    }
  }

 private:
  void AddScalar(const FieldSchema& field, arrow::FieldVector& columns) {
    auto column = arrow::field(field.name, ColumnType(field.type, field.element_type));
    if (field.type == DataType::kJson) {
      column = column->WithMetadata(arrow::key_value_metadata({kParquetJsonKey}, {"1"}));
    }
    columns.push_back(std::move(column));
    builders_.emplace(field.name, MakeColumnBuilder(field));
    order_.push_back(field.name);
  }

  Status OpenFile() {
    try {
      auto file = arrow::io::FileOutputStream::Open(path_);
      if (!file.ok()) {
        return FromArrow(file.status(), path_);
      }
      file_ = *file;
      const auto properties =
          parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
      const auto arrow_properties =
          parquet::ArrowWriterProperties::Builder().store_schema()->build();
      auto writer = parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), file_,
                                                     properties, arrow_properties);
      if (!writer.ok()) {
        return FromArrow(writer.status(), path_);
      }
      writer_ = *std::move(writer);
      return {};
    } catch (const std::exception& error) {
      return Unavailable(fmt::format("{}: {}", path_, error.what()));
    }
  }

  Status AppendRecord(const std::string& record) {
    const simdjson::padded_string padded(record);
    sj::document document = parser_.iterate(padded);
    std::string dynamic;
    for (auto member : document.get_object()) {
      const std::string_view name = member.unescaped_key();
      const auto found = builders_.find(name);
      if (found != builders_.end()) {
        TRY(found->second->Append(member.value()));
      } else {
        dynamic += dynamic.empty() ? "{" : ",";
        AppendJsonString(dynamic, name);
        dynamic.push_back(':');
        dynamic += std::string_view(simdjson::to_json_string(member.value()));
      }
    }
    const auto rest = builders_.find(kParquetDynamicColumn);
    if (rest != builders_.end() && !dynamic.empty()) {
      TRY(rest->second->AppendText(dynamic + "}"));
    }
    for (auto& [name, builder] : builders_) {
      TRY(builder->FillTo(static_cast<int64_t>(rows_) + 1));
    }
    return {};
  }

  Status WriteGroup() {
    if (rows_ == 0) {
      return {};
    }
    arrow::ArrayVector arrays;
    for (const std::string& name : order_) {
      arrays.push_back(TRY(builders_.find(name)->second->Finish()));
    }
    const auto table = arrow::Table::Make(schema_, arrays);
    const arrow::Status status = writer_->WriteTable(*table, static_cast<int64_t>(rows_));
    rows_ = 0;
    return status.ok() ? Status() : Status(FromArrow(status, path_));
  }

  std::string path_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::FileOutputStream> file_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::map<std::string, std::unique_ptr<ColumnBuilder>, std::less<>> builders_;
  std::vector<std::string> order_;
  sj::parser parser_;
  size_t rows_ = 0;  ///< since the last group
};

}  // namespace

Result<std::unique_ptr<ParquetWriter>> CreateParquetFile(const std::string& path,
                                                         const CollectionSchema& schema,
                                                         const std::string& schema_json) {
  auto writer = std::make_unique<Writer>();
  TRY(writer->Open(path, schema, schema_json));
  return std::unique_ptr<ParquetWriter>(std::move(writer));
}

}  // namespace roost

extern "C" __attribute__((visibility("default"))) const roost::ParquetModule*
roost_parquet_module() {
  static constexpr roost::ParquetModule kModule{.open = roost::OpenParquetFile,
                                                .create = roost::CreateParquetFile};
  return &kModule;
}
