#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/executor.h"
#include "router/write_capture.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct MirrorOptions {
  std::chrono::milliseconds timeout{2'000};  ///< of one inline write to the other store
  std::chrono::milliseconds wait{200};       ///< during a ramp, a reply waits this long for it
  size_t threads = 32;
  size_t queue = 4'096;  ///< above: not mirrored inline, brought over later
};

/// What the mirror did for one collection since the process started.
struct MirrorCounts {
  uint64_t mirrored = 0;  ///< rows
  uint64_t errors = 0;    ///< rows; never shown to the client
};

/// True when a failed write may have landed all the same. Codes that a store gives after it began
/// count as unknown even where it does not say so.
bool MayHaveLanded(const Error& error);

/// One write for the other store, and the bracket to finish afterwards. Either upserts or deletes.
struct MirrorJob {
  VectorStore* store = nullptr;
  std::string collection;
  std::vector<Record> upserts;
  std::vector<RecordKey> deletes;
  std::vector<size_t> keys;  ///< the bracket's number of each row above
  size_t bracket_keys = 0;   ///< how many the bracket has
  std::shared_ptr<WriteBracket> bracket;
};

/// Writes to the other store off the client's path: errors are swallowed and counted, the keys stay
/// dirty. Thread safe.
class MirrorWriter {
 public:
  MirrorWriter(MirrorOptions options, Metrics& metrics);

  /// Carries the job out on the pool and finishes the bracket. With `wait`, returns when that is
  /// done or MirrorOptions::wait has passed.
  void Post(MirrorJob job, bool wait);
  MirrorCounts Counts(const std::string& collection) const;
  void Reset(const std::string& collection);

 private:
  void Run(MirrorJob& job);
  std::vector<MirrorOutcome> Write(MirrorJob& job);
  void Note(const std::string& collection, uint64_t mirrored, uint64_t errors);

  const MirrorOptions options_;
  Counter& mirrored_;
  Counter& errors_;
  Counter& dropped_;
  mutable std::mutex mutex_;
  std::map<std::string, MirrorCounts> counts_;
  Executor executor_;  ///< last: its jobs use everything above
};

}  // namespace roost
