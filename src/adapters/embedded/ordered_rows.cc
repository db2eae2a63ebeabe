#include "adapters/embedded/ordered_rows.h"

#include <algorithm>
#include <utility>

namespace roost::embedded {

Status OrderedRows::Start(const RequestContext& context, const Wanted& wanted) {
  std::optional<KeyRef> after;
  if (wanted.after) {
    after = KeyRef(*wanted.after);
  }
  std::vector<RowRef> in_memory;
  sources_.reserve(blocks_.size() + 1);  // Sources are pointed at.
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const PinnedBlock& block = blocks_[b];
    TRY(context.CheckAlive("reading rows in order"));
    TRY(VerifyForFilter(pin_, block, *wanted.filter));
    if (block.sealed != nullptr) {
      StartSealed(b, wanted);
      continue;
    }
    const AllowedSlots allowed =
        AllowedRows(block.block, pin_.lsn, wanted.tenant, *wanted.filter, false);
    for (uint32_t slot = 0; slot < block.block.rows; ++slot) {
      if (allowed.Get(slot) && !(after && block.block.Key(slot) <= *after)) {
        in_memory.push_back({static_cast<uint32_t>(b), slot});
      }
    }
  }
  StartSorted(std::move(in_memory));
  Choose();
  return {};
}

void OrderedRows::StartSealed(size_t b, const Wanted& wanted) {
  const PinnedBlock& block = blocks_[b];
  Source& source = sources_.emplace_back();
  source.sealed = true;
  source.rows = {{static_cast<uint32_t>(b), 0}};
  // Without a filter a page touches few rows: no need to look at all of them.
  source.lazy = wanted.filter->matches_all() && !wanted.tenant;
  if (!source.lazy) {
    source.allowed = AllowedRows(block.block, pin_.lsn, wanted.tenant, *wanted.filter, true);
  }
  uint32_t first = 0;
  if (wanted.after) {
    const KeyRef after(*wanted.after);
    first = block.sealed->LowerBound(after);
    first += first < block.block.rows && block.block.Key(first) == after ? 1 : 0;
  }
  Settle(source, first);
}

void OrderedRows::StartSorted(std::vector<RowRef> rows) {
  const auto key = [&](RowRef row) { return blocks_[row.block].block.Key(row.slot); };
  std::sort(rows.begin(), rows.end(), [&](RowRef a, RowRef b) { return key(a) < key(b); });
  Source& source = sources_.emplace_back();
  source.rows = std::move(rows);
  source.exhausted = source.rows.empty();
  if (!source.exhausted) {
    source.key = key(source.rows.front());
  }
}

/// Moves a sealed source to the first wanted row at `slot` or later.
void OrderedRows::Settle(Source& source, uint32_t slot) {
  const RowBlock& block = blocks_[source.rows[0].block].block;
  if (source.lazy) {
    while (slot < block.rows && !block.ends->LiveAt(slot, pin_.lsn)) {
      ++slot;
    }
  } else if (!source.allowed.all) {
    slot = static_cast<uint32_t>(source.allowed.bits.Next(slot));
  }
  source.exhausted = slot >= block.rows;
  if (!source.exhausted) {
    source.rows[0].slot = slot;
    source.key = block.Key(slot);
  }
}

void OrderedRows::Advance(Source& source) {
  if (source.sealed) {
    Settle(source, source.rows[0].slot + 1);
  } else if (++source.at == source.rows.size()) {
    source.exhausted = true;
  } else {
    const RowRef row = source.rows[source.at];
    source.key = blocks_[row.block].block.Key(row.slot);
  }
}

void OrderedRows::Next() {
  Advance(*current_);
  Choose();
}

void OrderedRows::Choose() {
  current_ = nullptr;
  for (Source& source : sources_) {
    if (!source.exhausted && (current_ == nullptr || source.key < current_->key)) {
      current_ = &source;
    }
  }
}

}  // namespace roost::embedded
