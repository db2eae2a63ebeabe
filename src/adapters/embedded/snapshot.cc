#include "adapters/embedded/snapshot.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "adapters/embedded/segment_file.h"
#include "base/failpoint.h"

namespace roost::embedded {

namespace {

constexpr size_t kCopyBytes = 4u << 20;

class Snapshot {
 public:
  Snapshot(Core& core, const RequestContext& context, const std::string& folder)
      : core_(core), context_(context), folder_(folder) {}

  Status Run() {
    for (const auto& collection : core_.catalog.All()) {
      TRY(collection->CheckIntact());
    }
    const std::vector<Pin> pins = core_.catalog.PinAll();
    {
      std::lock_guard structure(core_.structure_mutex);
      manifest_.store_id = core_.manifest.store_id;
    }
    manifest_.next_id = core_.next_id.load();
    const uint64_t lsn = pins.empty() ? core_.catalog.visible_lsn() : pins.front().lsn;
    for (const Pin& pin : pins) {
      TRY(CopyCollection(pin));
    }
    FAILPOINT("embedded.snapshot.before_manifest");
    manifest_.covered_lsn = lsn;
    TRY(Wal::Start(core_.file_system, {.folder = folder_, .store_id = manifest_.store_id}, 1,
                   lsn + 1, {}));
    TRY(core_.file_system.SyncDirectory(folder_));
    TRY(WriteManifest(core_.file_system, folder_, manifest_));
    return core_.file_system.SyncDirectory(ParentPath(folder_));
  }

 private:
  Status CopyCollection(const Pin& pin) {
    Manifest::Collection& entry = manifest_.collections[pin.collection->id];
    entry.schema = pin.schema();
    entry.flushed_lsn = pin.lsn;
    for (const auto& segment : pin.version->sealed) {
      TRY(pin.collection->Watch(segment->VerifyAll()));
      TRY(CopySegment(*segment, pin.lsn, entry));
    }
    std::vector<RowBlock> blocks;
    for (const FrozenSegment& frozen : pin.version->frozen) {
      std::ranges::move(frozen.rows->Blocks(pin.lsn), std::back_inserter(blocks));
    }
    std::ranges::move(pin.version->active->Blocks(pin.lsn), std::back_inserter(blocks));
    return WriteRows(pin, blocks, entry);
  }

  Status CopySegment(const SealedSegment& segment, uint64_t lsn, Manifest::Collection& entry) {
    TRY(CopyBytes(segment.file(), SegmentFileName(segment.id())));
    Manifest::Segment part{.id = segment.id()};
    if (const auto dead = segment.ends().UpTo(lsn); !dead.empty()) {
      part.deletes_file = manifest_.next_id++;
      TRY(WriteDeletes(core_.file_system,
                       JoinPath(folder_, DeletesFileName(segment.id(), part.deletes_file)),
                       segment.id(), dead));
    }
    entry.segments.push_back(part);
    return CopyIndexes(segment, entry.schema);
  }

  /// Only saves the copy the time to build them.
  Status CopyIndexes(const SealedSegment& segment, const CollectionSchema& schema) {
    std::vector<std::string> names;
    names.reserve(schema.vectors.size() + schema.fields.size());
    for (size_t i = 0; i < schema.vectors.size(); ++i) {
      names.push_back(VectorIndexFileName(segment.id(), i));
    }
    for (size_t i = 0; i < schema.fields.size(); ++i) {
      names.push_back(KeywordIndexFileName(segment.id(), i));
    }
    for (const std::string& name : names) {
      if (const auto file = core_.file_system.Map(core_.PathOf(name)); file.ok()) {
        TRY(CopyBytes(file.value()->data(), name));
      }
    }
    return {};
  }

  Status CopyBytes(std::span<const std::byte> data, const std::string& name) {
    const auto file = TRY(core_.file_system.Open(JoinPath(folder_, name), OpenMode::kCreate));
    while (!data.empty()) {
      TRY(context_.CheckAlive("the snapshot"));
      const auto piece = data.first(std::min(data.size(), kCopyBytes));
      TRY(file->Append(piece));
      data = data.subspan(piece.size());
    }
    return file->Sync();
  }

  Status WriteRows(const Pin& pin, const std::vector<RowBlock>& blocks,
                   Manifest::Collection& entry) {
    const std::vector<RowRef> rows = LiveRowsByKey(blocks, pin.lsn);
    if (rows.empty()) {
      return {};
    }
    TRY(context_.CheckAlive("the snapshot"));
    const uint64_t id = manifest_.next_id++;
    const SegmentSource source{.schema = pin.schema(),
                               .layout = pin.collection->layout,
                               .id = id,
                               .collection = pin.collection->id,
                               .blocks = blocks,
                               .rows = rows};
    TRY(WriteSegmentFile(core_.file_system, JoinPath(folder_, SegmentFileName(id)), source,
                         context_.stop));
    entry.segments.push_back({.id = id});
    return {};
  }

  Core& core_;
  const RequestContext& context_;
  const std::string& folder_;
  Manifest manifest_;
};

}  // namespace

Status WriteSnapshot(Core& core, const RequestContext& context, const std::string& folder) {
  if (TRY(core.file_system.Exists(folder))) {
    return AlreadyExists("folder " + folder + " exists; name one that does not");
  }
  TRY(core.file_system.CreateDirectories(folder));
  Status written = Snapshot(core, context, folder).Run();
  if (!written.ok()) {
    const Status removed = core.file_system.RemoveAll(folder);
    static_cast<void>(removed);  // The first error is the one that matters.
  }
  return written;
}

}  // namespace roost::embedded
