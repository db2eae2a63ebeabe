#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "adapters/embedded/catalog.h"
#include "adapters/embedded/embedded_store.h"
#include "adapters/embedded/group_commit.h"
#include "adapters/embedded/manifest.h"
#include "adapters/embedded/wal.h"
#include "base/clock.h"
#include "base/file_system.h"

namespace roost::embedded {

/// Why the store takes no more changes, once it does not: a sync failed, so nobody knows what is on
/// disk. Stays until the store is opened again. Thread safe.
class FailureLatch {
 public:
  void Set(const Error& error);
  /// kUnavailable with the reason.
  Status Check() const;
  bool is_set() const { return set_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> set_{false};
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

/// What the parts of the store share. Locks are taken in the order structure, write; each is held
/// by one thread for one step.
struct Core {
  Core(EmbeddedOptions store_options, FileSystem& store_file_system, Clock& store_clock)
      : options(std::move(store_options)), file_system(store_file_system), clock(store_clock) {}

  const EmbeddedOptions options;
  FileSystem& file_system;
  Clock& clock;
  std::unique_ptr<FileLock> lock;
  Catalog catalog;
  FailureLatch failure;

  /// The sequencer's: who holds it may append to the log, change rows and freeze segments.
  std::mutex write_mutex;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<GroupCommit> commit;
  std::atomic<uint64_t> applied_lsn{0};    ///< written to the log and to the rows in memory
  std::atomic<uint64_t> mutable_bytes{0};  ///< of all rows that are not in files
  std::atomic<SteadyTime::rep> last_write{0};

  /// Who holds it may write deletes files and the manifest, and replace sealed segments.
  std::mutex structure_mutex;
  Manifest manifest;  ///< as on disk
  std::atomic<uint64_t> next_id{1};

  uint64_t NewId() { return next_id.fetch_add(1); }
  std::string PathOf(const std::string& name) const { return JoinPath(options.folder, name); }
  /// Makes everything written so far durable and visible; returns up to which LSN. Latches failure.
  Result<uint64_t> SyncLog();
  /// Makes `next` the manifest, with all files it names. Needs structure_mutex. When it fails
  /// without a trace (the disk is full), the store goes on with the old one; else failure is
  /// latched.
  Status Publish(Manifest next);
};

/// A version with an empty active segment.
std::shared_ptr<Version> EmptyVersion(const Collection& collection);

}  // namespace roost::embedded
