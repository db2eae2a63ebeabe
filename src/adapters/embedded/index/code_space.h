#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adapters/embedded/index/kernels.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {

/// A query as codes.
struct EncodedQuery {
  std::vector<int8_t> codes;
  std::vector<float> values;  ///< what was encoded
  float factor = 0;           ///< as in CodeQuery
  int32_t offset = 0;         ///< as in CodeQuery
  double rank_shift = 0;      ///< for CodeSpace::Rank
  float error = 0;            ///< standard deviation of the code distances, for a typical row
};

/// What is known of a column's vectors as a whole.
struct SpaceFit {
  std::vector<float> center;
  float radius = 0;          ///< R below; 0 where the metric is not inner product
  float typical_scale = 0;   ///< of a row's code
  float typical_length = 0;  ///< of a row, as encoded
};

/// The space in which graphs of numeric vectors are built and walked: every metric becomes squared
/// Euclidean distance, so that the pruning rules hold, and every vector 8-bit codes.
///
/// - L2: as it is. Cosine: vectors are scaled to length 1. Inner product: vectors get one more
///   coordinate, `lift` = √(R² − |x|²), that makes all of them R long; a query's is 0.
/// - Then the mean of the column is subtracted: what all vectors share costs no precision.
/// - Code i stands for scale · (code − 128). Between a row and a query, the distance is
///   bias + |query|² − 2 · row · query; `bias` is the row's exact squared length.
class CodeSpace {
 public:
  /// Looks at the rows (slots with a vector) of the column, at a sample where that is enough.
  static SpaceFit Fit(const VectorColumn& column, std::span<const uint32_t> rows);
  CodeSpace(DataType type, Metric metric, SpaceFit fit);

  struct Row {
    CodeScale scale;
    float lift = 0;
  };
  /// Fills `code` (CodeStride bytes). A row that is not finite lies far away from everything.
  /// `buffer` is scratch of the caller.
  Row EncodeRow(const std::byte* row, uint8_t* code, std::vector<float>& buffer) const;
  /// Precondition: the query has the column's size.
  void EncodeQuery(const std::byte* query, EncodedQuery& out) const;
  /// A distance of store/types.h in the scale of this query's code distances.
  float Rank(const EncodedQuery& query, float distance) const;

  const SpaceFit& fit() const { return fit_; }

 private:
  DataType type_;
  Metric metric_;
  SpaceFit fit_;
};

/// Bytes of a code in a table: a whole number of cache lines.
inline size_t CodeStride(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// The elements of a dense numeric vector as floats, into `out`.
void DecodeRow(DataType type, const std::byte* bytes, std::span<float> out);

}  // namespace roost::embedded
