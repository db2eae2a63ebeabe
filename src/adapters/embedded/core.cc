#include "adapters/embedded/core.h"

#include <utility>

#include "base/failpoint.h"
#include "base/log.h"

namespace roost::embedded {

void FailureLatch::Set(const Error& error) {
  std::lock_guard lock(mutex_);
  if (!error_) {
    error_ = Unavailable("the store is read-only since an earlier error: " + error.message +
                         "; see to the disk and restart");
    set_.store(true, std::memory_order_release);
    LogError("The store takes no more writes: what is on disk is not known",
             {{"error", error.ToString()}});
  }
}

Status FailureLatch::Check() const {
  if (!is_set()) {
    return {};
  }
  std::lock_guard lock(mutex_);
  return *error_;
}

Result<uint64_t> Core::SyncLog() {
  TRY(failure.Check());
  // Read before the sync: whatever was applied by now was appended before.
  const uint64_t target = applied_lsn.load(std::memory_order_acquire);
  if (Status synced = wal->Sync(); !synced.ok()) {
    failure.Set(synced.error());
    return failure.Check().error();
  }
  catalog.AdvanceVisible(target);
  return target;
}

Status Core::Publish(Manifest next) {
  TRY(failure.Check());
  next.next_id = next_id.load();
  const auto write = [&]() -> Status {
    // Files first: a manifest must never name a file that a power cut can take away.
    TRY(file_system.SyncDirectory(options.folder));
    FAILPOINT("embedded.publish.before_manifest");
    return WriteManifest(file_system, options.folder, next);
  };
  Status written = write();
  if (written.ok()) {
    manifest = std::move(next);
    return {};
  }
  // The old manifest may only be built upon if it is surely the one that a restart would find.
  const auto on_disk = file_system.ReadAll(PathOf(kManifestFile));
  const bool untouched = on_disk.ok() && on_disk.value() == EncodeManifest(manifest);
  if (!untouched || written.code() != Code::kResourceExhausted) {
    failure.Set(written.error());
  }
  return written;
}

std::shared_ptr<Version> EmptyVersion(const Collection& collection) {
  auto version = std::make_shared<Version>();
  version->active = std::make_shared<MutableSegment>(collection.schema, collection.layout);
  return version;
}

}  // namespace roost::embedded
