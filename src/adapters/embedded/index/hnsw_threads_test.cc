#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/hnsw_build.h"
#include "adapters/embedded/index/test_vectors.h"
#include "adapters/embedded/index/vector_index.h"

// What threads do at the same time; a small binary of its own, since it also runs under
// ThreadSanitizer.

namespace roost::embedded {
namespace {

constexpr uint32_t kDimension = 16;

TEST(HnswThreads, BuildAGraphTogetherThatFindsAsMuchAsOneThreadsGraph) {
  const TestColumn column(DataType::kFloatVector, Metric::kInnerProduct, kDimension,
                          ClusteredVectors(2'500, kDimension, 1));
  double recalls[2] = {};
  for (const uint32_t threads : {1u, 4u}) {
    const auto index = BuildHnsw(column.view(), {.ef_construction = 40, .threads = threads}, {});
    ASSERT_TRUE(index.ok());
    const std::string file = (*index)->Serialize();
    const auto* header = reinterpret_cast<const HnswHeader*>(file.data());
    EXPECT_EQ(CountUnreachable(ViewSections(Bytes(file).data(), *header)), 0u) << threads;
    double& recall = recalls[threads == 1 ? 0 : 1];
    for (const auto& row : ClusteredVectors(40, kDimension, 99)) {
      const Vector query = FromFloats(DataType::kFloatVector, row);
      const IndexSearch search{.query = Bytes(query.bytes), .top_k = 10, .ef = 64};
      recall += Recall((*index)->Search(search), ExactSearch(column.view(), search)) / 40;
    }
  }
  EXPECT_GE(recalls[0], 0.95);
  EXPECT_GE(recalls[1], recalls[0] - 0.02);
}

TEST(HnswThreads, SearchOneIndexAtOnce) {
  const TestColumn column(DataType::kFloatVector, Metric::kCosine, kDimension,
                          ClusteredVectors(1'500, kDimension, 1));
  const auto index = BuildHnsw(column.view(), {.ef_construction = 40, .threads = 3}, {});
  ASSERT_TRUE(index.ok());
  std::vector<Vector> queries;
  std::vector<std::vector<Neighbor>> expected;
  for (const auto& row : ClusteredVectors(50, kDimension, 99)) {
    queries.push_back(FromFloats(DataType::kFloatVector, row));
    expected.push_back((*index)->Search({.query = Bytes(queries.back().bytes)}));
  }
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (size_t i = 0; i < queries.size(); ++i) {
          const auto found = (*index)->Search({.query = Bytes(queries[i].bytes)});
          wrong += found.size() == expected[i].size() ? 0 : 1;
          for (size_t j = 0; j < std::min(found.size(), expected[i].size()); ++j) {
            wrong += found[j].slot == expected[i][j].slot ? 0 : 1;
          }
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT((*index)->memory_bytes(), 1'500u * 64);
}

}  // namespace
}  // namespace roost::embedded
