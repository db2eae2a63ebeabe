#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/resilient_store.h"
#include "store/scripted_store.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(InstrumentedStore, CountsAndTimesByCallAndCode) {
  ScriptedStore inner;
  const auto metrics = MakeMetrics();
  const auto store = MakeInstrumentedStore("s", inner, *metrics);
  const RequestContext context;
  EXPECT_TRUE(store->ListCollections(context).ok());
  EXPECT_TRUE(store->ListCollections(context).ok());
  EXPECT_EQ(store->DropCollection(context, {.collection = "absent"}).code(), Code::kNotFound);
  inner.Fail(Unavailable("away"));
  const auto lost = store->Upsert(context, {.collection = "c"});
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error(), Unavailable("away")) << "results pass unchanged";
  const std::string page = metrics->Render();
  const auto line = [](const std::string& call, const std::string& code, int count) {
    return "roost_store_calls_total{call=\"" + call + "\",code=\"" + code + "\",store=\"s\"} " +
           std::to_string(count);
  };
  EXPECT_THAT(page, HasSubstr(line("list_collections", "OK", 2)));
  EXPECT_THAT(page, HasSubstr(line("drop_collection", "NOT_FOUND", 1)));
  EXPECT_THAT(page, HasSubstr(line("upsert", "UNAVAILABLE", 1)));
  EXPECT_THAT(page, Not(HasSubstr("code=\"INTERNAL\""))) << "no line for what did not happen";
  EXPECT_THAT(page,
              HasSubstr("roost_store_call_seconds_count{call=\"list_collections\",store=\"s\"} 2"));
}

TEST(InstrumentedStore, LabelsHoldNothingOfTheRequest) {
  ScriptedStore inner;
  const auto metrics = MakeMetrics();
  const auto store = MakeInstrumentedStore("s", inner, *metrics);
  RequestContext context;
  context.request_id = "zebra-request";
  context.principal = "zebra-user";
  CollectionSchema schema;
  schema.name = "zebra_collection";
  schema.tenant_field = "zebra_tenant";
  schema.fields = {{.name = "zebra_field", .type = DataType::kVarChar}};
  schema.vectors = {{.name = "zebra_vector", .dimension = 2, .metric = Metric::kL2}};
  ASSERT_TRUE(store->CreateCollection(context, {.schema = schema}).ok());
  Record record;
  record.key = {.tenant = "zebra-shop", .key = "zebra-key"};
  record.fields["zebra_field"] = "zebra-value";
  record.vectors["zebra_vector"] = Vector::Floats(std::vector<float>{1, 2});
  const WriteRequest write{.collection = schema.name, .records = {record}};
  ASSERT_TRUE(store->Upsert(context, write).ok());
  ASSERT_TRUE(store->Insert(context, write).ok());
  const auto filter = ParseFilter("zebra_field == \"zebra-value\"", schema);
  ASSERT_TRUE(filter.ok());
  EXPECT_EQ(*store->Count(context, {.collection = schema.name, .filter = *filter}), 1u);
  EXPECT_TRUE(store->Get(context, {.collection = schema.name, .keys = {record.key}}).ok());
  EXPECT_FALSE(store->Get(context, {.collection = "zebra_absent", .keys = {record.key}}).ok());
  EXPECT_THAT(metrics->Render(), HasSubstr("call=\"get\""));
  EXPECT_THAT(metrics->Render(), Not(HasSubstr("zebra")));
}

}  // namespace
}  // namespace roost
