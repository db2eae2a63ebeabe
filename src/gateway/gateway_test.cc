#include "gateway/gateway.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/fake_store.h"

namespace roost {
namespace {

using testing::HasSubstr;

class GatewayTest : public testing::Test {
 protected:
  GatewayTest()
      : folder_(testing::TempDir() + "/gateway_" + std::to_string(::getpid()) + "_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()),
        metrics_(MakeMetrics()),
        fake_(MakeFakeStore()),
        routes_("main") {
    std::filesystem::create_directories(folder_);
    auto control = OpenSqliteControlStore({.path = folder_ + "/roost.db"}, *metrics_);
    EXPECT_TRUE(control.ok());
    control_ = *std::move(control);
    const std::vector<NamedStore> named = {{.name = "main", .store = fake_.get()}};
    routed_ = std::make_unique<RoutedStore>(RoutedStoreOptions{.default_store = "main"}, named,
                                            routes_, *control_, random_, *metrics_);
    EXPECT_TRUE(routed_->LoadRoutes().ok());
    gateway_ = std::make_unique<Gateway>(
        GatewayOptions{.schema_cache_ttl = std::chrono::hours(1), .delete_page_rows = 10}, *routed_,
        *control_, clock_, *metrics_);
  }
  ~GatewayTest() override { std::filesystem::remove_all(folder_); }

  CollectionSchema Numbers() {
    CollectionSchema schema;
    schema.name = "numbers";
    schema.key_type = KeyType::kInt64;
    schema.fields = {{.name = "n", .type = DataType::kInt64}};
    return schema;
  }

  void Fill(int64_t count) {
    WriteRequest write{.collection = "numbers"};
    for (int64_t i = 0; i < count; ++i) {
      write.records.push_back({.key = {.tenant = {}, .key = i}, .fields = {{"n", i}}});
    }
    const auto result = gateway_->Upsert(context_, write);
    ASSERT_TRUE(result.ok()) << result.error().ToString();
  }

  const std::string folder_;
  RequestContext context_;
  FakeClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<VectorStore> fake_;
  std::unique_ptr<ControlStore> control_;
  RouteTable routes_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(GatewayTest, DeleteByFilterGoesThroughAllPages) {
  ASSERT_TRUE(gateway_->CreateCollection(context_, Numbers(), "").ok());
  Fill(95);
  const auto schema = gateway_->Schema(context_, "numbers");
  ASSERT_TRUE(schema.ok());
  const auto filter = ParseFilter("n >= 20", **schema);
  ASSERT_TRUE(filter.ok());
  const auto deleted = gateway_->DeleteByFilter(context_, "numbers", *filter, std::nullopt);
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(deleted->deleted, 75u);
  EXPECT_EQ(*gateway_->Count(context_, {.collection = "numbers"}), 20u);
}

TEST_F(GatewayTest, SchemaIsForgottenWhenTheCollectionIsMadeAnew) {
  ASSERT_TRUE(gateway_->CreateCollection(context_, Numbers(), "").ok());
  EXPECT_EQ((*gateway_->Schema(context_, "numbers"))->fields.size(), 1u);
  ASSERT_TRUE(gateway_->DropCollection(context_, "numbers").ok());
  EXPECT_EQ(gateway_->Schema(context_, "numbers").code(), Code::kNotFound);
  CollectionSchema wider = Numbers();
  wider.fields.push_back({.name = "m", .type = DataType::kDouble});
  ASSERT_TRUE(gateway_->CreateCollection(context_, wider, "").ok());
  EXPECT_EQ((*gateway_->Schema(context_, "numbers"))->fields.size(), 2u);
}

TEST_F(GatewayTest, DatabasesMustExistAndBeEmptyToGo) {
  CollectionSchema schema = Numbers();
  schema.name = "shop.numbers";
  EXPECT_EQ(gateway_->CreateCollection(context_, schema, "").code(), Code::kNotFound);
  ASSERT_TRUE(gateway_->CreateDatabase(context_, "shop").ok());
  EXPECT_EQ(gateway_->CreateDatabase(context_, "shop").code(), Code::kAlreadyExists);
  ASSERT_TRUE(gateway_->CreateCollection(context_, schema, "").ok());
  const Status refused = gateway_->DropDatabase(context_, "shop");
  ASSERT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("shop.numbers"));
  ASSERT_TRUE(gateway_->DropCollection(context_, "shop.numbers").ok());
  EXPECT_TRUE(gateway_->DropDatabase(context_, "shop").ok());
  EXPECT_THAT(*gateway_->ListDatabases(), testing::ElementsAre("default"));
  EXPECT_EQ(gateway_->DropDatabase(context_, "default").code(), Code::kFailedPrecondition);
}

TEST_F(GatewayTest, CountsEveryRequestByOutcome) {
  EXPECT_FALSE(gateway_->Count(context_, {.collection = "none"}).ok());
  EXPECT_THAT(
      metrics_->Render(),
      testing::ContainsRegex("roost_requests_total\\{code=\"NOT_FOUND\",operation=\"count\"\\} 1"));
}

}  // namespace
}  // namespace roost
