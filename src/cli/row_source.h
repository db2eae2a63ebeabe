#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// One record on its way into a collection.
struct SourceRow {
  std::string json;     ///< an object on one line, or empty where the row cannot be read
  std::string error;    ///< why not
  uint64_t number = 0;  ///< line of the file, or row, counted from 1
};

/// Records of a file, one after the other, in bounded memory. One thread.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// nullopt at the end. A row that cannot be read is a row with an error; a Result with an error
  /// means that nothing more can be read.
  virtual Result<std::optional<SourceRow>> Next() = 0;
  virtual std::string_view unit() const { return "row"; }  ///< what `number` counts
  virtual std::optional<uint64_t> total() const { return std::nullopt; }
  /// How much of the file is read, 0 to 1.
  virtual double fraction() const { return 0; }
  /// What the file itself says of its records: a whole schema, or types of some fields. The name is
  /// empty. nullopt: nothing.
  virtual std::optional<CollectionSchema> schema() const { return std::nullopt; }
  /// True where schema() is all there is to know (a file that Roost wrote).
  virtual bool schema_is_complete() const { return false; }
  /// Called once before rows are sent: vectors may now be written in the collection's own form.
  virtual void UseSchema(const CollectionSchema&) {}
};

/// Lines of JSON, plain or compressed by gzip; "-" is standard input.
Result<std::unique_ptr<RowSource>> OpenJsonLines(const std::string& path);

/// The rows of a .npy matrix as {key: row number from 0, field: vector}.
Result<std::unique_ptr<RowSource>> OpenNpyRows(const std::string& path, std::string key_field,
                                               std::string vector_field);

/// Each row of `rows` with the vector of the same row of a .npy file added under `vector_field`.
/// The end of one before the end of the other is an error.
Result<std::unique_ptr<RowSource>> OpenWithVectors(std::unique_ptr<RowSource> rows,
                                                   const std::string& path,
                                                   std::string vector_field);

/// Rows of a Parquet file. kUnimplemented says what is missing where Roost was built without it.
Result<std::unique_ptr<RowSource>> OpenParquetRows(const std::string& path);

/// "jsonl", "parquet" or "npy" by the file's name; jsonl where it tells nothing.
std::string_view FormatOfName(std::string_view path);

}  // namespace roost
