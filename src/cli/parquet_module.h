#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// The border to libroost_parquet.so, the one part of Roost that needs the Arrow libraries. The
/// program opens it when a Parquet file is read or written and works without it otherwise. Records
/// cross as the JSON of the REST API. Not thread safe.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual uint64_t rows() const = 0;
  /// What the columns say: fields and vectors that JSON alone does not tell (TIMESTAMP, FLOAT,
  /// dimensions).
  virtual CollectionSchema columns() const = 0;
  /// The schema that ParquetWriter put into the file, as JSON; nullopt in files of others.
  virtual std::optional<std::string> schema_json() const = 0;
  /// Next() gives vectors as base64 of their bytes where a column holds what the field holds.
  virtual void UseBase64(const CollectionSchema& schema) = 0;
  /// The next rows, one JSON object each; empty at the end.
  virtual Result<std::vector<std::string>> Next() = 0;
};

class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  /// Records as JSON objects. What the schema does not name is kept in the column "_dynamic".
  virtual Status Append(std::span<const std::string> records) = 0;
  /// Without it the file is not valid.
  virtual Status Finish() = 0;
};

struct ParquetModule {
  Result<std::unique_ptr<ParquetReader>> (*open)(const std::string& path);
  Result<std::unique_ptr<ParquetWriter>> (*create)(const std::string& path,
                                                   const CollectionSchema& schema,
                                                   const std::string& schema_json);
};

/// The module's one exported symbol: a function that returns its table.
inline constexpr const char* kParquetEntry = "roost_parquet_module";
using ParquetEntry = const ParquetModule* (*)();

/// Opens the module, once. kUnimplemented says where it was looked for and how to get it.
/// ROOST_PARQUET_MODULE in the environment names the file.
Result<const ParquetModule*> LoadParquetModule();

}  // namespace roost
