// What the suite does not try: sealed and indexed data, collections that others change, large
// messages, exactness.

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/milvus/milvus_raw.h"
#include "store/conformance/random_filters.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace pb = milvus_messages;
using testing::HasSubstr;

class MilvusStoreTest : public testing::Test {
 protected:
  void Create(const CollectionSchema& schema) {
    ASSERT_NE(store_, nullptr);
    const auto made = store_->CreateCollection(Soon(), {.schema = schema});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  void Upsert(const std::string& collection, std::vector<Record> rows) {
    const auto written =
        store_->Upsert(Soon(), {.collection = collection, .records = std::move(rows)});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    ASSERT_TRUE(written->errors.empty()) << written->errors[0].error.ToString();
  }
  std::vector<Record> ScanAll(const std::string& collection, uint32_t limit = 1'000) {
    std::vector<Record> all;
    ScanRequest request{.collection = collection, .limit = limit};
    while (true) {
      const auto page = store_->Scan(Soon(), request);
      EXPECT_TRUE(page.ok()) << page.error().ToString();
      if (!page.ok()) {
        return all;
      }
      all.insert(all.end(), page->records.begin(), page->records.end());
      if (page->done) {
        return all;
      }
      request.after = page->records.back().key;
    }
  }

  std::unique_ptr<VectorStore> store_ = OpenStore(SharedServer());
  RawMilvus raw_{QuickMilvus().port()};
};

Vector RandomVector(Random& random, size_t dimension) {
  std::vector<float> values(dimension);
  for (float& value : values) {
    value = static_cast<float>(random.NextDouble() - 0.5);
  }
  return Vector::Floats(values);
}

// Growing data, which the suite sees, and sealed data with indexes are read by different code.
TEST_F(MilvusStoreTest, SealedDataAnswersFiltersAsTheReferenceDoes) {
  SeededRandom random(11);
  const auto schema = conformance::FilterSchema(store_->capabilities(), FreshName(), Metric::kL2);
  Create(schema);
  conformance::FilterGenerator generator(schema, random);
  std::vector<Record> records;
  for (size_t i = 0; i < 400; ++i) {
    records.push_back(generator.NextRecord(i));
  }
  Upsert(schema.name, records);
  ASSERT_TRUE(raw_.SealAndIndex(schema.name, 400).ok());
  const auto stored = ScanAll(schema.name, 150);
  ASSERT_EQ(stored.size(), records.size());
  int tried = 0;
  for (int wrong = 0; tried < 120 && wrong < 5;) {
    const std::string text = generator.NextFilter(3);
    const auto filter = ParseFilter(text, schema);
    if (!filter.ok()) {
      continue;
    }
    ++tried;
    std::vector<RecordKey> expected;
    for (const Record& record : stored) {
      if (Matches(filter->get(), record)) {
        expected.push_back(record.key);
      }
    }
    const auto found = store_->Query(
        Soon(), {.collection = schema.name, .filter = *filter, .limit = records.size()});
    ASSERT_TRUE(found.ok()) << text << ": " << found.error().ToString();
    std::vector<RecordKey> keys;
    for (const Record& record : found->records) {
      keys.push_back(record.key);
    }
    EXPECT_EQ(keys, expected) << text;
    wrong += keys == expected ? 0 : 1;
  }
}

TEST_F(MilvusStoreTest, ExactSearchIsExactOnAnHnswIndex) {
  constexpr size_t kDimension = 64;
  constexpr int64_t kRows = 4'000;
  SeededRandom random(12);
  auto schema = PlainSchema(kDimension);
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].hnsw_m = 4;  // a poor graph: without exact it misses some
  schema.vectors[0].hnsw_ef_construction = 8;
  Create(schema);
  std::vector<Record> rows(kRows);
  for (int64_t i = 0; i < kRows; ++i) {
    rows[static_cast<size_t>(i)].key.key = i;
    rows[static_cast<size_t>(i)].fields["n"] = i % 7;
    rows[static_cast<size_t>(i)].vectors["v"] = RandomVector(random, kDimension);
  }
  Upsert(schema.name, rows);
  ASSERT_TRUE(raw_.SealAndIndex(schema.name, kRows).ok());
  const auto filter = ParseFilter("n != 3", schema);
  for (int i = 0; i < 5; ++i) {
    const Vector query = RandomVector(random, kDimension);
    std::vector<std::pair<double, RecordKey>> nearest;
    for (const Record& row : rows) {
      if (Matches(filter->get(), row)) {
        nearest.emplace_back(ReferenceDistance(Metric::kL2, query, row.vectors.at("v")), row.key);
      }
    }
    std::sort(nearest.begin(), nearest.end());
    const auto hits = store_->Search(Soon(), {.collection = schema.name,
                                              .vectors = {query},
                                              .top_k = 50,
                                              .filter = *filter,
                                              .exact = true});
    ASSERT_TRUE(hits.ok()) << hits.error().ToString();
    ASSERT_EQ(hits->hits[0].size(), 50u);
    for (size_t rank = 0; rank < 50; ++rank) {
      EXPECT_EQ(hits->hits[0][rank].record.key, nearest[rank].second) << rank;
      EXPECT_DOUBLE_EQ(hits->hits[0][rank].distance, nearest[rank].first);
    }
  }
}

TEST_F(MilvusStoreTest, ReleasedCollectionIsLoadedAgain) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 1)});
  ASSERT_TRUE(raw_.Release(schema.name).ok());
  const auto got = store_->Get(Soon(), {.collection = schema.name, .keys = {KeyOf("a")}});
  ASSERT_TRUE(got.ok()) << got.error().ToString();
  EXPECT_TRUE(got->records[0].has_value());
  ASSERT_TRUE(raw_.Release(schema.name).ok());
  const auto hits = store_->Search(
      Soon(),
      {.collection = schema.name, .vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})}});
  ASSERT_TRUE(hits.ok()) << hits.error().ToString();
  EXPECT_EQ(hits->hits[0].size(), 1u);
}

TEST_F(MilvusStoreTest, CollectionDroppedByOthersIsNotFound) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 1)});
  ASSERT_TRUE(raw_.Drop(schema.name).ok());
  const auto written =
      store_->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 2)}});
  EXPECT_EQ(written.code(), Code::kNotFound);
  EXPECT_THAT(written.error().message, HasSubstr("\"" + schema.name + "\" does not exist"));
  EXPECT_EQ(store_->Count(Soon(), {.collection = schema.name}).code(), Code::kNotFound);
  Create(schema);
  EXPECT_TRUE(ScanAll(schema.name).empty());
}

/// Drops the collection and makes another of its name, with `change`, as a stranger would.
void Replace(RawMilvus& raw, const CollectionSchema& schema,
             const std::function<void(milvus::proto::schema::CollectionSchema&)>& change) {
  pb::DescribeCollectionRequest look;
  look.set_collection_name(MilvusCollectionName(schema.name));
  const auto found = raw.Call<pb::DescribeCollectionResponse>("DescribeCollection", look);
  ASSERT_TRUE(found.ok());
  auto changed = found->schema();
  change(changed);
  ASSERT_TRUE(raw.Drop(schema.name).ok());
  pb::CreateCollectionRequest create;
  create.set_collection_name(MilvusCollectionName(schema.name));
  create.set_schema(changed.SerializeAsString());
  const auto made = raw.Call("CreateCollection", create);
  ASSERT_TRUE(made.ok()) << made.error().ToString();
}

TEST_F(MilvusStoreTest, DimensionChangedBehindOurBackIsSaid) {
  const auto schema = PlainSchema();
  Create(schema);
  Replace(raw_, schema, [](auto& changed) {
    for (auto& field : *changed.mutable_fields()) {
      if (field.name() == "v") {
        field.mutable_type_params(0)->set_value("8");
      }
    }
  });
  const auto written =
      store_->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}});
  EXPECT_EQ(written.code(), Code::kFailedPrecondition) << written.error().ToString();
  EXPECT_THAT(written.error().message, HasSubstr("Milvus at 127.0.0.1"));
  EXPECT_THAT(written.error().message, HasSubstr("\"v\" has 8 dimensions, not 4"));
  EXPECT_TRUE(raw_.Drop(schema.name).ok());
}

TEST_F(MilvusStoreTest, CollectionOfAStrangerIsLeftAlone) {
  const auto schema = PlainSchema();
  Create(schema);
  Replace(raw_, schema, [](auto& changed) { changed.set_description("mine"); });
  const auto found = OpenStore(SharedServer())->DescribeCollection(Soon(), schema.name);
  EXPECT_EQ(found.code(), Code::kFailedPrecondition) << found.error().ToString();
  EXPECT_THAT(found.error().message, HasSubstr("not as Roost made it"));
  const auto list = store_->ListCollections(Soon());
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(std::count(list->begin(), list->end(), schema.name), 0);
  EXPECT_EQ(store_->DropCollection(Soon(), {.collection = schema.name}).code(),
            Code::kFailedPrecondition);
  EXPECT_TRUE(raw_.Drop(schema.name).ok());
}

TEST_F(MilvusStoreTest, CollectionReplacedByAnotherProcessIsReadByItsNewSchema) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema.name, {PlainRow("a", 0)});
  const auto other = OpenStore(SharedServer());
  ASSERT_TRUE(other->DropCollection(Soon(), {.collection = schema.name}).ok());
  auto changed = schema;
  changed.fields[0].nullable = false;
  changed.vectors[0].metric = Metric::kInnerProduct;
  ASSERT_TRUE(other->CreateCollection(Soon(), {.schema = changed}).ok());
  const auto hits = store_->Search(
      Soon(),
      {.collection = schema.name, .vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})}});
  ASSERT_TRUE(hits.ok()) << hits.error().ToString();
  EXPECT_TRUE(hits->hits[0].empty());
  Upsert(schema.name, {PlainRow("a", 0)});
  const auto nearest = store_->Search(
      Soon(),
      {.collection = schema.name, .vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})}});
  ASSERT_TRUE(nearest.ok());
  ASSERT_EQ(nearest->hits[0].size(), 1u);
  EXPECT_DOUBLE_EQ(nearest->hits[0][0].distance, -30) << "the new metric";
}

TEST_F(MilvusStoreTest, MoreThanAMessageHoldsIsWrittenAndReadInPieces) {
  auto schema = PlainSchema();
  schema.fields.push_back({.name = "text", .type = DataType::kVarChar});
  Create(schema);
  constexpr int kRows = 1'300;  // 83 MB, and a message is 64 MiB at most
  std::vector<Record> rows;
  std::vector<RecordKey> keys;
  for (int i = 0; i < kRows; ++i) {
    rows.push_back(PlainRow("k" + std::to_string(10'000 + i), i));
    rows.back().fields["text"] = std::string(64'000, static_cast<char>('a' + i % 26));
    keys.push_back(rows.back().key);
  }
  Upsert(schema.name, rows);
  const auto page = store_->Scan(Soon(), {.collection = schema.name, .limit = kRows});
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  ASSERT_EQ(page->records.size(), static_cast<size_t>(kRows));
  EXPECT_TRUE(page->done);
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(SameRecord(page->records[i], rows[i])) << i;
  }
  const auto got = store_->Get(Soon(), {.collection = schema.name, .keys = keys});
  ASSERT_TRUE(got.ok()) << got.error().ToString();
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(got->records[i].has_value()) << i;
  }
}

TEST_F(MilvusStoreTest, HitsWithoutTheVectorAreReplacedByOthers) {
  auto schema = PlainSchema();
  schema.vectors[0].metric = Metric::kL2;
  Create(schema);
  std::vector<Record> rows;
  for (int i = 0; i < 100; ++i) {
    rows.push_back(PlainRow("absent" + std::to_string(i), i));
    rows.back().vectors.clear();  // zeros in Milvus: nearest to a query of zeros
  }
  for (int i = 0; i < 5; ++i) {
    rows.push_back(PlainRow("there" + std::to_string(i), i, {5, 5, 5, 5}));
  }
  Upsert(schema.name, rows);
  for (const bool exact : {false, true}) {
    const auto hits =
        store_->Search(Soon(), {.collection = schema.name,
                                .vectors = {Vector::Floats(std::vector<float>{0, 0, 0, 0})},
                                .exact = exact});
    ASSERT_TRUE(hits.ok()) << hits.error().ToString();
    EXPECT_EQ(hits->hits[0].size(), 5u);
  }
}

TEST_F(MilvusStoreTest, ManyTiesAreStillInKeyOrder) {
  auto schema = PlainSchema();
  schema.key_type = KeyType::kInt64;
  Create(schema);
  std::vector<Record> rows;
  for (int64_t i = 0; i < 500; ++i) {
    auto row = PlainRow("", i % 2);
    row.key.key = (i * 7) % 500;
    rows.push_back(std::move(row));
  }
  Upsert(schema.name, rows);
  const auto hits =
      store_->Search(Soon(), {.collection = schema.name,
                              .vectors = {Vector::Floats(std::vector<float>{4, 3, 2, 1})},
                              .top_k = 3,
                              .exact = true});
  ASSERT_TRUE(hits.ok());
  ASSERT_EQ(hits->hits[0].size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(hits->hits[0][static_cast<size_t>(i)].record.key.key, Key(i));
  }
}

}  // namespace
}  // namespace roost
