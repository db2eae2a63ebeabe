#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "adapters/embedded/index/kernels.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {

/// True where store/types.h lets this type be compared by this metric.
bool Comparable(DataType type, Metric metric);

/// Bytes of one vector; 0 for sparse vectors.
size_t RowBytes(DataType type, uint32_t dimension);

inline bool HasBit(std::span<const uint64_t> bits, uint32_t slot) {
  return slot / 64 < bits.size() && ((bits[slot / 64] >> (slot % 64)) & 1) != 0;
}

/// One query against the rows of one column: what all searches report comes from To(), so their
/// distances agree bit for bit. Borrows column and query. Not for several threads at once.
class RowDistance {
 public:
  RowDistance(const VectorColumn& column, std::span<const std::byte> query);

  /// False where the query's size or the metric does not suit the column.
  bool valid() const { return valid_; }
  /// As store/types.h's Metric defines it; never NaN. A zero vector is at cosine distance 1.
  /// Precondition: valid(), slot < count, and the slot has a vector.
  float To(uint32_t slot) const;
  void Prefetch(uint32_t slot) const;

 private:
  const std::byte* Row(uint32_t slot) const { return column_.data + slot * column_.stride; }
  float FloatDistance(const std::byte* row) const;
  float Int8Distance(const std::byte* row) const;
  float BitDistance(const std::byte* row) const;
  float SparseDistance(uint32_t slot) const;

  const VectorColumn& column_;
  const Kernels& kernels_;
  std::span<const std::byte> query_;
  std::vector<float> converted_;  ///< the query where it is not float or not aligned
  const float* floats_ = nullptr;
  Element element_ = Element::kFloat;
  double query_norm_ = 0;  ///< length of the query, for cosine
  bool valid_ = false;
};

}  // namespace roost::embedded
