#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/records/record_types.h"
#include "metadata/control_store.h"
#include "store/key_locks.h"

namespace roost {

/// What applications do with their records, on any store: everything is said in the gateway's
/// inserts, upserts, deletes, queries and searches. Thread safe; keeps no lock of its own but those
/// of the keys that it writes.
///
/// A deleted record leaves a marker under its key (deleted == true, no vector, no properties), in
/// one write, so that devices can be told; PurgeDeleted removes old ones. Reads pass over markers.
///
/// Writes of one key through one gateway happen one after the other. Two gateways that write one
/// key at the same moment: the last to land wins, and of two merges one may be lost.
class RecordService {
 public:
  /// Everything outlives the service.
  RecordService(RecordServiceOptions options, Gateway& gateway, ControlStore& control,
                Clock& clock);

  /// Makes the collection; where it is there with the same dimension and metric, takes the kinds
  /// over. kAlreadyExists when it is another collection.
  Status CreateCollection(const RequestContext& context, const RecordCollectionSpec& spec);
  /// kFailedPrecondition when it is no collection of records.
  Result<RecordLayout> Layout(const RequestContext& context, const std::string& collection);

  /// kAlreadyExists where the record is there and not deleted.
  Status InsertRecord(const RequestContext& context, const RecordScope& scope, RecordBatch batch);
  /// Replaces whole records; all are checked before the first is written. An error after that says
  /// how many were written: the same call again goes on.
  Result<WriteResult> UpsertRecords(const RequestContext& context, const RecordScope& scope,
                                    RecordBatch batch);
  /// Replaces the vector where one is given, and some properties. Gives the record as it is then.
  /// kNotFound.
  Result<Record> UpdateRecord(const RequestContext& context, const RecordScope& scope,
                              RecordUpdate update);
  /// How many were there. Absent ones are no error. Objects they point to (their s3_path and the
  /// given paths) are queued for the delete hook with the same write.
  Result<uint64_t> DeleteRecords(const RequestContext& context, const RecordScope& scope,
                                 const RecordDeletion& deletion);
  /// Of this tenant. A deadline may leave some behind; calling again goes on.
  Result<uint64_t> DeleteAllRecords(const RequestContext& context, const RecordScope& scope,
                                    const RecordOrigin& origin);

  Result<std::vector<Hit>> QueryByVector(const RequestContext& context, const RecordScope& scope,
                                         VectorQuery query);
  /// Over all TEXT properties. Where the store has no keyword search, records with a word of it are
  /// ranked here by BM25.
  Result<std::vector<Hit>> QueryByKeyword(const RequestContext& context, const RecordScope& scope,
                                          KeywordQuery query);
  Result<ConnectedRecords> QueryByFilter(const RequestContext& context, const RecordScope& scope,
                                         const FilterQuery& query);
  /// Newest first; of one moment, by unique id.
  Result<std::vector<Record>> GetMostRecentRecords(const RequestContext& context,
                                                   const RecordScope& scope, uint32_t limit,
                                                   bool include_vector);
  /// In the order asked; empty where there is none.
  Result<std::vector<std::optional<Record>>> GetRecordsByIds(const RequestContext& context,
                                                             const RecordScope& scope,
                                                             const std::vector<std::string>& ids,
                                                             bool include_vector);

  /// What other devices changed since a moment, deletions included, ordered by unique id: a record
  /// keeps its position however often it changes, so pages by offset have no gaps while writes go
  /// on (beside PurgeDeleted, page by cursor). Whoever passes each sync's `next_since` to the next
  /// one is told the last state of every record; changes of the last RecordServiceOptions::overlap
  /// are told again. kOutOfRange when deletions since that moment were purged.
  Result<SyncPage> SyncByLastModified(const RequestContext& context, const RecordScope& scope,
                                      const SyncRequest& request);
  /// Forgets deletions before `before` (microseconds), of all tenants; returns how many. Those
  /// whose objects wait for the delete hook stay.
  Result<uint64_t> PurgeDeleted(const RequestContext& context, const std::string& collection,
                                int64_t before);

  /// For the delete hook: records of all tenants with objects to hand over.
  Result<std::vector<Record>> PendingPaths(const RequestContext& context,
                                           const std::string& collection, uint32_t limit);
  /// These paths were handed over.
  Status SettlePaths(const RequestContext& context, const std::string& collection,
                     const Record& handed);
  Result<std::vector<std::string>> Collections();
  /// Called after a deletion left objects to hand over. Set before the first request.
  void OnPendingPaths(std::function<void()> notify) { notify_ = std::move(notify); }

 private:
  struct CachedKinds {
    std::shared_ptr<const RecordKinds> kinds;
    SteadyTime read_at;
  };
  using Stored = std::vector<std::optional<Record>>;

  Result<std::shared_ptr<const RecordKinds>> Kinds(const std::string& collection);
  Result<KeyLocks::Hold> Lock(const RequestContext& context, const RecordScope& scope,
                              const std::vector<std::string>& ids);
  Result<Stored> Read(const RequestContext& context, const RecordScope& scope,
                      const std::vector<std::string>& ids, OutputFields output);
  Status Prepare(const RecordLayout& layout, const RecordScope& scope, RecordBatch& batch) const;
  Result<WriteResult> WriteBatch(const RequestContext& context, const RecordScope& scope,
                                 const RecordOrigin& origin, std::vector<Record> records);
  Status WriteOne(const RequestContext& context, const std::string& collection, Record record);
  Result<uint64_t> MarkDeleted(const RequestContext& context, const RecordScope& scope,
                               const RecordDeletion& deletion, size_t begin, size_t end);
  Result<FilterPtr> Alive(const RecordLayout& layout, const FilterPtr& filter) const;
  Result<std::vector<Hit>> RankHere(const RequestContext& context, const RecordScope& scope,
                                    const RecordLayout& layout, const KeywordQuery& query);
  Result<int64_t> RecentFrom(const RequestContext& context, const RecordScope& scope,
                             const RecordLayout& layout, uint32_t limit);
  Status CheckPurged(const std::string& collection, int64_t since);
  /// The first of `count` stamps, each higher than every one before.
  int64_t Stamp(size_t count);

  const RecordServiceOptions options_;
  Gateway& gateway_;
  ControlStore& control_;
  Clock& clock_;
  KeyLocks locks_;
  std::function<void()> notify_;

  std::mutex mutex_;
  std::map<std::string, CachedKinds> kinds_;
  int64_t last_stamp_ = 0;
};

}  // namespace roost
