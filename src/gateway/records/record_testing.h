#pragma once

// What the tests of records share: a service over a store in memory that can be told to wait.

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "gateway/records/flat_record.h"
#include "gateway/records/record_service.h"
#include "store/scripted_store.h"

namespace roost {

/// A wall clock that stands still until a test moves it.
class RecordTest : public testing::Test {
 protected:
  explicit RecordTest(RecordServiceOptions options = SmallBatches(), Capabilities capabilities = {})
      : folder_(testing::TempDir() + "/records_" + std::to_string(::getpid()) + "_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()),
        metrics_(MakeMetrics()),
        inner_(capabilities.types.empty() ? MakeFakeStore() : MakeFakeStore(capabilities)),
        store_(*inner_),
        routes_("main") {
    std::filesystem::create_directories(folder_);
    auto control = OpenSqliteControlStore({.path = folder_ + "/roost.db"}, *metrics_);
    EXPECT_TRUE(control.ok());
    control_ = *std::move(control);
    const std::vector<NamedStore> named = {{.name = "main", .store = &store_}};
    routed_ = std::make_unique<RoutedStore>(RoutedStoreOptions{.default_store = "main"}, named,
                                            routes_, *control_, random_, *metrics_);
    EXPECT_TRUE(routed_->LoadRoutes().ok());
    gateway_ = std::make_unique<Gateway>(GatewayOptions{}, *routed_, *control_, clock_, *metrics_);
    service_ = std::make_unique<RecordService>(options, *gateway_, *control_, clock_);
    const Status made =
        service_->CreateCollection(context_, {.collection = "records", .dimension = 2});
    EXPECT_TRUE(made.ok()) << made.error().ToString();
  }
  ~RecordTest() override { std::filesystem::remove_all(folder_); }

  static RecordServiceOptions SmallBatches() {
    RecordServiceOptions options;
    options.batch_rows = 7;
    return options;
  }

  static Record Make(std::string id, std::map<std::string, Value, std::less<>> properties = {},
                     std::vector<float> vector = {1, 0}) {
    Record record;
    record.key.key = std::move(id);
    record.fields = std::move(properties);
    if (!vector.empty()) {
      record.vectors.insert_or_assign("vector", Vector::Floats(vector));
    }
    return record;
  }

  /// Written by that device; the test fails where it is not.
  void Put(std::string type, std::vector<Record> records, std::string device = "phone",
           std::string tenant = "acme") {
    const auto result = service_->UpsertRecords(
        context_, {.collection = "records", .tenant = std::move(tenant)},
        {.type = std::move(type), .records = std::move(records), .origin = {.device_id = device}});
    ASSERT_TRUE(result.ok()) << result.error().ToString();
    ASSERT_TRUE(result->errors.empty());
  }
  std::optional<Record> Find(const std::string& id) {
    auto found = service_->GetRecordsByIds(context_, acme_, {id}, true);
    EXPECT_TRUE(found.ok());
    return found.ok() ? found->front() : std::nullopt;
  }
  static std::vector<std::string> Ids(const std::vector<Record>& records) {
    std::vector<std::string> ids;
    for (const Record& record : records) {
      ids.push_back(std::get<std::string>(record.key.key));
    }
    return ids;
  }
  static std::vector<std::string> Ids(const std::vector<Hit>& hits) {
    std::vector<std::string> ids;
    for (const Hit& hit : hits) {
      ids.push_back(std::get<std::string>(hit.record.key.key));
    }
    return ids;
  }
  FilterPtr Filter(std::string_view text) {
    const auto layout = service_->Layout(context_, "records");
    EXPECT_TRUE(layout.ok());
    auto filter = ParseFilter(text, *layout->schema);
    EXPECT_TRUE(filter.ok()) << filter.error().ToString();
    return *filter;
  }

  /// Calls `on_call` before each call of the store.
  class WaitingStore final : public InterceptedStore<WaitingStore> {
   public:
    explicit WaitingStore(VectorStore& inner) : InterceptedStore(inner) {}
    template <typename Run>
    auto Intercept(const RequestContext& context, StoreCall call, Run run) {
      if (on_call) {
        on_call(call);
      }
      return run(context);
    }
    std::function<void(StoreCall)> on_call;
  };

  const std::string folder_;
  const RecordScope acme_{.collection = "records", .tenant = "acme"};
  const RecordScope zoo_{.collection = "records", .tenant = "zoo"};
  RequestContext context_;
  FakeClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<VectorStore> inner_;
  WaitingStore store_;
  std::unique_ptr<ControlStore> control_;
  RouteTable routes_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<RecordService> service_;
};

}  // namespace roost
