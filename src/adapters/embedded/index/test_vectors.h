#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/embedded/index/vector_index.h"
#include "base/random.h"
#include "store/vector_math.h"

namespace roost::embedded {

// Columns for tests.

/// Standard normal (Box and Muller).
inline float Normal(Random& random) {
  const double u = 1.0 - random.NextDouble();
  const double v = random.NextDouble();
  return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
}

/// Vectors as texts give them: topics, subtopics and documents, nearer and nearer to each other,
/// all leaning in one direction; lengths differ by a factor of about two.
inline std::vector<std::vector<float>> ClusteredVectors(size_t count, uint32_t dimension,
                                                        uint64_t seed) {
  SeededRandom shape(1);  // The same topics for rows and queries.
  const auto draw = [&](Random& random, float scale) {
    std::vector<float> v(dimension);
    for (uint32_t i = 0; i < dimension; ++i) {
      v[i] = scale * Normal(random) / (1.0f + 3.0f * static_cast<float>(i) / dimension);
    }
    return v;
  };
  constexpr size_t kTopics = 20;
  constexpr size_t kSubtopics = 10;
  const std::vector<float> common = draw(shape, 0.7f);
  std::vector<std::vector<float>> centers;
  for (size_t t = 0; t < kTopics; ++t) {
    const auto topic = draw(shape, 1.0f);
    for (size_t s = 0; s < kSubtopics; ++s) {
      auto center = draw(shape, 0.7f);
      for (uint32_t i = 0; i < dimension; ++i) {
        center[i] += topic[i] + common[i];
      }
      centers.push_back(std::move(center));
    }
  }
  SeededRandom random(seed);
  std::vector<std::vector<float>> vectors;
  for (size_t n = 0; n < count; ++n) {
    // Squared: some subtopics have far more documents than others.
    const double u = random.NextDouble();
    const auto& center = centers[static_cast<size_t>(u * u * kTopics * kSubtopics)];
    auto v = draw(random, 0.6f);
    const auto length = static_cast<float>(0.7 + 0.7 * random.NextDouble());
    for (uint32_t i = 0; i < dimension; ++i) {
      v[i] = (v[i] + center[i]) * length;
    }
    vectors.push_back(std::move(v));
  }
  return vectors;
}

/// Owns the rows behind a VectorColumn.
class TestColumn {
 public:
  TestColumn(DataType type, Metric metric, uint32_t dimension,
             const std::vector<std::vector<float>>& rows)
      : type_(type), metric_(metric), dimension_(dimension) {
    for (const auto& row : rows) {
      vectors_.push_back(FromFloats(type, row));
    }
    const size_t bytes = vectors_.empty() ? 4 : vectors_.front().bytes.size();
    stride_ = (bytes + 3) / 4 * 4;
    data_.resize(stride_ * vectors_.size());
    for (size_t i = 0; i < vectors_.size(); ++i) {
      std::copy(vectors_[i].bytes.begin(), vectors_[i].bytes.end(),
                data_.begin() + static_cast<ptrdiff_t>(i * stride_));
    }
  }

  VectorColumn view() const {
    return {.type = type_,
            .metric = metric_,
            .dimension = dimension_,
            .data = reinterpret_cast<const std::byte*>(data_.data()),
            .stride = stride_,
            .count = static_cast<uint32_t>(vectors_.size()),
            .present = present_};
  }
  void Erase(uint32_t slot) {
    if (present_.empty()) {
      present_.assign((vectors_.size() + 63) / 64, ~uint64_t{0});
    }
    present_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  }
  const Vector& vector(size_t i) const { return vectors_[i]; }
  std::string& data() { return data_; }

 private:
  DataType type_;
  Metric metric_;
  uint32_t dimension_;
  size_t stride_;
  std::vector<Vector> vectors_;
  std::string data_;
  std::vector<uint64_t> present_;
};

inline std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// Slots as a SlotSet.
struct TestSlots {
  explicit TestSlots(uint32_t slots) : words((slots + 63) / 64) {}
  void Add(uint32_t slot) {
    words[slot / 64] |= uint64_t{1} << (slot % 64);
    ++count;
  }
  void Remove(uint32_t slot) {
    count -= Has(slot) ? 1 : 0;
    words[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  }
  bool Has(uint32_t slot) const { return ((words[slot / 64] >> (slot % 64)) & 1) != 0; }

  std::vector<uint64_t> words;
  uint64_t count = 0;
};

/// Which share of the exact answers was found: a found slot counts when it is as near as the last
/// of the exact ones, so that ties do not matter.
inline double Recall(const std::vector<Neighbor>& found, const std::vector<Neighbor>& exact) {
  if (exact.empty()) {
    return 1;
  }
  size_t good = 0;
  for (const Neighbor& neighbor : found) {
    good += neighbor.distance <= exact.back().distance ? 1 : 0;
  }
  return static_cast<double>(good) / static_cast<double>(exact.size());
}

}  // namespace roost::embedded
