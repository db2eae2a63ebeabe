// The ways in which Milvus loses or changes data, each with what the adapter does against it. What
// a test shows without the remedy was tried once and is said above it.

#include <algorithm>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "adapters/milvus/milvus_codec.h"
#include "adapters/milvus/milvus_raw.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

class MilvusTrapTest : public testing::Test {
 protected:
  void Create(const CollectionSchema& schema) {
    ASSERT_NE(store_, nullptr);
    const auto made = store_->CreateCollection(Soon(), {.schema = schema});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  void Upsert(const CollectionSchema& schema, std::vector<Record> rows) {
    const size_t count = rows.size();
    const auto written =
        store_->Upsert(Soon(), {.collection = schema.name, .records = std::move(rows)});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    ASSERT_TRUE(written->errors.empty());
    ASSERT_EQ(written->written, count);
  }
  uint64_t Count(const CollectionSchema& schema, const std::string& filter = "") {
    const auto parsed = ParseFilter(filter, schema);
    EXPECT_TRUE(parsed.ok());
    const auto count = store_->Count(Soon(), {.collection = schema.name, .filter = *parsed});
    EXPECT_TRUE(count.ok()) << count.error().ToString();
    return count.ok() ? *count : 0;
  }

  std::unique_ptr<VectorStore> store_ = OpenStore(SharedServer());
  RawMilvus raw_{QuickMilvus().port()};
};

// With the tenant as partition key instead of a plain field, a tenant's filter finds 0 or 1 of its
// 3 rows.
TEST_F(MilvusTrapTest, Trap01_UpsertedRowsAreFoundByTheirTenant) {
  auto schema = PlainSchema();
  schema.tenant_field = "shop";
  Create(schema);
  for (int round = 0; round < 2; ++round) {
    std::vector<Record> rows;
    for (int i = 0; i < 60; ++i) {
      rows.push_back(PlainRow("k" + std::to_string(i), round));
      rows.back().key.tenant = "tenant" + std::to_string(i % 20);
    }
    Upsert(schema, rows);
  }
  EXPECT_EQ(Count(schema), 60u);
  for (int i = 0; i < 20; ++i) {
    const std::string tenant = "tenant" + std::to_string(i);
    EXPECT_EQ(Count(schema, "shop == \"" + tenant + "\""), 3u) << tenant;
    const auto hits =
        store_->Search(Soon(), {.collection = schema.name,
                                .vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})},
                                .tenant = tenant});
    ASSERT_TRUE(hits.ok());
    EXPECT_EQ(hits->hits[0].size(), 3u) << tenant;
  }
}

// Without the removal of earlier rows of a key from a batch: 4 rows of 2 keys, and n == 1 is found.
TEST_F(MilvusTrapTest, Trap10_AKeyHasOneRowHoweverOftenItIsWritten) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema, {PlainRow("a", 1), PlainRow("b", 1), PlainRow("a", 2), PlainRow("a", 3)});
  EXPECT_EQ(Count(schema), 2u) << "count(*) counts both rows of a key";
  const auto inserted = store_->Insert(
      Soon(), {.collection = schema.name, .records = {PlainRow("a", 4), PlainRow("c", 4)}});
  ASSERT_TRUE(inserted.ok());
  ASSERT_EQ(inserted->errors.size(), 1u);
  EXPECT_EQ(inserted->errors[0].error.code, Code::kAlreadyExists);
  EXPECT_EQ(Count(schema), 3u);
  EXPECT_EQ(Count(schema, "n == 3"), 1u) << "the last of a batch wins";
  EXPECT_EQ(Count(schema, "n == 1 and id == \"a\""), 0u);
}

// With Milvus' default consistency ("bounded") the first count after the first write is 0.
TEST_F(MilvusTrapTest, Trap11_StrongReadsSeeWhatWasJustAcknowledged) {
  const auto schema = PlainSchema();
  Create(schema);
  for (int i = 1; i <= 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    Upsert(schema, {PlainRow(key, i)});
    ASSERT_EQ(Count(schema), static_cast<uint64_t>(i));
    const auto got = store_->Get(Soon(), {.collection = schema.name, .keys = {KeyOf(key)}});
    ASSERT_TRUE(got.ok() && got->records[0].has_value()) << key;
  }
  const auto deleted =
      store_->Delete(Soon(), {.collection = schema.name, .keys = {KeyOf("k1"), KeyOf("k2")}});
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(Count(schema), 18u);
  const auto page = store_->Scan(Soon(), {.collection = schema.name});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->records.size(), 18u) << "a deleted record is still scanned";
  // Milvus' own statistics never subtract what was deleted.
  const auto described = store_->DescribeCollection(Soon(), schema.name);
  ASSERT_TRUE(described.ok());
  EXPECT_LE(described->estimated_count, 20u);
}

// Without the look at `_nulls` a null counts as 0: n != 0 finds 1 of 2, n <= 0 finds 2 of 1.
TEST_F(MilvusTrapTest, Trap16_NotEqualHoldsWhereThereIsNoValue) {
  const auto schema = PlainSchema();
  Create(schema);
  Record null = PlainRow("null", 0);
  null.fields.clear();
  Upsert(schema, {PlainRow("zero", 0), PlainRow("five", 5), null});
  EXPECT_EQ(Count(schema, "n != 0"), 2u);
  EXPECT_EQ(Count(schema, "n != 5"), 2u);
  EXPECT_EQ(Count(schema, "n not in [0, 5]"), 1u);
  EXPECT_EQ(Count(schema, "n <= 0"), 1u) << "a null is no zero";
  EXPECT_EQ(Count(schema, "not (n <= 0)"), 2u);
  EXPECT_EQ(Count(schema, "n is null"), 1u);
}

// Without the drop of the alias: "alias already exist" (1602), though what it names is gone.
TEST_F(MilvusTrapTest, Trap18_AliasOfADroppedCollectionCanBeMadeAnew) {
  const auto schema = PlainSchema();
  const std::string alias = "alias_" + schema.name;
  const auto make_alias = [&] {
    pb::CreateAliasRequest request;
    request.set_collection_name(MilvusCollectionName(schema.name));
    request.set_alias(alias);
    return raw_.Call("CreateAlias", request);
  };
  Create(schema);
  ASSERT_TRUE(make_alias().ok());
  ASSERT_TRUE(store_->DropCollection(Soon(), {.collection = schema.name}).ok());
  Create(schema);
  const auto again = make_alias();
  EXPECT_TRUE(again.ok()) << again.error().ToString();
}

// Why Capabilities::max_integer_key is 2^63 − 2: Milvus 2.3 counts a row with the key 2^63 − 1 and
// gives it back to no query. When a newer one does, the claim can follow its version.
TEST_F(MilvusTrapTest, TheHighestIntegerIsNoKey) {
  auto schema = PlainSchema();
  schema.key_type = KeyType::kInt64;
  Create(schema);
  pb::DescribeCollectionRequest look;
  look.set_collection_name(MilvusCollectionName(schema.name));
  const auto found = raw_.Call<pb::DescribeCollectionResponse>("DescribeCollection", look);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  const auto described = ParseDescription(found->schema().description());
  ASSERT_TRUE(described.ok());
  std::vector<Record> rows = {PlainRow("", 1), PlainRow("", 2)};
  rows[0].key.key = std::numeric_limits<int64_t>::max() - 1;
  rows[1].key.key = std::numeric_limits<int64_t>::max();
  pb::UpsertRequest request;
  request.set_collection_name(look.collection_name());
  request.set_num_rows(2);
  EncodeRows(MilvusLayout(schema, described->instance),
             std::vector<const Record*>{&rows[0], &rows[1]}, *request.mutable_fields_data());
  const auto written = raw_.Call<pb::MutationResult>("Upsert", request);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(Count(schema), 2u);
  const auto page = store_->Scan(Soon(), {.collection = schema.name});
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_EQ(page->records[0].key, rows[0].key);
}

}  // namespace
}  // namespace roost
