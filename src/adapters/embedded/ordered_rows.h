#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/embedded/reads.h"

namespace roost::embedded {

/// The rows a pin sees, one after the other by rising key, over all segments. Sealed segments are
/// walked in place; of segments in memory the rows that are wanted are sorted first.
class OrderedRows {
 public:
  struct Wanted {
    std::optional<std::string> tenant;
    const SlotFilter* filter = nullptr;
    std::optional<RecordKey> after;  ///< only keys greater than this
  };

  /// The pin outlives it.
  OrderedRows(const Pin& pin, std::vector<PinnedBlock> blocks)
      : pin_(pin), blocks_(std::move(blocks)) {}

  /// Stands at the first row.
  Status Start(const RequestContext& context, const Wanted& wanted);
  bool done() const { return current_ == nullptr; }
  void Next();
  const PinnedBlock& block() const { return blocks_[current_->rows[current_->at].block]; }
  uint32_t slot() const { return current_->rows[current_->at].slot; }
  KeyRef key() const { return current_->key; }

 private:
  /// A run of rows in key order: a whole sealed segment (one at a time) or a sorted list.
  struct Source {
    std::vector<RowRef> rows;  // of a sealed segment: only the row it stands at
    size_t at = 0;
    KeyRef key;
    bool exhausted = false;
    // Of a sealed segment.
    bool sealed = false;
    AllowedSlots allowed;
    bool lazy = false;  // `allowed` was not computed: ends are asked row by row
  };

  void StartSealed(size_t block, const Wanted& wanted);
  void StartSorted(std::vector<RowRef> rows);
  void Settle(Source& source, uint32_t slot);
  void Advance(Source& source);
  void Choose();

  const Pin& pin_;
  std::vector<PinnedBlock> blocks_;
  std::vector<Source> sources_;
  Source* current_ = nullptr;
};

}  // namespace roost::embedded
