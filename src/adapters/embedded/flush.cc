#include "adapters/embedded/flush.h"

#include <algorithm>
#include <utility>

#include "adapters/embedded/structure.h"
#include "base/failpoint.h"

namespace roost::embedded {

namespace {

/// Swaps the oldest frozen segment for its file; the rows' newest ends come along.
void InstallFlush(Core& core, Collection& collection, const FrozenSegment& frozen,
                  const std::vector<RowBlock>& blocks, std::shared_ptr<SealedSegment> sealed) {
  std::lock_guard lock(core.write_mutex);
  const auto version = core.catalog.VersionOf(collection);
  if (version->frozen.empty() || version->frozen.front().rows != frozen.rows) {
    return;  // Dropped meanwhile.
  }
  auto next = std::make_shared<Version>(*version);
  next->frozen.erase(next->frozen.begin());
  if (sealed != nullptr) {
    CarryEnds(blocks, *sealed);
    next->sealed.push_back(std::move(sealed));
  }
  core.catalog.SetVersion(collection, std::move(next));
  collection.flushed_lsn = frozen.lsn;
  core.mutable_bytes.fetch_sub(frozen.rows->bytes());
}

}  // namespace

Result<std::shared_ptr<SealedSegment>> WriteSegment(Core& core, const Collection& collection,
                                                    const std::vector<RowBlock>& blocks,
                                                    uint64_t lsn, std::stop_token stop) {
  const std::vector<RowRef> rows = LiveRowsByKey(blocks, lsn);
  if (rows.empty()) {
    return std::shared_ptr<SealedSegment>();
  }
  const uint64_t id = core.NewId();
  const SegmentSource source{.schema = collection.schema,
                             .layout = collection.layout,
                             .id = id,
                             .collection = collection.id,
                             .blocks = blocks,
                             .rows = rows};
  TRY(WriteSegmentFile(core.file_system, core.PathOf(SegmentFileName(id)), source,
                       std::move(stop)));
  FAILPOINT("embedded.segment.after_write");
  auto segment = TRY(SealedSegment::Open(core.file_system, core.options.folder, id,
                                         collection.schema, collection.layout));
  segment->MarkObsolete();  // Until it is in the manifest.
  // What does not read back must not replace what is still in memory.
  TRY(segment->VerifyAll());
  for (size_t i = 0; i < collection.schema.fields.size(); ++i) {
    if (collection.schema.fields[i].type == DataType::kText) {
      TRY(segment->keyword_index(i));
    }
  }
  return segment;
}

void CarryEnds(const std::vector<RowBlock>& from, SealedSegment& to) {
  for (const RowBlock& block : from) {
    for (const EndLsns::Entry& entry : block.ends->UpTo(~uint64_t{0})) {
      if (entry.slot >= block.rows) {
        continue;
      }
      const auto slot = to.Find(block.Key(entry.slot));
      // A row that was dead when `to` was written is not in it; a newer one with its key may be.
      if (slot && to.block().begin_lsns[*slot] == block.begin_lsns[entry.slot]) {
        to.ends().Set(*slot, entry.lsn);
      }
    }
  }
}

Result<bool> FlushOldest(Core& core, const std::shared_ptr<Collection>& collection) {
  const auto before = core.catalog.VersionOf(*collection);
  if (before->frozen.empty()) {
    return false;
  }
  const FrozenSegment frozen = before->frozen.front();
  const uint64_t durable = TRY(core.SyncLog());
  CHECK(durable >= frozen.lsn);
  const std::vector<RowBlock> blocks = frozen.rows->Blocks(frozen.lsn);
  auto sealed = TRY(WriteSegment(core, *collection, blocks, durable, {}));

  std::lock_guard structure(core.structure_mutex);
  CollectionChange change{.collection = collection,
                          .sealed = core.catalog.VersionOf(*collection)->sealed,
                          .flushed_lsn = frozen.lsn};
  if (!core.manifest.collections.contains(collection->id)) {
    return true;  // Dropped; the file goes with `sealed`.
  }
  if (sealed != nullptr) {
    CarryEnds(blocks, *sealed);
    change.sealed.push_back(sealed);
  }
  Status published = PublishCollection(core, change);
  if (published.ok() || core.failure.is_set()) {
    // In the manifest, or perhaps in the manifest: the files stay.
    if (sealed != nullptr) {
      sealed->KeepFiles();
    }
  }
  TRY(std::move(published));
  FAILPOINT("embedded.flush.after_publish");
  InstallFlush(core, *collection, frozen, blocks, std::move(sealed));
  return true;
}

}  // namespace roost::embedded
