#include "adapters/embedded/mutable_segment.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "adapters/embedded/codec.h"

namespace roost::embedded {

namespace {

constexpr uint32_t kNoSlot = ~uint32_t{0};
constexpr uint32_t kMinChunkRows = 64;
constexpr uint32_t kMaxChunkRows = 1024;
constexpr size_t kChunkBytes = 4u << 20;
constexpr size_t kArenaBlock = 64u << 10;
constexpr size_t kMapEntryBytes = 96;  // Node, bucket and key of a short key, about.

/// Byte strings that never move.
class Arena {
 public:
  std::string_view Copy(std::string_view bytes) {
    if (bytes.size() > left_) {
      const size_t size = std::max(bytes.size(), kArenaBlock);
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
      next_ = blocks_.back().get();
      left_ = size;
    }
    if (!bytes.empty()) {
      std::memcpy(next_, bytes.data(), bytes.size());
    }
    const std::string_view copy(next_, bytes.size());
    next_ += bytes.size();
    left_ -= bytes.size();
    return copy;
  }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

struct AlignedDelete {
  void operator()(std::byte* data) const { ::operator delete[](data, std::align_val_t{64}); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

AlignedBytes MakeAligned(size_t size) {
  return AlignedBytes(static_cast<std::byte*>(::operator new[](size, std::align_val_t{64})));
}

/// One byte string per key, equal exactly for equal keys.
std::string MapKey(const KeyRef& key) {
  std::string text;
  text.reserve(key.tenant.size() + key.text.size() + 12);
  PutBytes(text, key.tenant);
  if (key.is_number) {
    PutI64(text, key.number);
  } else {
    text += key.text;
  }
  return text;
}

}  // namespace

/// A block of rows. What is below the segment's row count is never written again.
struct MutableSegment::Chunk {
  Chunk(const Layout& layout, uint32_t first, uint32_t row_capacity)
      : first_slot(first), capacity(row_capacity), ends(row_capacity) {
    begin = std::make_unique_for_overwrite<uint64_t[]>(capacity);
    previous = std::make_unique_for_overwrite<uint32_t[]>(capacity);
    columns.resize(layout.columns());
    numbers.resize(layout.columns());
    views.resize(layout.columns());
    present.resize(layout.columns());
    for (size_t c = 0; c < layout.columns(); ++c) {
      present[c] = std::make_unique_for_overwrite<uint8_t[]>(capacity);
      if (layout.is_fixed(c)) {
        numbers[c] = std::make_unique_for_overwrite<int64_t[]>(capacity);
      } else {
        views[c] = std::make_unique_for_overwrite<std::string_view[]>(capacity);
      }
      columns[c] = {
          .values = numbers[c].get(), .views = views[c].get(), .present = present[c].get()};
    }
    matrices.resize(layout.matrices().size());
    matrix_bytes.resize(matrices.size());
    matrix_present.resize(matrices.size());
    for (size_t m = 0; m < matrices.size(); ++m) {
      matrix_bytes[m] = MakeAligned(layout.matrices()[m].stride * capacity);
      matrix_present[m] = std::make_unique_for_overwrite<uint8_t[]>(capacity);
      matrices[m] = {.data = matrix_bytes[m].get(), .present = matrix_present[m].get()};
    }
  }

  RowBlock Block(const Layout& layout, uint32_t rows) const {
    return {.layout = &layout,
            .rows = rows,
            .first_slot = first_slot,
            .begin_lsns = begin.get(),
            .ends = &ends,
            .columns = columns,
            .matrices = matrices};
  }

  const uint32_t first_slot;
  const uint32_t capacity;
  uint32_t used = 0;  // of the writer alone
  mutable EndLsns ends;
  std::unique_ptr<uint64_t[]> begin;
  std::unique_ptr<uint32_t[]> previous;  // the older row of the same key, as a slot of the segment
  std::vector<std::unique_ptr<int64_t[]>> numbers;
  std::vector<std::unique_ptr<std::string_view[]>> views;
  std::vector<std::unique_ptr<uint8_t[]>> present;
  std::vector<AlignedBytes> matrix_bytes;
  std::vector<std::unique_ptr<uint8_t[]>> matrix_present;
  std::vector<Column> columns;
  std::vector<MatrixView> matrices;
  Arena arena;
};

MutableSegment::MutableSegment(const CollectionSchema& schema, const Layout& layout)
    : schema_(schema), layout_(layout), keywords_(schema.fields.size()) {
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (schema.fields[i].type == DataType::kText) {
      keywords_[i] = MakeMutableKeywordIndex();
    }
  }
}

MutableSegment::~MutableSegment() = default;

MutableSegment::Chunk& MutableSegment::ChunkForAppend() {
  if (!chunks_.empty() && chunks_.back()->used < chunks_.back()->capacity) {
    return *chunks_.back();
  }
  // Small collections stay small: chunks grow with the segment, up to a size in bytes.
  const uint64_t most = std::clamp<uint64_t>(kChunkBytes / layout_.row_bytes() / 64 * 64,
                                             kMinChunkRows, kMaxChunkRows);
  const uint32_t first =
      chunks_.empty() ? 0 : chunks_.back()->first_slot + chunks_.back()->capacity;
  const uint32_t capacity =
      std::clamp(std::bit_floor(first), kMinChunkRows, static_cast<uint32_t>(most));
  auto chunk = std::make_unique<Chunk>(layout_, first, capacity);
  std::unique_lock lock(mutex_);
  chunks_.push_back(std::move(chunk));
  return *chunks_.back();
}

void MutableSegment::Fill(Chunk& chunk, uint32_t row, const Record& record) {
  uint64_t bytes = layout_.row_bytes();
  const auto put_bytes = [&](size_t column, std::string_view text) {
    chunk.views[column][row] = chunk.arena.Copy(text);
    chunk.present[column][row] = 1;
    bytes += text.size();
  };
  put_bytes(Layout::kTenant, record.key.tenant);
  put_bytes(Layout::kDynamic, record.dynamic);
  const KeyRef key(record.key);
  if (key.is_number) {
    chunk.numbers[Layout::kKey][row] = key.number;
    chunk.present[Layout::kKey][row] = 1;
  } else {
    put_bytes(Layout::kKey, key.text);
  }
  for (size_t i = 0; i < schema_.fields.size(); ++i) {
    const size_t column = Layout::kFields + i;
    const auto found = record.fields.find(schema_.fields[i].name);
    const bool null = found == record.fields.end() || found->second.is_null();
    if (layout_.is_fixed(column)) {
      chunk.numbers[column][row] = null ? 0 : PackNumber(found->second);
    } else {
      std::string buffer;
      put_bytes(column, null ? std::string_view() : PackBytes(found->second, buffer));
    }
    chunk.present[column][row] = null ? 0 : 1;
  }
  for (size_t m = 0; m < schema_.vectors.size(); ++m) {
    const auto found = record.vectors.find(schema_.vectors[m].name);
    const bool null = found == record.vectors.end();
    const Layout::Matrix& matrix = layout_.matrices()[m];
    const std::string_view data = null ? std::string_view() : found->second.bytes;
    if (matrix.row_bytes == 0) {
      put_bytes(layout_.SparseColumn(m), data);
      chunk.present[layout_.SparseColumn(m)][row] = null ? 0 : 1;
    } else {
      CHECK(null || data.size() == matrix.row_bytes);
      std::byte* place = chunk.matrix_bytes[m].get() + row * matrix.stride;
      std::memset(place + data.size(), 0, matrix.stride - data.size());
      if (!data.empty()) {
        std::memcpy(place, data.data(), data.size());
      }
    }
    chunk.matrix_present[m][row] = null ? 0 : 1;
  }
  bytes_.fetch_add(bytes + kMapEntryBytes, std::memory_order_relaxed);
}

void MutableSegment::Append(const Record& record, uint64_t lsn) {
  Chunk& chunk = ChunkForAppend();
  const uint32_t row = chunk.used;
  const uint32_t slot = chunk.first_slot + row;
  Fill(chunk, row, record);
  chunk.begin[row] = lsn;
  for (size_t i = 0; i < keywords_.size(); ++i) {
    if (keywords_[i] != nullptr && chunk.present[Layout::kFields + i][row] != 0) {
      keywords_[i]->Append(slot, chunk.views[Layout::kFields + i][row]);
    }
  }
  ++chunk.used;
  std::unique_lock lock(mutex_);
  const auto [entry, is_new] = newest_slot_.try_emplace(MapKey(KeyRef(record.key)), slot);
  chunk.previous[row] = is_new ? kNoSlot : std::exchange(entry->second, slot);
  last_lsn_.store(lsn, std::memory_order_release);
  rows_.store(slot + 1, std::memory_order_release);
}

const MutableSegment::Chunk& MutableSegment::ChunkOf(uint32_t slot) const {
  const auto after =
      std::upper_bound(chunks_.begin(), chunks_.end(), slot,
                       [](uint32_t s, const auto& chunk) { return s < chunk->first_slot; });
  return **std::prev(after);
}

std::optional<uint32_t> MutableSegment::FindLatest(const KeyRef& key) const {
  std::shared_lock lock(mutex_);
  const auto found = newest_slot_.find(MapKey(key));
  if (found == newest_slot_.end()) {
    return std::nullopt;
  }
  const Chunk& chunk = ChunkOf(found->second);
  if (chunk.ends.Get(found->second - chunk.first_slot) != 0) {
    return std::nullopt;
  }
  return found->second;
}

RowPlace MutableSegment::At(uint32_t slot) const {
  std::shared_lock lock(mutex_);
  const Chunk& chunk = ChunkOf(slot);
  const uint32_t row = slot - chunk.first_slot;
  return {chunk.Block(layout_, row + 1), row};
}

void MutableSegment::End(uint32_t slot, uint64_t lsn) {
  std::shared_lock lock(mutex_);
  const Chunk& chunk = ChunkOf(slot);
  chunk.ends.Set(slot - chunk.first_slot, lsn);
}

std::optional<RowPlace> MutableSegment::Find(const KeyRef& key, uint64_t lsn) const {
  std::shared_lock lock(mutex_);
  const auto found = newest_slot_.find(MapKey(key));
  for (uint32_t slot = found == newest_slot_.end() ? kNoSlot : found->second; slot != kNoSlot;) {
    const Chunk& chunk = ChunkOf(slot);
    const uint32_t row = slot - chunk.first_slot;
    if (chunk.begin[row] <= lsn) {
      if (!chunk.ends.LiveAt(row, lsn)) {
        return std::nullopt;
      }
      return RowPlace{chunk.Block(layout_, row + 1), row};
    }
    slot = chunk.previous[row];
  }
  return std::nullopt;
}

std::vector<RowBlock> MutableSegment::Blocks(uint64_t lsn) const {
  const uint32_t rows = this->rows();
  std::vector<RowBlock> blocks;
  std::shared_lock lock(mutex_);
  for (const auto& chunk : chunks_) {
    if (chunk->first_slot >= rows) {
      break;
    }
    const uint32_t filled = std::min(rows - chunk->first_slot, chunk->capacity);
    const uint64_t* begin = chunk->begin.get();
    const auto visible =
        static_cast<uint32_t>(std::upper_bound(begin, begin + filled, lsn) - begin);
    if (visible > 0) {
      blocks.push_back(chunk->Block(layout_, visible));
    }
  }
  return blocks;
}

}  // namespace roost::embedded
