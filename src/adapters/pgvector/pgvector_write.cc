// Insert, Upsert, Delete: one transaction a request.

#include <algorithm>
#include <limits>
#include <map>

#include "adapters/pgvector/pgvector_filter.h"
#include "adapters/pgvector/pgvector_impl.h"
#include "store/validate.h"

namespace roost {
namespace {

constexpr size_t kMaxBatchBytes = 768u << 20;  // a parameter has at most 1 GB

Result<std::optional<int64_t>> FenceOf(std::optional<uint64_t> fence) {
  if (!fence) {
    return std::optional<int64_t>();
  }
  if (*fence > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return InvalidArgument("fence " + std::to_string(*fence) + " is above 2^63-1");
  }
  return std::optional<int64_t>(static_cast<int64_t>(*fence));
}

/// By key, so that two batches lock common rows in the same order. Of rows with one key the last
/// stays.
std::vector<const Record*> LastOfEachKey(const std::vector<Record>& records) {
  std::vector<const Record*> rows;
  for (const Record& record : records) {
    rows.push_back(&record);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Record* a, const Record* b) { return a->key < b->key; });
  std::vector<const Record*> last;
  for (const Record* row : rows) {
    if (!last.empty() && last.back()->key == row->key) {
      last.back() = row;
    } else {
      last.push_back(row);
    }
  }
  return last;
}

RecordKey KeyAt(const PgResult& result, size_t row, KeyType type) {
  RecordKey key;
  key.tenant = result.Text(row, 0);
  if (type == KeyType::kInt64) {
    key.key = result.Int(row, 1);
  } else {
    key.key = result.Text(row, 1);
  }
  return key;
}

}  // namespace

Result<std::string> PgStore::EncodeRows(const Session& session, std::vector<const Record*>& rows,
                                        std::optional<int64_t> fence) const {
  PgArrayBuilder array(session.table.row_oid);
  for (const Record* row : rows) {
    TRY(session.table.layout->CheckKey(row->key));
    array.Begin();
    EncodeRow(array.writer(), session.table, *row, fence, server_.sparsevec_oid);
    array.End();
    if (array.writer().size() > kMaxBatchBytes) {
      return InvalidArgument("the batch exceeds " + std::to_string(kMaxBatchBytes >> 20) +
                             " MiB; write it in several");
    }
  }
  return array.Take();
}

Result<PgResult> PgStore::RunLimited(const Session& session, std::vector<PgStatement> statements) {
  statements.insert(statements.begin(), LimitTime(session.context));
  auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kWrite));
  return std::move(results.back());
}

Result<WriteResult> PgStore::UpsertRows(const Session& session, const WriteRequest& request) {
  const std::optional<int64_t> fence = TRY(FenceOf(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.table.schema, capabilities_, records));
  WriteResult result;
  result.written = records.size();
  if (records.empty()) {
    return result;
  }
  std::vector<const Record*> rows = LastOfEachKey(records);
  std::string encoded = TRY(EncodeRows(session, rows, fence));
  TRY(RunLimited(session, session.table.layout->Upsert(std::move(encoded), fence)));
  return result;
}

Result<WriteResult> PgStore::InsertRows(const Session& session, const WriteRequest& request) {
  const std::optional<int64_t> fence = TRY(FenceOf(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.table.schema, capabilities_, records));
  WriteResult result;
  if (records.empty()) {
    return result;
  }
  std::map<RecordKey, size_t> first;
  std::vector<bool> refused(records.size(), false);
  for (size_t i = 0; i < records.size(); ++i) {
    refused[i] = !first.emplace(records[i].key, i).second;
  }
  std::vector<const Record*> rows;
  for (const auto& [key, row] : first) {
    rows.push_back(&records[row]);
  }
  std::string encoded = TRY(EncodeRows(session, rows, fence));
  const PgResult written =
      TRY(RunLimited(session, session.table.layout->Insert(std::move(encoded), fence)));
  for (size_t i = 0; i < written.rows(); ++i) {
    first.erase(KeyAt(written, i, session.table.schema.key_type));
  }
  // What is left was there; where that carries a higher fence, the row counts as written.
  if (fence && !first.empty()) {
    std::vector<RecordKey> left;
    for (const auto& [key, row] : first) {
      left.push_back(key);
    }
    PgParams params;
    AddKeys(params, session.table.schema.key_type, left);
    params.Int64(*fence);
    auto newer = TRY(
        session.connection.Run(session.context, session.table.layout->Newer(), std::move(params)));
    for (size_t i = 0; i < newer.rows(); ++i) {
      first.erase(KeyAt(newer, i, session.table.schema.key_type));
    }
  }
  for (const auto& [key, row] : first) {
    refused[row] = true;
  }
  for (size_t i = 0; i < records.size(); ++i) {
    if (refused[i]) {
      result.errors.push_back(
          {.row = i,
           .error = AlreadyExists("key " + ToString(records[i].key) + " exists already")});
    }
  }
  result.written = records.size() - result.errors.size();
  return result;
}

Result<DeleteResult> PgStore::DeleteRows(const Session& session, const DeleteRequest& request) {
  const std::optional<int64_t> fence = TRY(FenceOf(request.fence));
  TRY(ValidateKeys(session.table.schema, capabilities_, request.keys));
  DeleteResult result;
  if (request.keys.empty()) {
    return result;
  }
  std::vector<RecordKey> keys = request.keys;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  PgParams params;
  AddKeys(params, session.table.schema.key_type, keys);
  std::string matching;
  if (request.filter != nullptr) {
    matching = TRY(Where(session, std::nullopt, request.filter, params));
  }
  const PgResult gone =
      TRY(RunLimited(session, session.table.layout->Delete(std::move(params), matching, fence)));
  result.deleted = static_cast<uint64_t>(gone.Int(0, 0));
  return result;
}

Result<WriteResult> PgStore::Insert(const RequestContext& context, const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return InsertRows(session, request); });
}

Result<WriteResult> PgStore::Upsert(const RequestContext& context, const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return UpsertRows(session, request); });
}

Result<DeleteResult> PgStore::Delete(const RequestContext& context, const DeleteRequest& request) {
  return With<DeleteResult>(context, options_.bulk_timeout, request.collection,
                            [&](const Session& session) { return DeleteRows(session, request); });
}

Result<uint64_t> PgStore::DropTombstones(const RequestContext& context,
                                         const std::string& collection, uint64_t below) {
  const auto limit = static_cast<int64_t>(
      std::min<uint64_t>(below, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
  return With<uint64_t>(context, options_.bulk_timeout, collection,
                        [&](const Session& session) -> Result<uint64_t> {
                          std::vector<PgStatement> statements(1);
                          statements[0].sql = session.table.layout->DropTombstones();
                          statements[0].params.Int64(limit);
                          const PgResult gone = TRY(RunLimited(session, std::move(statements)));
                          return gone.affected();
                        });
}

}  // namespace roost
