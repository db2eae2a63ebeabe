// What is OpenSearch's own, beside the suite of opensearch_conformance_test.cc.

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/opensearch/opensearch_testing.h"
#include "base/json.h"
#include "store/vector_math.h"

namespace roost {
namespace {

using testing::HasSubstr;

class OpenSearchStoreTest : public testing::Test {
 protected:
  void Create(const CollectionSchema& schema) {
    const Status made = store_->CreateCollection(Soon(), {.schema = schema});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  void Upsert(const std::string& collection, std::vector<Record> rows,
              std::optional<uint64_t> fence = std::nullopt) {
    const auto written =
        store_->Upsert(Soon(), {.collection = collection, .records = rows, .fence = fence});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    ASSERT_TRUE(written->errors.empty()) << written->errors[0].error.ToString();
    EXPECT_EQ(written->written, rows.size());
  }
  uint64_t Delete(const std::string& collection, std::vector<RecordKey> keys,
                  std::optional<uint64_t> fence = std::nullopt, FilterPtr filter = nullptr) {
    const auto deleted = store_->Delete(
        Soon(), {.collection = collection, .keys = keys, .filter = filter, .fence = fence});
    EXPECT_TRUE(deleted.ok()) << deleted.error().ToString();
    return deleted.ok() ? deleted->deleted : 0;
  }
  std::optional<Record> Get(const std::string& collection, const RecordKey& key) {
    const auto got = store_->Get(Soon(), {.collection = collection, .keys = {key}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() ? got->records.at(0) : std::nullopt;
  }
  int64_t NumberOf(const std::string& collection, const std::string& key) {
    const auto got = Get(collection, KeyOf(key));
    return got ? std::get<int64_t>(got->fields.at("n")) : -1;
  }
  uint64_t Count(const std::string& collection, FilterPtr filter = nullptr) {
    const auto count = store_->Count(Soon(), {.collection = collection, .filter = filter});
    EXPECT_TRUE(count.ok()) << count.error().ToString();
    return count.ok() ? *count : 0;
  }
  FilterPtr Parse(const std::string& text, const CollectionSchema& schema) {
    const auto filter = ParseFilter(text, schema);
    EXPECT_TRUE(filter.ok()) << filter.error().ToString();
    return *filter;
  }

  std::unique_ptr<OpenSearchStore> store_ = OpenStore(SharedServer());
};

TEST_F(OpenSearchStoreTest, OlderFencesNeverWin) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 10)}, 10);
  Upsert(schema.name, {PlainRow("a", 9)}, 9);
  EXPECT_EQ(NumberOf(schema.name, "a"), 10);
  EXPECT_EQ(Delete(schema.name, {KeyOf("a"), KeyOf("new")}, 20), 1u);
  EXPECT_EQ(Delete(schema.name, {KeyOf("a")}, 20), 0u) << "it is a tombstone already";
  Upsert(schema.name, {PlainRow("a", 19), PlainRow("new", 19)}, 19);
  EXPECT_EQ(Count(schema.name), 0u);
  EXPECT_EQ(*store_->DropTombstones(Soon(), schema.name, 20), 0u) << "only lower fences";
  EXPECT_EQ(*store_->DropTombstones(Soon(), schema.name, 21), 2u);
  Upsert(schema.name, {PlainRow("a", 25)}, 25);
  EXPECT_EQ(Count(schema.name), 1u);
}

TEST_F(OpenSearchStoreTest, PlainWritesKeepTheFence) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 10)}, 10);
  for (int i = 0; i < 5; ++i) {
    Upsert(schema.name, {PlainRow("a", 100 + i)});
  }
  Upsert(schema.name, {PlainRow("a", 9)}, 9);
  EXPECT_EQ(NumberOf(schema.name, "a"), 104) << "a late copy overwrote a newer write";
  Upsert(schema.name, {PlainRow("a", 11)}, 10);
  EXPECT_EQ(NumberOf(schema.name, "a"), 11) << "plain writes do not raise the fence";
}

TEST_F(OpenSearchStoreTest, PlainDeleteKeepsTheFenceOfWhatItDeletes) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("moved", 10)}, 10);
  Upsert(schema.name, {PlainRow("own", 1)});
  const std::vector<RecordKey> keys = {KeyOf("moved"), KeyOf("own")};
  EXPECT_EQ(Delete(schema.name, keys), 2u);
  EXPECT_EQ(Delete(schema.name, keys), 0u);
  Upsert(schema.name, {PlainRow("moved", 9), PlainRow("own", 9)}, 9);
  EXPECT_EQ(NumberOf(schema.name, "moved"), -1) << "a late copy came back";
  EXPECT_EQ(NumberOf(schema.name, "own"), 9);
  Upsert(schema.name, {PlainRow("moved", 11)});
  EXPECT_EQ(NumberOf(schema.name, "moved"), 11);
}

TEST_F(OpenSearchStoreTest, InsertTakesTheKeyOfATombstone) {
  const auto schema = PlainSchema();
  Create(schema);
  Delete(schema.name, {KeyOf("a")}, 20);
  const auto late = store_->Insert(
      Soon(), {.collection = schema.name, .records = {PlainRow("a", 19)}, .fence = 19});
  ASSERT_TRUE(late.ok()) << late.error().ToString();
  EXPECT_EQ(late->written, 1u) << "counts as written";
  EXPECT_EQ(NumberOf(schema.name, "a"), -1);
  const auto plain =
      store_->Insert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 21)}});
  ASSERT_TRUE(plain.ok() && plain->errors.empty());
  Upsert(schema.name, {PlainRow("a", 19)}, 19);
  EXPECT_EQ(NumberOf(schema.name, "a"), 21) << "the fence stayed";
}

TEST_F(OpenSearchStoreTest, DeletingAndInsertingAgainAndAgainDoesNotWearOutFences) {
  const auto schema = PlainSchema();
  Create(schema);
  for (int i = 0; i < 12; ++i) {
    const auto made =
        store_->Insert(Soon(), {.collection = schema.name, .records = {PlainRow("a", i)}});
    ASSERT_TRUE(made.ok() && made->errors.empty()) << i;
    EXPECT_EQ(Delete(schema.name, {KeyOf("a")}), 1u) << i;
  }
  Upsert(schema.name, {PlainRow("a", 100)});
  Upsert(schema.name, {PlainRow("a", 101)}, 1);
  EXPECT_EQ(NumberOf(schema.name, "a"), 101) << "the first fence is above all plain writes";
}

TEST_F(OpenSearchStoreTest, FencedInsertAndFilteredDeleteCarryTheirFence) {
  const auto schema = PlainSchema();
  Create(schema);
  const auto made = store_->Insert(
      Soon(), {.collection = schema.name, .records = {PlainRow("a", 7)}, .fence = 7});
  ASSERT_TRUE(made.ok() && made->errors.empty());
  Upsert(schema.name, {PlainRow("a", 6)}, 6);
  EXPECT_EQ(NumberOf(schema.name, "a"), 7);
  EXPECT_EQ(Delete(schema.name, {KeyOf("a")}, 30, Parse("n == 8", schema)), 0u);
  EXPECT_EQ(Delete(schema.name, {KeyOf("a")}, 30, Parse("n == 7", schema)), 1u);
  Upsert(schema.name, {PlainRow("a", 29)}, 29);
  EXPECT_EQ(NumberOf(schema.name, "a"), -1);
  Upsert(schema.name, {PlainRow("a", 30)}, 30);
  EXPECT_EQ(NumberOf(schema.name, "a"), 30);
}

TEST_F(OpenSearchStoreTest, TombstonesExpireAndLiveRecordsStay) {
  auto options = SharedServer();
  options.tombstone_lifetime = std::chrono::milliseconds(1);
  options.tombstone_check_interval = std::chrono::milliseconds(50);
  const auto store = OpenStore(options);
  const auto schema = PlainSchema();
  Create(schema);
  std::vector<RecordKey> keys;
  for (int i = 0; i < 10; ++i) {
    keys.push_back(KeyOf(std::to_string(i)));
  }
  Delete(schema.name, keys, 5);
  Upsert(schema.name, {PlainRow("0", 6)}, 6);                           // no tombstone any more
  ASSERT_TRUE(store->Count(Soon(), {.collection = schema.name}).ok());  // now it knows the index
  EXPECT_TRUE(Await([&] {
    Raw("POST", "/" + IndexOf(schema.name) + "/_refresh");
    return Raw("GET", "/" + IndexOf(schema.name) + "/_count").find("\"count\":1,") !=
           std::string::npos;
  }));
  EXPECT_EQ(Count(schema.name), 1u);
}

TEST_F(OpenSearchStoreTest, StringsTooLongForTheIndexAreFoundAllTheSame) {
  auto schema = PlainSchema();
  schema.dynamic = true;
  schema.fields = {{.name = "s", .type = DataType::kVarChar},
                   {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar}};
  Create(schema);
  const std::string shared(20'000, 'x');
  const auto row = [&](const std::string& key, const std::string& text) {
    Record record;
    record.key = KeyOf(key);
    record.fields["s"] = text;
    record.fields["tags"] = Array{Value(text), Value("short")};
    std::string json;
    AppendJsonString(json, text);
    record.dynamic = "{\"d\":" + json + "}";
    return record;
  };
  const std::vector<Record> rows = {row("a", shared + "a"), row("b", shared + "b"),
                                    row("c", "y" + shared), row("short", "xyz")};
  Upsert(schema.name, rows);
  for (const Record& record : rows) {
    const auto got = Get(schema.name, record.key);
    ASSERT_TRUE(got);
    EXPECT_TRUE(SameRecord(*got, record)) << ToString(record.key);
  }
  for (const std::string& text : std::vector<std::string>{
           "s == \"" + shared + "b\"", "s != \"" + shared + "b\"", "s like \"%xb\"",
           "s like \"x%\"", "s like \"_xxx%\"", "s < \"" + shared + "b\"", "s > \"xx\"",
           "array_contains(tags, \"" + shared + "a\")", "tags == [\"" + shared + "a\", \"short\"]",
           "d == \"" + shared + "a\"", "d like \"%a\"", "d like \"%z\"",
           "tags[0] like \"_xxx%a\""}) {
    const auto filter = Parse(text, schema);
    uint64_t expected = 0;
    for (const Record& record : rows) {
      expected += Matches(filter.get(), record) ? 1 : 0;
    }
    EXPECT_EQ(Count(schema.name, filter), expected) << text.substr(0, 20);
  }
}

TEST_F(OpenSearchStoreTest, LongKeysThatDifferAtTheEndAreDifferent) {
  const auto schema = PlainSchema();
  Create(schema);
  const std::string beginning(2'000, 'k');
  Upsert(schema.name, {PlainRow(beginning + "a", 1), PlainRow(beginning + "b", 2)});
  EXPECT_EQ(NumberOf(schema.name, beginning + "a"), 1);
  EXPECT_EQ(NumberOf(schema.name, beginning + "b"), 2);
  EXPECT_EQ(Delete(schema.name, {KeyOf(beginning + "a")}), 1u);
  EXPECT_EQ(Count(schema.name), 1u);
}

TEST_F(OpenSearchStoreTest, PackedVectorsCompareExactly) {
  auto schema = PlainSchema();
  schema.vectors = {{.name = "s", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct},
                    {.name = "bits",
                     .type = DataType::kBinaryVector,
                     .dimension = 72,
                     .metric = Metric::kJaccard}};
  Create(schema);
  Record a;
  a.key = KeyOf("a");
  a.fields["n"] = int64_t{1};
  a.vectors["s"] = FromSparseEntries(
      std::vector<SparseEntry>{{0, 0.5f}, {7, 0.0f}, {3'000'000'000, 2}, {4'294'967'295, -1}});
  a.vectors["bits"] = Vector{.type = DataType::kBinaryVector, .bytes = "\xff\x0f\xf0 ABCDE"};
  Record empty = a;
  empty.key = KeyOf("empty");
  empty.vectors["s"] = FromSparseEntries(std::vector<SparseEntry>{});
  empty.vectors["bits"] = Vector{.type = DataType::kBinaryVector, .bytes = std::string(9, '\0')};
  Upsert(schema.name, {a, empty});
  EXPECT_TRUE(SameRecord(*Get(schema.name, a.key), a));
  EXPECT_TRUE(SameRecord(*Get(schema.name, empty.key), empty));
  for (const std::string field : {"s", "bits"}) {
    const Vector query =
        field == "s"
            ? FromSparseEntries(std::vector<SparseEntry>{{3'000'000'000, 3}, {4'294'967'295, 1}})
            : Vector{.type = DataType::kBinaryVector, .bytes = "\xf0\x0f\xff ABCD\x01"};
    const auto found =
        store_->Search(Soon(), {.collection = schema.name, .field = field, .vectors = {query}});
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    ASSERT_EQ(found->hits[0].size(), 2u) << field;
    EXPECT_EQ(found->hits[0][0].record.key, a.key);
    EXPECT_DOUBLE_EQ(found->hits[0][0].distance, ReferenceDistance(schema.FindVector(field)->metric,
                                                                   query, a.vectors.at(field)));
  }
}

TEST_F(OpenSearchStoreTest, TellsDistancesFarBelowTheServersResolution) {
  auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("near", 1, {1, 1, 1, 1 + 1e-6f}), PlainRow("at", 2, {1, 1, 1, 1}),
                       PlainRow("far", 3, {1, 1, 1, 1 + 1e-5f})});
  for (const bool exact : {true, false}) {
    const auto found =
        store_->Search(Soon(), {.collection = schema.name,
                                .vectors = {Vector::Floats(std::vector<float>{1, 1, 1, 1})},
                                .exact = exact});
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    ASSERT_EQ(found->hits[0].size(), 3u);
    EXPECT_EQ(found->hits[0][0].record.key, KeyOf("at"));
    EXPECT_EQ(found->hits[0][1].record.key, KeyOf("near"));
    EXPECT_NEAR(found->hits[0][1].distance, static_cast<double>(1 + 1e-6f) - 1, 1e-12);
    EXPECT_EQ(found->hits[0][0].distance, 0);
  }
}

TEST_F(OpenSearchStoreTest, FilterThatTheQueryLanguageCannotSayIsFinishedHere) {
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
  const auto filter = Parse("price * 3.0 > 0.0 and x < n + 1 and n >= 11", schema);
  EXPECT_EQ(Count(schema.name, filter), 20u);
  EXPECT_EQ(Delete(schema.name, {KeyOf("k11"), KeyOf("k12")}, std::nullopt, filter), 1u);
  auto small = SharedServer();
  small.max_filtered_keys = 10;
  const auto limited = OpenStore(small);
  EXPECT_EQ(limited->Count(Soon(), {.collection = schema.name, .filter = filter}).code(),
            Code::kResourceExhausted);
}

TEST_F(OpenSearchStoreTest, FilterMadeForAnotherSchemaIsRefused) {
  auto other = PlainSchema();
  other.fields.push_back({.name = "gone", .type = DataType::kInt64});
  const auto schema = PlainSchema();
  Create(schema);
  const auto filter = Parse("gone > 3", other);
  const auto count = store_->Count(Soon(), {.collection = schema.name, .filter = filter});
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(count.code(), Code::kInvalidArgument);
  EXPECT_THAT(count.error().message, HasSubstr("\"gone\""));
}

TEST_F(OpenSearchStoreTest, NoticesThatAnotherProcessDroppedAndMadeTheCollection) {
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
  EXPECT_EQ(Count(schema.name), 0u) << "the index remembered is gone, the new one is found";
}

TEST_F(OpenSearchStoreTest, OfManyWhoMakeACollectionOneDoes) {
  const auto schema = PlainSchema();
  std::atomic<int> created{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Status made = store_->CreateCollection(Soon(), {.schema = schema});
      created += made.ok() ? 1 : 0;
      EXPECT_TRUE(made.ok() || made.code() == Code::kAlreadyExists) << made.error().ToString();
    });
  }
  threads.clear();
  EXPECT_EQ(created, 1);
}

TEST_F(OpenSearchStoreTest, TwoPrefixesDoNotSeeEachOther) {
  auto options = SharedServer();
  options.uri += "?index_prefix=other-&shards=2&replicas=0";
  const auto other = OpenStore(options);
  const auto schema = PlainSchema();
  Create(schema);
  EXPECT_EQ(other->DescribeCollection(Soon(), schema.name).code(), Code::kNotFound);
  ASSERT_TRUE(other->CreateCollection(Soon(), {.schema = schema}).ok());
  Upsert(schema.name, {PlainRow("a", 1)});
  EXPECT_EQ(*other->Count(Soon(), {.collection = schema.name}), 0u);
  EXPECT_TRUE(other->DropCollection(Soon(), {.collection = schema.name}).ok());
}

TEST_F(OpenSearchStoreTest, OthersReadPlainDocuments) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 7)});
  EXPECT_THAT(Raw("GET", "/" + IndexOf(schema.name) + "/_doc/a"),
              HasSubstr(R"("_source":{"_pk":"a","_key":"a","n":7,"v":[1,2,3,4]})"));
}

}  // namespace
}  // namespace roost
