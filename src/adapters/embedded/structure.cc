#include "adapters/embedded/structure.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/failpoint.h"

namespace roost::embedded {

namespace {

/// Notes in `manifest` up to which LSN the log is not needed any more. `durable` was synced.
void SetCoverage(Core& core, Manifest& manifest, uint64_t durable) {
  std::lock_guard lock(core.write_mutex);
  uint64_t covered = durable;
  for (const auto& collection : core.catalog.All()) {
    const auto entry = manifest.collections.find(collection->id);
    if (entry == manifest.collections.end()) {
      continue;
    }
    const uint64_t flushed = entry->second.flushed_lsn;
    if (collection->last_lsn > flushed) {
      covered = std::min(covered, flushed);
    }
  }
  manifest.covered_lsn = std::max(manifest.covered_lsn, covered);
  for (const WalFile& file : core.wal->files()) {
    if (file.first_lsn <= manifest.covered_lsn + 1) {
      manifest.first_wal = file.number;
    }
  }
}

/// A deletes file that was written for the next manifest.
struct NewDeletes {
  SealedSegment* segment = nullptr;
  SealedSegment::Deletes deletes;
};

Status WriteNewDeletes(Core& core, const CollectionChange& change, uint64_t durable,
                       std::vector<NewDeletes>& written) {
  for (const auto& segment : change.sealed) {
    if (segment->ends().count() == segment->deletes.count) {
      continue;
    }
    // Ends of writes that are not on disk yet stay out: a crash must not keep half of them.
    const auto entries = segment->ends().UpTo(durable);
    if (entries.size() == segment->deletes.count) {
      continue;
    }
    const uint64_t number = core.NewId();
    written.push_back(
        {.segment = segment.get(),
         .deletes = {.file = number, .count = static_cast<uint32_t>(entries.size())}});
    TRY(WriteDeletes(core.file_system, core.PathOf(DeletesFileName(segment->id(), number)),
                     segment->id(), entries));
  }
  return {};
}

void RemoveDeletes(Core& core, uint64_t segment, uint64_t number) {
  if (number != 0) {
    const Status removed = core.file_system.Remove(core.PathOf(DeletesFileName(segment, number)));
    static_cast<void>(removed);  // A leftover is removed at the next opening.
  }
}

Manifest WithChange(const Core& core, const CollectionChange& change,
                    const std::vector<NewDeletes>& written) {
  Manifest next = core.manifest;
  Manifest::Collection& entry = next.collections[change.collection->id];
  entry.schema = change.collection->schema;
  entry.flushed_lsn = change.flushed_lsn;
  entry.segments.clear();
  for (const auto& segment : change.sealed) {
    const auto fresh = std::find_if(written.begin(), written.end(), [&](const NewDeletes& w) {
      return w.segment == segment.get();
    });
    entry.segments.push_back(
        {.id = segment->id(),
         .deletes_file = fresh == written.end() ? segment->deletes.file : fresh->deletes.file});
  }
  return next;
}

}  // namespace

Status PublishCollection(Core& core, const CollectionChange& change) {
  const uint64_t durable = TRY(core.SyncLog());
  std::vector<NewDeletes> written;
  const auto publish = [&]() -> Status {
    TRY(WriteNewDeletes(core, change, durable, written));
    FAILPOINT("embedded.publish.after_deletes");
    Manifest next = WithChange(core, change, written);
    SetCoverage(core, next, durable);
    return core.Publish(std::move(next));
  };
  if (Status published = publish(); !published.ok()) {
    for (const NewDeletes& fresh : written) {
      // With failure latched the manifest on disk may name it.
      RemoveDeletes(core, fresh.segment->id(), core.failure.is_set() ? 0 : fresh.deletes.file);
    }
    return published;
  }
  for (const NewDeletes& fresh : written) {
    RemoveDeletes(core, fresh.segment->id(), fresh.segment->deletes.file);
    fresh.segment->deletes = fresh.deletes;
  }
  core.wal->RemoveBefore(core.manifest.first_wal);
  return {};
}

Status PublishNewCollection(Core& core, const CollectionSchema& schema) {
  if (core.catalog.Find(schema.name) != nullptr) {
    return AlreadyExists("collection \"" + schema.name + "\" exists");
  }
  TRY(core.SyncLog());
  auto collection = std::make_shared<Collection>(static_cast<uint32_t>(core.NewId()), schema);
  Manifest next = core.manifest;
  next.collections[collection->id] = {.schema = schema};
  TRY(core.Publish(std::move(next)));
  auto version = EmptyVersion(*collection);
  core.catalog.Add(std::move(collection), std::move(version));
  return {};
}

Status PublishDrop(Core& core, const std::shared_ptr<Collection>& collection) {
  TRY(core.SyncLog());
  Manifest next = core.manifest;
  next.collections.erase(collection->id);
  TRY(core.Publish(std::move(next)));
  std::lock_guard lock(core.write_mutex);
  collection->dropped = true;
  const auto version = core.catalog.VersionOf(*collection);
  core.catalog.Remove(*collection);
  uint64_t bytes = version->active == nullptr ? 0 : version->active->bytes();
  for (const FrozenSegment& frozen : version->frozen) {
    bytes += frozen.rows->bytes();
  }
  core.mutable_bytes.fetch_sub(bytes);
  for (const auto& segment : version->sealed) {
    segment->MarkObsolete();
  }
  return {};
}

Status PublishCoverage(Core& core) {
  const uint64_t durable = TRY(core.SyncLog());
  Manifest next = core.manifest;
  SetCoverage(core, next, durable);
  if (next.first_wal == core.manifest.first_wal) {
    return {};
  }
  TRY(core.Publish(std::move(next)));
  core.wal->RemoveBefore(core.manifest.first_wal);
  return {};
}

}  // namespace roost::embedded
