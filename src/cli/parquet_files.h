#pragma once

#include <memory>
#include <string>

#include "cli/parquet_module.h"

namespace roost {

/// Names in the files that Roost writes.
inline constexpr const char* kParquetSchemaKey = "roost.schema";  ///< of the file
inline constexpr const char* kParquetJsonKey = "roost.json";      ///< of a column of JSON texts
inline constexpr const char* kParquetDynamicColumn = "_dynamic";  ///< undeclared fields

Result<std::unique_ptr<ParquetReader>> OpenParquetFile(const std::string& path);
Result<std::unique_ptr<ParquetWriter>> CreateParquetFile(const std::string& path,
                                                         const CollectionSchema& schema,
                                                         const std::string& schema_json);

}  // namespace roost
