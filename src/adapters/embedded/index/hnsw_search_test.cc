#include "adapters/embedded/index/hnsw_search.h"

#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/test_vectors.h"

namespace roost::embedded {
namespace {

constexpr uint32_t kRows = 40'000;
constexpr uint32_t kDimension = 24;

/// One index for all filters.
class FilteredSearch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    column_ = new TestColumn(DataType::kFloatVector, Metric::kCosine, kDimension,
                             ClusteredVectors(kRows, kDimension, 1));
    auto index = BuildHnsw(column_->view(), {.ef_construction = 100, .threads = 2}, {});
    index_ = std::move(index).value().release();
    queries_ = new std::vector<Vector>;
    for (const auto& row : ClusteredVectors(60, kDimension, 99)) {
      queries_->push_back(FromFloats(DataType::kFloatVector, row));
    }
  }
  static void TearDownTestSuite() {
    delete queries_;
    delete index_;
    delete column_;
  }

  static TestSlots Random(double share) {
    SeededRandom random(7);
    TestSlots slots(kRows);
    for (uint32_t slot = 0; slot < kRows; ++slot) {
      if (random.NextDouble() < share) {
        slots.Add(slot);
      }
    }
    return slots;
  }
  /// The slots that are farthest from the query.
  static TestSlots Farthest(const Vector& query, double share) {
    const auto all = ExactSearch(column_->view(), {.query = Bytes(query.bytes), .top_k = kRows});
    TestSlots slots(kRows);
    for (size_t i = static_cast<size_t>((1 - share) * kRows); i < all.size(); ++i) {
      slots.Add(all[i].slot);
    }
    return slots;
  }
  static double RecallOf(const Vector& query, const TestSlots& slots, uint32_t ef = 64) {
    const IndexSearch search{.query = Bytes(query.bytes),
                             .top_k = 10,
                             .ef = ef,
                             .allowed = slots.words,
                             .allowed_count = slots.count};
    const auto found = index_->Search(search);
    for (const Neighbor& neighbor : found) {
      EXPECT_TRUE(slots.Has(neighbor.slot));
    }
    return Recall(found, ExactSearch(column_->view(), search));
  }

  static TestColumn* column_;
  static VectorIndex* index_;
  static std::vector<Vector>* queries_;
};
TestColumn* FilteredSearch::column_ = nullptr;
VectorIndex* FilteredSearch::index_ = nullptr;
std::vector<Vector>* FilteredSearch::queries_ = nullptr;

TEST_F(FilteredSearch, FindsWhatARandomFilterKeeps) {
  for (const double share : {0.01, 0.1, 0.3, 0.5, 0.9, 1.0}) {
    const TestSlots slots = Random(share);
    double recall = 0;
    for (const Vector& query : *queries_) {
      recall += RecallOf(query, slots);
    }
    EXPECT_GE(recall / static_cast<double>(queries_->size()), 0.95) << share;
  }
}

TEST_F(FilteredSearch, FindsWhatLiesFarFromTheQuery) {
  for (const double share : {0.05, 0.3, 0.5, 0.7}) {
    double recall = 0;
    for (size_t i = 0; i < 20; ++i) {
      recall += RecallOf((*queries_)[i], Farthest((*queries_)[i], share));
    }
    EXPECT_GE(recall / 20, 0.95) << share;
  }
}

TEST_F(FilteredSearch, FindsWhatIsLeftWhereTheNearestWereDeleted) {
  // The graph still leads to what was deleted: first everything around the query, then every other
  // of the rest.
  for (const double share : {0.999, 0.99, 0.9}) {
    double recall = 0;
    for (size_t i = 0; i < 20; ++i) {
      TestSlots left = Farthest((*queries_)[i], share);
      for (uint32_t slot = 0; slot < kRows; slot += 2) {
        left.Remove(slot);
      }
      recall += RecallOf((*queries_)[i], left);
    }
    EXPECT_GE(recall / 20, 0.95) << share;
  }
}

TEST_F(FilteredSearch, FindsTheOnlySlotAllowed) {
  TestSlots slots(kRows);
  slots.Add(31'234);
  for (const Vector& query : *queries_) {
    ASSERT_EQ(RecallOf(query, slots), 1);
  }
}

TEST_F(FilteredSearch, AnswersNothingWhereNothingIsAllowed) {
  const TestSlots slots(kRows);
  EXPECT_TRUE(
      index_
          ->Search(
              {.query = Bytes(queries_->front().bytes), .allowed = slots.words, .allowed_count = 0})
          .empty());
}

TEST_F(FilteredSearch, GivesAsManyAsAskedAndThereAre) {
  // More than ef, and more than a walk would meet.
  const TestSlots slots = Random(0.4);
  const IndexSearch search{.query = Bytes(queries_->front().bytes),
                           .top_k = 17'000,
                           .ef = 64,
                           .allowed = slots.words,
                           .allowed_count = slots.count};
  EXPECT_EQ(index_->Search(search).size(), std::min<uint64_t>(17'000, slots.count));
}

TEST_F(FilteredSearch, TakesFiltersShorterThanTheColumn) {
  TestSlots slots(1'000);
  for (uint32_t slot = 0; slot < 1'000; ++slot) {
    slots.Add(slot);
  }
  const auto found = index_->Search({.query = Bytes(queries_->front().bytes),
                                     .allowed = slots.words,
                                     .allowed_count = slots.count});
  ASSERT_EQ(found.size(), 10u);
  for (const Neighbor& neighbor : found) {
    EXPECT_LT(neighbor.slot, 1'024u);
  }
}

TEST(FilteredCopies, AreFoundOneByOne) {
  auto rows = ClusteredVectors(9'000, 8, 1);
  for (size_t i = 0; i < rows.size(); i += 3) {
    rows[i] = rows[1];
  }
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 8, rows);
  const auto index = BuildHnsw(column.view(), {.ef_construction = 60}, {});
  ASSERT_TRUE(index.ok());
  for (const uint32_t step : {2u, 6u, 300u}) {
    TestSlots slots(9'000);
    for (uint32_t slot = 0; slot < 9'000; slot += step) {
      slots.Add(slot);
    }
    const IndexSearch search{.query = Bytes(column.vector(1).bytes),
                             .top_k = 10,
                             .allowed = slots.words,
                             .allowed_count = slots.count};
    const auto found = (*index)->Search(search);
    const auto exact = ExactSearch(column.view(), search);
    ASSERT_EQ(found.size(), exact.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].slot, exact[i].slot) << step;
    }
  }
}

}  // namespace
}  // namespace roost::embedded
