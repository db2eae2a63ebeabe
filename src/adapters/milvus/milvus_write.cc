// Upsert, Insert, Delete.

#include <algorithm>
#include <map>
#include <set>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"
#include "adapters/milvus/milvus_key.h"
#include "adapters/milvus/milvus_with.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

/// Calls that look for the bad rows of one refused batch.
constexpr size_t kMaxPieces = 64;
constexpr size_t kMaxKeysPerCall = 4'096;
constexpr size_t kMaxKeyBytesPerCall = 1u << 20;

Status RefuseFence(const std::optional<uint64_t>& fence) {
  if (fence) {
    return Unimplemented(
        "Milvus has no conditional write, so the milvus store has no fenced writes");
  }
  return {};
}

size_t KeyBytes(const RecordKey& key) {
  const auto* text = std::get_if<std::string>(&key.key);
  return key.tenant.size() + (text == nullptr ? 20 : text->size());
}

std::vector<const RecordKey*> KeysOf(const std::vector<Record>& records) {
  std::vector<const RecordKey*> keys;
  keys.reserve(records.size());
  for (const Record& record : records) {
    keys.push_back(&record.key);
  }
  return keys;
}

}  // namespace

Status MilvusStore::SendRows(const Session& session, std::span<const PendingRow> rows) {
  pb::UpsertRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(session.layout.name);
  request.set_num_rows(static_cast<uint32_t>(rows.size()));
  std::vector<const Record*> records;
  records.reserve(rows.size());
  for (const PendingRow& row : rows) {
    records.push_back(row.record);
  }
  EncodeRows(session.layout, records, *request.mutable_fields_data());
  const auto reply = TRY(CallMilvus<pb::MutationResult>(
      *server_.client, server_.name, session.context, "Upsert", request, GrpcEffect::kWrite));
  if (reply.err_index_size() > 0) {
    Error error =
        Internal(server_.name + " wrote only a part of " + std::to_string(rows.size()) + " rows");
    error.outcome_unknown = true;
    return error;
  }
  return {};
}

void MilvusStore::WritePieces(const Session& session, std::span<const PendingRow> rows, Error first,
                              std::vector<Failure>& failures) {
  struct Piece {
    std::span<const PendingRow> rows;
    Error error;
  };
  std::vector<Piece> refused = {{.rows = rows, .error = std::move(first)}};
  for (size_t calls = 0; !refused.empty();) {
    const Piece piece = std::move(refused.back());
    refused.pop_back();
    const bool split = IsTooLarge(piece.error) || piece.error.code == Code::kInvalidArgument;
    if (piece.rows.size() < 2 || !split || calls + 2 > kMaxPieces) {
      for (const PendingRow& row : piece.rows) {
        failures.push_back({.row = row.row, .error = piece.error});
      }
      continue;
    }
    const size_t half = piece.rows.size() / 2;
    for (const auto part : {piece.rows.subspan(0, half), piece.rows.subspan(half)}) {
      ++calls;
      if (Status sent = SendRows(session, part); !sent.ok()) {
        refused.push_back({.rows = part, .error = sent.error()});
      }
    }
  }
}

Result<std::vector<MilvusStore::Failure>> MilvusStore::WriteRows(const Session& session,
                                                                 std::span<const PendingRow> rows) {
  std::vector<Failure> failures;
  for (size_t from = 0; from < rows.size();) {
    uint64_t bytes = 0;
    size_t count = 0;
    while (from + count < rows.size() && count < options_.batch_rows) {
      const uint64_t next = EncodedBytes(session.layout, *rows[from + count].record);
      if (count > 0 && bytes + next > options_.batch_bytes) {
        break;
      }
      bytes += next;
      ++count;
    }
    const auto batch = rows.subspan(from, count);
    const Status sent = SendRows(session, batch);
    if (!sent.ok()) {
      const Error& error = sent.error();
      const bool refused = IsTooLarge(error) || error.code == Code::kInvalidArgument;
      if (from == 0) {
        // Nothing was written yet: the call may fail as a whole, and be tried again when the
        // collection is another than we thought.
        if (!refused || count == 1 || IsNotLoaded(error)) {
          return error;
        }
        const Result<bool> current = catalogue_.IsCurrent(session.context, session.layout);
        if (!current.ok() || !*current) {
          return error;
        }
      }
      if (!refused) {
        for (const PendingRow& row : rows.subspan(from)) {
          const bool sent_already = &row < &batch.back() + 1;
          Error own = error;
          own.outcome_unknown = own.outcome_unknown && sent_already;
          failures.push_back({.row = row.row, .error = std::move(own)});
        }
        return failures;
      }
      WritePieces(session, batch, error, failures);
    }
    from += count;
  }
  return failures;
}

Result<WriteResult> MilvusStore::UpsertRows(const Session& session, const WriteRequest& request) {
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.layout.schema, capabilities_, records));
  TRY(CheckLimits(session.layout, records));
  // Milvus keeps both of two rows with one key in a batch, and shows the first.
  std::map<RecordKey, size_t> last;
  for (size_t row = 0; row < records.size(); ++row) {
    last[records[row].key] = row;
  }
  std::vector<PendingRow> rows;
  for (size_t row = 0; row < records.size(); ++row) {
    if (last[records[row].key] == row) {
      rows.push_back({.row = row, .record = &records[row]});
    }
  }
  const auto keys = KeysOf(records);
  const auto hold =
      TRY(locks_.Acquire(session.context, session.layout.name, keys, KeyLocks::Mode::kShared));
  const std::vector<Failure> failures = TRY(WriteRows(session, rows));
  std::map<size_t, const Error*> failed;
  for (const Failure& failure : failures) {
    failed[failure.row] = &failure.error;
  }
  WriteResult result;
  for (size_t row = 0; row < records.size(); ++row) {
    const auto found = failed.find(last[records[row].key]);
    if (found == failed.end()) {
      ++result.written;
    } else {
      result.errors.push_back({.row = row, .error = *found->second});
    }
  }
  return result;
}

Result<std::vector<RecordKey>> MilvusStore::KeysThere(const Session& session,
                                                      std::span<const RecordKey* const> keys) {
  const MilvusColumn* const key_column[] = {&session.layout.columns[0]};
  const ReadPoint point = TRY(SharedPoint(session.context, Consistency::kStrong));
  auto found = TRY(FetchKeys(session, keys, "", key_column, point));
  std::vector<RecordKey> there;
  for (Record& record : found) {
    there.push_back(std::move(record.key));
  }
  return there;
}

Result<WriteResult> MilvusStore::InsertRows(const Session& session, const WriteRequest& request) {
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.layout.schema, capabilities_, records));
  TRY(CheckLimits(session.layout, records));
  const auto keys = KeysOf(records);
  const auto hold =
      TRY(locks_.Acquire(session.context, session.layout.name, keys, KeyLocks::Mode::kExclusive));
  const std::vector<RecordKey> there = TRY(KeysThere(session, keys));
  std::set<RecordKey> taken(there.begin(), there.end());
  std::map<size_t, Error> errors;
  std::vector<PendingRow> rows;
  for (size_t row = 0; row < records.size(); ++row) {
    if (taken.insert(records[row].key).second) {
      rows.push_back({.row = row, .record = &records[row]});
    } else {
      errors.emplace(
          row, AlreadyExists("row " + std::to_string(row) + ": key " + ToString(records[row].key) +
                             " exists; upsert replaces records"));
    }
  }
  for (Failure& failure : TRY(WriteRows(session, rows))) {
    errors.emplace(failure.row, std::move(failure.error));
  }
  WriteResult result;
  result.written = records.size() - errors.size();
  for (auto& [row, error] : errors) {
    result.errors.push_back({.row = row, .error = std::move(error)});
  }
  return result;
}

Status MilvusStore::DeleteKeys(const Session& session, std::span<const RecordKey> keys,
                               size_t& deleted) {
  for (size_t from = 0; from < keys.size();) {
    std::vector<int64_t> integers;
    std::string texts;
    size_t count = 0;
    size_t bytes = 0;
    while (from + count < keys.size() && count < kMaxKeysPerCall && bytes < kMaxKeyBytesPerCall) {
      const RecordKey& key = keys[from + count++];
      bytes += KeyBytes(key);
      const Key stored = StoredKey(session.layout, key);
      if (const auto* integer = std::get_if<int64_t>(&stored)) {
        integers.push_back(*integer);
      } else {
        texts += (texts.empty() ? "" : ",") + MilvusString(std::get<std::string>(stored));
      }
    }
    pb::DeleteRequest request;
    request.set_db_name(server_.database);
    request.set_collection_name(session.layout.name);
    request.set_expr(integers.empty() ? session.layout.key_name() + " in [" + texts + "]"
                                      : IntegersIn(session.layout.key_name(), integers));
    TRY(CallMilvus<pb::MutationResult>(*server_.client, server_.name, session.context, "Delete",
                                       request, GrpcEffect::kWrite));
    from += count;
    deleted = from;
  }
  return {};
}

Result<DeleteResult> MilvusStore::DeleteRows(const Session& session, const DeleteRequest& request) {
  TRY(ValidateKeys(session.layout.schema, capabilities_, request.keys));
  std::set<RecordKey> unique(request.keys.begin(), request.keys.end());
  std::vector<RecordKey> keys(unique.begin(), unique.end());
  std::vector<const RecordKey*> pointers;
  for (const RecordKey& key : keys) {
    pointers.push_back(&key);
  }
  // With a filter nobody else of this process may change the records between look and delete.
  const auto hold = TRY(locks_.Acquire(
      session.context, session.layout.name, pointers,
      request.filter == nullptr ? KeyLocks::Mode::kShared : KeyLocks::Mode::kExclusive));
  if (request.filter != nullptr) {
    const MilvusFilter filter = TRY(Translate(session, std::nullopt, request.filter));
    std::vector<RecordKey> matching;
    if (!filter.nothing) {
      const ReadPoint point = TRY(SharedPoint(session.context, Consistency::kStrong));
      const auto columns = session.layout.Selected(filter.needed);
      for (Record& record : TRY(FetchKeys(session, pointers, filter.text, columns, point))) {
        if (filter.exact || Matches(request.filter.get(), record)) {
          matching.push_back(std::move(record.key));
        }
      }
    }
    keys = std::move(matching);
  }
  DeleteResult result;
  size_t deleted = 0;
  const Status done = DeleteKeys(session, keys, deleted);
  result.deleted = deleted;
  if (!done.ok()) {
    if (deleted == 0) {
      return done.error();
    }
    const std::set<RecordKey> left(keys.begin() + static_cast<ptrdiff_t>(deleted), keys.end());
    for (size_t row = 0; row < request.keys.size(); ++row) {
      if (left.contains(request.keys[row])) {
        result.errors.push_back({.row = row, .error = done.error()});
      }
    }
  }
  return result;
}

Result<WriteResult> MilvusStore::Upsert(const RequestContext& context,
                                        const WriteRequest& request) {
  TRY(RefuseFence(request.fence));
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return UpsertRows(session, request); });
}

Result<WriteResult> MilvusStore::Insert(const RequestContext& context,
                                        const WriteRequest& request) {
  TRY(RefuseFence(request.fence));
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return InsertRows(session, request); });
}

Result<DeleteResult> MilvusStore::Delete(const RequestContext& context,
                                         const DeleteRequest& request) {
  TRY(RefuseFence(request.fence));
  return With<DeleteResult>(context, options_.bulk_timeout, request.collection,
                            [&](const Session& session) { return DeleteRows(session, request); });
}

}  // namespace roost
