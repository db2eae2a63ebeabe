#include <filesystem>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "protocol/rest/kind_codec.h"
#include "protocol/rest/rest_api.h"
#include "store/fake_store.h"

namespace roost::rest {
namespace {

namespace bj = boost::json;
using testing::HasSubstr;

class KindRoutesTest : public testing::Test {
 protected:
  KindRoutesTest()
      : folder_(testing::TempDir() + "/kind_routes_" + std::to_string(::getpid()) + "_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()),
        metrics_(MakeMetrics()),
        store_(MakeFakeStore()),
        routes_("main") {
    std::filesystem::create_directories(folder_);
    control_ = *OpenSqliteControlStore({.path = folder_ + "/roost.db"}, *metrics_);
    const std::vector<NamedStore> named = {{.name = "main", .store = store_.get()}};
    routed_ = std::make_unique<RoutedStore>(RoutedStoreOptions{.default_store = "main"}, named,
                                            routes_, *control_, random_, *metrics_);
    EXPECT_TRUE(routed_->LoadRoutes().ok());
    gateway_ = std::make_unique<Gateway>(GatewayOptions{}, *routed_, *control_, clock_, *metrics_);
    records_ =
        std::make_unique<RecordService>(RecordServiceOptions{}, *gateway_, *control_, clock_);
  }
  ~KindRoutesTest() override { std::filesystem::remove_all(folder_); }

  const RouteTable& Table() {
    if (table_ == nullptr) {
      std::vector<RestRoute> routes;
      AddKindRoutes(routes, *gateway_, *records_);
      table_ = std::make_unique<RouteTable>(std::move(routes));
    }
    return *table_;
  }

  bj::value Json(std::string method, std::string path, std::string body, int status = 200) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.body.reserve(body.size() + 64);
    request.body = body;
    const HttpResponse response = Table().Find(request)->handle(request);
    EXPECT_EQ(response.status, status) << request.path << ": " << response.body;
    return bj::parse(response.body);
  }
  bj::value Ask(const std::string& operation, std::string body, int status = 200) {
    return Json("POST", "/v1/records/notes/acme/" + operation, std::move(body), status);
  }
  std::string Refusal(const std::string& operation, std::string body, int status = 400) {
    return std::string(Ask(operation, std::move(body), status).at("detail").as_string());
  }
  void MakeNotes() {
    Json("PUT", "/v1/records/notes", R"({"dimension": 2})");
    Ask("upsert_records",
        R"({"type": "Note", "last_update_device_id": "phone", "records": [
            {"unique_id": "n1", "vector": [1, 0],
             "properties": {"title": "red fox", "tag_ids": ["t1"], "mood": {"x": [1, null]}}},
            {"unique_id": "n2", "vector": [0, 1], "properties": {"title": "blue"}}]})");
    Ask("insert_record", R"({"type": "Tag", "record": {"unique_id": "t1",
                             "properties": {"name": "animals"}}})");
  }

  const std::string folder_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<VectorStore> store_;
  std::unique_ptr<ControlStore> control_;
  roost::RouteTable routes_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<RecordService> records_;
  std::unique_ptr<RouteTable> table_;
};

TEST_F(KindRoutesTest, RecordsGoInNestedAndComeOutTheSame) {
  MakeNotes();
  const bj::value got =
      Ask("get_record_by_id", R"({"unique_id": "n1", "include_vector": true})").at("record");
  EXPECT_EQ(got.at("type"), "Note");
  EXPECT_EQ(bj::serialize(got.at("properties")),
            R"({"tag_ids":["t1"],"title":"red fox","mood":{"x":[1,null]}})");
  EXPECT_EQ(bj::serialize(got.at("vector")), "[1,0]");
  EXPECT_EQ(got.at("last_update_device_id"), "phone");
  EXPECT_TRUE(got.at("last_modified").as_string().ends_with("Z"));
  EXPECT_FALSE(got.as_object().contains("deleted"));
  EXPECT_TRUE(Ask("get_record_by_id", R"({"unique_id": "x"})").at("record").is_null());
  const bj::value many = Ask("get_records_by_ids", R"({"id_list": ["t1", "x"]})").at("records");
  EXPECT_EQ(many.at(0).at("properties").at("name"), "animals");
  EXPECT_TRUE(many.at(1).is_null());
}

TEST_F(KindRoutesTest, EveryQueryAnswers) {
  MakeNotes();
  const bj::value near = Ask("query_by_vector", R"({"query_vector": [1, 0], "top_k": 5,
      "similarity_setting": 0.5, "include_vector": true})")
                             .at("hits");
  ASSERT_EQ(near.as_array().size(), 1u);
  EXPECT_EQ(near.at(0).at("unique_id"), "n1");
  EXPECT_EQ(near.at(0).at("score"), 1);
  EXPECT_EQ(bj::serialize(near.at(0).at("record").at("vector")), "[1,0]");
  const bj::value words =
      Ask("query_by_keyword", R"({"keyword": "fox", "include_metadata": false})").at("hits");
  EXPECT_EQ(words.at(0).at("unique_id"), "n1");
  EXPECT_FALSE(words.at(0).as_object().contains("record"));
  const bj::value found = Ask("query_by_filter", R"({"filter_expr": "title == {t}",
      "params": {"t": "red fox"}, "top_k": 5, "get_connected_results": true})");
  EXPECT_EQ(found.at("connected").at(0).at("unique_id"), "t1");
  EXPECT_EQ(bj::serialize(found.at("links")), R"([{"from":"n1","property":"tag_ids","to":"t1"}])");
  EXPECT_EQ(Ask("get_most_recent_records", R"({"limit": 1})").at("records").at(0).at("unique_id"),
            "t1");
}

TEST_F(KindRoutesTest, UpdatesAndDeletionsAreToldBySync) {
  MakeNotes();
  const bj::value updated = Ask("update_record_vector", R"({"unique_id": "n2",
      "new_vector": [3, 4], "metadata_updates": {"title": null, "x": 1}})")
                                .at("record");
  EXPECT_EQ(bj::serialize(updated.at("properties")), R"({"x":1})");
  Ask("update_record_metadata", R"({"unique_id": "n2", "metadata_updates": {"x": null}})");
  EXPECT_EQ(Ask("delete_record", R"({"unique_id": "n1", "record_type": "Note",
                                     "s3_path": "s3://b/n1"})")
                .at("deleted"),
            1);
  EXPECT_EQ(Ask("delete_records_by_ids", R"({"id_list": ["n1", "t1"], "record_type": null})")
                .at("deleted"),
            1);
  const bj::value page =
      Ask("sync_by_last_modified", R"({"last_sync_datetime": "2020-01-01T00:00:00Z", "limit": 2})");
  EXPECT_EQ(page.at("records").as_array().size(), 2u);
  EXPECT_EQ(page.at("records").at(0).at("deleted"), true);
  EXPECT_EQ(page.at("has_more"), true);
  EXPECT_EQ(page.at("next_offset"), 2);
  EXPECT_TRUE(page.as_object().contains("next_sync_datetime"));
  EXPECT_EQ(Ask("delete_all_records", "{}").at("deleted"), 1);
}

TEST_F(KindRoutesTest, BadInputIsRefusedWithTheReason) {
  MakeNotes();
  EXPECT_THAT(Refusal("upsert_records", R"({"records": []})"), HasSubstr("\"type\""));
  EXPECT_THAT(Refusal("upsert_records", R"({"type": "Note"})"), HasSubstr("\"records\""));
  EXPECT_THAT(Refusal("upsert_records", R"({"type": "Note", "records": [{"vector": [1, 2]}]})"),
              HasSubstr("record 0: \"unique_id\""));
  EXPECT_THAT(Refusal("upsert_records",
                      R"({"type": "Note", "records": [{"unique_id": "x", "vector": [1, 2, 3]}]})"),
              HasSubstr("dimension"));
  EXPECT_THAT(Refusal("insert_record", R"({"type": "Note", "record": {"unique_id": "x",
                                           "properties": {"uniqueid": "y"}}})"),
              HasSubstr("Roost's own"));
  EXPECT_THAT(Refusal("insert_record", R"({"type": "Note", "record": {"unique_id": "n1"}})", 409),
              HasSubstr("there already"));
  EXPECT_THAT(Refusal("update_record_metadata", R"({"unique_id": "none",
                                                    "metadata_updates": {}})",
                      404),
              HasSubstr("none"));
  EXPECT_THAT(Refusal("update_record_vector", R"({"unique_id": "n1"})"), HasSubstr("new_vector"));
  EXPECT_THAT(Refusal("query_by_vector", R"({"query_vector": [1, 0], "topk": 3})"),
              HasSubstr("top_k"));
  EXPECT_THAT(Refusal("query_by_vector", R"({"query_vector": [1, 0],
                                             "similarity_setting": "high"})"),
              HasSubstr("a number"));
  EXPECT_THAT(Refusal("query_by_filter", R"({"filter_expr": "title >"})"), HasSubstr("1:"));
  EXPECT_THAT(Refusal("sync_by_last_modified", R"({"last_sync_datetime": "yesterday"})"),
              HasSubstr("yesterday"));
  EXPECT_THAT(Refusal("delete_record", "{}"), HasSubstr("unique_id"));
  const bj::value elsewhere = Json("POST", "/v1/records/none/acme/query_by_filter", "{}", 404);
  EXPECT_THAT(std::string(elsewhere.at("detail").as_string()), HasSubstr("none"));
  Json("PUT", "/v1/records/notes", R"({"dimension": 3})", 409);
  Json("PUT", "/v1/records/other", R"({"kinds": {"A": {"x": 1}}})", 400);
  Json("POST", "/v1/records/notes/purge_deleted", "{}", 400);
}

TEST_F(KindRoutesTest, CollectionsTellTheirKinds) {
  const bj::value made = Json("PUT", "/v1/records/people", R"({"dimension": 3, "metric": "L2",
      "kinds": {"Person": {"properties": [{"name": "name", "type": "TEXT"}]}}})");
  EXPECT_EQ(made.at("metric"), "L2");
  EXPECT_EQ(made.at("store"), "main");
  EXPECT_EQ(bj::serialize(Json("GET", "/v1/records/people", "").at("kinds")),
            R"({"Person":{"properties":[{"name":"name","type":"TEXT"}]}})");
  Json("POST", "/v1/records/people/purge_deleted", R"({"before": "2020-01-01T00:00:00Z"})");
}

}  // namespace
}  // namespace roost::rest
