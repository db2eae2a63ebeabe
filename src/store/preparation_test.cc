#include "store/preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/capabilities.h"
#include "store/fake_store.h"
#include "store/validate.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EntityRecordSchema, HoldsWhatAnApplicationKeepsOfAnEntity) {
  const auto schema = EntityRecordSchema("books", 768, Metric::kCosine, true);
  EXPECT_TRUE(ValidateSchema(schema, MakeFakeStore()->capabilities()).ok());
  for (const char* field :
       {"entity_type", "entity_id", "metadata", "model_version", "created_at", "updated_at"}) {
    EXPECT_NE(schema.FindField(field), nullptr) << field;
  }
  EXPECT_EQ(schema.tenant_field, "tenant_id");
  ASSERT_NE(schema.FindVector("vector"), nullptr);
  EXPECT_EQ(schema.FindVector("vector")->dimension, 768u);
  EXPECT_EQ(schema.FindVector("vector")->index, "HNSW");
  EXPECT_EQ(schema.FindVector("vector")->metric, Metric::kCosine);
}

TEST(EntityRecordSchema, WithoutTenantsTheTenantIsAFieldLikeOthers) {
  const auto schema = EntityRecordSchema("books", 8, Metric::kL2, false);
  EXPECT_FALSE(schema.multi_tenant());
  EXPECT_NE(schema.FindField("tenant_id"), nullptr);
}

TEST(SchemaDifferences, AreNoneForWhatClientsDoNotNotice) {
  const auto wanted = EntityRecordSchema("books", 8, Metric::kL2, true);
  auto there = wanted;
  there.name = "other";
  there.description = "of others";
  std::swap(there.fields[0], there.fields[3]);
  EXPECT_THAT(SchemaDifferences(there, wanted), IsEmpty());
}

TEST(SchemaDifferences, NameEachWithBothSides) {
  const auto wanted = EntityRecordSchema("books", 8, Metric::kL2, true);
  auto there = wanted;
  there.key_type = KeyType::kInt64;
  there.tenant_field = "";
  there.dynamic = true;
  there.fields[0].type = DataType::kText;        // entity_type
  there.fields[1].max_length = 10;               // entity_id
  there.fields.erase(there.fields.begin() + 2);  // metadata
  there.fields.push_back({.name = "more", .type = DataType::kBool});
  there.vectors[0].dimension = 4;
  there.vectors[0].metric = Metric::kCosine;
  there.vectors[0].hnsw_m = 8;
  EXPECT_THAT(
      SchemaDifferences(there, wanted),
      ElementsAre(R"(the key is "id" INT64, wanted is "id" VARCHAR)",
                  R"(the tenant field is none, wanted is "tenant_id")",
                  R"(undeclared fields is true, wanted is false)",
                  R"(field "entity_type": type is TEXT, wanted is VARCHAR)",
                  R"(field "entity_id": max_length is 10, wanted is 65535)",
                  R"(field "metadata" is not there)", R"(field "more" is there and not wanted)",
                  R"(vector "vector": dimension is 4, wanted is 8)",
                  R"(vector "vector": metric is COSINE, wanted is L2)",
                  R"(vector "vector": m is 8, wanted is 16)"));
}

TEST(SchemaDifferences, SeeDefaultsAndWhatArraysHold) {
  CollectionSchema wanted;
  wanted.fields = {{.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar},
                   {.name = "n",
                    .type = DataType::kInt64,
                    .nullable = false,
                    .default_value = Value(int64_t{1})}};
  auto there = wanted;
  there.fields[0].element_type = DataType::kInt64;
  there.fields[1].default_value = Value(int64_t{2});
  there.fields[1].nullable = true;
  EXPECT_THAT(SchemaDifferences(there, wanted),
              ElementsAre(R"(field "tags": element_type is INT64, wanted is VARCHAR)",
                          R"(field "n": nullable is true, wanted is false)",
                          R"(field "n": its default value is another one)"));
}

TEST(PreparedStore, CountsItsSteps) {
  PreparedStore store;
  store.steps.resize(3);
  store.steps[1].state = StepState::kThere;
  EXPECT_EQ(store.Count(StepState::kMissing), 2u);
  EXPECT_EQ(store.Count(StepState::kThere), 1u);
  EXPECT_EQ(store.Count(StepState::kDifferent), 0u);
}

}  // namespace
}  // namespace roost
