#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// Where exported records go. One thread.
class RowSink {
 public:
  virtual ~RowSink() = default;
  /// Records as the server's JSON objects.
  virtual Status Write(std::span<const std::string> records) = 0;
  /// Makes the file complete and durable under its own name. Without it no file is left behind.
  virtual Status Finish() = 0;
};

struct SinkOptions {
  std::string path;          ///< empty or "-": standard output (jsonl only)
  std::string format;        ///< "jsonl", "parquet", "npy"
  std::string vector_field;  ///< of npy; empty: the only one
  std::string rows_path;     ///< of npy: the rest of each record goes there as JSON lines
};

/// Writes beside the file and puts it into its place at the end, so that nobody sees half a file.
Result<std::unique_ptr<RowSink>> MakeRowSink(const SinkOptions& options,
                                             const CollectionSchema& schema,
                                             const std::string& schema_json);

/// The records of a reply ({"records": […]}) as they stand there.
Result<std::vector<std::string>> SplitRecords(const std::string& reply);

}  // namespace roost
