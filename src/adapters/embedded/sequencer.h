#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "adapters/embedded/core.h"
#include "store/capabilities.h"
#include "store/vector_store.h"

namespace roost::embedded {

/// The one line all writes stand in: each is checked against the newest rows, appended to the log,
/// applied to the rows in memory, and acknowledged once the log is on disk. Thread safe.
///
///   validate, encode ─▶ [write lock: conflicts ─▶ log ─▶ rows ─▶ freeze when full] ─▶ wait for
///   sync
///
/// Readers see a write when it is on disk (GroupCommit), so what they saw survives a crash.
class Sequencer {
 public:
  /// `frozen` is called, under the write lock, after a segment was frozen or memory runs short.
  Sequencer(Core& core, const Capabilities& capabilities, std::function<void()> frozen)
      : core_(core), capabilities_(capabilities), frozen_(std::move(frozen)) {}

  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request);
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request);
  Result<DeleteResult> Delete(const RequestContext& context, const DeleteRequest& request);

 private:
  struct Prepared;

  Result<Prepared> Prepare(const RequestContext& context, const WriteRequest& request);
  Status CheckRoom(uint64_t bytes);
  Status CheckDisk();
  Result<uint64_t> Log(std::string& record);
  void Applied(Collection& collection, uint64_t lsn);
  Status Acknowledge(const RequestContext& context, uint64_t lsn, uint64_t bytes);

  Core& core_;
  const Capabilities& capabilities_;
  const std::function<void()> frozen_;

  // Guarded by the write lock.
  SteadyTime disk_checked_{};
  uint64_t written_since_check_ = 0;
  bool disk_low_ = true;  // not known yet
};

/// Applies a write to the rows in memory: older rows with the keys end at `lsn`. Needs the write
/// lock and VerifyKeys.
void ApplyPut(Core& core, const Version& version, const std::vector<Record>& records, uint64_t lsn);
uint64_t ApplyDelete(const Version& version, const std::vector<RecordKey>& keys, uint64_t lsn);
/// Closes the active segment, which the collection then flushes; needs the write lock. Does nothing
/// where no write is newer than the last flush or freeze.
void Freeze(Core& core, Collection& collection);

}  // namespace roost::embedded
