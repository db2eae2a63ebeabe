#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "adapters/embedded/end_lsns.h"
#include "adapters/embedded/index/vector_index.h"
#include "store/vector_store.h"

namespace roost::embedded {

/// A record's key without a copy. Ordered as RecordKey.
struct KeyRef {
  std::string_view tenant;
  bool is_number = false;
  int64_t number = 0;
  std::string_view text;

  KeyRef() = default;
  KeyRef(const RecordKey& key);
  RecordKey ToKey() const;
  std::strong_ordering operator<=>(const KeyRef& other) const;
  bool operator==(const KeyRef&) const = default;
};

/// Where a collection's values stand: which column holds which field. Columns are either 8-byte
/// numbers or byte strings; dense vectors have a matrix each.
class Layout {
 public:
  static constexpr size_t kTenant = 0;
  static constexpr size_t kKey = 1;
  static constexpr size_t kDynamic = 2;
  static constexpr size_t kFields = 3;

  struct Matrix {
    size_t row_bytes = 0;  ///< 0: sparse, in a column
    size_t stride = 0;
  };

  explicit Layout(const CollectionSchema& schema);
  size_t columns() const { return fixed_.size(); }
  bool is_fixed(size_t column) const { return fixed_[column]; }
  size_t SparseColumn(size_t vector_field) const { return sparse_base_ + vector_field; }
  const std::vector<Matrix>& matrices() const { return matrices_; }
  /// Bytes a row takes at least, for sizing.
  size_t row_bytes() const;

 private:
  std::vector<bool> fixed_;
  size_t sparse_base_ = 0;
  std::vector<Matrix> matrices_;
};

/// The values of one column of a block. A number column has `values`; a byte string column has
/// either `views` (in memory) or `offsets` and `heap` (in a file).
struct Column {
  const int64_t* values = nullptr;
  const std::string_view* views = nullptr;
  const uint64_t* offsets = nullptr;
  const char* heap = nullptr;
  const uint8_t* present = nullptr;  ///< one byte a slot; null: no nulls

  bool IsNull(uint32_t slot) const { return present != nullptr && present[slot] == 0; }
  std::string_view Bytes(uint32_t slot) const {
    if (views != nullptr) {
      return views[slot];
    }
    return {heap + offsets[slot], static_cast<size_t>(offsets[slot + 1] - offsets[slot])};
  }
};

struct MatrixView {
  const std::byte* data = nullptr;
  const uint8_t* present = nullptr;        ///< one byte a slot; null: no nulls
  std::span<const uint64_t> present_bits;  ///< the same as bits where it was built; else empty
};

/// A run of rows that lie side by side, whether in memory or in a file: what filters, searches and
/// reads work on. A view: whoever pinned the segment keeps the memory.
struct RowBlock {
  const Layout* layout = nullptr;
  uint32_t rows = 0;        ///< visible ones
  uint32_t first_slot = 0;  ///< of the segment
  const uint64_t* begin_lsns = nullptr;
  const EndLsns* ends = nullptr;
  std::span<const Column> columns;
  std::span<const MatrixView> matrices;

  KeyRef Key(uint32_t slot) const;
  VectorColumn AsVectorColumn(const CollectionSchema& schema, size_t vector_field) const;
};

/// True for types whose column holds numbers.
bool IsFixed(DataType type);
/// Numbers as they stand in a fixed column, and back.
int64_t PackNumber(const Value& value);
Value UnpackNumber(DataType type, int64_t packed);
/// Strings, JSON and arrays as they stand in a byte string column; `buffer` may hold the bytes.
std::string_view PackBytes(const Value& value, std::string& buffer);

/// The field's value at `slot`.
Value ReadValue(const FieldSchema& field, const Column& column, uint32_t slot);

/// What to take out of a row.
struct Selection {
  std::vector<size_t> fields;   ///< positions in the schema
  std::vector<size_t> vectors;  ///< positions in the schema
  bool dynamic = false;
};
Selection SelectAll(const CollectionSchema& schema, bool vectors);
/// At least what Project() of store/validate.h needs for this output.
Selection SelectOutput(const CollectionSchema& schema, const OutputFields& output);

Record ReadRecord(const CollectionSchema& schema, const RowBlock& block, uint32_t slot,
                  const Selection& selection);

}  // namespace roost::embedded
