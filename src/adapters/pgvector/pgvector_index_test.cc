// Search through HNSW indexes: they must not lose what matches.

#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_testing.h"
#include "base/random.h"
#include "store/vector_math.h"

namespace roost {
namespace {

constexpr uint32_t kDimension = 8;

std::vector<float> RandomVector(Random& random) {
  std::vector<float> vector(kDimension);
  for (float& element : vector) {
    element = static_cast<float>(random.NextDouble());
  }
  return vector;
}

CollectionSchema TenantSchema() {
  auto schema = PlainSchema(kDimension);
  schema.tenant_field = "owner";
  return schema;
}

/// `count` rows of tenant "many" and 30 of tenant "rare", far from the others.
void Fill(PgVectorStore& store, const CollectionSchema& schema, int64_t count) {
  SeededRandom random(7);
  std::vector<Record> rows;
  for (int64_t i = 0; i < count; ++i) {
    const bool rare = i < 30;
    auto row = PlainRow("k" + std::to_string(i), i, RandomVector(random));
    if (schema.multi_tenant()) {
      row.key.tenant = rare ? "rare" : "many";
    }
    if (rare) {
      for (size_t d = 0; d < kDimension; ++d) {
        auto values = ToFloats(row.vectors["v"]);
        values[d] += 10;
        row.vectors["v"] = Vector::Floats(values);
      }
    }
    rows.push_back(std::move(row));
    if (rows.size() == 2'000 || i + 1 == count) {
      const auto written =
          store.Upsert(Soon(), {.collection = schema.name, .records = std::move(rows)});
      ASSERT_TRUE(written.ok()) << written.error().ToString();
      rows.clear();
    }
  }
}

/// Whether any search has used an HNSW index of the collection, as PostgreSQL counts.
bool IndexWasUsed(const std::string& collection) {
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const auto rows = session->Run(
      Soon(),
      "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes WHERE relid = '" +
          TableOf(*session, collection) + "'::regclass AND indexrelname LIKE '%hnsw%'");
  return rows.ok() && rows->Int(0, 0) > 0;
}

class PgVectorIndexTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    store_ = OpenStore(SharedServer()).release();
    schema_ = new CollectionSchema(TenantSchema());
    ASSERT_TRUE(store_->CreateCollection(Soon(), {.schema = *schema_}).ok());
    Fill(*store_, *schema_, 6'000);
    const Status built = store_->BuildIndexes(Soon(), schema_->name);
    ASSERT_TRUE(built.ok()) << built.error().ToString();
  }
  static void TearDownTestSuite() {
    delete store_;
    delete schema_;
  }

  static SearchRequest Near(std::vector<float> query, uint32_t top_k) {
    return {.collection = schema_->name,
            .vectors = {Vector::Floats(query)},
            .top_k = top_k,
            .output = {.all_scalars = true, .fields = {}, .vectors = true}};
  }
  static std::vector<Hit> Search(const SearchRequest& request) {
    auto found = store_->Search(Soon(), request);
    EXPECT_TRUE(found.ok()) << found.error().ToString();
    return found.ok() ? std::move(found->hits.at(0)) : std::vector<Hit>();
  }

  static PgVectorStore* store_;
  static CollectionSchema* schema_;
};

PgVectorStore* PgVectorIndexTest::store_ = nullptr;
CollectionSchema* PgVectorIndexTest::schema_ = nullptr;

TEST_F(PgVectorIndexTest, IndexIsReadyAndUsed) {
  const auto described = store_->DescribeCollection(Soon(), schema_->name);
  ASSERT_TRUE(described.ok()) << described.error().ToString();
  EXPECT_TRUE(described->index_ready);
  EXPECT_EQ(described->estimated_count, 6'000u);
  EXPECT_GT(described->bytes_on_disk, 6'000u * kDimension * 4);
  const auto hits = Search(Near(std::vector<float>(kDimension, 0.5f), 10));
  EXPECT_EQ(hits.size(), 10u);
  EXPECT_TRUE(Await([] { return IndexWasUsed(schema_->name); }));
}

TEST_F(PgVectorIndexTest, RareTenantFarAwayGivesAllThatIsAskedFor) {
  auto request = Near(std::vector<float>(kDimension, 0.5f), 25);
  request.tenant = "rare";
  EXPECT_EQ(Search(request).size(), 25u);
  request.top_k = 100;
  EXPECT_EQ(Search(request).size(), 30u) << "all of them, not what the index happened to meet";
}

TEST_F(PgVectorIndexTest, RareFilterGivesAllThatMatch) {
  auto request = Near(std::vector<float>(kDimension, 0.5f), 10);
  const auto filter = ParseFilter("n < 12", *schema_);
  ASSERT_TRUE(filter.ok());
  request.filter = *filter;
  EXPECT_EQ(Search(request).size(), 10u);
  request.top_k = 50;
  EXPECT_EQ(Search(request).size(), 12u);
}

TEST_F(PgVectorIndexTest, MoreThanAnIndexGives) {
  for (const uint32_t top_k : {40u, 400u, 1'000u, 1'001u, 5'000u}) {
    auto request = Near(std::vector<float>(kDimension, 0.5f), top_k);
    const auto hits = Search(request);
    ASSERT_EQ(hits.size(), top_k);
    EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(),
                               [](const Hit& a, const Hit& b) { return a.distance < b.distance; }));
  }
}

TEST_F(PgVectorIndexTest, FindsNearlyAllThatExactSearchFinds) {
  SeededRandom random(11);
  size_t common = 0;
  for (int i = 0; i < 20; ++i) {
    auto request = Near(RandomVector(random), 10);
    const auto near = Search(request);
    request.exact = true;
    for (const Hit& hit : Search(request)) {
      common += std::any_of(near.begin(), near.end(),
                            [&](const Hit& other) { return other.record.key == hit.record.key; });
    }
  }
  EXPECT_GE(common, 190u);
}

TEST_F(PgVectorIndexTest, LimitOfDistanceDoesNotCostHits) {
  auto request = Near(std::vector<float>(kDimension, 0.5f), 20);
  request.exact = true;
  const auto all = Search(request);
  ASSERT_EQ(all.size(), 20u);
  request.exact = false;
  request.max_distance = all[4].distance;
  EXPECT_EQ(Search(request).size(), 5u);
}

TEST(PgVectorIndexer, BuildsTheIndexOnceThereAreEnoughRecords) {
  auto options = SharedServer();
  options.build_indexes = true;
  options.index_min_rows = 1'000;
  options.index_check_interval = std::chrono::milliseconds(50);
  const auto store = OpenStore(options);
  const auto schema = PlainSchema(kDimension);
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  Fill(*store, schema, 100);
  EXPECT_TRUE(store->DescribeCollection(Soon(), schema.name)->index_ready) << "needs none";
  Fill(*store, schema, 3'000);
  EXPECT_TRUE(Await([&] {
    const auto described = store->DescribeCollection(Soon(), schema.name);
    return described.ok() && described->index_ready;
  }));
  auto flat = PlainSchema(kDimension);
  flat.vectors[0].index = "FLAT";
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = flat}).ok());
  Fill(*store, flat, 3'000);
  EXPECT_TRUE(store->DescribeCollection(Soon(), flat.name)->index_ready) << "wants none";
}

TEST(PgVectorIndexer, ReplacesAnIndexThatABrokenBuildLeft) {
  const auto store = OpenStore(SharedServer());
  const auto schema = PlainSchema(kDimension);
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  Fill(*store, schema, 500);
  ASSERT_TRUE(store->BuildIndexes(Soon(), schema.name).ok());
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  ASSERT_TRUE(session
                  ->Script(Soon(),
                           "UPDATE pg_index SET indisvalid = false WHERE indrelid = '" +
                               TableOf(*session, schema.name) +
                               "'::regclass AND indexrelid::regclass::text LIKE '%hnsw%'",
                           PgEffect::kWrite)
                  .ok());
  ASSERT_TRUE(store->BuildIndexes(Soon(), schema.name).ok());
  const auto valid = session->Run(Soon(),
                                  "SELECT bool_and(indisvalid), count(*) FROM pg_index "
                                  "WHERE indrelid = '" +
                                      TableOf(*session, schema.name) + "'::regclass");
  ASSERT_TRUE(valid.ok());
  EXPECT_EQ(valid->Int(0, 0), 1);
  EXPECT_EQ(valid->Int(0, 1), 3) << "primary key, tombstones, vectors";
}

}  // namespace
}  // namespace roost
