// The operations that change records.
#include <algorithm>

#include <fmt/format.h>

#include "gateway/records/flat_record.h"
#include "gateway/records/record_service.h"

namespace roost {

namespace {

namespace f = record_field;

// What a write needs to know of the record that it replaces.
OutputFields Bookkeeping() {
  return {.all_scalars = false,
          .fields = {std::string(f::kType), std::string(f::kCreated), std::string(f::kModified),
                     std::string(f::kDevice), std::string(f::kDeviceId), std::string(f::kDeleted),
                     std::string(f::kPendingPaths), std::string(f::kS3Path)},
          .vectors = false};
}

std::vector<std::string> IdsOf(const std::vector<Record>& records) {
  std::vector<std::string> ids;
  ids.reserve(records.size());
  for (const Record& record : records) {
    ids.push_back(std::get<std::string>(record.key.key));
  }
  return ids;
}

// A record keeps when it was made and what the delete hook still has to be told, but not an object
// that it points to again.
void TakeOver(Record& record, const Record& stored) {
  if (!IsDeletion(stored)) {
    if (const int64_t created = MicrosOf(stored, f::kCreated); created != 0) {
      SetMicros(record, f::kCreated, created);
    }
  }
  for (const std::string& path : PendingPathsOf(stored)) {
    AddPendingPath(record, path);
  }
  RemovePendingPath(record, TextOf(record, f::kS3Path));
}

Status CheckIds(const std::vector<std::string>& ids, size_t most) {
  if (ids.size() > most) {
    return InvalidArgument(fmt::format(
        "{} ids are more than one request takes ({}); ask in several", ids.size(), most));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].empty()) {
      return InvalidArgument(fmt::format("id {} is empty", i));
    }
  }
  return {};
}

}  // namespace

Status RecordService::WriteOne(const RequestContext& context, const std::string& collection,
                               Record record) {
  WriteRequest write{.collection = collection, .records = {}, .fence = {}};
  write.records.push_back(std::move(record));
  const WriteResult result =
      TRY(gateway_.Upsert(context.WithTimeout(options_.write_timeout), write));
  if (!result.errors.empty()) {
    return result.errors.front().error;
  }
  return {};
}

Status RecordService::InsertRecord(const RequestContext& context, const RecordScope& scope,
                                   RecordBatch batch) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(Prepare(layout, scope, batch));
  if (batch.records.size() != 1) {
    return InvalidArgument("insert_record takes one record; upsert_records takes many");
  }
  if (batch.check_only) {
    return {};
  }
  Record& record = batch.records.front();
  const std::vector<std::string> ids = IdsOf(batch.records);
  const KeyLocks::Hold hold = TRY(Lock(context, scope, ids));
  const Stored stored = TRY(Read(context, scope, ids, Bookkeeping()));
  if (stored.front() && !IsDeletion(*stored.front())) {
    return AlreadyExists(fmt::format("record {} is there already; upsert_records replaces it",
                                     ToString(record.key)));
  }
  const int64_t stamp = Stamp(1);
  SetOrigin(record, batch.origin, stamp);
  SetMicros(record, f::kCreated, stamp);
  if (stored.front()) {
    TakeOver(record, *stored.front());
    return WriteOne(context, scope.collection, std::move(record));
  }
  WriteRequest write{.collection = scope.collection, .records = {}, .fence = {}};
  write.records.push_back(std::move(record));
  const WriteResult result =
      TRY(gateway_.Insert(context.WithTimeout(options_.write_timeout), write));
  if (!result.errors.empty()) {
    return result.errors.front().error;
  }
  return {};
}

Result<WriteResult> RecordService::UpsertRecords(const RequestContext& context,
                                                 const RecordScope& scope, RecordBatch batch) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(Prepare(layout, scope, batch));
  WriteResult total;
  if (batch.check_only) {
    return total;
  }
  for (size_t begin = 0; begin < batch.records.size(); begin += options_.batch_rows) {
    const size_t end = std::min(batch.records.size(), begin + options_.batch_rows);
    std::vector<Record> part(
        std::make_move_iterator(batch.records.begin() + static_cast<std::ptrdiff_t>(begin)),
        std::make_move_iterator(batch.records.begin() + static_cast<std::ptrdiff_t>(end)));
    Result<WriteResult> written = WriteBatch(context, scope, batch.origin, std::move(part));
    if (!written.ok()) {
      return begin == 0 ? written.error()
                        : written.error().Within(fmt::format(
                              "{} of {} records are written; the same call again goes on",
                              total.written, batch.records.size()));
    }
    total.written += written->written;
    for (RowError& error : written->errors) {
      error.row += begin;
      total.errors.push_back(std::move(error));
    }
  }
  return total;
}

Result<WriteResult> RecordService::WriteBatch(const RequestContext& context,
                                              const RecordScope& scope, const RecordOrigin& origin,
                                              std::vector<Record> records) {
  const std::vector<std::string> ids = IdsOf(records);
  const KeyLocks::Hold hold = TRY(Lock(context, scope, ids));
  const Stored stored = TRY(Read(context, scope, ids, Bookkeeping()));
  // The stamps are taken when nobody else writes these keys: a key's stamps rise in the order of
  // its writes.
  int64_t stamp = Stamp(records.size());
  for (size_t i = 0; i < records.size(); ++i, ++stamp) {
    SetOrigin(records[i], origin, stamp);
    SetMicros(records[i], f::kCreated, stamp);
    if (stored[i]) {
      TakeOver(records[i], *stored[i]);
    }
  }
  const WriteRequest write{
      .collection = scope.collection, .records = std::move(records), .fence = {}};
  return gateway_.Upsert(context.WithTimeout(options_.write_timeout), write);
}

Result<Record> RecordService::UpdateRecord(const RequestContext& context, const RecordScope& scope,
                                           RecordUpdate update) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckIds({update.unique_id}, 1));
  const KeyLocks::Hold hold = TRY(Lock(context, scope, {update.unique_id}));
  Stored stored = TRY(Read(context, scope, {update.unique_id}, {.vectors = true}));
  if (!stored.front() || IsDeletion(*stored.front())) {
    return NotFound(fmt::format("there is no record \"{}\" of tenant \"{}\" in \"{}\"",
                                update.unique_id, scope.tenant, scope.collection));
  }
  const Record& before = *stored.front();
  RecordBatch merged{
      .type = std::string(TextOf(before, f::kType)), .records = {}, .origin = update.origin};
  Record record;
  record.key = before.key;
  record.dynamic = before.dynamic;
  record.vectors = before.vectors;
  for (const auto& [name, value] : before.fields) {
    if (!IsReservedProperty(name)) {
      record.fields.insert_or_assign(name, value);
    }
  }
  record = TRY(MergeProperties(std::move(record), update.properties));
  if (update.vector) {
    record.vectors.insert_or_assign(std::string(f::kVector), *std::move(update.vector));
  }
  merged.records.push_back(std::move(record));
  TRY(Prepare(layout, scope, merged));
  Record& after = merged.records.front();
  TakeOver(after, before);
  SetOrigin(after, update.origin, Stamp(1));
  if (update.origin.long_job_id.empty()) {
    SetText(after, f::kJob, TextOf(before, f::kJob));
  }
  // Beneath this device's change lies one by another device, of which this one may not know yet.
  const bool same =
      !update.origin.device_id.empty() && update.origin.device_id == TextOf(before, f::kDeviceId);
  const int64_t other = MicrosOf(before, same ? f::kOtherModified : f::kModified);
  if (other != 0) {
    SetMicros(after, f::kOtherModified, other);
  }
  TRY(WriteOne(context, scope.collection, after));
  return std::move(after);
}

Result<uint64_t> RecordService::DeleteRecords(const RequestContext& context,
                                              const RecordScope& scope,
                                              const RecordDeletion& deletion) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckIds(deletion.ids, options_.max_ids));
  if (!deletion.record_type.empty()) {
    TRY(layout.kinds->Find(deletion.record_type));
  }
  if (!deletion.s3_paths.empty() && deletion.s3_paths.size() != deletion.ids.size()) {
    return InvalidArgument(
        fmt::format("{} s3_paths for {} ids: give none, or one an id (\"\" where there is none)",
                    deletion.s3_paths.size(), deletion.ids.size()));
  }
  // All are looked at before the first is changed, and stay locked until the last is.
  const KeyLocks::Hold hold = TRY(Lock(context, scope, deletion.ids));
  if (!deletion.record_type.empty()) {
    const Stored stored = TRY(Read(context, scope, deletion.ids, Bookkeeping()));
    for (const std::optional<Record>& record : stored) {
      if (record && !IsDeletion(*record) && TextOf(*record, f::kType) != deletion.record_type) {
        return FailedPrecondition(fmt::format("record {} is a {}, not a {}; nothing was deleted",
                                              ToString(record->key), TextOf(*record, f::kType),
                                              deletion.record_type));
      }
    }
  }
  uint64_t deleted = 0;
  for (size_t begin = 0; begin < deletion.ids.size(); begin += options_.batch_rows) {
    const size_t end = std::min(deletion.ids.size(), begin + options_.batch_rows);
    const Result<uint64_t> part = MarkDeleted(context, scope, deletion, begin, end);
    if (!part.ok()) {
      return part.error().Within(fmt::format("{} records are deleted", deleted));
    }
    deleted += *part;
  }
  return deleted;
}

// Precondition: the keys are locked.
Result<uint64_t> RecordService::MarkDeleted(const RequestContext& context, const RecordScope& scope,
                                            const RecordDeletion& deletion, size_t begin,
                                            size_t end) {
  const std::vector<std::string> ids(deletion.ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                     deletion.ids.begin() + static_cast<std::ptrdiff_t>(end));
  const Stored stored = TRY(Read(context, scope, ids, Bookkeeping()));
  std::map<std::string, Record> markers;  // an id may be named twice
  uint64_t deleted = 0;
  bool pending = false;
  int64_t stamp = Stamp(ids.size());
  for (size_t i = 0; i < ids.size(); ++i, ++stamp) {
    const std::string path = deletion.s3_paths.empty() ? "" : deletion.s3_paths[begin + i];
    const bool there = stored[i] && !IsDeletion(*stored[i]);
    if (!there && path.empty()) {
      continue;
    }
    const auto [found, fresh] = markers.emplace(
        ids[i],
        Deletion({.tenant = scope.tenant, .key = ids[i]}, stored[i] ? &*stored[i] : nullptr));
    Record& marker = found->second;
    AddPendingPath(marker, path);
    pending = pending || !PendingPathsOf(marker).empty();
    SetOrigin(marker, deletion.origin, stamp);
    if (TextOf(marker, f::kType).empty()) {
      SetText(marker, f::kType, deletion.record_type);
    }
    deleted += there && fresh ? 1 : 0;
  }
  if (markers.empty()) {
    return deleted;
  }
  WriteRequest write{.collection = scope.collection, .records = {}, .fence = {}};
  for (auto& [id, marker] : markers) {
    write.records.push_back(std::move(marker));
  }
  const WriteResult result =
      TRY(gateway_.Upsert(context.WithTimeout(options_.write_timeout), write));
  if (pending && notify_) {
    notify_();
  }
  if (!result.errors.empty()) {
    return result.errors.front().error;
  }
  return deleted;
}

Result<uint64_t> RecordService::DeleteAllRecords(const RequestContext& context,
                                                 const RecordScope& scope,
                                                 const RecordOrigin& origin) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  QueryRequest page{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
  page.filter = TRY(Alive(layout, nullptr));
  page.limit = options_.batch_rows;
  page.output.all_scalars = false;
  uint64_t deleted = 0;
  for (;;) {
    const QueryResult found = TRY(gateway_.Query(context, page));
    if (found.records.empty()) {
      return deleted;
    }
    const RecordDeletion deletion{.ids = IdsOf(found.records), .origin = origin};
    const KeyLocks::Hold hold = TRY(Lock(context, scope, deletion.ids));
    const Result<uint64_t> part = MarkDeleted(context, scope, deletion, 0, deletion.ids.size());
    if (!part.ok()) {
      return part.error().Within(
          fmt::format("{} records are deleted; the same call again goes on", deleted));
    }
    deleted += *part;
  }
}

Result<std::vector<Record>> RecordService::PendingPaths(const RequestContext& context,
                                                        const std::string& collection,
                                                        uint32_t limit) {
  const RecordLayout layout = TRY(Layout(context, collection));
  QueryRequest query{.collection = collection, .filter = {}, .tenant = {}};
  query.filter = TRY(ParseFilter("pending_s3_paths is not null", *layout.schema));
  query.limit = limit;
  query.output = Bookkeeping();
  QueryResult found = TRY(gateway_.Query(context, query));
  return std::move(found.records);
}

Status RecordService::SettlePaths(const RequestContext& context, const std::string& collection,
                                  const Record& handed) {
  const RecordScope scope{.collection = collection, .tenant = handed.key.tenant};
  const std::vector<std::string> ids{std::get<std::string>(handed.key.key)};
  const KeyLocks::Hold hold = TRY(Lock(context, scope, ids));
  Stored stored = TRY(Read(context, scope, ids, {.vectors = true}));
  if (!stored.front()) {
    return {};
  }
  Record record = *std::move(stored.front());
  for (const std::string& path : PendingPathsOf(handed)) {
    RemovePendingPath(record, path);
  }
  // A new stamp although nothing changes for devices: should this write land late, over a newer
  // one, the next sync must tell what is there then.
  SetMicros(record, f::kModified, Stamp(1));
  return WriteOne(context, collection, std::move(record));
}

}  // namespace roost
