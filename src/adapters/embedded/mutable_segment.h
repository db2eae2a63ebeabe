#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/embedded/index/keyword_index.h"
#include "adapters/embedded/row_block.h"
#include "store/types.h"

namespace roost::embedded {

/// A row in one of a segment's blocks.
struct RowPlace {
  RowBlock block;
  uint32_t slot = 0;  ///< within the block
};

/// The rows of a collection that are not in a segment file yet, by rising LSN. They stand in
/// columns as in a file, in blocks that never move, so that readers need no lock while they work.
///
/// One writer at a time calls Append and End (the store's sequencer); any number of readers run
/// beside it. A reader sees rows and ends up to the LSN it asks for.
class MutableSegment {
 public:
  /// Schema and layout outlive the segment.
  MutableSegment(const CollectionSchema& schema, const Layout& layout);
  ~MutableSegment();
  MutableSegment(const MutableSegment&) = delete;
  MutableSegment& operator=(const MutableSegment&) = delete;

  /// The row becomes visible to readers at `lsn` or later. LSNs never go down.
  void Append(const Record& record, uint64_t lsn);
  /// The newest row with the key if it is alive as of all appends and ends.
  std::optional<uint32_t> FindLatest(const KeyRef& key) const;
  RowPlace At(uint32_t slot) const;
  /// The row at `slot` is dead from `lsn` on.
  void End(uint32_t slot, uint64_t lsn);

  /// The row that has the key and is alive at `lsn`.
  std::optional<RowPlace> Find(const KeyRef& key, uint64_t lsn) const;
  /// Rows with a begin LSN up to `lsn`, dead ones included. Blocks start at slots that are
  /// multiples of 64. The view is good as long as the segment lives.
  std::vector<RowBlock> Blocks(uint64_t lsn) const;
  /// Null where the field is no text. By position in the schema.
  const MutableKeywordIndex* keywords(size_t field) const { return keywords_[field].get(); }

  uint32_t rows() const { return rows_.load(std::memory_order_acquire); }
  /// Memory taken, about.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t last_lsn() const { return last_lsn_.load(std::memory_order_acquire); }

 private:
  struct Chunk;

  Chunk& ChunkForAppend();
  void Fill(Chunk& chunk, uint32_t row, const Record& record);
  /// Holds mutex_ (either way).
  const Chunk& ChunkOf(uint32_t slot) const;

  const CollectionSchema& schema_;
  const Layout& layout_;
  std::vector<std::unique_ptr<MutableKeywordIndex>> keywords_;
  std::atomic<uint32_t> rows_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> last_lsn_{0};

  mutable std::shared_mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> chunks_;             // only grows
  std::unordered_map<std::string, uint32_t> newest_slot_;  // by encoded key
};

}  // namespace roost::embedded
