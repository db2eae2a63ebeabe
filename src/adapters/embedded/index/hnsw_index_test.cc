#include <cmath>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/hnsw_build.h"
#include "adapters/embedded/index/test_vectors.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {
namespace {

std::unique_ptr<VectorIndex> Build(const VectorColumn& column, uint32_t threads = 1) {
  auto index = BuildHnsw(column, {.threads = threads}, {});
  EXPECT_TRUE(index.ok()) << index.error().message;
  return std::move(index).value();
}

double MeanRecall(const VectorColumn& column, const VectorIndex& index,
                  const std::vector<Vector>& queries, uint32_t ef) {
  double sum = 0;
  for (const Vector& query : queries) {
    IndexSearch search{.query = Bytes(query.bytes), .top_k = 10, .ef = ef};
    sum += Recall(index.Search(search), ExactSearch(column, search));
  }
  return sum / static_cast<double>(queries.size());
}

std::vector<Vector> Queries(DataType type, uint32_t dimension, size_t count = 200) {
  std::vector<Vector> queries;
  for (const auto& row : ClusteredVectors(count, dimension, 99)) {
    queries.push_back(FromFloats(type, row));
  }
  return queries;
}

struct Case {
  DataType type;
  Metric metric;
  uint32_t dimension;
};

class HnswRecall : public testing::TestWithParam<Case> {};

TEST_P(HnswRecall, IsHighOnClusteredVectors) {
  const auto [type, metric, dimension] = GetParam();
  const TestColumn column(type, metric, dimension, ClusteredVectors(4'000, dimension, 1));
  const auto index = Build(column.view(), 2);
  const auto queries = Queries(type, dimension);
  EXPECT_GE(MeanRecall(column.view(), *index, queries, 64), 0.95);
  EXPECT_GE(MeanRecall(column.view(), *index, queries, 256), 0.99);
}

INSTANTIATE_TEST_SUITE_P(All, HnswRecall,
                         testing::Values(Case{DataType::kFloatVector, Metric::kCosine, 16},
                                         Case{DataType::kFloatVector, Metric::kCosine, 100},
                                         Case{DataType::kFloatVector, Metric::kCosine, 384},
                                         Case{DataType::kFloatVector, Metric::kL2, 16},
                                         Case{DataType::kFloatVector, Metric::kL2, 100},
                                         Case{DataType::kFloatVector, Metric::kL2, 384},
                                         Case{DataType::kFloatVector, Metric::kInnerProduct, 16},
                                         Case{DataType::kFloatVector, Metric::kInnerProduct, 100},
                                         Case{DataType::kFloatVector, Metric::kInnerProduct, 384},
                                         Case{DataType::kFloat16Vector, Metric::kCosine, 64},
                                         Case{DataType::kBFloat16Vector, Metric::kL2, 64},
                                         Case{DataType::kBFloat16Vector, Metric::kInnerProduct,
                                              64}),
                         [](const auto& instance) {
                           return std::string(DataTypeName(instance.param.type)) + "_" +
                                  std::string(MetricName(instance.param.metric)) + "_" +
                                  std::to_string(instance.param.dimension);
                         });

std::vector<std::vector<float>> Scaled(std::vector<std::vector<float>> rows, float factor) {
  for (auto& row : rows) {
    for (float& value : row) {
      value *= factor;
    }
  }
  return rows;
}

TEST(Hnsw, FindsNeighboursAmongInt8Vectors) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const TestColumn column(DataType::kInt8Vector, metric, 96,
                            Scaled(ClusteredVectors(2'000, 96, 1), 20));
    const auto index = Build(column.view());
    std::vector<Vector> queries;
    for (const auto& row : Scaled(ClusteredVectors(100, 96, 99), 20)) {
      queries.push_back(FromFloats(DataType::kInt8Vector, row));
    }
    EXPECT_GE(MeanRecall(column.view(), *index, queries, 128), 0.97) << MetricName(metric);
  }
}

TEST(Hnsw, FindsNeighboursAmongBits) {
  for (const Metric metric : {Metric::kHamming, Metric::kJaccard}) {
    auto rows = ClusteredVectors(2'000, 512, 1);
    auto asked = ClusteredVectors(100, 512, 99);
    for (auto* set : {&rows, &asked}) {
      for (auto& row : *set) {
        for (float& value : row) {
          value = value > 0 ? 1.0f : 0.0f;
        }
      }
    }
    const TestColumn column(DataType::kBinaryVector, metric, 512, rows);
    const auto index = Build(column.view());
    std::vector<Vector> queries;
    for (const auto& row : asked) {
      queries.push_back(FromFloats(DataType::kBinaryVector, row));
    }
    EXPECT_GE(MeanRecall(column.view(), *index, queries, 128), 0.97) << MetricName(metric);
  }
}

TEST(Hnsw, KeepsItsPrecisionFarFromTheOrigin) {
  // What all vectors share must not use up the codes: here it is 100 times the differences.
  auto rows = ClusteredVectors(3'000, 32, 1);
  auto asked = ClusteredVectors(100, 32, 99);
  std::vector<Vector> queries;
  for (auto& row : rows) {
    for (float& value : row) {
      value += 100;
    }
  }
  for (auto& row : asked) {
    for (float& value : row) {
      value += 100;
    }
    queries.push_back(FromFloats(DataType::kFloatVector, row));
  }
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 32, rows);
  const auto index = Build(column.view());
  EXPECT_GE(MeanRecall(column.view(), *index, queries, 64), 0.95);
}

TEST(Hnsw, ReportsTheDistancesOfExactSearchBitForBit) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const TestColumn column(DataType::kFloatVector, metric, 50, ClusteredVectors(2'000, 50, 1));
    const auto index = Build(column.view());
    for (const Vector& query : Queries(DataType::kFloatVector, 50, 20)) {
      std::map<uint32_t, float> exact;
      for (const Neighbor& n :
           ExactSearch(column.view(), {.query = Bytes(query.bytes), .top_k = 2'000})) {
        exact[n.slot] = n.distance;
      }
      const auto found = index->Search({.query = Bytes(query.bytes), .top_k = 50, .ef = 100});
      ASSERT_EQ(found.size(), 50u);
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].distance, exact[found[i].slot]);
        ASSERT_TRUE(i == 0 || found[i - 1].distance <= found[i].distance);
      }
    }
  }
}

TEST(Hnsw, HoldsEveryVectorWithinReachOfTheEntry) {
  for (const uint32_t m : {2u, 4u, 16u}) {
    const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(5'000, 4, 3));
    const auto index = BuildHnsw(column.view(), {.m = m, .ef_construction = 20, .threads = 2}, {});
    ASSERT_TRUE(index.ok());
    const std::string file = (*index)->Serialize();
    const auto* header = reinterpret_cast<const HnswHeader*>(file.data());
    EXPECT_EQ(header->nodes, 5'000u);
    EXPECT_EQ(CountUnreachable(ViewSections(Bytes(file).data(), *header)), 0u) << m;
  }
}

TEST(Hnsw, WorksWhereAllVectorsAreEqual) {
  const TestColumn column(DataType::kFloatVector, Metric::kCosine, 8,
                          std::vector<std::vector<float>>(3'000, std::vector<float>(8, 1)));
  const auto index = Build(column.view());
  const auto found = index->Search({.query = Bytes(column.vector(0).bytes), .top_k = 7});
  ASSERT_EQ(found.size(), 7u);
  for (uint32_t i = 0; i < 7; ++i) {
    EXPECT_EQ(found[i].slot, i);
  }
  EXPECT_EQ(index->Search({.query = Bytes(column.vector(0).bytes), .top_k = 3'000}).size(), 3'000u);
}

TEST(Hnsw, FindsTheVectorsAroundManyCopies) {
  // Half of the column is copies of ten vectors; they must not wall off the rest.
  auto rows = ClusteredVectors(4'000, 24, 1);
  for (size_t i = 0; i < rows.size(); i += 2) {
    rows[i] = rows[1 + 2 * (i % 10)];
  }
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 24, rows);
  const auto index = Build(column.view(), 2);
  EXPECT_GE(MeanRecall(column.view(), *index, Queries(DataType::kFloatVector, 24), 64), 0.95);
  // A copy's own neighbours are all its copies, by slot.
  IndexSearch search{.query = Bytes(column.vector(0).bytes), .top_k = 30};
  const auto found = index->Search(search);
  const auto exact = ExactSearch(column.view(), search);
  ASSERT_EQ(found.size(), exact.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].slot, exact[i].slot);
  }
}

TEST(Hnsw, LeavesOutSlotsWithoutAVector) {
  TestColumn column(DataType::kFloatVector, Metric::kL2, 8, ClusteredVectors(1'000, 8, 1));
  for (uint32_t slot = 0; slot < 1'000; slot += 2) {
    column.Erase(slot);
  }
  const auto index = Build(column.view());
  const auto found =
      index->Search({.query = Bytes(column.vector(0).bytes), .top_k = 1'000, .ef = 1'000});
  EXPECT_EQ(found.size(), 500u);
  for (const Neighbor& neighbor : found) {
    EXPECT_EQ(neighbor.slot % 2, 1u);
  }
}

TEST(Hnsw, TakesColumnsOfNoneAndOne) {
  TestColumn one(DataType::kFloatVector, Metric::kL2, 2, {{3, 4}});
  const Vector query = FromFloats(DataType::kFloatVector, std::vector<float>{0, 0});
  const auto found = Build(one.view())->Search({.query = Bytes(query.bytes), .top_k = 10});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].distance, 5);
  one.Erase(0);
  EXPECT_TRUE(Build(one.view())->Search({.query = Bytes(query.bytes)}).empty());
  const TestColumn none(DataType::kFloatVector, Metric::kL2, 2, {});
  EXPECT_TRUE(Build(none.view())->Search({.query = Bytes(query.bytes)}).empty());
}

TEST(Hnsw, SurvivesVectorsThatAreNotFinite) {
  auto rows = ClusteredVectors(500, 8, 1);
  rows[7][3] = std::nanf("");
  rows[8][0] = 3e38f;
  rows[9][1] = -INFINITY;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const TestColumn column(DataType::kFloatVector, metric, 8, rows);
    const auto index = Build(column.view());
    EXPECT_GE(MeanRecall(column.view(), *index, Queries(DataType::kFloatVector, 8, 20), 64), 0.85);
    for (const uint32_t slot : {7u, 8u, 9u}) {
      EXPECT_LE(index->Search({.query = Bytes(column.vector(slot).bytes)}).size(), 10u);
    }
  }
}

TEST(Hnsw, StopsWhenAsked) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 8, ClusteredVectors(5'000, 8, 1));
  std::stop_source stop;
  const auto index =
      BuildHnsw(column.view(), {}, stop.get_token(), [&](uint32_t) { stop.request_stop(); });
  EXPECT_EQ(index.code(), Code::kCancelled);
}

TEST(Hnsw, RefusesSparseColumns) {
  EXPECT_EQ(BuildHnsw({.type = DataType::kSparseVector}, {}, {}).code(), Code::kUnimplemented);
}

}  // namespace
}  // namespace roost::embedded
