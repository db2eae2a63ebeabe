#include <fmt/format.h>

#include "base/base64.h"
#include "base/json.h"
#include "cli/npy.h"
#include "cli/row_source.h"

namespace roost {

namespace {

// One vector as a value of JSON: base64 where the file holds exactly what the field holds, else
// numbers, which the server turns into the field's type or refuses.
class VectorText {
 public:
  explicit VectorText(NpyType type) : type_(type) {}

  void UseSchema(const CollectionSchema& schema, std::string_view field_name) {
    const VectorFieldSchema* field = schema.FindVector(field_name);
    if (field != nullptr) {
      base64_ = (field->type == DataType::kFloatVector && type_ == NpyType::kFloat32) ||
                (field->type == DataType::kFloat16Vector && type_ == NpyType::kFloat16) ||
                (field->type == DataType::kInt8Vector && type_ == NpyType::kInt8) ||
                (field->type == DataType::kBinaryVector && type_ == NpyType::kUint8);
    }
  }

  void Append(std::string& out, std::string_view row) const {
    if (base64_) {
      out.push_back('"');
      AppendBase64(out, row);
      out.push_back('"');
    } else {
      AppendNpyRow(out, type_, row);
    }
  }

 private:
  const NpyType type_;
  bool base64_ = false;
};

VectorFieldSchema VectorFieldOf(std::string name, const NpyHeader& header) {
  VectorFieldSchema field{.name = std::move(name)};
  field.dimension = static_cast<uint32_t>(header.columns);
  if (header.type == NpyType::kFloat16) {
    field.type = DataType::kFloat16Vector;
  } else if (header.type == NpyType::kInt8) {
    field.type = DataType::kInt8Vector;
  } else if (header.type == NpyType::kUint8) {
    field.type = DataType::kBinaryVector;
    field.dimension *= 8;
    field.metric = Metric::kHamming;
  }
  return field;
}

class NpyRows final : public RowSource {
 public:
  NpyRows(NpyReader reader, std::string key_field, std::string vector_field)
      : reader_(std::move(reader)),
        key_field_(std::move(key_field)),
        vector_field_(std::move(vector_field)),
        text_(reader_.header().type) {}

  Result<std::optional<SourceRow>> Next() override {
    const std::string_view row = TRY(reader_.Next());
    if (row.empty()) {
      return std::optional<SourceRow>();
    }
    SourceRow out{.json = "{", .error = {}, .number = ++number_};
    AppendJsonString(out.json, key_field_);
    out.json +=
        string_keys_ ? fmt::format(R"(:"{}",)", number_ - 1) : fmt::format(":{},", number_ - 1);
    AppendJsonString(out.json, vector_field_);
    out.json.push_back(':');
    text_.Append(out.json, row);
    out.json.push_back('}');
    return std::optional(std::move(out));
  }

  std::optional<uint64_t> total() const override { return reader_.header().rows; }
  std::optional<CollectionSchema> schema() const override {
    CollectionSchema schema;
    schema.key_type = KeyType::kInt64;
    schema.key_field = key_field_;
    schema.vectors.push_back(VectorFieldOf(vector_field_, reader_.header()));
    return schema;
  }
  bool schema_is_complete() const override { return true; }
  void UseSchema(const CollectionSchema& schema) override {
    key_field_ = schema.key_field;
    string_keys_ = schema.key_type == KeyType::kVarChar;
    text_.UseSchema(schema, vector_field_);
  }

 private:
  NpyReader reader_;
  std::string key_field_;
  const std::string vector_field_;
  VectorText text_;
  bool string_keys_ = false;
  uint64_t number_ = 0;
};

class WithVectors final : public RowSource {
 public:
  WithVectors(std::unique_ptr<RowSource> rows, NpyReader vectors, std::string path,
              std::string vector_field)
      : rows_(std::move(rows)),
        vectors_(std::move(vectors)),
        path_(std::move(path)),
        vector_field_(std::move(vector_field)),
        text_(vectors_.header().type) {}

  Result<std::optional<SourceRow>> Next() override {
    std::optional<SourceRow> row = TRY(rows_->Next());
    const std::string_view vector = TRY(vectors_.Next());
    if (!row && !vector.empty()) {
      return InvalidArgument(fmt::format("{} holds {} vectors, but there are only {} records",
                                         path_, vectors_.header().rows, read_));
    }
    if (row && vector.empty()) {
      return InvalidArgument(fmt::format("{} holds only {} vectors; the record of {} {} has none",
                                         path_, vectors_.header().rows, rows_->unit(),
                                         row->number));
    }
    ++read_;
    if (row && row->error.empty()) {
      row->json.pop_back();
      row->json += row->json.find_first_not_of(" \t{") == std::string::npos ? "" : ",";
      AppendJsonString(row->json, vector_field_);
      row->json.push_back(':');
      text_.Append(row->json, vector);
      row->json.push_back('}');
    }
    return row;
  }

  std::string_view unit() const override { return rows_->unit(); }
  std::optional<uint64_t> total() const override { return vectors_.header().rows; }
  std::optional<CollectionSchema> schema() const override {
    CollectionSchema schema = rows_->schema().value_or(CollectionSchema());
    schema.vectors.push_back(VectorFieldOf(vector_field_, vectors_.header()));
    return schema;
  }
  bool schema_is_complete() const override { return rows_->schema_is_complete(); }
  void UseSchema(const CollectionSchema& schema) override {
    rows_->UseSchema(schema);
    text_.UseSchema(schema, vector_field_);
  }

 private:
  const std::unique_ptr<RowSource> rows_;
  NpyReader vectors_;
  const std::string path_;
  const std::string vector_field_;
  VectorText text_;
  uint64_t read_ = 0;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenNpyRows(const std::string& path, std::string key_field,
                                               std::string vector_field) {
  NpyReader reader = TRY(NpyReader::Open(path));
  return std::make_unique<NpyRows>(std::move(reader), std::move(key_field),
                                   std::move(vector_field));
}

Result<std::unique_ptr<RowSource>> OpenWithVectors(std::unique_ptr<RowSource> rows,
                                                   const std::string& path,
                                                   std::string vector_field) {
  NpyReader vectors = TRY(NpyReader::Open(path));
  return std::make_unique<WithVectors>(std::move(rows), std::move(vectors), path,
                                       std::move(vector_field));
}

}  // namespace roost
