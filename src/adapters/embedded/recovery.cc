#include "adapters/embedded/recovery.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/embedded/log_record.h"
#include "adapters/embedded/sequencer.h"
#include "adapters/embedded/structure.h"
#include "adapters/embedded/wal_format.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/random.h"

namespace roost::embedded {

namespace {

class Recovery {
 public:
  Recovery(Core& core, EmbeddedStats& stats) : core_(core), stats_(stats) {}

  Status Run() {
    const std::string& folder = core_.options.folder;
    TRY(core_.file_system.CreateDirectories(folder));
    core_.lock = TRY(core_.file_system.Lock(core_.PathOf(kLockFile)));
    const bool exists = TRY(core_.file_system.Exists(core_.PathOf(kManifestFile)));
    if (!exists) {
      TRY(MakeNew());
    }
    core_.manifest = TRY(ReadManifest(core_.file_system, folder));
    TRY(SkipUsedNumbers());
    for (const auto& [id, entry] : core_.manifest.collections) {
      TRY(OpenCollection(id, entry));
    }
    TRY(RemoveLeftovers());
    return ReplayLog();
  }

 private:
  Wal::Options WalOptions() const {
    return {.folder = core_.options.folder,
            .store_id = core_.manifest.store_id,
            .file_bytes = core_.options.wal_file_bytes};
  }

  /// The log is made before the manifest: a folder without manifest and with an empty log is one
  /// whose making was broken off.
  Status MakeNew() {
    for (const std::string& name : TRY(core_.file_system.List(core_.options.folder))) {
      const std::string path = core_.PathOf(name);
      if (WalNumberOf(name) != 0) {
        const auto file = TRY(core_.file_system.Open(path, OpenMode::kRead));
        if (TRY(file->Size()) <= kWalFileHeader) {
          TRY(core_.file_system.Remove(path));
          continue;
        }
      }
      if (WalNumberOf(name) != 0 || SegmentOfFile(name)) {
        return DataLoss("file " + core_.PathOf(kManifestFile) + " is missing but " + name +
                        " is there; restore the folder from a snapshot");
      }
    }
    SystemRandom random;
    core_.manifest.store_id = random.Next();
    TRY(Wal::Start(core_.file_system, WalOptions(), 1, 1, {}));
    FAILPOINT("embedded.create.before_manifest");
    TRY(WriteManifest(core_.file_system, core_.options.folder, core_.manifest));
    return core_.file_system.SyncDirectory(ParentPath(core_.options.folder));
  }

  /// Files that a crash left behind must never be taken for new ones.
  Status SkipUsedNumbers() {
    core_.next_id = core_.manifest.next_id;
    for (const std::string& name : TRY(core_.file_system.List(core_.options.folder))) {
      if (const auto id = SegmentOfFile(name); id && *id >= core_.next_id.load()) {
        core_.next_id = *id + 1;
      }
    }
    return {};
  }

  Status OpenCollection(uint32_t id, const Manifest::Collection& entry) {
    auto collection = std::make_shared<Collection>(id, entry.schema);
    collection->flushed_lsn = entry.flushed_lsn;
    auto version = EmptyVersion(*collection);
    for (const Manifest::Segment& part : entry.segments) {
      if (Status opened = OpenSegment(*collection, part, *version); !opened.ok()) {
        if (opened.code() != Code::kDataLoss) {
          return opened;
        }
        static_cast<void>(collection->Quarantine(opened.error()));
        version = EmptyVersion(*collection);
        break;
      }
    }
    by_id_[id] = collection;
    core_.catalog.Add(std::move(collection), std::move(version));
    return {};
  }

  Status OpenSegment(const Collection& collection, const Manifest::Segment& part,
                     Version& version) {
    auto segment = TRY(SealedSegment::Open(core_.file_system, core_.options.folder, part.id,
                                           collection.schema, collection.layout));
    if (part.deletes_file != 0) {
      TRY(ReadDeletes(core_.file_system, core_.PathOf(DeletesFileName(part.id, part.deletes_file)),
                      part.id, segment->rows(), segment->ends()));
    }
    segment->deletes = {.file = part.deletes_file, .count = segment->ends().count()};
    version.sealed.push_back(std::move(segment));
    return {};
  }

  /// Removes files that the manifest does not name: of work that a crash broke off, or that was
  /// finished but for the removal.
  Status RemoveLeftovers() {
    std::map<uint64_t, uint64_t> deletes_of;  // segment -> number of its deletes file
    for (const auto& [id, entry] : core_.manifest.collections) {
      for (const Manifest::Segment& segment : entry.segments) {
        deletes_of[segment.id] = segment.deletes_file;
      }
    }
    for (const std::string& name : TRY(core_.file_system.List(core_.options.folder))) {
      const auto segment = SegmentOfFile(name);
      const uint64_t wal = WalNumberOf(name);
      bool leftover = name.ends_with(".tmp") || (wal != 0 && wal < core_.manifest.first_wal);
      if (segment) {
        const auto known = deletes_of.find(*segment);
        leftover = leftover || known == deletes_of.end() ||
                   (name.ends_with(".del") && name != DeletesFileName(*segment, known->second));
      }
      if (leftover) {
        TRY(core_.file_system.Remove(core_.PathOf(name)));
      }
    }
    return {};
  }

  Status ReplayLog() {
    const Wal::Options options = WalOptions();
    WalReplay replay = TRY(
        ReplayWal(core_.file_system, options, core_.manifest.first_wal, core_.manifest.covered_lsn,
                  [&](uint64_t lsn, std::string_view payload) { return Apply(lsn, payload); }));
    FAILPOINT("embedded.recovery.after_replay");
    stats_.wal_records_replayed = replay.records;
    stats_.wal_bytes_dropped = replay.bytes_dropped;
    const uint64_t last = replay.files.back().number;
    {
      // Readers are going to see all of it, so all of it must survive the next power cut.
      const auto file =
          TRY(core_.file_system.Open(core_.PathOf(WalFileName(last)), OpenMode::kReadWrite));
      TRY(file->Sync());
    }
    core_.wal = TRY(
        Wal::Start(core_.file_system, options, last + 1, replay.next_lsn, std::move(replay.files)));
    core_.applied_lsn = replay.next_lsn - 1;
    core_.catalog.AdvanceVisible(replay.next_lsn - 1);
    std::lock_guard structure(core_.structure_mutex);
    return PublishCoverage(core_);
  }

  Status Apply(uint64_t lsn, std::string_view payload) {
    FAILPOINT("embedded.recovery.before_apply");
    const LogRecord record = TRY(DecodeLogRecord(payload));
    const auto found = by_id_.find(record.collection);
    if (found == by_id_.end()) {
      return {};  // Dropped since.
    }
    Collection& collection = *found->second;
    if (lsn <= collection.flushed_lsn) {
      return {};  // In a segment.
    }
    collection.last_lsn = lsn;
    const auto version = core_.catalog.VersionOf(collection);
    if (!collection.CheckIntact().ok() || !collection.Watch(VerifyKeys(*version)).ok()) {
      return {};  // The log keeps it until the collection is dropped or repaired.
    }
    if (record.op == LogOp::kPut) {
      ApplyPut(core_, *version, TRY(DecodeLogRows(collection.schema, record)), lsn);
    } else {
      ApplyDelete(*version, TRY(DecodeLogKeys(record)), lsn);
    }
    if (version->active->rows() >= core_.options.seal_rows ||
        version->active->bytes() >= core_.options.seal_bytes) {
      Freeze(core_, collection);
    }
    return {};
  }

  Core& core_;
  EmbeddedStats& stats_;
  std::map<uint32_t, std::shared_ptr<Collection>> by_id_;
};

}  // namespace

Status Recover(Core& core, EmbeddedStats& stats) { return Recovery(core, stats).Run(); }

}  // namespace roost::embedded
