#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "adapters/embedded/bitmap.h"
#include "adapters/embedded/row_block.h"
#include "store/filter.h"
#include "store/types.h"

namespace roost::embedded {

/// Decides for the rows of a block at once which ones match a filter, exactly as Matches() does.
/// Comparisons of a column with a literal run over the column; the rest is asked row by row, only
/// of rows that are still in question. Prepare once a request, run once a block. Thread safe.
class SlotFilter {
 public:
  /// Schema and filter outlive it; a null filter matches all.
  SlotFilter(const CollectionSchema& schema, const Filter* filter)
      : schema_(schema), filter_(filter) {}

  bool matches_all() const { return filter_ == nullptr; }
  /// Keeps of `slots` those that match.
  void Restrict(const RowBlock& block, Bitmap& slots) const;

 private:
  Bitmap Run(const Filter& filter, const RowBlock& block, const Bitmap& within) const;

  const CollectionSchema& schema_;
  const Filter* filter_;
};

/// The rows of a block that a request may return.
struct AllowedSlots {
  Bitmap bits;
  size_t count = 0;
  bool all = false;  ///< every row; `bits` is then empty

  bool Get(uint32_t slot) const { return all || bits.Get(slot); }
  SlotSet slot_set() const { return all ? SlotSet() : bits.words(); }
};
/// Alive at `lsn`, of the tenant, matching.
AllowedSlots AllowedRows(const RowBlock& block, uint64_t lsn,
                         const std::optional<std::string>& tenant, const SlotFilter& filter,
                         bool sorted);
/// Leaves out rows without the vector.
void RequireVector(const RowBlock& block, size_t vector_field, AllowedSlots& allowed);

}  // namespace roost::embedded
