#include "store/fusion.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/fake_store.h"

namespace roost {
namespace {

/// One-dimensional vectors "x" and "y", so that ranks are easy to see.
class Fusion : public testing::Test {
 protected:
  void SetUp() override {
    CollectionSchema schema;
    schema.name = "c";
    schema.vectors = {{.name = "x", .dimension = 1, .metric = Metric::kL2},
                      {.name = "y", .dimension = 1, .metric = Metric::kL2}};
    ASSERT_TRUE(store_->CreateCollection({}, {.schema = schema}).ok());
    // By x: a b c d; by y: d c b a, only "e" has no x.
    Put("a", 1, 4);
    Put("b", 2, 3);
    Put("c", 3, 2);
    Put("d", 4, 1);
    Record record;
    record.key.key = "e";
    record.vectors["y"] = Vector::Floats(std::vector<float>{0.5f});
    ASSERT_TRUE(store_->Upsert({}, {.collection = "c", .records = {record}}).ok());
  }

  void Put(const std::string& key, float x, float y) {
    Record record;
    record.key.key = key;
    record.vectors["x"] = Vector::Floats(std::vector<float>{x});
    record.vectors["y"] = Vector::Floats(std::vector<float>{y});
    ASSERT_TRUE(store_->Upsert({}, {.collection = "c", .records = {record}}).ok());
  }

  HybridSearchRequest Request() {
    HybridSearchRequest request;
    for (const char* field : {"x", "y"}) {
      request.legs.push_back(
          {.collection = "c", .field = field, .vectors = {Vector::Floats(std::vector<float>{0})}});
    }
    return request;
  }

  std::string Keys(const HybridSearchRequest& request) {
    const auto found = FuseSearches(*store_, {}, request);
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().ToString());
    std::string keys;
    for (const auto& hit : found.ok() ? found->hits.at(0) : std::vector<Hit>()) {
      keys += std::get<std::string>(hit.record.key.key);
    }
    return keys;
  }

  std::unique_ptr<VectorStore> store_ = MakeFakeStore();
};

TEST_F(Fusion, RrfAddsReciprocalRanks) {
  const auto found = FuseSearches(*store_, {}, Request());
  ASSERT_TRUE(found.ok());
  const auto& hits = found->hits.at(0);
  ASSERT_EQ(hits.size(), 5u);
  // x: a1 b2 c3 d4; y: e1 d2 c3 b4 a5.
  const std::vector<std::pair<std::string, double>> expected = {{"a", 1.0 / 61 + 1.0 / 65},
                                                                {"d", 1.0 / 64 + 1.0 / 62},
                                                                {"b", 1.0 / 62 + 1.0 / 64},
                                                                {"c", 2.0 / 63},
                                                                {"e", 1.0 / 61}};
  for (const auto& hit : hits) {
    const auto& key = std::get<std::string>(hit.record.key.key);
    for (const auto& [name, score] : expected) {
      if (name == key) {
        EXPECT_DOUBLE_EQ(hit.score, score) << key;
      }
    }
    EXPECT_EQ(hit.distance, -hit.score);
  }
  EXPECT_EQ(Keys(Request()), "abdce") << "b and d are equal: by key";
}

TEST_F(Fusion, OffsetAndTopKCutThePage) {
  auto request = Request();
  request.top_k = 2;
  request.offset = 1;
  EXPECT_EQ(Keys(request), "bd");
  request.offset = 10;
  EXPECT_EQ(Keys(request), "");
}

TEST_F(Fusion, WeightedNormalisesScores) {
  auto request = Request();
  request.fusion = HybridSearchRequest::Fusion::kWeighted;
  request.weights = {1, 0};
  EXPECT_EQ(Keys(request), "abcde");
  request.weights = {0.5, 0.5};
  const auto found = FuseSearches(*store_, {}, request);
  ASSERT_TRUE(found.ok());
  // x: scores −1…−4 → a 1, b 2/3, c 1/3, d 0; y: −0.5…−4 → e 1, d 3/3.5, c 2/3.5, b 1/3.5, a 0.
  EXPECT_EQ(std::get<std::string>(found->hits[0][0].record.key.key), "a");
  EXPECT_DOUBLE_EQ(found->hits[0][0].score, 0.5);
  EXPECT_DOUBLE_EQ(found->hits[0][1].score, 0.5);  // e
  EXPECT_NEAR(found->hits[0][2].score, 0.5 * (2.0 / 3 + 1 / 3.5), 1e-12);
}

TEST_F(Fusion, EqualScoresAreAllTheBest) {
  auto request = Request();
  request.legs[0].filter = *ParseFilter("id == \"c\"", [] {
    CollectionSchema schema;
    return schema;
  }());
  request.legs.pop_back();
  request.fusion = HybridSearchRequest::Fusion::kWeighted;
  request.weights = {2};
  const auto found = FuseSearches(*store_, {}, request);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->hits[0].size(), 1u);
  EXPECT_EQ(found->hits[0][0].score, 2);
}

TEST_F(Fusion, BadRequestsAreRefused) {
  const auto code = [&](const HybridSearchRequest& request) {
    return FuseSearches(*store_, {}, request).code();
  };
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  auto request = Request();
  request.legs[1].vectors.push_back(request.legs[1].vectors[0]);
  EXPECT_EQ(code(request), Code::kInvalidArgument);
  request = Request();
  request.legs[1].collection = "other";
  EXPECT_EQ(code(request), Code::kInvalidArgument);
  request = Request();
  request.fusion = HybridSearchRequest::Fusion::kWeighted;
  request.weights = {1};
  EXPECT_EQ(code(request), Code::kInvalidArgument);
  request.weights = {1, -1};
  EXPECT_EQ(code(request), Code::kInvalidArgument);
  request = Request();
  request.top_k = 0;
  EXPECT_EQ(code(request), Code::kInvalidArgument);
  request = Request();
  request.legs[1].field = "nope";
  const auto failed = FuseSearches(*store_, {}, request);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message.substr(0, 6), "leg 1:");
}

}  // namespace
}  // namespace roost
