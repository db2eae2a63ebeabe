#include "adapters/embedded/maintenance.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/resource.h>

#include "adapters/embedded/flush.h"
#include "adapters/embedded/merge.h"
#include "adapters/embedded/sequencer.h"
#include "adapters/embedded/structure.h"
#include "base/log.h"

namespace roost::embedded {

namespace {

constexpr int kBuilderNiceness = 10;
constexpr std::chrono::milliseconds kRetryAfter{1'000};
constexpr std::chrono::milliseconds kLookAgain{500};
constexpr std::chrono::milliseconds kLookWhileWaiting{20};
constexpr size_t kLogFilesToKeep = 4;

}  // namespace

void Maintenance::StartThreads() {
  flusher_ = std::jthread([this](std::stop_token stop) {
    Run(stop, [this](std::stop_token) { return FlushStep(); }, flushing_);
  });
  builder_ = std::jthread([this](std::stop_token stop) {
    // On Linux this is the thread's own; the threads it starts inherit it.
    static_cast<void>(setpriority(PRIO_PROCESS, 0, kBuilderNiceness));
    Run(stop, [this](std::stop_token token) { return BuildStep(std::move(token)); }, building_);
  });
}

void Maintenance::Stop() {
  flusher_.request_stop();
  builder_.request_stop();
  if (flusher_.joinable()) {
    flusher_.join();
  }
  if (builder_.joinable()) {
    builder_.join();
  }
}

void Maintenance::Wake() {
  std::lock_guard lock(mutex_);
  ++wakes_;
  changed_.notify_all();
}

void Maintenance::Run(std::stop_token stop, const Step& step, std::atomic<bool>& working) {
  while (!stop.stop_requested()) {
    uint64_t seen = 0;
    {
      std::lock_guard lock(mutex_);
      seen = wakes_;
      working.store(true);
    }
    const auto worked = step(stop);
    if (!worked.ok() && worked.code() != Code::kCancelled) {
      LogWarning("Work on segments failed and is tried again later", {{"error", worked.error()}});
    }
    std::unique_lock lock(mutex_);
    working.store(false);
    if (worked.ok() && worked.value()) {
      ++wakes_;  // The other thread may have something to do now.
      changed_.notify_all();
      continue;
    }
    changed_.notify_all();
    if (worked.ok()) {
      changed_.wait_for(lock, stop, kLookAgain, [&] { return wakes_ != seen; });
    } else {
      changed_.wait_for(lock, stop, kRetryAfter, [] { return false; });
    }
  }
}

Result<bool> Maintenance::FlushStep() {
  std::lock_guard lock(flush_mutex_);
  for (const auto& collection : core_.catalog.All()) {
    if (TRY(FlushOldest(core_, collection))) {
      return true;
    }
  }
  return FreezeLargest() || FreezeIdle() ? true : FreeLog();
}

/// Memory runs short although no segment is full: closes the largest.
bool Maintenance::FreezeLargest() {
  if (core_.mutable_bytes.load() <= core_.options.max_mutable_bytes / 2) {
    return false;
  }
  std::shared_ptr<Collection> largest;
  uint64_t bytes = 0;
  for (const auto& collection : core_.catalog.All()) {
    const auto active = core_.catalog.VersionOf(*collection)->active;
    if (active != nullptr && active->bytes() > bytes) {
      bytes = active->bytes();
      largest = collection;
    }
  }
  if (largest == nullptr) {
    return false;
  }
  std::lock_guard lock(core_.write_mutex);
  Freeze(core_, *largest);
  return true;
}

bool Maintenance::NobodyWrites() const {
  const auto now = core_.clock.Now().time_since_epoch().count();
  const auto idle_after =
      std::chrono::duration_cast<SteadyTime::duration>(core_.options.idle_merge_after).count();
  return core_.options.background && now - core_.last_write.load() > idle_after;
}

/// Rows in memory are scanned by every search. Once writing has paused, as many as deserve a graph
/// do not wait for more to come.
bool Maintenance::FreezeIdle() {
  if (!NobodyWrites()) {
    return false;
  }
  std::lock_guard lock(core_.write_mutex);
  for (const auto& collection : core_.catalog.All()) {
    const auto active = core_.catalog.VersionOf(*collection)->active;
    if (!collection->dropped && collection->CheckIntact().ok() && active != nullptr &&
        active->rows() >= core_.options.min_graph_rows) {
      Freeze(core_, *collection);
      return true;
    }
  }
  return false;
}

/// Old log files are kept by collections with few writes: closes their segments.
Result<bool> Maintenance::FreeLog() {
  const std::vector<WalFile> files = core_.wal->files();
  if (files.size() < kLogFilesToKeep || files.back().number == freed_at_file_) {
    return false;
  }
  freed_at_file_ = files.back().number;
  const uint64_t keep_from = files[files.size() - 2].first_lsn;
  {
    std::lock_guard lock(core_.write_mutex);
    for (const auto& collection : core_.catalog.All()) {
      if (!collection->dropped && collection->last_lsn > collection->flushed_lsn &&
          collection->flushed_lsn < keep_from && collection->CheckIntact().ok()) {
        Freeze(core_, *collection);
      }
    }
  }
  std::lock_guard structure(core_.structure_mutex);
  TRY(PublishCoverage(core_));
  return true;
}

Result<bool> Maintenance::BuildStep(std::stop_token stop) {
  std::lock_guard lock(build_mutex_);
  TRY(core_.failure.Check());
  for (const auto& collection : core_.catalog.All()) {
    if (!collection->CheckIntact().ok()) {
      continue;
    }
    const auto version = core_.catalog.VersionOf(*collection);
    for (const auto& segment : version->sealed) {
      if (!segment->index_done.load()) {
        TRY(collection->Watch(PrepareIndexes(core_, *segment, collection->schema, stop)));
        return true;
      }
    }
  }
  for (const auto& collection : core_.catalog.All()) {
    if (!collection->CheckIntact().ok()) {
      continue;
    }
    const auto sources =
        ChooseMerge(core_.options, *core_.catalog.VersionOf(*collection), NobodyWrites());
    if (!sources.empty()) {
      TRY(MergeSegments(core_, collection, sources, stop));
      return true;
    }
  }
  return false;
}

bool Maintenance::Idle() const {
  for (const Pin& pin : core_.catalog.PinAll()) {
    const bool all_built =
        std::all_of(pin.version->sealed.begin(), pin.version->sealed.end(),
                    [](const auto& segment) { return segment->index_done.load(); });
    if (!pin.version->frozen.empty() || !all_built ||
        !ChooseMerge(core_.options, *pin.version, false).empty()) {
      return false;
    }
  }
  return true;
}

bool Maintenance::busy() const { return flushing_.load() || building_.load() || !Idle(); }

Status Maintenance::Drain(const RequestContext& context) {
  for (bool worked = true; worked;) {
    TRY(context.CheckAlive("waiting for the store to be idle"));
    worked = TRY(FlushStep());
    worked = TRY(BuildStep(context.stop)) || worked;
  }
  return {};
}

Status Maintenance::WaitIdle(const RequestContext& context) {
  if (!core_.options.background) {
    return Drain(context);
  }
  Wake();
  while (busy()) {
    TRY(core_.failure.Check());
    TRY(context.CheckAlive("waiting for the store to be idle"));
    std::unique_lock lock(mutex_);
    const uint64_t seen = wakes_;
    changed_.wait_for(lock, context.stop, kLookWhileWaiting, [&] { return wakes_ != seen; });
  }
  return {};
}

Status Maintenance::FlushCollection(const std::shared_ptr<Collection>& collection) {
  {
    std::lock_guard lock(core_.write_mutex);
    if (collection->dropped) {
      return NotFound("collection \"" + collection->schema.name + "\" does not exist");
    }
    Freeze(core_, *collection);
  }
  std::lock_guard lock(flush_mutex_);
  while (TRY(FlushOldest(core_, collection))) {
  }
  return {};
}

Status Maintenance::Compact(const RequestContext& context, const std::string& name) {
  TRY(context.CheckAlive("compacting a collection"));
  const Pin pin = TRY(core_.catalog.PinCollection(name));
  TRY(FlushCollection(pin.collection));
  std::lock_guard lock(build_mutex_);
  const SealedList sources = core_.catalog.VersionOf(*pin.collection)->sealed;
  const bool whole = sources.empty() || (sources.size() == 1 && sources[0]->ends().count() == 0);
  if (whole) {
    return sources.empty() ? Status()
                           : pin.collection->Watch(
                                 PrepareIndexes(core_, *sources[0], pin.schema(), context.stop));
  }
  return MergeSegments(core_, pin.collection, sources, context.stop);
}

Status Maintenance::FlushAll() {
  for (const auto& collection : core_.catalog.All()) {
    if (collection->CheckIntact().ok()) {
      TRY(FlushCollection(collection));
    }
  }
  std::lock_guard structure(core_.structure_mutex);
  return PublishCoverage(core_);
}

}  // namespace roost::embedded
