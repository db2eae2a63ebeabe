#include "adapters/embedded/index/distance.h"

#include <algorithm>
#include <cstring>

#include "store/half.h"

namespace roost::embedded {
namespace {

Element ElementOf(DataType type) {
  switch (type) {
    case DataType::kFloat16Vector:
      return Element::kHalf;
    case DataType::kBFloat16Vector:
      return Element::kBrain;
    default:
      return Element::kFloat;
  }
}

std::vector<float> Convert(std::span<const std::byte> query, DataType type) {
  std::vector<float> floats;
  if (type == DataType::kFloatVector) {
    floats.resize(query.size() / 4);
    std::memcpy(floats.data(), query.data(), floats.size() * 4);
    return floats;
  }
  floats.resize(query.size() / 2);
  for (size_t i = 0; i < floats.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, query.data() + i * 2, 2);
    floats[i] = type == DataType::kFloat16Vector ? HalfToFloat(bits) : BFloat16ToFloat(bits);
  }
  return floats;
}

struct SparseEntry {
  uint32_t index;
  float value;
};

SparseEntry EntryAt(const std::byte* bytes) {
  SparseEntry entry;
  std::memcpy(&entry, bytes, sizeof(entry));
  return entry;
}

struct SparseSums {
  double dot = 0;
  double squares = 0;  ///< of the differences
  double norm = 0;     ///< sum of squares of the row
};

/// Both sides are ordered by index, so one pass over both finds what they share.
SparseSums MergeSparse(std::span<const std::byte> query, std::span<const std::byte> row) {
  SparseSums sums;
  size_t i = 0;
  size_t j = 0;
  while (i < query.size() || j < row.size()) {
    constexpr SparseEntry kEnd{std::numeric_limits<uint32_t>::max(), 0};
    const SparseEntry a = i < query.size() ? EntryAt(query.data() + i) : kEnd;
    const SparseEntry b = j < row.size() ? EntryAt(row.data() + j) : kEnd;
    const bool take_a = i < query.size() && (j >= row.size() || a.index <= b.index);
    const bool take_b = j < row.size() && (i >= query.size() || b.index <= a.index);
    const double x = take_a ? a.value : 0.0;
    const double y = take_b ? b.value : 0.0;
    sums.dot += x * y;
    sums.squares += (x - y) * (x - y);
    sums.norm += y * y;
    i += take_a ? sizeof(SparseEntry) : 0;
    j += take_b ? sizeof(SparseEntry) : 0;
  }
  return sums;
}

/// Sums in 64 bits: a query's length needs no speed.
double Length(std::span<const float> values) {
  double sum = 0;
  for (float value : values) {
    sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
}

float CosineDistance(double dot, double query_norm, double squared_row_norm) {
  const double lengths = query_norm * std::sqrt(squared_row_norm);
  if (!(lengths > 0)) {
    return 1.0f;
  }
  return static_cast<float>(std::clamp(1.0 - dot / lengths, 0.0, 2.0));
}

}  // namespace

bool Comparable(DataType type, Metric metric) {
  if (type == DataType::kBinaryVector) {
    return metric == Metric::kHamming || metric == Metric::kJaccard;
  }
  return IsVector(type) &&
         (metric == Metric::kL2 || metric == Metric::kCosine || metric == Metric::kInnerProduct);
}

size_t RowBytes(DataType type, uint32_t dimension) {
  switch (type) {
    case DataType::kFloatVector:
      return size_t{dimension} * 4;
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      return size_t{dimension} * 2;
    case DataType::kInt8Vector:
      return dimension;
    case DataType::kBinaryVector:
      return (size_t{dimension} + 7) / 8;
    default:
      return 0;
  }
}

RowDistance::RowDistance(const VectorColumn& column, std::span<const std::byte> query)
    : column_(column),
      kernels_(ActiveKernelTable()),
      query_(query),
      element_(ElementOf(column.type)) {
  const bool sparse = column.type == DataType::kSparseVector;
  valid_ = Comparable(column.type, column.metric) &&
           (sparse ? query.size() % sizeof(SparseEntry) == 0 && column.offsets.size() > column.count
                   : query.size() == RowBytes(column.type, column.dimension));
  if (!valid_) {
    return;
  }
  switch (column.type) {
    case DataType::kFloatVector:
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      if (element_ == Element::kFloat &&
          reinterpret_cast<uintptr_t>(query.data()) % alignof(float) == 0) {
        floats_ = reinterpret_cast<const float*>(query.data());
      } else {
        converted_ = Convert(query, column.type);
        floats_ = converted_.data();
      }
      if (column.metric == Metric::kCosine) {
        query_norm_ =
            std::sqrt(static_cast<double>(kernels_.dot[0](floats_, floats_, column.dimension)));
        // A sum that leaves the range of float (or its subnormals) is taken again in 64 bits.
        if (!(query_norm_ > 1e-15 && query_norm_ < 1e15)) {
          query_norm_ = Length({floats_, column.dimension});
        }
      }
      break;
    case DataType::kInt8Vector: {
      const auto* values = reinterpret_cast<const int8_t*>(query.data());
      query_norm_ =
          std::sqrt(static_cast<double>(kernels_.int8_dot(values, values, column.dimension)));
      break;
    }
    case DataType::kSparseVector:
      query_norm_ = std::sqrt(MergeSparse({}, query).norm);
      break;
    default:
      break;
  }
}

float RowDistance::To(uint32_t slot) const {
  float distance = 0;
  switch (column_.type) {
    case DataType::kInt8Vector:
      distance = Int8Distance(Row(slot));
      break;
    case DataType::kBinaryVector:
      distance = BitDistance(Row(slot));
      break;
    case DataType::kSparseVector:
      distance = SparseDistance(slot);
      break;
    default:
      distance = FloatDistance(Row(slot));
      break;
  }
  // NaN compares with nothing and would leave sorted lists in no order at all.
  return std::isnan(distance) ? std::numeric_limits<float>::infinity() : distance;
}

void RowDistance::Prefetch(uint32_t slot) const {
  const std::byte* row =
      column_.type == DataType::kSparseVector ? column_.data + column_.offsets[slot] : Row(slot);
  const size_t bytes =
      std::min<size_t>(column_.type == DataType::kSparseVector ? 256 : query_.size(), 1'024);
  for (size_t i = 0; i < bytes; i += 64) {
    __builtin_prefetch(row + i);
  }
}

float RowDistance::FloatDistance(const std::byte* row) const {
  const auto element = static_cast<size_t>(element_);
  switch (column_.metric) {
    case Metric::kL2:
      return std::sqrt(kernels_.squares[element](floats_, row, column_.dimension));
    case Metric::kInnerProduct:
      return -kernels_.dot[element](floats_, row, column_.dimension);
    default: {
      const DotNorm sums = kernels_.dot_norm[element](floats_, row, column_.dimension);
      return CosineDistance(sums.dot, query_norm_, sums.norm);
    }
  }
}

float RowDistance::Int8Distance(const std::byte* row) const {
  const auto* query = reinterpret_cast<const int8_t*>(query_.data());
  const auto* values = reinterpret_cast<const int8_t*>(row);
  switch (column_.metric) {
    case Metric::kL2:
      return static_cast<float>(
          std::sqrt(static_cast<double>(kernels_.int8_squares(query, values, column_.dimension))));
    case Metric::kInnerProduct:
      return static_cast<float>(-kernels_.int8_dot(query, values, column_.dimension));
    default: {
      const DotNormInt sums = kernels_.int8_dot_norm(query, values, column_.dimension);
      return CosineDistance(sums.dot, query_norm_, sums.norm);
    }
  }
}

float RowDistance::BitDistance(const std::byte* row) const {
  const auto* query = reinterpret_cast<const uint8_t*>(query_.data());
  const auto* bits = reinterpret_cast<const uint8_t*>(row);
  if (column_.metric == Metric::kHamming) {
    return static_cast<float>(kernels_.hamming(query, bits, query_.size()));
  }
  return JaccardDistance(kernels_.jaccard(query, bits, query_.size()));
}

float RowDistance::SparseDistance(uint32_t slot) const {
  const std::byte* row = column_.data + column_.offsets[slot];
  const SparseSums sums = MergeSparse(query_, {row, column_.data + column_.offsets[slot + 1]});
  switch (column_.metric) {
    case Metric::kL2:
      return static_cast<float>(std::sqrt(sums.squares));
    case Metric::kInnerProduct:
      return static_cast<float>(-sums.dot);
    default:
      return CosineDistance(sums.dot, query_norm_, sums.norm);
  }
}

float Distance(const VectorColumn& column, std::span<const std::byte> query, uint32_t slot) {
  const RowDistance distance(column, query);
  return distance.valid() ? distance.To(slot) : std::numeric_limits<float>::infinity();
}

}  // namespace roost::embedded
