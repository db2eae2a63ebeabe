#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

// What a record of the log says: one write to one collection, all or nothing.

enum class LogOp : uint8_t { kPut = 1, kDelete = 2 };

/// Builds a record with room for the log's header in front.
class LogRecordBuilder {
 public:
  LogRecordBuilder(LogOp op, uint32_t collection);
  void AddRecord(const CollectionSchema& schema, const Record& record);
  void AddKey(const RecordKey& key);
  uint32_t rows() const { return rows_; }
  /// Ready for Wal::Append.
  std::string& Finish();

 private:
  std::string bytes_;
  uint32_t rows_ = 0;
};

struct LogRecord {
  LogOp op = LogOp::kPut;
  uint32_t collection = 0;
  uint32_t rows = 0;
  std::string_view body;
};
/// The collection says how the body is to be read.
Result<LogRecord> DecodeLogRecord(std::string_view payload);
Result<std::vector<Record>> DecodeLogRows(const CollectionSchema& schema, const LogRecord& record);
Result<std::vector<RecordKey>> DecodeLogKeys(const LogRecord& record);

}  // namespace roost::embedded
