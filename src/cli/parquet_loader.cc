#include <climits>
#include <cstdlib>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/strings.h"
#include "cli/parquet_module.h"
#include "cli/row_source.h"
#include "store/schema_json.h"

namespace roost {

namespace {

constexpr const char* kModuleFile = "libroost_parquet.so";

std::string ProgramFolder() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? ParentPath(std::string(path, static_cast<size_t>(length))) : ".";
}

std::vector<std::string> Places() {
  if (const char* named = std::getenv("ROOST_PARQUET_MODULE")) {
    return {named};
  }
  const std::string folder = ProgramFolder();
  return {JoinPath(folder, kModuleFile), JoinPath(folder, std::string("../lib/") + kModuleFile),
          JoinPath(folder, std::string("../lib/roost/") + kModuleFile)};
}

Result<const ParquetModule*> Open() {
  std::string why;
  for (const std::string& place : Places()) {
    if (::access(place.c_str(), R_OK) != 0) {
      continue;
    }
    // Never closed: its libraries keep threads and thread-local state.
    void* module = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* entry = module == nullptr ? nullptr : ::dlsym(module, kParquetEntry);
    if (entry != nullptr) {
      return reinterpret_cast<ParquetEntry>(entry)();
    }
    why = fmt::format("{} does not load: {}", place, ::dlerror());
    break;
  }
  if (why.empty()) {
    why = fmt::format("{} is not there (looked for: {})", kModuleFile, Join(Places(), ", "));
  }
  return Unimplemented(fmt::format(
      "this Roost cannot read or write Parquet: {}. It is built when the Python that CMake finds "
      "(ROOST_PYTHON) has pyarrow 20; or use JSON lines",
      why));
}

class ParquetRows final : public RowSource {
 public:
  explicit ParquetRows(std::unique_ptr<ParquetReader> reader) : reader_(std::move(reader)) {
    const std::optional<std::string> json = reader_->schema_json();
    if (json) {
      Result<CollectionSchema> schema = SchemaFromJson(*json);
      if (schema.ok()) {
        schema_ = *std::move(schema);
        complete_ = true;
        return;
      }
    }
    schema_ = reader_->columns();
  }

  Result<std::optional<SourceRow>> Next() override {
    if (at_ == rows_.size()) {
      rows_ = TRY(reader_->Next());
      at_ = 0;
    }
    if (rows_.empty()) {
      return std::optional<SourceRow>();
    }
    return std::optional(
        SourceRow{.json = std::move(rows_[at_++]), .error = {}, .number = ++number_});
  }

  std::optional<uint64_t> total() const override { return reader_->rows(); }
  std::optional<CollectionSchema> schema() const override { return schema_; }
  bool schema_is_complete() const override { return complete_; }

  void UseSchema(const CollectionSchema& schema) override { reader_->UseBase64(schema); }

 private:
  const std::unique_ptr<ParquetReader> reader_;
  CollectionSchema schema_;
  bool complete_ = false;
  std::vector<std::string> rows_;
  size_t at_ = 0;
  uint64_t number_ = 0;
};

}  // namespace

Result<const ParquetModule*> LoadParquetModule() {
  static const Result<const ParquetModule*> kModule = Open();
  return kModule;
}

Result<std::unique_ptr<RowSource>> OpenParquetRows(const std::string& path) {
  const ParquetModule* module = TRY(LoadParquetModule());
  std::unique_ptr<ParquetReader> reader = TRY(module->open(path));
  return std::make_unique<ParquetRows>(std::move(reader));
}

}  // namespace roost
