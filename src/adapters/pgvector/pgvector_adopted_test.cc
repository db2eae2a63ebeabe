// Adopted tables at work: fences, filters, search, scans.

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_adoption_testing.h"

namespace roost {
namespace {

using testing::ElementsAre;

TEST_F(PgAdoptionTest, FencesHoldOffOlderWritesAlthoughTheTableHasNone) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, v vector(2)); INSERT INTO " + table +
      " VALUES (1, '[1,1]'), (2, '[2,2]')");
  Adopt(table);
  const auto v = [&](int id) {
    return Cell("SELECT v FROM " + table + " WHERE id = " + std::to_string(id) +
                " UNION ALL SELECT NULL LIMIT 1");
  };
  ASSERT_TRUE(Upsert(table, Row(Key(1), {5, 5}), 5).ok());
  ASSERT_TRUE(Upsert(table, Row(Key(1), {4, 4}), 4).ok());
  EXPECT_EQ(v(1), "[5,5]");
  ASSERT_TRUE(Upsert(table, Row(Key(1), {6, 6}), 5).ok());
  EXPECT_EQ(v(1), "[6,6]");
  Sql("UPDATE " + table + " SET v = '[9,9]' WHERE id = 1");  // the application always may
  ASSERT_TRUE(Upsert(table, Row(Key(1), {4, 4}), 4).ok());
  EXPECT_EQ(v(1), "[9,9]");
  ASSERT_TRUE(Delete(table, Key(1), 7).ok());
  ASSERT_TRUE(Upsert(table, Row(Key(1), {6, 6}), 6).ok());
  EXPECT_EQ(v(1), "NULL");
  ASSERT_TRUE(Delete(table, Key(3), 9).ok());  // a delete of nothing holds off older writes too
  ASSERT_TRUE(Upsert(table, Row(Key(3), {8, 8}), 8).ok());
  EXPECT_EQ(v(3), "NULL");
  const auto inserted = store_->Insert(
      Soon(), {.collection = table,
               .records = {Row(Key(2), {7, 7}), Row(Key(3), {7, 7}), Row(Key(4), {7, 7})},
               .fence = 7});
  ASSERT_TRUE(inserted.ok()) << inserted.error().ToString();
  ASSERT_EQ(inserted->errors.size(), 1u);
  EXPECT_EQ(inserted->errors[0].row, 0u);
  EXPECT_EQ(v(2) + v(3) + v(4), "[2,2]NULL[7,7]");
  ASSERT_TRUE(Upsert(table, Row(Key(2), {6, 6}), 6).ok());  // the failed insert claimed nothing
  EXPECT_EQ(v(2), "[6,6]");
  ASSERT_TRUE(store_->DropTombstones(Soon(), table, 100).ok());
  ASSERT_TRUE(Upsert(table, Row(Key(3), {1, 1}), 1).ok());
  EXPECT_EQ(v(3), "[1,1]");
}

TEST_F(PgAdoptionTest, FencedWritesOfOneKeyAtOnceLeaveTheHighest) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, v vector(1))");
  Adopt(table);
  std::vector<std::thread> writers;
  std::atomic<int> failed{0};
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      for (int round = 0; round < 30; ++round) {
        const uint64_t fence = static_cast<uint64_t>(round * 4 + w + 1);
        const bool put = fence % 3 != 0;
        const Status done = put ? Upsert(table, Row(Key(1), {static_cast<float>(fence)}), fence)
                                : Delete(table, Key(1), fence);
        failed += done.ok() ? 0 : 1;
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(Cell("SELECT count(*) FROM " + table), "0");  // 120, the highest, was a delete
  ASSERT_TRUE(Upsert(table, Row(Key(1), {121}), 121).ok());
  EXPECT_EQ(Cell("SELECT v FROM " + table), "[121]");
}

TEST_F(PgAdoptionTest, DeletesWithAFilterJudgeWhatTheApplicationWrote) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, n int, v vector(2)); INSERT INTO " + table +
      " SELECT i, i, '[1,1]' FROM generate_series(1, 4) i");
  const AdoptionPlan plan = Adopt(table);
  const auto filter = ParseFilter("n > 2", plan.schema);
  ASSERT_TRUE(filter.ok());
  ASSERT_TRUE(Delete(table, Key(1), std::nullopt, *filter).ok());
  ASSERT_TRUE(Delete(table, Key(2), 5, *filter).ok());
  ASSERT_TRUE(Delete(table, Key(3), std::nullopt, *filter).ok());
  ASSERT_TRUE(Delete(table, Key(4), 5, *filter).ok());
  EXPECT_EQ(Cell("SELECT string_agg(id::text, ',' ORDER BY id) FROM " + table), "1,2");
}

TEST_F(PgAdoptionTest, FiltersMeanTheSameAsOnCollectionsThatRoostMade) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table +
      " (id text PRIMARY KEY, name text, price numeric(8,2), meta jsonb, made timestamptz, tags "
      "text[], v vector(2)); INSERT INTO " +
      table +
      " VALUES ('b', 'ab', 1.10, '{\"a\": 1.50, \"s\": \"x\"}', '2024-01-01 00:00+00', '{x,y}', "
      "'[1,1]'), ('B', 'aB', 2.20, '{\"a\": 2}', NULL, NULL, '[1,1]'), ('ä', NULL, NULL, NULL, "
      "'2025-01-01 00:00+00', '{y}', '[1,1]')");
  const CollectionSchema schema = Adopt(table).schema;
  EXPECT_THAT(Keys(table, "id != \"\"", schema), ElementsAre("\"B\"", "\"b\"", "\"ä\""));
  EXPECT_THAT(Keys(table, "name < \"ab\"", schema), ElementsAre("\"B\""));  // by bytes
  EXPECT_THAT(Keys(table, "price == 1.1", schema), ElementsAre("\"b\""));
  EXPECT_THAT(Keys(table, "meta[\"a\"] == 1.5", schema), ElementsAre("\"b\""));
  EXPECT_THAT(Keys(table, "meta[\"a\"] > 1 and price > 2", schema), ElementsAre("\"B\""));
  EXPECT_THAT(Keys(table, "array_contains(tags, \"y\")", schema), ElementsAre("\"b\"", "\"ä\""));
  EXPECT_THAT(Keys(table, "made > 1710000000000000", schema), ElementsAre("\"ä\""));
  EXPECT_THAT(Keys(table, "name is null", schema), ElementsAre("\"ä\""));
  EXPECT_THAT(Keys(table, "id in [\"B\", \"c\"]", schema), ElementsAre("\"B\""));
}

TEST_F(PgAdoptionTest, SearchUsesTheApplicationsIndexAndMetric) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, v vector(2)); INSERT INTO " + table +
      " SELECT i, ('[' || i || ',1]')::vector FROM generate_series(1, 500) i; CREATE INDEX ON " +
      table + " USING hnsw (v vector_l2_ops)");
  const CollectionSchema schema = Adopt(table).schema;
  EXPECT_EQ(schema.vectors[0].metric, Metric::kL2);
  EXPECT_EQ(schema.vectors[0].index, "HNSW");
  for (const bool exact : {false, true}) {
    SearchRequest search{.collection = table, .field = {}};
    search.vectors = {Vector::Floats(std::vector<float>{100, 1})};
    search.top_k = 3;
    search.exact = exact;
    const auto found = store_->Search(Soon(), search);
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    ASSERT_EQ(found->hits[0].size(), 3u);
    EXPECT_EQ(found->hits[0][0].record.key.key, Key(100));
    EXPECT_EQ(found->hits[0][0].distance, 0);
    EXPECT_EQ(found->hits[0][2].distance, 1);
  }
  EXPECT_EQ(store_->BuildIndexes(Soon(), table).code(), Code::kFailedPrecondition);
  const auto described = store_->DescribeCollection(Soon(), table);
  ASSERT_TRUE(described.ok()) << described.error().ToString();
  EXPECT_EQ(described->estimated_count, 500u);
  EXPECT_TRUE(described->index_ready);
}

/// Pages through the collection; every key once, in order.
std::vector<Key> ScanAll(VectorStore& store, const std::string& collection, uint32_t page) {
  std::vector<Key> keys;
  ScanRequest scan{.collection = collection, .tenant = {}, .after = {}, .until = {}};
  scan.limit = page;
  while (true) {
    const auto got = store.Scan(Soon(), scan);
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    if (!got.ok()) {
      return keys;
    }
    for (const Record& record : got->records) {
      EXPECT_TRUE(keys.empty() || keys.back() < record.key.key) << ToString(record.key);
      keys.push_back(record.key.key);
    }
    if (got->done) {
      return keys;
    }
    scan.after = got->records.back().key;
  }
}

TEST_F(PgAdoptionTest, ScansMissNothingWhileTheApplicationWrites) {
  for (const std::string type : {"bigint", "text", "uuid"}) {
    const std::string table = FreshName();
    const std::string key = type == "uuid"   ? "md5(i::text)::uuid"
                            : type == "text" ? "(CASE WHEN i % 2 = 0 THEN 'K' ELSE 'k' END) || i"
                                             : "i";
    Sql("CREATE TABLE " + table + " (id " + type +
        " PRIMARY KEY, n int, v vector(2)); INSERT INTO " + table + " SELECT " + key +
        ", 0, '[1,2]' FROM generate_series(1, 1000) i");
    Adopt(table);
    std::jthread application([&](std::stop_token stop) {
      auto session = OpenSession(SharedServer().uri);
      for (int i = 1; !stop.stop_requested(); i = i % 1000 + 1) {
        const std::string number = std::to_string(i);
        const auto done = session->Script(
            Soon(),
            "UPDATE " + table + " SET n = n + 1 WHERE n % 7 = " + std::to_string(i % 7) +
                "; INSERT INTO " + table + " SELECT " + key + ", 1, '[3,4]' FROM (VALUES (" +
                std::to_string(1000 + i) + ")) x (i) ON CONFLICT DO NOTHING",
            PgEffect::kWrite);
        EXPECT_TRUE(done.ok());
      }
    });
    for (int round = 0; round < 5; ++round) {
      const auto keys = ScanAll(*store_, table, 37);
      EXPECT_GE(keys.size(), 1000u) << type;
    }
    application.request_stop();
    application.join();
    const auto keys = ScanAll(*store_, table, 100);
    EXPECT_EQ(std::to_string(keys.size()), Cell("SELECT count(*) FROM " + table)) << type;
  }
}

TEST_F(PgAdoptionTest, KeysThatWouldComeBackAsOthersAreRefused) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + "_u (id uuid PRIMARY KEY, v vector(1)); CREATE TABLE " + table +
      "_i (id smallint PRIMARY KEY, v vector(1)); INSERT INTO " + table +
      "_u VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '[1]')");
  Adopt(table + "_u");
  Adopt(table + "_i");
  EXPECT_EQ(Upsert(table + "_u", Row(Key("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), {1})).code(),
            Code::kInvalidArgument);
  EXPECT_FALSE(Get(table + "_u", Key("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")));
  EXPECT_FALSE(Get(table + "_u", Key("something")));
  EXPECT_TRUE(Get(table + "_u", Key("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")));
  EXPECT_TRUE(Delete(table + "_u", Key("something"), 3).ok());
  EXPECT_EQ(Upsert(table + "_i", Row(Key(40'000), {1})).code(), Code::kInvalidArgument);
  EXPECT_FALSE(Get(table + "_i", Key(40'000)));
  EXPECT_TRUE(Upsert(table + "_i", Row(Key(-32'768), {1})).ok());
}

}  // namespace
}  // namespace roost
