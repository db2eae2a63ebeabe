#include "adapters/pgvector/pgvector_store.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_testing.h"
#include "base/json.h"
#include "store/vector_math.h"

namespace roost {
namespace {

using testing::HasSubstr;

class PgVectorStoreTest : public testing::Test {
 protected:
  void Create(const CollectionSchema& schema) {
    const Status created = store_->CreateCollection(Soon(), {.schema = schema});
    ASSERT_TRUE(created.ok()) << created.error().ToString();
  }
  void Upsert(const std::string& collection, std::vector<Record> records,
              std::optional<uint64_t> fence = std::nullopt) {
    const auto written = store_->Upsert(
        Soon(), {.collection = collection, .records = std::move(records), .fence = fence});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
  }
  std::optional<Record> Get(const std::string& collection, const RecordKey& key) {
    const auto got = store_->Get(Soon(), {.collection = collection, .keys = {key}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() ? got->records.at(0) : std::nullopt;
  }
  uint64_t Count(const std::string& collection, FilterPtr filter = nullptr) {
    const auto count =
        store_->Count(Soon(), {.collection = collection, .filter = std::move(filter)});
    EXPECT_TRUE(count.ok()) << count.error().ToString();
    return count.ok() ? *count : 0;
  }
  FilterPtr Parse(const std::string& text, const CollectionSchema& schema) {
    const auto filter = ParseFilter(text, schema);
    EXPECT_TRUE(filter.ok()) << filter.error().ToString();
    return filter.ok() ? *filter : nullptr;
  }

  std::unique_ptr<PgVectorStore> store_ = OpenStore(SharedServer());
};

CollectionSchema EveryType() {
  CollectionSchema schema;
  schema.name = FreshName();
  schema.dynamic = true;
  schema.key_type = KeyType::kInt64;
  schema.fields = {
      {.name = "flag", .type = DataType::kBool},
      {.name = "i8", .type = DataType::kInt8},
      {.name = "i64", .type = DataType::kInt64},
      {.name = "f32", .type = DataType::kFloat},
      {.name = "f64", .type = DataType::kDouble},
      {.name = "xmin", .type = DataType::kVarChar},  // a system column's name
      {.name = std::string(200, 'w'), .type = DataType::kText},
      {.name = "json", .type = DataType::kJson},
      {.name = "time", .type = DataType::kTimestamp},
      {.name = "uuid", .type = DataType::kUuid},
      {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar},
      {.name = "times", .type = DataType::kArray, .element_type = DataType::kTimestamp}};
  schema.vectors = {
      {.name = "f", .dimension = 3, .metric = Metric::kL2},
      {.name = "h", .type = DataType::kFloat16Vector, .dimension = 2},
      {.name = "b", .type = DataType::kBFloat16Vector, .dimension = 2},
      {.name = "q", .type = DataType::kInt8Vector, .dimension = 3},
      {.name = "bits",
       .type = DataType::kBinaryVector,
       .dimension = 16,
       .metric = Metric::kHamming},
      {.name = "s", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct}};
  return schema;
}

Record EveryValue() {
  Record record;
  record.key.key = std::numeric_limits<int64_t>::min();
  record.fields["flag"] = true;
  record.fields["i8"] = int64_t{-128};
  record.fields["i64"] = (int64_t{1} << 53) + 1;
  record.fields["f32"] = static_cast<double>(std::numeric_limits<float>::denorm_min());
  record.fields["f64"] = -0.0;
  record.fields["xmin"] = "größe '; -- \"";
  record.fields[std::string(200, 'w')] = "Words to find";
  record.fields["json"] =
      Json{*CanonicalJson(R"({"a":[1,2.5,null,"x"],"big":9007199254740993,"z":1e300})")};
  record.fields["time"] = int64_t{-62'135'596'800'000'000};
  record.fields["uuid"] = "123e4567-e89b-12d3-a456-426614174000";
  record.fields["tags"] = Array{Value("b"), Value("a"), Value("")};
  record.fields["times"] = Array{};
  record.dynamic = R"({"free":true})";
  const float denormal = std::numeric_limits<float>::denorm_min();
  record.vectors["f"] = Vector::Floats(std::vector<float>{-0.0f, denormal, 3.25f});
  record.vectors["h"] = FromFloats(DataType::kFloat16Vector, std::vector<float>{-0.0f, 65'504});
  record.vectors["b"] = FromFloats(DataType::kBFloat16Vector, std::vector<float>{1e-40f, -3e38f});
  record.vectors["q"] = FromFloats(DataType::kInt8Vector, std::vector<float>{-128, 0, 127});
  record.vectors["bits"] = Vector{.type = DataType::kBinaryVector, .bytes = "\x80\x01"};
  record.vectors["s"] = FromSparseEntries(
      std::vector<SparseEntry>{{0, 0.5f}, {7, 0.0f}, {1'000'000'000, 2}, {4'294'967'295, -1}});
  return record;
}

TEST_F(PgVectorStoreTest, KeepsEveryTypeBitForBit) {
  const auto schema = EveryType();
  Create(schema);
  const Record record = EveryValue();
  Upsert(schema.name, {record});
  const auto got = Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, record));
  EXPECT_TRUE(std::signbit(std::get<double>(got->fields.at("f64"))));
  const auto page = store_->Scan(Soon(), {.collection = schema.name});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_TRUE(SameRecord(page->records[0], record));
}

TEST_F(PgVectorStoreTest, SparseSearchSumsBeyondOneSparsevec) {
  const auto schema = EveryType();
  Create(schema);
  Record near = EveryValue();
  Record far = near;
  far.key.key = int64_t{2};
  far.vectors["s"] = FromSparseEntries(std::vector<SparseEntry>{{0, 10}});
  Upsert(schema.name, {near, far});
  // 1,000,000,000 and 0 lie in different sparsevecs at the same place.
  const auto found = store_->Search(Soon(), {.collection = schema.name,
                                             .field = "s",
                                             .vectors = {FromSparseEntries(std::vector<SparseEntry>{
                                                 {1'000'000'000, 3}, {4'294'967'295, 1}})}});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  ASSERT_EQ(found->hits[0].size(), 2u);
  EXPECT_EQ(found->hits[0][0].record.key, near.key);
  EXPECT_DOUBLE_EQ(found->hits[0][0].distance, -5);
  EXPECT_EQ(found->hits[0][1].distance, 0);
}

TEST_F(PgVectorStoreTest, TellsDistancesAsDefined) {
  struct Case {
    Metric metric;
    double first;
    double second;
  };
  for (const Case& wanted : {Case{Metric::kL2, std::sqrt(19.0), std::sqrt(22.8125)},
                             Case{Metric::kInnerProduct, -13, 1.25},
                             Case{Metric::kCosine, 1 - 0.612826, 1 + 0.140028}}) {
    auto schema = PlainSchema();
    schema.vectors[0].metric = wanted.metric;
    Create(schema);
    Upsert(schema.name, {PlainRow("a", 1, {1, 2, 3, 4}), PlainRow("b", 2, {0.5f, -1, 2, 0.25f})});
    const auto found = store_->Search(
        Soon(),
        {.collection = schema.name, .vectors = {Vector::Floats(std::vector<float>{2, 1, -1, 3})}});
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    ASSERT_EQ(found->hits[0].size(), 2u);
    EXPECT_NEAR(found->hits[0][0].distance, wanted.first, 1e-6);
    EXPECT_NEAR(found->hits[0][1].distance, wanted.second, 1e-6);
    EXPECT_TRUE(found->hits[0][0].record.vectors.empty());
  }
}

TEST_F(PgVectorStoreTest, OlderFencesNeverWin) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 10)}, 10);
  Upsert(schema.name, {PlainRow("a", 9)}, 9);
  EXPECT_EQ(Get(schema.name, {.tenant = {}, .key = "a"})->fields.at("n"), Value(int64_t{10}));
  const auto deleted =
      store_->Delete(Soon(), {.collection = schema.name,
                              .keys = {{.tenant = {}, .key = "a"}, {.tenant = {}, .key = "new"}},
                              .fence = 20});
  ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  EXPECT_EQ(deleted->deleted, 1u);
  Upsert(schema.name, {PlainRow("a", 19), PlainRow("new", 19)}, 19);
  EXPECT_EQ(Count(schema.name), 0u);
  const auto dropped = store_->DropTombstones(Soon(), schema.name, 20);
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(*dropped, 0u) << "only lower fences";
  EXPECT_EQ(*store_->DropTombstones(Soon(), schema.name, 21), 2u);
  Upsert(schema.name, {PlainRow("a", 5)}, 5);
  EXPECT_EQ(Count(schema.name), 1u);
}

TEST_F(PgVectorStoreTest, PlainDeleteKeepsTheFenceOfWhatItDeletes) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("moved", 10)}, 10);
  Upsert(schema.name, {PlainRow("own", 1)});
  const std::vector<RecordKey> keys = {{.tenant = {}, .key = "moved"},
                                       {.tenant = {}, .key = "own"}};
  for (const uint64_t there : {2u, 0u}) {
    const auto deleted = store_->Delete(Soon(), {.collection = schema.name, .keys = keys});
    ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
    EXPECT_EQ(deleted->deleted, there);
  }
  Upsert(schema.name, {PlainRow("moved", 9), PlainRow("own", 9)}, 9);
  EXPECT_FALSE(Get(schema.name, {.tenant = {}, .key = "moved"})) << "a late copy came back";
  EXPECT_TRUE(Get(schema.name, {.tenant = {}, .key = "own"}));
  Upsert(schema.name, {PlainRow("moved", 11)});
  EXPECT_EQ(Get(schema.name, {.tenant = {}, .key = "moved"})->fields.at("n"), Value(int64_t{11}));
}

TEST_F(PgVectorStoreTest, InsertTakesTheKeyOfATombstone) {
  const auto schema = PlainSchema();
  Create(schema);
  const RecordKey key{.tenant = {}, .key = "a"};
  ASSERT_TRUE(store_->Delete(Soon(), {.collection = schema.name, .keys = {key}, .fence = 20}).ok());
  const auto late = store_->Insert(
      Soon(), {.collection = schema.name, .records = {PlainRow("a", 19)}, .fence = 19});
  ASSERT_TRUE(late.ok()) << late.error().ToString();
  EXPECT_EQ(late->written, 1u) << "counts as written";
  EXPECT_TRUE(late->errors.empty());
  EXPECT_FALSE(Get(schema.name, key));
  const auto plain =
      store_->Insert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 21)}});
  ASSERT_TRUE(plain.ok() && plain->errors.empty());
  Upsert(schema.name, {PlainRow("a", 19)}, 19);
  EXPECT_EQ(Get(schema.name, key)->fields.at("n"), Value(int64_t{21})) << "the fence stayed";
}

TEST_F(PgVectorStoreTest, TombstonesExpireAndLiveRecordsStay) {
  auto options = SharedServer();
  options.tombstone_lifetime = std::chrono::milliseconds(1);
  options.index_check_interval = std::chrono::milliseconds(20);
  const auto store = OpenStore(options);
  const auto schema = PlainSchema();
  Create(schema);
  std::vector<RecordKey> keys;
  for (int i = 0; i < 10; ++i) {
    keys.push_back({.tenant = {}, .key = std::to_string(i)});
  }
  ASSERT_TRUE(store_->Delete(Soon(), {.collection = schema.name, .keys = keys, .fence = 5}).ok());
  Upsert(schema.name, {PlainRow("0", 6)}, 6);                           // no tombstone any more
  ASSERT_TRUE(store->Count(Soon(), {.collection = schema.name}).ok());  // now it knows the table
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const std::string count = "SELECT count(*) FROM " + TableOf(*session, schema.name);
  EXPECT_TRUE(Await([&] {
    const auto rows = session->Run(Soon(), count);
    return rows.ok() && rows->Int(0, 0) == 1;
  }));
  EXPECT_EQ(Count(schema.name), 1u);
}

TEST_F(PgVectorStoreTest, FilterThatSqlCannotSayIsFinishedHere) {
  auto schema = PlainSchema();
  schema.dynamic = true;
  schema.fields.push_back({.name = "price", .type = DataType::kDouble});
  Create(schema);
  std::vector<Record> rows;
  for (int64_t i = 0; i < 50; ++i) {
    auto row = PlainRow("k" + std::to_string(i), i, {static_cast<float>(i), 0, 0, 0});
    row.fields["price"] = 1e308 * (i % 2 == 0 ? 1 : 0.01);
    row.dynamic = "{\"x\":" + std::to_string(i) + "}";
    rows.push_back(row);
  }
  Upsert(schema.name, rows);
  // The product overflows for every second row, which PostgreSQL would call an error.
  const auto filter = Parse("price * 3.0 > 0.0 and x < n + 1 and n >= 11", schema);
  EXPECT_EQ(Count(schema.name, filter), 20u);
  const auto found =
      store_->Search(Soon(), {.collection = schema.name,
                              .vectors = {Vector::Floats(std::vector<float>{0, 0, 0, 0})},
                              .top_k = 2,
                              .filter = filter});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  ASSERT_EQ(found->hits[0].size(), 2u);
  EXPECT_EQ(found->hits[0][0].record.key.key, Key("k11"));
  const auto deleted =
      store_->Delete(Soon(), {.collection = schema.name,
                              .keys = {{.tenant = {}, .key = "k11"}, {.tenant = {}, .key = "k12"}},
                              .filter = filter});
  ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  EXPECT_EQ(deleted->deleted, 1u);
}

TEST_F(PgVectorStoreTest, FilterMadeForAnotherSchemaIsRefused) {
  auto other = PlainSchema();
  other.fields.push_back({.name = "gone", .type = DataType::kInt64});
  const auto schema = PlainSchema();
  Create(schema);
  const auto count =
      store_->Count(Soon(), {.collection = schema.name, .filter = Parse("gone > 3", other)});
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(count.code(), Code::kInvalidArgument);
  EXPECT_THAT(count.error().message, HasSubstr("\"gone\""));
}

TEST_F(PgVectorStoreTest, NoticesThatAnotherProcessDroppedAndMadeTheCollection) {
  auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 1)});
  const auto other = OpenStore(SharedServer());
  ASSERT_TRUE(other->DropCollection(Soon(), {.collection = schema.name}).ok());
  EXPECT_EQ(store_->Count(Soon(), {.collection = schema.name}).code(), Code::kNotFound);
  schema.fields.push_back({.name = "more", .type = DataType::kInt64});
  ASSERT_TRUE(other->CreateCollection(Soon(), {.schema = schema}).ok());
  auto row = PlainRow("a", 1);
  row.fields["more"] = int64_t{2};
  Upsert(schema.name, {row});
  ASSERT_TRUE(other->DropCollection(Soon(), {.collection = schema.name}).ok());
  ASSERT_TRUE(other->CreateCollection(Soon(), {.schema = schema}).ok());
  EXPECT_EQ(Count(schema.name), 0u) << "the table remembered is gone, the new one is found";
}

TEST_F(PgVectorStoreTest, TableMissingUnderneathIsSaid) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 1)});
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  ASSERT_TRUE(
      session->Script(Soon(), "DROP TABLE " + TableOf(*session, schema.name), PgEffect::kWrite)
          .ok());
  const auto count = store_->Count(Soon(), {.collection = schema.name});
  EXPECT_EQ(count.code(), Code::kDataLoss);
  EXPECT_TRUE(store_->DropCollection(Soon(), {.collection = schema.name}).ok());
}

TEST_F(PgVectorStoreTest, ManyStoresPrepareOneServerAtOnce) {
  auto options = SharedServer();
  options.schema = FreshName();  // nothing is there yet
  std::vector<std::jthread> threads;
  std::atomic<int> opened{0};
  const auto schema = PlainSchema();
  std::atomic<int> created{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const auto store = OpenStore(options);
      opened += store != nullptr ? 1 : 0;
      const Status made = store->CreateCollection(Soon(), {.schema = schema});
      created += made.ok() ? 1 : 0;
      EXPECT_TRUE(made.ok() || made.code() == Code::kAlreadyExists) << made.error().ToString();
    });
  }
  threads.clear();
  EXPECT_EQ(opened, 6);
  EXPECT_EQ(created, 1);
}

TEST_F(PgVectorStoreTest, OverlappingBatchesAllLand) {
  const auto schema = PlainSchema();
  Create(schema);
  std::vector<std::jthread> threads;
  std::atomic<int> failed{0};
  for (int thread = 0; thread < 6; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 10; ++round) {
        std::vector<Record> rows;
        std::vector<RecordKey> keys;
        for (int i = 0; i < 40; ++i) {
          const int key = (i * (thread + 1) + round) % 40;  // another order in each thread
          rows.push_back(PlainRow(std::to_string(key), thread));
          keys.push_back(rows.back().key);
        }
        const bool written =
            thread % 3 == 2
                ? store_->Delete(Soon(), {.collection = schema.name, .keys = keys}).ok()
                : store_->Upsert(Soon(), {.collection = schema.name, .records = rows}).ok();
        failed += written ? 0 : 1;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failed, 0);
}

TEST_F(PgVectorStoreTest, ReadableBySql) {
  auto schema = PlainSchema();
  schema.name = FreshName() + ".Books";
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 7)});
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const auto rows =
      session->Run(Soon(), "SELECT n, v::text FROM " + TableOf(*session, schema.name));
  ASSERT_TRUE(rows.ok()) << rows.error().ToString();
  EXPECT_EQ(rows->Int(0, 0), 7);
  EXPECT_EQ(rows->Text(0, 1), "[1,2,3,4]");
}

}  // namespace
}  // namespace roost
