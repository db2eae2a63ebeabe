#include "cli/row_sink.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/json.h"
#include "cli/npy.h"
#include "cli/parquet_module.h"
#include "store/half.h"

namespace roost {

namespace {

namespace sj = simdjson::ondemand;

Error SystemError(const std::string& path) {
  return Unavailable(fmt::format("{}: {}", path, std::strerror(errno)));
}

// "FILE.part" until Commit() renames it; removed where that never happens.
class PartFile {
 public:
  explicit PartFile(std::string path)
      : path_(std::move(path)), part_(fmt::format("{}.part{}", path_, ::getpid())) {}
  ~PartFile() {
    if (!committed_) {
      ::unlink(part_.c_str());
    }
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& part() const { return part_; }

  Status Commit() {
    const int file = ::open(part_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = file >= 0 && ::fsync(file) == 0;
    if (file >= 0) {
      ::close(file);
    }
    if (!synced || ::rename(part_.c_str(), path_.c_str()) != 0) {
      return SystemError(path_);
    }
    committed_ = true;
    return MakePosixFileSystem()->SyncDirectory(ParentPath(path_));
  }

 private:
  const std::string path_;
  const std::string part_;
  bool committed_ = false;
};

// A stream into a part file, or standard output.
class Output {
 public:
  static Result<std::unique_ptr<Output>> Open(const std::string& path) {
    auto output = std::make_unique<Output>();
    output->path_ = path;
    if (path.empty() || path == "-") {
      output->file_ = stdout;
      return output;
    }
    output->part_ = std::make_unique<PartFile>(path);
    output->file_ = std::fopen(output->part_->part().c_str(), "wbe");
    if (output->file_ == nullptr) {
      return SystemError(path);
    }
    return output;
  }
  ~Output() {
    if (part_ != nullptr && file_ != nullptr) {
      std::fclose(file_);
    }
  }

  Status Write(std::string_view bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() ? Status()
                                                                             : SystemError(path_);
  }
  Status WriteAtStart(std::string_view bytes) {
    if (std::fseek(file_, 0, SEEK_SET) != 0) {
      return SystemError(path_);
    }
    return Write(bytes);
  }
  Status Commit() {
    if (std::fflush(file_) != 0) {
      return SystemError(path_);
    }
    if (part_ == nullptr) {
      return {};
    }
    const int closed = std::fclose(file_);
    file_ = nullptr;
    return closed == 0 ? part_->Commit() : SystemError(path_);
  }

 private:
  std::string path_;
  std::unique_ptr<PartFile> part_;
  std::FILE* file_ = nullptr;
};

class JsonSink final : public RowSink {
 public:
  explicit JsonSink(std::unique_ptr<Output> output) : output_(std::move(output)) {}

  Status Write(std::span<const std::string> records) override {
    for (const std::string& record : records) {
      TRY(output_->Write(record));
      TRY(output_->Write("\n"));
    }
    return {};
  }
  Status Finish() override { return output_->Commit(); }

 private:
  const std::unique_ptr<Output> output_;
};

class ParquetSink final : public RowSink {
 public:
  explicit ParquetSink(const std::string& path) : file_(path) {}

  Status Open(const CollectionSchema& schema, const std::string& schema_json) {
    const ParquetModule* module = TRY(LoadParquetModule());
    writer_ = TRY(module->create(file_.part(), schema, schema_json));
    return {};
  }
  Status Write(std::span<const std::string> records) override { return writer_->Append(records); }
  Status Finish() override {
    TRY(writer_->Finish());
    writer_.reset();
    return file_.Commit();
  }

 private:
  PartFile file_;
  std::unique_ptr<ParquetWriter> writer_;
};

// A float straight from the digits: going through double would round twice.
float ReadFloat(sj::value value) {
  const std::string_view token = value.raw_json_token();
  const double wide = value.get_double();
  float number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  return error == std::errc() ? number : static_cast<float>(wide);
}

template <typename Element>
void AppendBytes(std::string& out, Element element) {
  const size_t size = out.size();
  out.resize(size + sizeof(element));
  std::memcpy(out.data() + size, &element, sizeof(element));
}

class NpySink final : public RowSink {
 public:
  NpySink(std::unique_ptr<Output> output, std::unique_ptr<Output> rest,
          const VectorFieldSchema& field)
      : output_(std::move(output)), rest_(std::move(rest)), field_(field) {
    header_.columns = field.dimension;
    header_.type = field.type == DataType::kFloat16Vector ? NpyType::kFloat16
                   : field.type == DataType::kInt8Vector  ? NpyType::kInt8
                                                          : NpyType::kFloat32;
  }

  Status Start() { return output_->Write(MakeNpyHeader(header_)); }

  Status Write(std::span<const std::string> records) override {
    try {
      for (const std::string& record : records) {
        TRY(WriteRecord(record));
      }
      return {};
    } catch (const simdjson::simdjson_error& error) {
      return DataLoss(fmt::format("the server's reply cannot be read: {}", error.what()));
    }
  }

  Status Finish() override {
    TRY(output_->WriteAtStart(MakeNpyHeader(header_)));
    if (rest_ != nullptr) {
      TRY(rest_->Commit());
    }
    return output_->Commit();
  }

 private:
  Status WriteRecord(const std::string& record) {
    const simdjson::padded_string padded(record);
    sj::document document = parser_.iterate(padded);
    std::string row;
    std::string rest = "{";
    for (auto member : document.get_object()) {
      const std::string_view name = member.unescaped_key();
      if (name == field_.name) {
        AppendVector(member.value(), row);
        continue;
      }
      rest += rest.size() > 1 ? "," : "";
      AppendJsonString(rest, name);
      rest.push_back(':');
      rest += std::string_view(simdjson::to_json_string(member.value()));
    }
    if (row.size() != header_.columns * NpySize(header_.type)) {
      return FailedPrecondition(
          fmt::format("record {} has no vector \"{}\": a .npy file needs one for each record; "
                      "export JSON lines "
                      "or Parquet",
                      header_.rows + 1, field_.name));
    }
    ++header_.rows;
    TRY(output_->Write(row));
    return rest_ == nullptr ? Status() : rest_->Write(rest + "}\n");
  }

  void AppendVector(sj::value value, std::string& row) const {
    if (value.is_null()) {
      return;
    }
    for (auto element : value.get_array()) {
      const float number = ReadFloat(element.value());
      if (header_.type == NpyType::kFloat16) {
        AppendBytes(row, FloatToHalf(number));
      } else if (header_.type == NpyType::kInt8) {
        AppendBytes(row, static_cast<int8_t>(number));
      } else {
        AppendBytes(row, number);
      }
    }
  }

  const std::unique_ptr<Output> output_;
  const std::unique_ptr<Output> rest_;
  const VectorFieldSchema field_;
  NpyHeader header_;
  sj::parser parser_;
};

Result<VectorFieldSchema> NpyField(const SinkOptions& options, const CollectionSchema& schema) {
  if (options.vector_field.empty() && schema.vectors.size() != 1) {
    return InvalidArgument(
        fmt::format("collection \"{}\" has {} vector fields: name one with --vector-field",
                    schema.name, schema.vectors.size()));
  }
  const VectorFieldSchema* field = options.vector_field.empty()
                                       ? &schema.vectors.front()
                                       : schema.FindVector(options.vector_field);
  if (field == nullptr) {
    return NotFound(fmt::format("collection \"{}\" has no vector field \"{}\"", schema.name,
                                options.vector_field));
  }
  if (field->type == DataType::kSparseVector || field->type == DataType::kBinaryVector) {
    return InvalidArgument(
        fmt::format("\"{}\" is {}: a .npy file cannot hold it; export JSON lines "
                    "or Parquet",
                    field->name, DataTypeName(field->type)));
  }
  return *field;
}

}  // namespace

Result<std::unique_ptr<RowSink>> MakeRowSink(const SinkOptions& options,
                                             const CollectionSchema& schema,
                                             const std::string& schema_json) {
  const bool to_stdout = options.path.empty() || options.path == "-";
  if (to_stdout && options.format != "jsonl") {
    return InvalidArgument(fmt::format("{} needs a file: give -o FILE", options.format));
  }
  if (options.format == "parquet") {
    auto sink = std::make_unique<ParquetSink>(options.path);
    TRY(sink->Open(schema, schema_json));
    return std::unique_ptr<RowSink>(std::move(sink));
  }
  if (options.format == "npy") {
    const VectorFieldSchema field = TRY(NpyField(options, schema));
    std::unique_ptr<Output> output = TRY(Output::Open(options.path));
    std::unique_ptr<Output> rest;
    if (!options.rows_path.empty()) {
      rest = TRY(Output::Open(options.rows_path));
    }
    auto sink = std::make_unique<NpySink>(std::move(output), std::move(rest), field);
    TRY(sink->Start());
    return std::unique_ptr<RowSink>(std::move(sink));
  }
  std::unique_ptr<Output> output = TRY(Output::Open(options.path));
  return std::make_unique<JsonSink>(std::move(output));
}

Result<std::vector<std::string>> SplitRecords(const std::string& reply) {
  std::vector<std::string> records;
  try {
    const simdjson::padded_string padded(reply);
    sj::parser parser;
    sj::document document = parser.iterate(padded);
    for (auto record : document.find_field("records").get_array()) {
      records.emplace_back(std::string_view(simdjson::to_json_string(record.value())));
    }
  } catch (const simdjson::simdjson_error& error) {
    return DataLoss(fmt::format("the server's reply cannot be read: {}", error.what()));
  }
  return records;
}

}  // namespace roost
