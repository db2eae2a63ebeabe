#include "store/vector_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace roost {
namespace {

uint16_t Load16(const std::string& bytes, size_t index) {
  uint16_t value = 0;
  std::memcpy(&value, bytes.data() + index * 2, sizeof(value));
  return value;
}

/// What every metric of numbers is made of.
struct Sums {
  double dot = 0;
  double squares = 0;  ///< of the differences
  double norm_a = 0;
  double norm_b = 0;

  void Add(double x, double y) {
    dot += x * y;
    squares += (x - y) * (x - y);
    norm_a += x * x;
    norm_b += y * y;
  }
};

Sums SparseSums(const Vector& a, const Vector& b) {
  const auto left = ToSparseEntries(a);
  const auto right = ToSparseEntries(b);
  Sums sums;
  auto x = left.begin();
  auto y = right.begin();
  while (x != left.end() || y != right.end()) {
    if (y == right.end() || (x != left.end() && x->first < y->first)) {
      sums.Add((x++)->second, 0);
    } else if (x == left.end() || y->first < x->first) {
      sums.Add(0, (y++)->second);
    } else {
      sums.Add((x++)->second, (y++)->second);
    }
  }
  return sums;
}

Sums DenseSums(const Vector& a, const Vector& b) {
  Sums sums;
  if (a.type == DataType::kFloatVector) {
    const auto x = a.floats();
    const auto y = b.floats();
    for (size_t i = 0; i < x.size(); ++i) {
      sums.Add(x[i], y[i]);
    }
    return sums;
  }
  const auto x = ToFloats(a);
  const auto y = ToFloats(b);
  for (size_t i = 0; i < x.size(); ++i) {
    sums.Add(x[i], y[i]);
  }
  return sums;
}

double BinaryDistance(Metric metric, const Vector& a, const Vector& b) {
  int differ = 0;
  int both = 0;
  int any = 0;
  for (size_t i = 0; i < a.bytes.size(); ++i) {
    const auto x = static_cast<uint8_t>(a.bytes[i]);
    const auto y = static_cast<uint8_t>(b.bytes[i]);
    differ += std::popcount(static_cast<uint8_t>(x ^ y));
    both += std::popcount(static_cast<uint8_t>(x & y));
    any += std::popcount(static_cast<uint8_t>(x | y));
  }
  if (metric == Metric::kHamming) {
    return differ;
  }
  return any == 0 ? 1 : 1 - static_cast<double>(both) / any;
}

}  // namespace

std::vector<float> ToFloats(const Vector& vector) {
  std::vector<float> values(vector.dimension());
  for (size_t i = 0; i < values.size(); ++i) {
    switch (vector.type) {
      case DataType::kFloat16Vector:
        values[i] = HalfToFloat(Load16(vector.bytes, i));
        break;
      case DataType::kBFloat16Vector:
        values[i] = BFloat16ToFloat(Load16(vector.bytes, i));
        break;
      case DataType::kInt8Vector:
        values[i] = static_cast<int8_t>(vector.bytes[i]);
        break;
      case DataType::kBinaryVector:
        values[i] =
            static_cast<float>((static_cast<uint8_t>(vector.bytes[i / 8]) >> (7 - i % 8)) & 1);
        break;
      default:
        values[i] = vector.floats()[i];
    }
  }
  return values;
}

Vector FromFloats(DataType type, std::span<const float> values) {
  if (type == DataType::kFloatVector) {
    return Vector::Floats(values);
  }
  Vector vector{.type = type, .bytes = {}};
  if (type == DataType::kBinaryVector) {
    vector.bytes.resize(values.size() / 8);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == DataType::kInt8Vector) {
      vector.bytes += static_cast<char>(std::lrint(std::clamp(values[i], -128.0f, 127.0f)));
    } else if (type == DataType::kBinaryVector) {
      vector.bytes[i / 8] =
          static_cast<char>(vector.bytes[i / 8] | (values[i] != 0 ? 0x80 >> (i % 8) : 0));
    } else {
      const uint16_t bits =
          type == DataType::kFloat16Vector ? FloatToHalf(values[i]) : FloatToBFloat16(values[i]);
      vector.bytes += static_cast<char>(bits & 0xFF);
      vector.bytes += static_cast<char>(bits >> 8);
    }
  }
  return vector;
}

std::vector<SparseEntry> ToSparseEntries(const Vector& vector) {
  std::vector<SparseEntry> entries(vector.bytes.size() / 8);
  for (size_t i = 0; i < entries.size(); ++i) {
    std::memcpy(&entries[i].first, vector.bytes.data() + i * 8, 4);
    std::memcpy(&entries[i].second, vector.bytes.data() + i * 8 + 4, 4);
  }
  return entries;
}

Vector FromSparseEntries(std::span<const SparseEntry> entries) {
  Vector vector{.type = DataType::kSparseVector, .bytes = std::string(entries.size() * 8, '\0')};
  for (size_t i = 0; i < entries.size(); ++i) {
    std::memcpy(vector.bytes.data() + i * 8, &entries[i].first, 4);
    std::memcpy(vector.bytes.data() + i * 8 + 4, &entries[i].second, 4);
  }
  return vector;
}

double ReferenceDistance(Metric metric, const Vector& a, const Vector& b) {
  if (metric == Metric::kHamming || metric == Metric::kJaccard) {
    return BinaryDistance(metric, a, b);
  }
  const Sums sums = a.type == DataType::kSparseVector ? SparseSums(a, b) : DenseSums(a, b);
  if (metric == Metric::kL2) {
    return std::sqrt(sums.squares);
  }
  if (metric == Metric::kInnerProduct) {
    return -sums.dot;
  }
  if (sums.norm_a == 0 || sums.norm_b == 0) {
    return 1;
  }
  const double cosine = sums.dot / (std::sqrt(sums.norm_a) * std::sqrt(sums.norm_b));
  return std::clamp(1 - cosine, 0.0, 2.0);
}

}  // namespace roost
