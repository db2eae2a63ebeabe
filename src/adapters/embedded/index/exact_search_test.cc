#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/test_vectors.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {
namespace {

struct Case {
  DataType type;
  Metric metric;
};

std::vector<Case> DenseCases() {
  std::vector<Case> cases;
  for (const DataType type : {DataType::kFloatVector, DataType::kFloat16Vector,
                              DataType::kBFloat16Vector, DataType::kInt8Vector}) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
      cases.push_back({type, metric});
    }
  }
  cases.push_back({DataType::kBinaryVector, Metric::kHamming});
  cases.push_back({DataType::kBinaryVector, Metric::kJaccard});
  return cases;
}

std::vector<std::vector<float>> RowsFor(DataType type, size_t count, uint32_t dimension,
                                        uint64_t seed) {
  SeededRandom random(seed);
  std::vector<std::vector<float>> rows(count, std::vector<float>(dimension));
  for (auto& row : rows) {
    for (float& value : row) {
      value = type == DataType::kBinaryVector ? static_cast<float>(random.Below(2))
              : type == DataType::kInt8Vector ? std::round(40 * Normal(random))
                                              : Normal(random);
    }
  }
  return rows;
}

TEST(ExactSearch, GivesTheReferenceDistancesInOrderForEveryTypeAndIsa) {
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    // Machines without an instruction set run the best they have again.
    (void)ForceKernels(isa);
    for (const Case& c : DenseCases()) {
      constexpr uint32_t kDimension = 72;
      const TestColumn column(c.type, c.metric, kDimension, RowsFor(c.type, 300, kDimension, 1));
      const Vector query = FromFloats(c.type, RowsFor(c.type, 1, kDimension, 2)[0]);
      const auto found = ExactSearch(column.view(), {.query = Bytes(query.bytes), .top_k = 300});
      ASSERT_EQ(found.size(), 300u);
      for (size_t i = 0; i < found.size(); ++i) {
        const double expected = ReferenceDistance(c.metric, query, column.vector(found[i].slot));
        ASSERT_NEAR(found[i].distance, expected, 1e-5 * std::max(1.0, std::fabs(expected)));
        ASSERT_EQ(found[i].distance, Distance(column.view(), Bytes(query.bytes), found[i].slot));
        if (i > 0) {
          ASSERT_TRUE(
              found[i - 1].distance < found[i].distance ||
              (found[i - 1].distance == found[i].distance && found[i - 1].slot < found[i].slot));
        }
      }
    }
    ASSERT_TRUE(ForceKernels("").ok());
  }
}

/// What exact search must answer: all distances, taken in 64 bits, in order.
std::vector<double> SortedReference(const TestColumn& column, Metric metric, const Vector& query,
                                    size_t rows) {
  std::vector<double> distances;
  for (size_t i = 0; i < rows; ++i) {
    distances.push_back(ReferenceDistance(metric, query, column.vector(i)));
  }
  std::sort(distances.begin(), distances.end());
  return distances;
}

TEST(ExactSearch, IsRightForOddDimensionsAndQueriesThatAreNotAligned) {
  constexpr size_t kRows = 40;
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    (void)ForceKernels(isa);
    for (const Case& c : DenseCases()) {
      for (const uint32_t odd : {1u, 2u, 3u, 7u, 9u, 15u, 17u, 31u, 33u, 63u, 65u, 129u, 257u}) {
        // Bits come in whole bytes; an odd number of those.
        const uint32_t dimension = c.type == DataType::kBinaryVector ? odd * 8 : odd;
        const TestColumn column(c.type, c.metric, dimension, RowsFor(c.type, kRows, dimension, 1));
        const Vector query = FromFloats(c.type, RowsFor(c.type, 1, dimension, 2)[0]);
        const auto expected = SortedReference(column, c.metric, query, kRows);
        for (const size_t shift : {0u, 1u, 2u}) {
          const std::string moved = std::string(shift, '\0') + query.bytes;
          const auto found =
              ExactSearch(column.view(), {.query = Bytes(moved).subspan(shift), .top_k = kRows});
          ASSERT_EQ(found.size(), kRows);
          for (size_t i = 0; i < kRows; ++i) {
            ASSERT_NEAR(found[i].distance, expected[i],
                        2e-5 * std::max(1.0, std::fabs(expected[i])))
                << DataTypeName(c.type) << " " << MetricName(c.metric) << " " << dimension << " "
                << isa << " " << shift;
          }
        }
      }
    }
  }
  ASSERT_TRUE(ForceKernels("").ok());
}

TEST(ExactSearch, ReturnsOnlyWhatIsAllowedAndPresent) {
  TestColumn column(DataType::kFloatVector, Metric::kL2, 8, ClusteredVectors(500, 8, 1));
  TestSlots allowed(500);
  for (uint32_t slot = 0; slot < 500; slot += 3) {
    allowed.Add(slot);
  }
  column.Erase(3);
  column.Erase(6);
  const auto found = ExactSearch(column.view(), {.query = Bytes(column.vector(0).bytes),
                                                 .top_k = 500,
                                                 .allowed = allowed.words,
                                                 .allowed_count = allowed.count});
  EXPECT_EQ(found.size(), 165u);
  for (const Neighbor& neighbor : found) {
    EXPECT_EQ(neighbor.slot % 3, 0u);
    EXPECT_NE(neighbor.slot, 3u);
    EXPECT_NE(neighbor.slot, 6u);
  }
}

TEST(ExactSearch, BreaksTiesBySlotAlsoAtTheEdgeOfTopK) {
  const TestColumn column(DataType::kFloatVector, Metric::kCosine, 4,
                          std::vector<std::vector<float>>(200, {1, 2, 3, 4}));
  const auto found =
      ExactSearch(column.view(), {.query = Bytes(column.vector(0).bytes), .top_k = 5});
  ASSERT_EQ(found.size(), 5u);
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(found[i].slot, i);
    EXPECT_EQ(found[i].distance, 0);
  }
}

TEST(ExactSearch, PutsZeroVectorsAtCosineDistanceOne) {
  const TestColumn column(DataType::kFloatVector, Metric::kCosine, 3, {{0, 0, 0}, {1, 0, 0}});
  const Vector query = FromFloats(DataType::kFloatVector, std::vector<float>{-1, 0, 0});
  const auto found = ExactSearch(column.view(), {.query = Bytes(query.bytes), .top_k = 2});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].slot, 0u);
  EXPECT_EQ(found[0].distance, 1);
  EXPECT_EQ(found[1].distance, 2);
}

TEST(ExactSearch, PutsWhatCannotBeComparedLast) {
  constexpr float kHuge = 3e38f;
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 2,
                          {{std::nanf(""), 0}, {kHuge, -kHuge}, {1, 1}});
  const Vector query = FromFloats(DataType::kFloatVector, std::vector<float>{0, 0});
  const auto found = ExactSearch(column.view(), {.query = Bytes(query.bytes), .top_k = 3});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].slot, 2u);
  EXPECT_EQ(found[2].distance, std::numeric_limits<float>::infinity());
}

TEST(ExactSearch, ComparesSparseVectorsByMerging) {
  SeededRandom random(5);
  std::vector<Vector> rows;
  std::string data;
  std::vector<uint64_t> offsets{0};
  const auto draw = [&] {
    std::vector<SparseEntry> entries;
    for (uint32_t index = 0; index < 60; ++index) {
      if (random.Below(4) == 0) {
        entries.emplace_back(index * 1'000'003, Normal(random));
      }
    }
    return FromSparseEntries(entries);
  };
  for (int i = 0; i < 100; ++i) {
    rows.push_back(draw());
    data += rows.back().bytes;
    offsets.push_back(data.size());
  }
  const Vector query = draw();
  for (const Metric metric : {Metric::kInnerProduct, Metric::kCosine, Metric::kL2}) {
    const VectorColumn column{.type = DataType::kSparseVector,
                              .metric = metric,
                              .data = Bytes(data).data(),
                              .count = 100,
                              .offsets = offsets};
    const auto found = ExactSearch(column, {.query = Bytes(query.bytes), .top_k = 100});
    ASSERT_EQ(found.size(), 100u);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i].distance, ReferenceDistance(metric, query, rows[found[i].slot]), 1e-5);
      EXPECT_TRUE(i == 0 || found[i - 1].distance <= found[i].distance);
    }
  }
}

TEST(ExactSearch, AnswersNothingToAQueryOfAnotherSize) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 8, ClusteredVectors(10, 8, 1));
  EXPECT_TRUE(
      ExactSearch(column.view(), {.query = Bytes(column.vector(0).bytes).first(28)}).empty());
  EXPECT_TRUE(
      ExactSearch(column.view(), {.query = Bytes(column.vector(0).bytes), .top_k = 0}).empty());
}

}  // namespace
}  // namespace roost::embedded
