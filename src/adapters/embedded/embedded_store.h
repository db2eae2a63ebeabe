#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct EmbeddedOptions {
  std::string folder = "roost-data/store";
  /// Acknowledge after the log is on disk (true) or handed to the system (false: a power cut may
  /// lose the last writes, a crash of the process does not).
  bool sync_writes = true;
  std::chrono::microseconds group_commit_window{
      200};  ///< how long the first writer waits for others
  uint64_t group_commit_bytes = 1u << 20;
  uint64_t wal_file_bytes = 64u << 20;  ///< a log file is closed at this size
  uint32_t seal_rows = 16'384;          ///< a mutable segment is sealed at this many rows
  uint64_t seal_bytes = 128u << 20;
  uint32_t min_graph_rows = 4'096;  ///< smaller segments are scanned
  uint32_t merge_fan_in = 4;
  uint32_t max_merged_rows = 1'000'000;  ///< segments are not merged beyond this many rows
  std::chrono::milliseconds idle_merge_after{2'000};  ///< without writes: merge down to one segment
  uint32_t build_threads = 1;
  uint32_t search_slots = 0;              ///< searches at once; 0: as many as cores
  uint32_t max_waiting_searches = 256;    ///< that wait for a slot; more are kResourceExhausted
  uint64_t max_mutable_bytes = 1u << 30;  ///< above: writes are kResourceExhausted until sealed
  uint64_t min_free_disk_bytes = 64u
                                 << 20;  ///< below: writes are kResourceExhausted, deletes go on
  /// False: nothing is sealed, built or merged but inside WaitIdle, Compact and the destructor. For
  /// tests that must run the same way every time.
  bool background = true;
};

/// How opening went and how the store stands.
struct EmbeddedStats {
  uint64_t wal_records_replayed = 0;
  uint64_t wal_bytes_dropped = 0;  ///< a torn tail: never acknowledged
  std::chrono::milliseconds open_time{0};
  uint64_t segments = 0;
  uint64_t records = 0;
  uint64_t bytes_on_disk = 0;
  bool busy = false;  ///< sealing, building or merging
};

/// The default store: one folder, nothing to install. See README.md here for the files.
class EmbeddedStore : public VectorStore {
 public:
  virtual EmbeddedStats stats() const = 0;
  /// Returns when nothing is left to seal, build or merge, or at the deadline.
  virtual Status WaitIdle(const RequestContext& context) = 0;
  /// Seals the mutable segments and merges all segments of the collection into one.
  virtual Status Compact(const RequestContext& context, const std::string& collection) = 0;
  /// A consistent copy of the store as of now in `folder` (which must not exist), while writes go
  /// on.
  virtual Status Snapshot(const RequestContext& context, const std::string& folder) = 0;
  /// Reads every byte of every segment and checks it. kDataLoss names the first damage of each
  /// damaged collection, which is then quarantined; others go on.
  virtual Status Verify(const RequestContext& context) = 0;
};

/// What the store can do.
Capabilities EmbeddedCapabilities();

/// Opens or makes the folder. kFailedPrecondition: another process holds it, or its format is
/// newer. kDataLoss: a file is damaged in a place that was acknowledged; the message names file,
/// offset and what to do. The dependencies outlive the store. Closing seals what is in memory.
Result<std::unique_ptr<EmbeddedStore>> OpenEmbeddedStore(const EmbeddedOptions& options,
                                                         FileSystem& file_system, Clock& clock,
                                                         Metrics& metrics);

}  // namespace roost
