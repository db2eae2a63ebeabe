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
  std::vector<PgStatement> statements(2);
  statements[0] = LimitTime(session.context);
  statements[1].sql = session.table.Upsert(fence.has_value());
  statements[1].params.Raw(0, std::move(encoded));
  TRY(session.connection.Run(session.context, statements, PgEffect::kWrite));
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
  std::vector<PgStatement> statements(2);
  statements[0] = LimitTime(session.context);
  statements[1].sql = session.table.Insert();
  statements[1].params.Raw(0, std::move(encoded));
  auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kWrite));
  for (size_t i = 0; i < results[1].rows(); ++i) {
    first.erase(KeyAt(results[1], i, session.table.schema.key_type));
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
    auto newer = TRY(session.connection.Run(
        session.context,
        "SELECT t.\"_tenant\", t.\"_key\" FROM " + session.table.name +
            " t JOIN unnest($1::text[], $2::" + std::string(session.table.key_array()) +
            ") AS k (a, b) ON t.\"_tenant\" = k.a AND t.\"_key\" = k.b WHERE t.\"_fence\" > $3",
        std::move(params)));
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
  std::vector<PgStatement> statements(2);
  statements[0] = LimitTime(session.context);
  PgParams& params = statements[1].params;
  AddKeys(params, session.table.schema.key_type, keys);
  const std::string& name = session.table.name;
  const std::string wanted =
      "unnest($1::text[], $2::" + std::string(session.table.key_array()) + ") AS k (a, b)";
  const std::string same = "t.\"_tenant\" = k.a AND t.\"_key\" = k.b";
  std::string matching = "NOT t.\"_deleted\"";
  if (request.filter != nullptr) {
    matching = TRY(Where(session, std::nullopt, request.filter, params));
  }
  const std::string bury = "SET " + session.table.Bury();
  if (!fence) {
    // A record that was written with a fence leaves it behind, against older writes on their way.
    statements[1].sql = "WITH buried AS (UPDATE " + name + " t " + bury + " FROM " + wanted +
                        " WHERE " + same + " AND t.\"_fence\" IS NOT NULL AND " + matching +
                        " RETURNING 1), gone AS (DELETE FROM " + name + " t USING " + wanted +
                        " WHERE " + same + " AND t.\"_fence\" IS NULL AND " + matching +
                        " RETURNING 1) SELECT (SELECT count(*) FROM buried) + (SELECT count(*) "
                        "FROM gone)";
  } else {
    const std::string number = "$" + std::to_string(params.Int64(*fence));
    const std::string older = "(t.\"_fence\" IS NULL OR t.\"_fence\" <= " + number + ")";
    const std::string bury_at = bury + ", \"_fence\" = " + number;
    if (request.filter != nullptr) {
      statements[1].sql = "WITH gone AS (UPDATE " + name + " t " + bury_at + " FROM " + wanted +
                          " WHERE " + same + " AND " + older + " AND " + matching +
                          " RETURNING 1) SELECT count(*) FROM gone";
    } else {
      // A tombstone also where nothing was: an older write may still be on its way.
      statements[1].sql =
          "WITH before AS (SELECT t.\"_tenant\" AS a, t.\"_key\" AS b FROM " + name + " t JOIN " +
          wanted + " ON " + same + " WHERE NOT t.\"_deleted\"), gone AS (INSERT INTO " + name +
          " AS t (\"_tenant\", \"_key\", \"_deleted\", \"_buried\", \"_fence\") SELECT k.a, k.b, "
          "true, now(), " +
          number + " FROM " + wanted + " ON CONFLICT (\"_tenant\", \"_key\") DO UPDATE " + bury_at +
          " WHERE " + older +
          " RETURNING t.\"_tenant\" AS a, t.\"_key\" AS b) "
          "SELECT count(*) FROM gone JOIN before USING (a, b)";
    }
  }
  auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kWrite));
  result.deleted = static_cast<uint64_t>(results[1].Int(0, 0));
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
  return With<uint64_t>(
      context, options_.bulk_timeout, collection, [&](const Session& session) -> Result<uint64_t> {
        std::vector<PgStatement> statements(2);
        statements[0] = LimitTime(session.context);
        statements[1].sql =
            "DELETE FROM " + session.table.name + " WHERE \"_deleted\" AND \"_fence\" < $1";
        statements[1].params.Int64(limit);
        auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kWrite));
        return results[1].affected();
      });
}

}  // namespace roost
