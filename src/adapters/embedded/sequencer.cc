#include "adapters/embedded/sequencer.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "adapters/embedded/codec.h"
#include "adapters/embedded/log_record.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "store/validate.h"

namespace roost::embedded {

namespace {

constexpr std::chrono::milliseconds kDiskCheckInterval{100};
constexpr uint64_t kDiskCheckBytes = 4u << 20;

Error Exists(size_t row, const RecordKey& key) {
  return AlreadyExists("row " + std::to_string(row) + ": key " + ToString(key) +
                       " exists; upsert replaces records");
}

std::string Encoded(const RecordKey& key) {
  std::string bytes;
  EncodeKey(key, bytes);
  return bytes;
}

/// Of rows with the same key only the last is left.
void KeepLastOfEachKey(std::vector<Record>& records) {
  std::unordered_set<std::string> seen;
  std::vector<bool> superseded(records.size());
  bool any = false;
  for (size_t row = records.size(); row-- > 0;) {
    superseded[row] = !seen.insert(Encoded(records[row].key)).second;
    any = any || superseded[row];
  }
  if (any) {
    size_t row = 0;
    std::erase_if(records, [&](const Record&) { return superseded[row++]; });
  }
}

/// Takes out the rows that stood earlier in the batch or are in the store.
std::vector<RowError> TakeOutExisting(const Version& version, std::vector<Record>& records) {
  std::vector<RowError> errors;
  std::unordered_set<std::string> seen;
  std::vector<Record> fresh;
  for (size_t row = 0; row < records.size(); ++row) {
    const RecordKey& key = records[row].key;
    if (FindLatest(version, KeyRef(key)) || !seen.insert(Encoded(key)).second) {
      errors.push_back({.row = row, .error = Exists(row, key)});
    } else {
      fresh.push_back(std::move(records[row]));
    }
  }
  records = std::move(fresh);
  return errors;
}

std::unique_ptr<LogRecordBuilder> EncodePut(const Collection& collection,
                                            const std::vector<Record>& records) {
  auto builder = std::make_unique<LogRecordBuilder>(LogOp::kPut, collection.id);
  for (const Record& record : records) {
    builder->AddRecord(collection.schema, record);
  }
  return builder;
}

/// Tells the group commit that a write is coming, and that it is not if it fails.
class OnTheWay {
 public:
  explicit OnTheWay(GroupCommit& commit) : commit_(&commit) { commit.Enter(); }
  ~OnTheWay() {
    if (commit_ != nullptr) {
      commit_->Leave();
    }
  }
  OnTheWay(const OnTheWay&) = delete;
  OnTheWay& operator=(const OnTheWay&) = delete;
  /// The write has arrived; Wait() ends what Enter() began.
  void Arrived() { commit_ = nullptr; }

 private:
  GroupCommit* commit_;
};

Error Dropped(const Collection& collection) {
  return NotFound("collection \"" + collection.schema.name + "\" does not exist");
}

}  // namespace

struct Sequencer::Prepared {
  std::shared_ptr<Collection> collection;
  std::vector<Record> records;
};

Result<Sequencer::Prepared> Sequencer::Prepare(const RequestContext& context,
                                               const WriteRequest& request) {
  TRY(context.CheckAlive("the write"));
  if (request.fence) {
    return Unimplemented("the embedded store has no fenced writes");
  }
  const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
  Prepared prepared{.collection = pin.collection, .records = request.records};
  TRY(ValidateRecords(pin.schema(), capabilities_, prepared.records));
  TRY(pin.collection->Watch(VerifyKeys(*pin.version)));
  return prepared;
}

Result<WriteResult> Sequencer::Upsert(const RequestContext& context, const WriteRequest& request) {
  Prepared write = TRY(Prepare(context, request));
  const WriteResult result{.written = write.records.size()};
  if (write.records.empty()) {
    return result;
  }
  KeepLastOfEachKey(write.records);
  Collection& collection = *write.collection;
  const auto builder = EncodePut(collection, write.records);
  std::string& record = builder->Finish();
  OnTheWay coming(*core_.commit);
  uint64_t lsn = 0;
  {
    std::lock_guard lock(core_.write_mutex);
    if (collection.dropped) {
      return Dropped(collection);
    }
    TRY(CheckRoom(record.size()));
    lsn = TRY(Log(record));
    ApplyPut(core_, *core_.catalog.VersionOf(collection), write.records, lsn);
    Applied(collection, lsn);
  }
  coming.Arrived();
  TRY(Acknowledge(context, lsn, record.size()));
  return result;
}

Result<WriteResult> Sequencer::Insert(const RequestContext& context, const WriteRequest& request) {
  Prepared write = TRY(Prepare(context, request));
  WriteResult result;
  Collection& collection = *write.collection;
  // Encoded before the lock, in the hope that no row is refused.
  auto builder = EncodePut(collection, write.records);
  OnTheWay coming(*core_.commit);
  uint64_t lsn = 0;
  {
    std::lock_guard lock(core_.write_mutex);
    if (collection.dropped) {
      return Dropped(collection);
    }
    const auto version = core_.catalog.VersionOf(collection);
    result.errors = TakeOutExisting(*version, write.records);
    result.written = write.records.size();
    lsn = core_.applied_lsn.load();  // What the refusals rest on must be on disk, too.
    if (!write.records.empty()) {
      if (!result.errors.empty()) {
        builder = EncodePut(collection, write.records);
      }
      std::string& record = builder->Finish();
      TRY(CheckRoom(record.size()));
      lsn = TRY(Log(record));
      ApplyPut(core_, *version, write.records, lsn);
      Applied(collection, lsn);
    }
  }
  coming.Arrived();
  TRY(Acknowledge(context, lsn, builder->Finish().size()));
  return result;
}

Result<DeleteResult> Sequencer::Delete(const RequestContext& context,
                                       const DeleteRequest& request) {
  TRY(context.CheckAlive("the delete"));
  if (request.fence) {
    return Unimplemented("the embedded store has no fenced writes");
  }
  const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
  Collection& collection = *pin.collection;
  TRY(ValidateKeys(collection.schema, capabilities_, request.keys));
  // Every segment there is: one that comes later was written by us just now.
  for (const auto& segment : pin.version->sealed) {
    TRY(collection.Watch(request.filter == nullptr ? segment->VerifyKeys()
                                                   : segment->VerifyScalars()));
  }
  const Selection selection = SelectAll(collection.schema, false);
  DeleteResult result;
  OnTheWay coming(*core_.commit);
  uint64_t lsn = 0;
  uint64_t bytes = 0;
  {
    std::lock_guard lock(core_.write_mutex);
    if (collection.dropped) {
      return Dropped(collection);
    }
    TRY(core_.failure.Check());
    lsn = core_.applied_lsn.load();
    const auto version = core_.catalog.VersionOf(collection);
    LogRecordBuilder builder(LogOp::kDelete, collection.id);
    std::vector<RecordKey> keys;
    for (const RecordKey& key : request.keys) {
      const auto found = FindLatest(*version, KeyRef(key));
      if (!found) {
        continue;
      }
      const RowPlace place = found->Place();
      if (request.filter != nullptr &&
          !Matches(request.filter.get(),
                   ReadRecord(collection.schema, place.block, place.slot, selection))) {
        continue;
      }
      keys.push_back(key);
      builder.AddKey(key);
    }
    if (!keys.empty()) {
      lsn = TRY(Log(builder.Finish()));
      result.deleted = ApplyDelete(*version, keys, lsn);
      Applied(collection, lsn);
      bytes = builder.Finish().size();
    }
  }
  coming.Arrived();
  TRY(Acknowledge(context, lsn, bytes));
  return result;
}

Status Sequencer::CheckRoom(uint64_t bytes) {
  TRY(core_.failure.Check());
  if (core_.mutable_bytes.load() + bytes > core_.options.max_mutable_bytes) {
    frozen_();
    return ResourceExhausted("more than " + HumanBytes(core_.options.max_mutable_bytes) +
                             " wait to be written to segment files; try again a little later");
  }
  written_since_check_ += bytes;
  const SteadyTime now = core_.clock.Now();
  if (disk_low_ || written_since_check_ > kDiskCheckBytes ||
      now - disk_checked_ > kDiskCheckInterval) {
    TRY(CheckDisk());
    disk_checked_ = now;
    written_since_check_ = 0;
  }
  return {};
}

Status Sequencer::CheckDisk() {
  disk_low_ = true;
  const uint64_t free = TRY(core_.file_system.FreeBytes(core_.options.folder));
  if (free < core_.options.min_free_disk_bytes) {
    return ResourceExhausted("the disk of " + core_.options.folder + " has " + HumanBytes(free) +
                             " left; writes need " + HumanBytes(core_.options.min_free_disk_bytes) +
                             "; make room or delete records");
  }
  disk_low_ = false;
  return {};
}

Result<uint64_t> Sequencer::Log(std::string& record) {
  TRY(core_.failure.Check());
  auto lsn = core_.wal->Append(record);
  if (lsn.code() == Code::kResourceExhausted) {
    return lsn.error().Within("the write was refused");
  }
  if (!lsn.ok() && lsn.code() != Code::kInvalidArgument) {
    core_.failure.Set(lsn.error());
    Error error = lsn.error();
    error.outcome_unknown = true;
    return error;
  }
  return lsn;
}

void Sequencer::Applied(Collection& collection, uint64_t lsn) {
  FAILPOINT("embedded.write.after_apply");
  collection.last_lsn = lsn;
  core_.applied_lsn.store(lsn, std::memory_order_release);
  core_.last_write.store(core_.clock.Now().time_since_epoch().count());
  const auto version = core_.catalog.VersionOf(collection);
  if (version->active->rows() >= core_.options.seal_rows ||
      version->active->bytes() >= core_.options.seal_bytes) {
    Freeze(core_, collection);
    frozen_();
  } else if (core_.mutable_bytes.load() > core_.options.max_mutable_bytes / 2) {
    frozen_();
  }
}

Status Sequencer::Acknowledge(const RequestContext& context, uint64_t lsn, uint64_t bytes) {
  if (core_.options.sync_writes) {
    return core_.commit->Wait(context, lsn, bytes);
  }
  core_.catalog.AdvanceVisible(core_.applied_lsn.load());
  core_.commit->Leave();
  return {};
}

void ApplyPut(Core& core, const Version& version, const std::vector<Record>& records,
              uint64_t lsn) {
  MutableSegment& active = *version.active;
  const uint64_t before = active.bytes();
  for (const Record& record : records) {
    if (const auto old = FindLatest(version, KeyRef(record.key))) {
      old->End(lsn);
    }
    active.Append(record, lsn);
  }
  core.mutable_bytes.fetch_add(active.bytes() - before);
}

uint64_t ApplyDelete(const Version& version, const std::vector<RecordKey>& keys, uint64_t lsn) {
  uint64_t deleted = 0;
  for (const RecordKey& key : keys) {
    if (const auto old = FindLatest(version, KeyRef(key))) {
      old->End(lsn);
      ++deleted;
    }
  }
  return deleted;
}

void Freeze(Core& core, Collection& collection) {
  const auto version = core.catalog.VersionOf(collection);
  const uint64_t covered =
      version->frozen.empty() ? collection.flushed_lsn : version->frozen.back().lsn;
  if (version->active == nullptr || collection.last_lsn <= covered) {
    return;
  }
  auto next = std::make_shared<Version>(*version);
  next->frozen.push_back({.rows = version->active, .lsn = collection.last_lsn});
  next->active = std::make_shared<MutableSegment>(collection.schema, collection.layout);
  core.catalog.SetVersion(collection, std::move(next));
}

}  // namespace roost::embedded
