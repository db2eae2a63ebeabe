// Classes made by plain REST, as collections.

#include <cstdio>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/weaviate/weaviate_client.h"
#include "adapters/weaviate/weaviate_testing.h"
#include "store/filter.h"

namespace roost {
namespace {

namespace bj = boost::json;

using testing::HasSubstr;

constexpr const char* kFirst = "10000000-0000-4000-8000-000000000001";
constexpr const char* kSecond = "90000000-0000-4000-8000-000000000002";
constexpr const char* kThird = "f0000000-0000-4000-8000-000000000003";

class WeaviateAdoptionTest : public testing::Test {
 protected:
  WeaviateAdoptionTest() {
    auto client = WeaviateClient::Create(SharedServer(), TestClock(), TestMetrics());
    EXPECT_TRUE(client.ok());
    client_ = *std::move(client);
  }
  std::string Rest(std::string_view method, const std::string& path, const std::string& body = "") {
    const auto reply = client_->Rest(Soon(), method, path, body);
    EXPECT_TRUE(reply.ok()) << path << ": " << reply.error().ToString();
    return reply.ok() ? *reply : "{}";
  }
  /// What the application sees of an object.
  bj::object Object(const std::string& name, const std::string& id, const std::string& more = "") {
    return bj::parse(Rest("GET", "/v1/objects/" + name + "/" + id + "?include=vector" + more))
        .as_object();
  }
  Result<AdoptionPlan> Plan(const std::string& name, const std::string& as = "") {
    return store_->adoption()->PlanAdoption(Soon(), {.foreign = name, .name = as, .metric = {}});
  }
  CollectionSchema Adopt(const std::string& name) {
    auto plan = Plan(name);
    EXPECT_TRUE(plan.ok()) << plan.error().ToString();
    if (!plan.ok()) {
      return {};
    }
    const Status adopted =
        store_->CreateCollection(Soon(), {.schema = plan->schema, .adopt = name});
    EXPECT_TRUE(adopted.ok()) << adopted.error().ToString();
    return plan->schema;
  }
  std::optional<Record> Get(const std::string& name, const std::string& id,
                            const std::string& tenant = "") {
    const auto got = store_->Get(Soon(), {.collection = name, .keys = {{tenant, Key(id)}}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() ? got->records.at(0) : std::nullopt;
  }
  Status Upsert(const std::string& name, const Record& record) {
    const auto written = store_->Upsert(Soon(), {.collection = name, .records = {record}});
    return written.ok() ? Status() : Status(written.error());
  }

  const std::string name_ = "App" + FreshName();
  std::unique_ptr<VectorStore> store_ = OpenStore(SharedServer());
  std::unique_ptr<WeaviateClient> client_;
};

constexpr const char* kProperties = R"("properties": [
  {"name": "title", "dataType": ["text"]}, {"name": "pages", "dataType": ["int"]},
  {"name": "price", "dataType": ["number"]}, {"name": "sold", "dataType": ["boolean"]},
  {"name": "printed", "dataType": ["date"]}, {"name": "ref", "dataType": ["uuid"]},
  {"name": "tags", "dataType": ["text[]"]}, {"name": "years", "dataType": ["int[]"]},
  {"name": "rates", "dataType": ["number[]"]}, {"name": "flags", "dataType": ["boolean[]"]},
  {"name": "days", "dataType": ["date[]"]}, {"name": "refs", "dataType": ["uuid[]"]}])";

constexpr const char* kValues = R"("properties": {
  "title": " Grüße  ", "pages": -7, "price": 0.1, "sold": false,
  "printed": "2024-02-29T12:34:56.789012+02:00", "ref": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
  "tags": ["b", "a"], "years": [3, 1], "rates": [0.5, -1e300], "flags": [true, false],
  "days": ["1999-01-01T00:00:00Z"], "refs": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]})";

TEST_F(WeaviateAdoptionTest, ReadsEveryTypeAsTheApplicationWroteIt) {
  Rest("POST", "/v1/schema",
       R"({"class": ")" + name_ +
           R"(", "vectorizer": "none", "vectorIndexConfig": {"distance": "l2-squared"}, )" +
           kProperties + "}");
  Rest("POST", "/v1/objects",
       R"({"class": ")" + name_ + R"(", "id": ")" + kFirst + R"(", "vector": [0.1, -2, 1e-30], )" +
           kValues + "}");
  Rest("POST", "/v1/objects", R"({"class": ")" + name_ + R"(", "id": ")" + kSecond + R"("})");
  const CollectionSchema schema = Adopt(name_);
  ASSERT_EQ(schema.vectors.size(), 1u);
  EXPECT_EQ(schema.vectors[0].metric, Metric::kL2);
  const auto record = Get(name_, kFirst);
  ASSERT_TRUE(record);
  const auto field = [&](const std::string& name) { return record->fields.at(name); };
  EXPECT_TRUE(SameValue(field("title"), std::string(" Grüße  ")));
  EXPECT_TRUE(SameValue(field("pages"), int64_t{-7}));
  EXPECT_TRUE(SameValue(field("price"), 0.1));
  EXPECT_TRUE(SameValue(field("sold"), false));
  EXPECT_TRUE(SameValue(field("printed"), int64_t{1'709'202'896'789'012}));
  EXPECT_TRUE(SameValue(field("ref"), std::string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")));
  EXPECT_TRUE(SameValue(field("tags"), Array{std::string("b"), std::string("a")}));
  EXPECT_TRUE(SameValue(field("years"), Array{int64_t{3}, int64_t{1}}));
  EXPECT_TRUE(SameValue(field("rates"), Array{0.5, -1e300}));
  EXPECT_TRUE(SameValue(field("flags"), Array{true, false}));
  EXPECT_TRUE(SameValue(field("days"), Array{int64_t{915'148'800'000'000}}));
  EXPECT_EQ(std::get<Array>(field("refs")).size(), 1u);
  EXPECT_EQ(record->vectors.at("vector"), Vector::Floats(std::vector<float>{0.1F, -2, 1e-30F}));
  const auto nothing = Get(name_, kSecond);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->fields.empty() && nothing->vectors.empty());
  EXPECT_FALSE(Get(name_, kThird));
  EXPECT_FALSE(Get(name_, "no uuid"));
}

TEST_F(WeaviateAdoptionTest, WhatIsWrittenIsAnObjectLikeTheApplications) {
  Rest("POST", "/v1/schema",
       R"({"class": ")" + name_ + R"(", "vectorizer": "none", )" + kProperties + "}");
  Rest("POST", "/v1/objects",
       R"({"class": ")" + name_ + R"(", "id": ")" + kFirst + R"(", "vector": [1, 2], )" + kValues +
           "}");
  Adopt(name_);
  const bj::object before = Object(name_, kFirst);
  auto record = Get(name_, kFirst);
  ASSERT_TRUE(record);
  const Status written = Upsert(name_, *record);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  bj::object expected = before.at("properties").as_object();
  expected["printed"] = "2024-02-29T10:34:56.789012Z";  // the same time
  EXPECT_EQ(Object(name_, kFirst).at("properties"), bj::value(expected));
  EXPECT_EQ(Object(name_, kFirst).at("vector"), before.at("vector"));
  record->key.key = std::string(kSecond);
  record->fields.erase("title");
  ASSERT_TRUE(Upsert(name_, *record).ok());
  EXPECT_FALSE(Object(name_, kSecond).at("properties").as_object().contains("title"));
  record->key.key = std::string("A0000000-0000-4000-8000-00000000000B");
  EXPECT_EQ(Upsert(name_, *record).code(), Code::kInvalidArgument);
  record->key.key = std::string(kThird);
  record->fields["pages"] = (int64_t{1} << 53) + 1;
  EXPECT_EQ(Upsert(name_, *record).code(), Code::kInvalidArgument);
  const auto gone = store_->Delete(
      Soon(), {.collection = name_, .keys = {{"", Key(kSecond)}, {"", Key("none")}}});
  ASSERT_TRUE(gone.ok()) << gone.error().ToString();
  EXPECT_EQ(gone->deleted, 1u);
  EXPECT_FALSE(client_->Rest(Soon(), "GET", "/v1/objects/" + name_ + "/" + kSecond).ok());
}

TEST_F(WeaviateAdoptionTest, NamedVectorsAndTenantsKeepTheirNames) {
  Rest("POST", "/v1/schema",
       R"({"class": ")" + name_ +
           R"(", "multiTenancyConfig": {"enabled": true},
       "properties": [{"name": "n", "dataType": ["int"]}],
       "vectorConfig": {
         "first": {"vectorizer": {"none": {}}, "vectorIndexType": "flat",
                   "vectorIndexConfig": {"distance": "dot"}},
         "second": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}}})");
  Rest("POST", "/v1/schema/" + name_ + "/tenants", R"([{"name": "Acme-1"}, {"name": "b_c"}])");
  for (const std::string tenant : {"Acme-1", "b_c"}) {
    Rest("POST", "/v1/objects",
         R"({"class": ")" + name_ + R"(", "tenant": ")" + tenant + R"(", "id": ")" + kFirst +
             R"(", "properties": {"n": )" + std::to_string(tenant.size()) +
             R"(}, "vectors": {"first": [1, 2], "second": [3, 4, 5]}})");
  }
  const CollectionSchema schema = Adopt(name_);
  EXPECT_EQ(schema.tenant_field, "tenant");
  ASSERT_EQ(schema.vectors.size(), 2u);
  EXPECT_EQ(schema.FindVector("first")->index, "FLAT");
  EXPECT_EQ(schema.FindVector("second")->dimension, 3u);
  const auto record = Get(name_, kFirst, "b_c");
  ASSERT_TRUE(record);
  EXPECT_TRUE(SameValue(record->fields.at("n"), int64_t{3}));
  EXPECT_EQ(record->vectors.at("second"), Vector::Floats(std::vector<float>{3, 4, 5}));
  const auto page =
      store_->Scan(Soon(), {.collection = name_, .tenant = {}, .after = {}, .until = {}});
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  ASSERT_EQ(page->records.size(), 2u);
  EXPECT_EQ(page->records[0].key.tenant, "Acme-1");
  Record more = *record;
  more.key.key = std::string(kSecond);
  ASSERT_TRUE(Upsert(name_, more).ok());
  EXPECT_EQ(Object(name_, kSecond, "&tenant=b_c").at("vectors").as_object().size(), 2u);
}

TEST_F(WeaviateAdoptionTest, WhatCannotBeAdoptedOrWrittenSaysWhy) {
  Rest("POST", "/v1/schema", R"({"class": ")" + name_ + R"(E", "vectorizer": "none"})");
  Rest("POST", "/v1/schema",
       R"({"class": ")" + name_ +
           R"(H", "vectorizer": "none", "vectorIndexConfig": {"distance": "manhattan"}})");
  Rest(
      "POST", "/v1/schema",
      R"({"class": ")" + name_ +
          R"(G", "vectorizer": "none", "properties": [{"name": "place", "dataType": ["geoCoordinates"]}]})");
  Rest("POST", "/v1/objects",
       R"({"class": ")" + name_ + R"(G", "id": ")" + kFirst +
           R"(", "vector": [1, 2], "properties": {"place": {"latitude": 1, "longitude": 2}}})");
  EXPECT_THAT(Plan(name_ + "E").error().message, HasSubstr("the dimension is not known"));
  EXPECT_THAT(Plan(name_ + "H").error().message, HasSubstr("cosine, l2-squared or dot"));
  EXPECT_EQ(Plan(name_ + "X").code(), Code::kNotFound);
  Adopt(name_ + "G");
  EXPECT_EQ(Plan(name_ + "G").code(), Code::kAlreadyExists);
  const auto record = Get(name_ + "G", kFirst);
  ASSERT_TRUE(record);
  const Status refused = Upsert(name_ + "G", *record);
  ASSERT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("\"place\""));
  const auto list = store_->adoption()->ListForeign(Soon());
  ASSERT_TRUE(list.ok());
  size_t seen = 0;
  for (const ForeignCollection& one : *list) {
    if (one.name.starts_with(name_)) {
      ++seen;
      EXPECT_EQ(one.adopted_as, one.name == name_ + "G" ? name_ + "G" : "");
      EXPECT_EQ(one.obstacle.empty(), one.name != name_ + "H");
    }
  }
  EXPECT_EQ(seen, 3u);
  ASSERT_TRUE(store_->DropCollection(Soon(), {.collection = name_ + "G"}).ok());
  EXPECT_EQ(Object(name_ + "G", kFirst).at("class"), bj::value(name_ + "G"));
}

TEST_F(WeaviateAdoptionTest, ScansInTheOrderOfKeysAndSearchesAndFilters) {
  Rest(
      "POST", "/v1/schema",
      R"({"class": ")" + name_ +
          R"(", "vectorizer": "none", "vectorIndexConfig": {"distance": "l2-squared"}, "properties": [{"name": "n", "dataType": ["int"]}]})");
  std::string objects = R"({"objects": [)";
  for (int i = 0; i < 300; ++i) {
    char id[40];
    std::snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", (i * 2654435761U), i);
    objects += std::string(i == 0 ? "" : ",") + R"({"class": ")" + name_ + R"(", "id": ")" + id +
               R"(", "properties": {"n": )" + std::to_string(i) + R"(}, "vector": [)" +
               std::to_string(i) + ", 1]}";
  }
  Rest("POST", "/v1/batch/objects", objects + "]}");
  const CollectionSchema schema = Adopt(name_);
  ScanRequest scan{.collection = name_, .tenant = {}, .after = {}, .until = {}};
  scan.limit = 7;
  std::vector<Key> keys;
  while (true) {
    const auto page = store_->Scan(Soon(), scan);
    ASSERT_TRUE(page.ok()) << page.error().ToString();
    for (const Record& record : page->records) {
      EXPECT_TRUE(keys.empty() || keys.back() < record.key.key);
      keys.push_back(record.key.key);
    }
    if (page->done) {
      break;
    }
    scan.after = page->records.back().key;
  }
  EXPECT_EQ(keys.size(), 300u);
  const auto filter = ParseFilter("n >= 290", schema);
  ASSERT_TRUE(filter.ok());
  const auto count = store_->Count(Soon(), {.collection = name_, .filter = *filter, .tenant = {}});
  ASSERT_TRUE(count.ok()) << count.error().ToString();
  EXPECT_EQ(*count, 10u);
  for (const bool exact : {false, true}) {
    SearchRequest search{.collection = name_, .field = {}};
    search.vectors = {Vector::Floats(std::vector<float>{100, 1})};
    search.top_k = 3;
    search.exact = exact;
    search.filter = exact ? *filter : nullptr;
    const auto found = store_->Search(Soon(), search);
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    ASSERT_EQ(found->hits[0].size(), 3u);
    EXPECT_EQ(found->hits[0][0].distance, exact ? 190 : 0);
  }
}

}  // namespace
}  // namespace roost
