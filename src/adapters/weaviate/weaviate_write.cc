// Insert, Upsert, Delete.

#include <algorithm>
#include <map>
#include <set>

#include <v1/base.pb.h>
#include <v1/batch.pb.h>
#include <v1/batch_delete.pb.h>

#include "adapters/weaviate/weaviate_impl.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

constexpr size_t kIdsPerDelete = 1'000;

Status RefuseFence(const std::optional<uint64_t>& fence) {
  if (fence) {
    return Unimplemented(
        "Weaviate has no conditional writes, so it cannot hold off older writes by a fence");
  }
  return {};
}

}  // namespace

Result<KeyLocks::Hold> WeaviateStore::Lock(const Session& session,
                                           std::span<const RecordKey> keys) {
  std::vector<const RecordKey*> pointers;
  pointers.reserve(keys.size());
  for (const RecordKey& key : keys) {
    pointers.push_back(&key);
  }
  return key_locks_.Acquire(session.context, session.table.class_name, pointers,
                            KeyLocks::Mode::kExclusive);
}

std::optional<Error> WeaviateStore::Settle(const Session& session, const Record& row,
                                           const std::string& message) {
  // "Failed" does not mean that nothing was stored. So: once more, and then away with it.
  pb::BatchObjectsRequest request;
  session.table.format->Encode(session.table, row, *request.add_objects());
  auto again = client_->BatchObjects(session.context, request);
  if (again.ok() && again->errors_size() == 0) {
    return std::nullopt;
  }
  Error error{.code = CodeOfMessage(message, Code::kInternal),
              .message = "Weaviate at " + client_->address() + " did not store " +
                         ToString(row.key) + ": " + message};
  error.message += AdviceFor(error);
  const std::vector<ObjectId> ids = {session.table.format->IdOf(row.key.key).value()};
  const auto found = Find(session, row.key.tenant, ids, {.vectors = true});
  if (!found.ok()) {
    error.outcome_unknown = true;
  } else if (!found->empty() && SameRecord(found->front().record, row)) {
    const auto gone = DeleteIds(session, row.key.tenant, ids);
    error.outcome_unknown = !gone.ok();
    error.message += gone.ok() ? "; what it had stored of it all the same was deleted" : "";
  }
  return error;
}

Status WeaviateStore::WriteBatch(const Session& session, std::span<const Record* const> rows,
                                 std::span<const size_t> numbers, std::vector<RowError>& errors) {
  pb::BatchObjectsRequest request;
  for (const Record* row : rows) {
    session.table.format->Encode(session.table, *row, *request.add_objects());
  }
  auto reply = TRY(client_->BatchObjects(session.context, request));
  std::map<size_t, std::string> failed;
  for (const auto& error : reply.errors()) {
    if (error.index() >= 0 && static_cast<size_t>(error.index()) < rows.size()) {
      failed[static_cast<size_t>(error.index())] = error.error();
    }
  }
  for (const auto& [index, message] : failed) {
    if (auto error = Settle(session, *rows[index], message)) {
      errors.push_back({.row = numbers[index], .error = *std::move(error)});
    }
  }
  return {};
}

Status WeaviateStore::WriteRows(const Session& session, const std::vector<const Record*>& rows,
                                const std::vector<size_t>& numbers, std::vector<RowError>& errors) {
  for (size_t start = 0; start < rows.size();) {
    size_t end = start;
    uint64_t bytes = 0;
    while (end < rows.size() && end - start < options_.batch_rows &&
           (end == start || bytes < options_.batch_bytes)) {
      for (const auto& [name, vector] : rows[end]->vectors) {
        bytes += vector.dimension() * sizeof(float);
      }
      for (const auto& [name, value] : rows[end]->fields) {
        const auto* text = std::get_if<std::string>(&value);
        bytes += 16 + (text == nullptr ? 0 : 2 * text->size());
      }
      ++end;
    }
    Status written = WriteBatch(session, std::span(rows).subspan(start, end - start),
                                std::span(numbers).subspan(start, end - start), errors);
    if (!written.ok()) {
      Error error = std::move(written).error();
      // A part of the request is written.
      error.outcome_unknown = error.outcome_unknown || start > 0;
      return error;
    }
    start = end;
  }
  std::sort(errors.begin(), errors.end(),
            [](const RowError& a, const RowError& b) { return a.row < b.row; });
  return {};
}

Result<WriteResult> WeaviateStore::UpsertRows(const Session& session, const WriteRequest& request) {
  TRY(RefuseFence(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.table.schema, capabilities_, records));
  for (const Record& record : records) {
    TRY(session.table.format->CheckWrite(session.table, record));
  }
  WriteResult result;
  std::map<RecordKey, size_t> last;
  for (size_t i = 0; i < records.size(); ++i) {
    last[records[i].key] = i;
  }
  std::vector<RecordKey> keys;
  std::vector<const Record*> rows;
  std::vector<size_t> numbers;
  for (const auto& [key, row] : last) {
    keys.push_back(key);
    rows.push_back(&records[row]);
    numbers.push_back(row);
  }
  const auto hold = TRY(Lock(session, keys));
  TRY(WriteRows(session, rows, numbers, result.errors));
  result.written = records.size() - result.errors.size();
  return result;
}

Result<WriteResult> WeaviateStore::InsertRows(const Session& session, const WriteRequest& request) {
  TRY(RefuseFence(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.table.schema, capabilities_, records));
  for (const Record& record : records) {
    TRY(session.table.format->CheckWrite(session.table, record));
  }
  WriteResult result;
  std::map<RecordKey, size_t> first;
  std::vector<bool> refused(records.size(), false);
  for (size_t i = 0; i < records.size(); ++i) {
    refused[i] = !first.emplace(records[i].key, i).second;
  }
  std::map<std::string, std::vector<ObjectId>> ids;
  std::vector<RecordKey> keys;
  for (const auto& [key, row] : first) {
    keys.push_back(key);
    ids[key.tenant].push_back(session.table.format->IdOf(key.key).value());
  }
  const auto hold = TRY(Lock(session, keys));
  for (auto& [tenant, of_tenant] : ids) {
    std::sort(of_tenant.begin(), of_tenant.end());
    for (const Row& row : TRY(Find(session, tenant, of_tenant, {.scalars = false}))) {
      const auto found = first.find(row.record.key);
      if (found != first.end()) {
        refused[found->second] = true;
        first.erase(found);
      }
    }
  }
  std::vector<const Record*> rows;
  std::vector<size_t> numbers;
  for (const auto& [key, row] : first) {
    rows.push_back(&records[row]);
    numbers.push_back(row);
  }
  for (size_t i = 0; i < records.size(); ++i) {
    if (refused[i]) {
      result.errors.push_back(
          {.row = i,
           .error = AlreadyExists("key " + ToString(records[i].key) + " exists already")});
    }
  }
  TRY(WriteRows(session, rows, numbers, result.errors));
  result.written = records.size() - result.errors.size();
  return result;
}

Result<uint64_t> WeaviateStore::DeleteIds(const Session& session, const std::string& tenant,
                                          std::span<const ObjectId> ids) {
  uint64_t deleted = 0;
  for (size_t start = 0; start < ids.size(); start += kIdsPerDelete) {
    pb::BatchDeleteRequest request;
    request.set_collection(session.table.class_name);
    if (session.table.schema.multi_tenant()) {
      request.set_tenant(session.table.format->TenantName(tenant));
    }
    auto& filter = *request.mutable_filters();
    filter.set_operator_(pb::Filters::OPERATOR_CONTAINS_ANY);
    filter.mutable_target()->set_property("_id");
    for (const ObjectId& id : ids.subspan(start, std::min(kIdsPerDelete, ids.size() - start))) {
      filter.mutable_value_text_array()->add_values(id.ToString());
    }
    // One call deletes QUERY_MAXIMUM_RESULTS objects at most, whatever matches.
    while (true) {
      auto reply = client_->BatchDelete(session.context, request);
      if (!reply.ok()) {
        if (IsAbsentTenant(reply.error())) {
          return deleted;
        }
        Error error = std::move(reply).error();
        error.outcome_unknown = error.outcome_unknown || deleted > 0;
        return error;
      }
      deleted += static_cast<uint64_t>(reply->successful());
      if (reply->failed() > 0) {
        Error error = Internal("Weaviate could not delete " + std::to_string(reply->failed()) +
                               " of " + std::to_string(reply->matches()) + " objects; try again");
        error.outcome_unknown = true;
        return error;
      }
      if (reply->matches() <= reply->successful() || reply->successful() == 0) {
        break;
      }
    }
  }
  return deleted;
}

Result<DeleteResult> WeaviateStore::DeleteRows(const Session& session,
                                               const DeleteRequest& request) {
  TRY(RefuseFence(request.fence));
  TRY(ValidateKeys(session.table.schema, capabilities_, request.keys));
  DeleteResult result;
  const auto hold = TRY(Lock(session, request.keys));
  std::map<std::string, std::set<ObjectId>> ids;
  for (const RecordKey& key : request.keys) {
    if (const auto id = session.table.format->IdOf(key.key)) {
      ids[key.tenant].insert(*id);
    }
  }
  for (const auto& [tenant, unique] : ids) {
    std::vector<ObjectId> of_tenant(unique.begin(), unique.end());
    if (request.filter != nullptr) {
      auto rows = TRY(Find(session, tenant, of_tenant, {}));
      of_tenant.clear();
      for (const Row& row : rows) {
        if (Matches(request.filter.get(), row.record)) {
          of_tenant.push_back(row.id);
        }
      }
    }
    result.deleted += TRY(DeleteIds(session, tenant, of_tenant));
  }
  return result;
}

Result<WriteResult> WeaviateStore::Insert(const RequestContext& context,
                                          const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection, true,
                           [&](const Session& session) { return InsertRows(session, request); });
}

Result<WriteResult> WeaviateStore::Upsert(const RequestContext& context,
                                          const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection, true,
                           [&](const Session& session) { return UpsertRows(session, request); });
}

Result<DeleteResult> WeaviateStore::Delete(const RequestContext& context,
                                           const DeleteRequest& request) {
  return With<DeleteResult>(context, options_.bulk_timeout, request.collection, true,
                            [&](const Session& session) { return DeleteRows(session, request); });
}

}  // namespace roost
