#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/embedded/mutable_segment.h"
#include "adapters/embedded/row_block.h"
#include "adapters/embedded/sealed_segment.h"
#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

/// A mutable segment that takes no more rows and waits to be written to a file.
struct FrozenSegment {
  std::shared_ptr<MutableSegment> rows;
  uint64_t lsn = 0;  ///< everything of the collection up to here is in this or older segments
};

/// Where a collection's rows are. Immutable; a change makes a new one. Each key is alive in at most
/// one place at any LSN.
struct Version {
  std::vector<std::shared_ptr<SealedSegment>> sealed;
  std::vector<FrozenSegment> frozen;  ///< oldest first
  std::shared_ptr<MutableSegment> active;
};

/// A collection that is there. Its schema never changes.
class Collection {
 public:
  Collection(uint32_t collection_id, CollectionSchema collection_schema)
      : id(collection_id), schema(std::move(collection_schema)), layout(schema) {}

  const uint32_t id;
  const CollectionSchema schema;
  const Layout layout;

  /// A damaged collection answers every call with the error that says so.
  Status CheckIntact() const;
  /// Returns the error that is kept: the first.
  Error Quarantine(const Error& error);
  /// Passes `status` on; what is damage makes the collection quarantined.
  Status Watch(Status status);

  // Guarded by the store's write lock.
  bool dropped = false;
  uint64_t last_lsn = 0;     ///< of the last write to it
  uint64_t flushed_lsn = 0;  ///< everything up to it is in the manifest's segments

 private:
  mutable std::mutex mutex_;
  std::optional<Error> damage_;
};

/// What a reader holds: a collection as it was at one LSN, whatever is written or merged since.
struct Pin {
  std::shared_ptr<Collection> collection;
  std::shared_ptr<const Version> version;
  uint64_t lsn = 0;

  const CollectionSchema& schema() const { return collection->schema; }
};

/// Names of collections, their versions, and up to which LSN readers see. Thread safe.
class Catalog {
 public:
  /// kNotFound; kDataLoss where the collection is quarantined.
  Result<Pin> PinCollection(const std::string& name) const;
  /// Quarantined or not; null where there is none.
  std::shared_ptr<Collection> Find(const std::string& name) const;
  std::shared_ptr<const Version> VersionOf(const Collection& collection) const;
  std::vector<std::shared_ptr<Collection>> All() const;
  std::vector<std::string> Names() const;
  /// All intact collections at one LSN.
  std::vector<Pin> PinAll() const;

  void Add(std::shared_ptr<Collection> collection, std::shared_ptr<const Version> version);
  void Remove(const Collection& collection);
  void SetVersion(const Collection& collection, std::shared_ptr<const Version> version);
  void AdvanceVisible(uint64_t lsn);
  uint64_t visible_lsn() const;

 private:
  struct Entry {
    std::shared_ptr<Collection> collection;
    std::shared_ptr<const Version> version;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  uint64_t visible_lsn_ = 0;
};

/// A row that is alive as of every write, seen by the sequencer.
struct Location {
  SealedSegment* sealed = nullptr;
  MutableSegment* growing = nullptr;
  uint32_t slot = 0;

  void End(uint64_t lsn) const;
  RowPlace Place() const;
};
/// For the holder of the write lock. Needs VerifyKeys of every sealed segment.
std::optional<Location> FindLatest(const Version& version, const KeyRef& key);
/// The row with the key that the pin sees. Needs VerifyKeys of every sealed segment.
struct FoundRow {
  RowPlace place;
  SealedSegment* sealed = nullptr;  ///< null: in memory
};
std::optional<FoundRow> FindPinned(const Pin& pin, const KeyRef& key);

Status VerifyKeys(const Version& version);

}  // namespace roost::embedded
