#include "adapters/embedded/log_record.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/embedded/codec.h"
#include "adapters/embedded/wal.h"
#include "base/bytes.h"

namespace roost::embedded {

namespace {
constexpr size_t kRowsOffset = kWalRecordHeader + 1 + sizeof(uint32_t);
}

LogRecordBuilder::LogRecordBuilder(LogOp op, uint32_t collection) {
  bytes_.assign(kWalRecordHeader, '\0');
  PutU8(bytes_, static_cast<uint8_t>(op));
  PutU32(bytes_, collection);
  PutU32(bytes_, 0);  // Finish() knows how many.
}

void LogRecordBuilder::AddRecord(const CollectionSchema& schema, const Record& record) {
  EncodeRecord(schema, record, bytes_);
  ++rows_;
}

void LogRecordBuilder::AddKey(const RecordKey& key) {
  EncodeKey(key, bytes_);
  ++rows_;
}

std::string& LogRecordBuilder::Finish() {
  std::memcpy(bytes_.data() + kRowsOffset, &rows_, sizeof(rows_));
  return bytes_;
}

Result<LogRecord> DecodeLogRecord(std::string_view payload) {
  ByteReader reader(payload);
  LogRecord record;
  const uint8_t op = TRY(reader.GetU8());
  if (op != static_cast<uint8_t>(LogOp::kPut) && op != static_cast<uint8_t>(LogOp::kDelete)) {
    return DataLoss("unknown operation " + std::to_string(op));
  }
  record.op = static_cast<LogOp>(op);
  record.collection = TRY(reader.GetU32());
  record.rows = TRY(reader.GetU32());
  record.body = TRY(reader.GetRaw(reader.remaining()));
  return record;
}

Result<std::vector<Record>> DecodeLogRows(const CollectionSchema& schema, const LogRecord& record) {
  ByteReader reader(record.body);
  std::vector<Record> rows;
  // A damaged count must not ask for more memory than the body could fill.
  rows.reserve(std::min<size_t>(record.rows, record.body.size()));
  for (uint32_t i = 0; i < record.rows; ++i) {
    rows.push_back(TRY(DecodeRecord(schema, reader)));
  }
  return rows;
}

Result<std::vector<RecordKey>> DecodeLogKeys(const LogRecord& record) {
  ByteReader reader(record.body);
  std::vector<RecordKey> keys;
  keys.reserve(std::min<size_t>(record.rows, record.body.size()));
  for (uint32_t i = 0; i < record.rows; ++i) {
    keys.push_back(TRY(DecodeKey(reader)));
  }
  return keys;
}

}  // namespace roost::embedded
