// The traps of Weaviate that lose or change data, each with what the adapter does about it. Every
// test was seen to fail without its remedy, which is named in it.

#include <algorithm>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/weaviate/weaviate_names.h"
#include "adapters/weaviate/weaviate_testing.h"
#include "net/http_client.h"
#include "store/filter.h"

namespace roost {
namespace {

using testing::HasSubstr;

class WeaviateTrap : public testing::Test {
 protected:
  void SetUp() override {
    store_ = OpenStore(SharedServer());
    ASSERT_NE(store_, nullptr);
  }

  void Create(const CollectionSchema& schema) {
    const Status made = store_->CreateCollection(Soon(), {.schema = schema});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  void Upsert(const CollectionSchema& schema, std::vector<Record> rows) {
    const auto written =
        store_->Upsert(Soon(), {.collection = schema.name, .records = std::move(rows)});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    ASSERT_TRUE(written->errors.empty()) << written->errors[0].error.ToString();
  }
  std::optional<Record> Get(const CollectionSchema& schema, const Key& key) {
    const auto got =
        store_->Get(Soon(), {.collection = schema.name, .keys = {{.tenant = "", .key = key}}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() ? got->records.at(0) : std::nullopt;
  }
  /// The keys that match, by Query; Count and Search must agree.
  std::vector<std::string> Matching(const CollectionSchema& schema, const std::string& text) {
    const auto filter = ParseFilter(text, schema);
    EXPECT_TRUE(filter.ok()) << filter.error().ToString();
    std::vector<std::string> keys;
    const auto found = store_->Query(Soon(), {.collection = schema.name, .filter = *filter});
    EXPECT_TRUE(found.ok()) << found.error().ToString();
    for (const Record& record : found.ok() ? found->records : std::vector<Record>()) {
      keys.push_back(std::get<std::string>(record.key.key));
    }
    const auto count = store_->Count(Soon(), {.collection = schema.name, .filter = *filter});
    EXPECT_TRUE(count.ok() && *count == keys.size()) << text;
    const auto hits = store_->Search(Soon(), {.collection = schema.name,
                                              .vectors = {Vector::Floats(kQuery)},
                                              .top_k = 100,
                                              .filter = *filter,
                                              .exact = true});
    EXPECT_TRUE(hits.ok() && hits->hits.at(0).size() == keys.size()) << text;
    return keys;
  }
  /// A request as any client of Weaviate's may send it, beside Roost.
  static HttpReply Native(const std::string& method, const std::string& path,
                          const std::string& body = "") {
    HttpClient client;
    auto reply = client.Call(
        Soon(), {.method = method,
                 .url = "http://127.0.0.1:" + std::to_string(SharedWeaviatePeer().port()) + path,
                 .headers = {{"content-type", "application/json"}},
                 .body = body});
    EXPECT_TRUE(reply.ok()) << reply.error().ToString();
    return reply.ok() ? *std::move(reply) : HttpReply{};
  }

  static constexpr std::array<float, 4> kQuery = {1, 2, 3, 4};
  std::unique_ptr<VectorStore> store_;
};

using Keys = std::vector<std::string>;

// An int is a double inside. Remedy: IsLost() in weaviate_codec.cc puts such values into "_x".
TEST_F(WeaviateTrap, Trap3IntegersBeyond2To53AreDoublesInside) {
  auto schema = PlainSchema();
  schema.fields.push_back(
      {.name = "list", .type = DataType::kArray, .element_type = DataType::kInt64});
  Create(schema);
  constexpr int64_t kOdd = (int64_t{1} << 53) + 1;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::vector<Record> rows = {PlainRow("a", kOdd), PlainRow("b", kMost),
                              PlainRow("c", std::numeric_limits<int64_t>::min()),
                              PlainRow("d", kOdd - 1), PlainRow("e", 5)};
  rows[0].fields["list"] = Array{kMost, kOdd, int64_t{1}};
  Upsert(schema, rows);
  for (const Record& row : rows) {
    const auto got = Get(schema, row.key.key);
    ASSERT_TRUE(got && SameRecord(*got, row)) << ToString(row.key);
  }
  EXPECT_EQ(Matching(schema, "n == 9007199254740993"), Keys{"a"});
  EXPECT_EQ(Matching(schema, "n == 9007199254740992"), Keys{"d"});
  EXPECT_EQ(Matching(schema, "n > 9007199254740992"), (Keys{"a", "b"}));
  EXPECT_EQ(Matching(schema, "n < 6"), (Keys{"c", "e"}));
  EXPECT_EQ(Matching(schema, "array_contains(list, 9007199254740993)"), Keys{"a"});
  EXPECT_EQ(Matching(schema, "array_contains(list, 9007199254740992)"), Keys{});
}

// GraphQL gives null for an int over 2^31-1 and 0 for -0.0. Remedy: data are read by gRPC only
// (WeaviateClient has GraphQL for counts alone).
TEST_F(WeaviateTrap, Trap4GraphQlLosesIntegersAndNegativeZeros) {
  const auto schema = PlainSchema();
  Create(schema);
  const Record row = PlainRow("a", int64_t{1} << 31, {-0.0f, 1, -0.0f, 0.0f});
  Upsert(schema, {row});
  const HttpReply lossy =
      Native("POST", "/v1/graphql", "{\"query\":\"{Get{" + ClassNameOf(schema.name) + "{n}}}\"}");
  ASSERT_THAT(lossy.body, HasSubstr("\"n\":null")) << "GraphQL can be trusted now";
  const auto got = Get(schema, row.key.key);
  EXPECT_TRUE(got && SameRecord(*got, row));
  const auto hits = store_->Search(Soon(), {.collection = schema.name,
                                            .vectors = {Vector::Floats(kQuery)},
                                            .output = {.vectors = true}});
  ASSERT_TRUE(hits.ok() && hits->hits.at(0).size() == 1);
  EXPECT_TRUE(SameRecord(hits->hits[0][0].record, row));
}

// Text is compared by tokens, trimmed; "" is null. Remedies: kOddProperty (seen to fail without
// OrOdd()), tokenization "field", and the record itself is looked at.
TEST_F(WeaviateTrap, Trap5TextIsComparedByTokens) {
  auto schema = PlainSchema();
  schema.fields = {{.name = "s", .type = DataType::kVarChar},
                   {.name = "t", .type = DataType::kText}};
  Create(schema);
  std::vector<Record> rows;
  const auto add = [&](const char* key, const char* text) {
    Record row = PlainRow(key, 0);
    row.fields = {{"s", text}, {"t", text}};
    rows.push_back(std::move(row));
  };
  add("a", "Quick Brown Fox");
  add("b", "quick brown fox");
  add("c", " a ");
  add("d", "a");
  add("e", "");
  add("f", "the");
  Upsert(schema, rows);
  for (const std::string field : {"s", "t"}) {
    EXPECT_EQ(Matching(schema, field + " == \"quick\""), Keys{});
    EXPECT_EQ(Matching(schema, field + " == \"Quick Brown Fox\""), Keys{"a"});
    EXPECT_EQ(Matching(schema, field + " == \"Fox Quick\""), Keys{});
    EXPECT_EQ(Matching(schema, field + " == \"a\""), Keys{"d"});
    EXPECT_EQ(Matching(schema, field + " == \" a \""), Keys{"c"});
    EXPECT_EQ(Matching(schema, field + " == \"\""), Keys{"e"});
    EXPECT_EQ(Matching(schema, field + " == \"the\""), Keys{"f"});
    EXPECT_EQ(Matching(schema, field + " != \"a\""), (Keys{"a", "b", "c", "e", "f"}));
    EXPECT_EQ(Matching(schema, field + " is null"), Keys{});
    EXPECT_EQ(Matching(schema, field + " in [\"\", \"a\", \" a\"]"), (Keys{"d", "e"}));
  }
  EXPECT_EQ(Matching(schema, "text_match(t, \"the\")"), Keys{"f"}) << "a stopword elsewhere";
}

// The first letter's case of classes and properties is changed, and names that differ in case only
// are one. Remedies: ClassNameOf() and PropertyNames() in weaviate_names.cc.
TEST_F(WeaviateTrap, Trap13NamesChangeTheirCase) {
  const std::string base = FreshName();
  for (const std::string& name : {base + "_lower", base + "_Lower", base + "_LOWER"}) {
    CollectionSchema schema = PlainSchema();
    schema.name = name;
    schema.fields = {{.name = "UpperP", .type = DataType::kVarChar},
                     {.name = "upperP", .type = DataType::kVarChar},
                     {.name = "upperp", .type = DataType::kVarChar}};
    Create(schema);
    Record row = PlainRow("a", 0);
    row.fields = {{"UpperP", name}, {"upperP", "2"}, {"upperp", "3"}};
    Upsert(schema, {row});
    const auto got = Get(schema, row.key.key);
    EXPECT_TRUE(got && SameRecord(*got, row)) << name;
    EXPECT_EQ(Matching(schema, "UpperP == \"" + name + "\" and upperp == \"3\""), Keys{"a"});
    EXPECT_EQ(Matching(schema, "UpperP == \"2\""), Keys{});
    const auto described = store_->DescribeCollection(Soon(), name);
    ASSERT_TRUE(described.ok());
    EXPECT_TRUE(described->schema == schema);
  }
}

// A PUT of an absent object is a 500. Remedy: writes are batches, which replace or add.
TEST_F(WeaviateTrap, Trap13UpsertWritesWhatWasNotThere) {
  const auto schema = PlainSchema();
  Create(schema);
  Upsert(schema, {PlainRow("a", 1)});
  Upsert(schema, {PlainRow("a", 2), PlainRow("b", 2)});
  EXPECT_EQ(Matching(schema, "n == 2"), (Keys{"a", "b"}));
}

// Weaviate's NOT_EQUAL on text compares tokens; nulls are "not equal" everywhere. Remedy:
// Narrower::CompareField() and the record itself.
TEST_F(WeaviateTrap, Trap16NotEqualIsTrueOfNulls) {
  auto schema = PlainSchema();
  schema.fields.push_back({.name = "s", .type = DataType::kVarChar});
  schema.fields.push_back({.name = "b", .type = DataType::kBool});
  schema.fields.push_back({.name = "d", .type = DataType::kDouble});
  Create(schema);
  Record same = PlainRow("same", 1);
  same.fields["s"] = "x";
  same.fields["b"] = true;
  same.fields["d"] = -0.0;
  Record other = PlainRow("other", 2);
  other.fields["s"] = "x ";
  other.fields["b"] = false;
  other.fields["d"] = 1.5;
  Record null = PlainRow("null", 0);
  null.fields.clear();
  Upsert(schema, {same, other, null});
  for (const char* filter : {"n != 1", "s != \"x\"", "b != true", "d != 0", "not (n == 1)",
                             "n not in [1]", "s not in [\"x\", \"y\"]"}) {
    EXPECT_EQ(Matching(schema, filter), (Keys{"null", "other"})) << filter;
  }
  EXPECT_EQ(Matching(schema, "not (n > 1)"), (Keys{"null", "same"}));
  EXPECT_EQ(Matching(schema, "d == 0"), Keys{"same"});
}

}  // namespace
}  // namespace roost
