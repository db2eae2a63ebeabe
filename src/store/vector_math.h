#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "store/half.h"
#include "store/types.h"

namespace roost {

/// The elements of a dense vector; 0 and 1 for binary. Precondition: not sparse.
std::vector<float> ToFloats(const Vector& vector);
/// A dense vector of the type; elements are rounded to it (int8 is clamped; binary: not 0 is 1).
/// Precondition: not sparse; a multiple of 8 values for binary.
Vector FromFloats(DataType type, std::span<const float> values);

using SparseEntry = std::pair<uint32_t, float>;
/// Precondition: a whole number of entries.
std::vector<SparseEntry> ToSparseEntries(const Vector& vector);
/// Entries in rising index order.
Vector FromSparseEntries(std::span<const SparseEntry> entries);

/// The distance of types.h, summed in double: what every store is compared with. Zero vectors have
/// cosine distance 1 from everything. Precondition: same type and dimension, a metric of the type.
double ReferenceDistance(Metric metric, const Vector& a, const Vector& b);

}  // namespace roost
