#include "protocol/rest/rest_api.h"

#include <filesystem>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/fake_store.h"

namespace roost::rest {
namespace {

namespace bj = boost::json;
using testing::HasSubstr;

// A service that knows one move and remembers what it was asked.
class OneMove final : public MigrationService {
 public:
  Result<MigrationPlan> Plan(const RequestContext&, const MigrationSpec& spec) override {
    return MigrationPlan{.source = "embedded", .target = spec.target, .steps = {"copy"}};
  }
  Result<MigrationStatus> Create(const RequestContext&, const MigrationSpec& spec) override {
    status.id = "m1";
    status.spec = spec;
    return status;
  }
  Result<MigrationStatus> Get(const RequestContext&, const std::string& id) override {
    if (id != status.id) {
      return NotFound("there is no move \"" + id + "\"");
    }
    return status;
  }
  Result<std::vector<MigrationStatus>> List(const RequestContext&) override {
    return std::vector<MigrationStatus>{status};
  }
  Result<MigrationStatus> Advance(const RequestContext&, const std::string&,
                                  std::optional<MigrationState> to) override {
    advanced_to = to;
    return status;
  }
  Result<MigrationStatus> Command(const RequestContext&, const std::string&,
                                  MigrationCommand asked) override {
    command = asked;
    return status;
  }
  Result<std::vector<DeadLetter>> DeadLetters(const RequestContext&, const std::string&) override {
    return std::vector<DeadLetter>{{.key = "a\"b", .error = "no", .attempts = 3}};
  }
  Status Redrive(const RequestContext&, const std::string&) override { return {}; }

  MigrationStatus status;
  std::optional<MigrationState> advanced_to;
  MigrationCommand command = MigrationCommand::kNone;
};

class RestApiTest : public testing::Test {
 protected:
  RestApiTest()
      : folder_(testing::TempDir() + "/rest_api_" + std::to_string(::getpid()) + "_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()),
        metrics_(MakeMetrics()),
        main_(MakeFakeStore()),
        other_(MakeFakeStore()),
        routes_("main") {
    std::filesystem::create_directories(folder_);
    auto control = OpenSqliteControlStore({.path = folder_ + "/roost.db"}, *metrics_);
    EXPECT_TRUE(control.ok());
    control_ = *std::move(control);
    std::vector<NamedStore> named = {{.name = "main", .store = main_.get()},
                                     {.name = "other", .store = other_.get()}};
    routed_ = std::make_unique<RoutedStore>(RoutedStoreOptions{.default_store = "main"}, named,
                                            routes_, *control_, random_, *metrics_);
    EXPECT_TRUE(routed_->LoadRoutes().ok());
    gateway_ = std::make_unique<Gateway>(GatewayOptions{}, *routed_, *control_, clock_, *metrics_);
    stores_ = {{"main", main_.get()}, {"other", other_.get()}};
    records_ =
        std::make_unique<RecordService>(RecordServiceOptions{}, *gateway_, *control_, clock_);
    dependencies_ = std::make_unique<RestDependencies>(RestDependencies{.gateway = *gateway_,
                                                                        .records = *records_,
                                                                        .migrations = moves_,
                                                                        .stores = stores_,
                                                                        .health = health_,
                                                                        .metrics = *metrics_,
                                                                        .version = "1.2.3"});
    table_ = std::make_unique<RouteTable>(MakeRoutes(*dependencies_, {}));
  }
  ~RestApiTest() override { std::filesystem::remove_all(folder_); }

  HttpResponse Ask(std::string method, std::string target, std::string body = "") {
    HttpRequest request;
    request.method = std::move(method);
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    request.query = mark == std::string::npos ? "" : target.substr(mark + 1);
    request.body.reserve(body.size() + 64);
    request.body = body;
    return table_->Find(request)->handle(request);
  }

  // The reply's document; the test fails when the status is another one.
  bj::value Json(std::string method, std::string target, std::string body = "", int status = 200) {
    const HttpResponse response = Ask(method, target, std::move(body));
    EXPECT_EQ(response.status, status) << method << " " << target << ": " << response.body;
    return bj::parse(response.body);
  }

  void MakeBooks() {
    Json(
        "POST", "/v1/collections",
        R"({"name":"books","fields":[{"name":"title","type":"TEXT"},{"name":"year","type":"INT64"}],
             "vectors":[{"name":"v","dimension":2,"metric":"L2"}]})",
        201);
    Json("POST", "/v1/collections/books/upsert",
         R"({"records":[{"id":"a","title":"red fox","year":2001,"v":[0,0]},
                        {"id":"b","title":"blue whale","year":2002,"v":[3,4]},
                        {"id":"c","title":"red panda","year":2003,"v":[6,8]}]})");
  }

  const std::string folder_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<VectorStore> main_;
  std::unique_ptr<VectorStore> other_;
  std::unique_ptr<ControlStore> control_;
  roost::RouteTable routes_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<RecordService> records_;
  OneMove moves_;
  HealthRegistry health_;
  std::map<std::string, VectorStore*> stores_;
  std::unique_ptr<RestDependencies> dependencies_;
  std::unique_ptr<RouteTable> table_;
};

TEST_F(RestApiTest, RecordsGoInAndComeOut) {
  MakeBooks();
  const bj::value got =
      Json("POST", "/v1/collections/books/get", R"({"ids":["b","x"],"vectors":true})");
  EXPECT_EQ(bj::serialize(got.at("records")),
            R"([{"id":"b","title":"blue whale","year":2002,"v":[3,4]},null])");
  EXPECT_EQ(Json("POST", "/v1/collections/books/count", R"({"filter":"year > 2001"})").at("count"),
            2);
  const bj::value page = Json("POST", "/v1/collections/books/scan", R"({"after":"a","limit":1})");
  EXPECT_EQ(page.at("records").at(0).at("id"), "b");
  EXPECT_EQ(page.at("done"), false);
  EXPECT_EQ(
      Json("POST", "/v1/collections/books/delete", R"({"filter":"year >= 2002"})").at("deleted"),
      2);
  EXPECT_EQ(Json("POST", "/v1/collections/books/count", "{}").at("count"), 1);
}

TEST_F(RestApiTest, InsertNamesTheRowsThatExist) {
  MakeBooks();
  const bj::value result =
      Json("POST", "/v1/collections/books/insert", R"({"records":[{"id":"a"},{"id":"new"}]})");
  EXPECT_EQ(result.at("written"), 1);
  EXPECT_EQ(result.at("errors").at(0).at("row"), 0);
  EXPECT_EQ(result.at("errors").at(0).at("code"), "ALREADY_EXISTS");
}

TEST_F(RestApiTest, SearchGivesDistanceScoreAndRecord) {
  MakeBooks();
  const bj::value hits = Json("POST", "/v1/collections/books/search",
                              R"({"vector":[0,0],"top_k":2,"fields":["year"]})")
                             .at("hits")
                             .at(0);
  EXPECT_EQ(bj::serialize(hits.at(1)),
            R"({"id":"b","distance":5,"score":-5,"record":{"id":"b","year":2002}})");
  const bj::value words = Json("POST", "/v1/collections/books/search", R"({"text":"red"})");
  EXPECT_EQ(words.at("hits").at(0).as_array().size(), 2u);
  const bj::value both = Json("POST", "/v1/collections/books/hybrid-search",
                              R"({"searches":[{"vector":[6,8]},{"text":"red"}],"top_k":1})");
  EXPECT_EQ(both.at("hits").at(0).at(0).at("id"), "c");
}

TEST_F(RestApiTest, BadInputIsRefusedWithTheReasonAndChangesNothing) {
  MakeBooks();
  const auto detail = [&](std::string path, std::string body, int status = 400) {
    const bj::value problem = Json("POST", std::move(path), std::move(body), status);
    return std::string(problem.at("detail").as_string());
  };
  EXPECT_THAT(detail("/v1/collections/books/upsert",
                     R"({"records":[{"id":"ok","v":[1,2]},{"id":"bad","v":[1,2,3]}]})"),
              HasSubstr("dimension"));
  EXPECT_THAT(detail("/v1/collections/books/upsert", R"({"records":[{"id":"x","colour":1}]})"),
              HasSubstr("colour"));
  EXPECT_THAT(detail("/v1/collections/books/query", R"({"filter":"year > "})"), HasSubstr("1:"));
  EXPECT_THAT(detail("/v1/collections/books/query", R"({"filter":"year > 'x'"})"),
              HasSubstr("year"));
  EXPECT_THAT(detail("/v1/collections/none/query", "{}", 404), HasSubstr("none"));
  EXPECT_THAT(detail("/v1/collections/books/search", R"({"vector":[1,2,3]})"),
              HasSubstr("dimension"));
  EXPECT_EQ(Json("POST", "/v1/collections/books/count", "{}").at("count"), 3);
}

TEST_F(RestApiTest, CollectionsLiveInDatabasesAndStores) {
  Json("POST", "/v1/databases", R"({"name":"shop"})", 201);
  Json("POST", "/v1/collections?store=other",
       R"({"name":"shop.items","vectors":[{"name":"v","dimension":2}]})", 201);
  EXPECT_EQ(Json("GET", "/v1/collections/shop.items").at("store"), "other");
  EXPECT_EQ(bj::serialize(Json("GET", "/v1/collections?database=shop")),
            R"({"collections":["shop.items"]})");
  EXPECT_EQ(bj::serialize(Json("GET", "/v1/collections?database=default")),
            R"({"collections":[]})");
  Json("DELETE", "/v1/databases/shop", "", 400);
  Json("POST", "/v1/collections", R"({"name":"nowhere.items"})", 404);
  Json("DELETE", "/v1/collections/shop.items");
  Json("DELETE", "/v1/databases/shop");
  Json("POST", "/v1/databases", R"({"name":"a-b"})", 400);
}

TEST_F(RestApiTest, MovesAreCreatedPlannedAndCommanded) {
  const bj::value plan =
      Json("POST", "/v1/migrations?dry_run=true", R"({"collection":"books","target":"other"})");
  EXPECT_EQ(plan.at("steps").at(0), "copy");
  const bj::value created = Json(
      "POST", "/v1/migrations",
      R"({"collection":"books","target":"other","policy":{"chunk_rows":50,"ramp_percents":[5,100]}})",
      201);
  EXPECT_EQ(created.at("policy").at("chunk_rows"), 50);
  EXPECT_EQ(created.at("state"), "PLANNED");
  Json("POST", "/v1/migrations/m1/advance", R"({"to":"SHADOW"})");
  EXPECT_EQ(moves_.advanced_to, MigrationState::kShadow);
  Json("POST", "/v1/migrations/m1/rollback");
  EXPECT_EQ(moves_.command, MigrationCommand::kRollback);
  Json("GET", "/v1/migrations/m2", "", 404);
  Json("POST", "/v1/migrations", R"({"collection":"books"})", 400);
  Json("POST", "/v1/migrations", R"({"collection":"b","target":"o","policy":{"chunk_row":5}})",
       400);
  Json("POST", "/v1/migrations/m1/advance", R"({"to":"HEAVEN"})", 400);
  Json("POST", "/v1/migrations",
       R"({"collection":"b","target":"o","mapping":{"schema":{"name":"b"},"form":{}}})", 400);
  Json("POST", "/v1/migrations",
       R"({"collection":"b","target":"o","mapping":{"schema":{"name":"b"},"from":{"x":"y"}}})",
       201);
  ASSERT_TRUE(moves_.status.spec.mapping.has_value());
  EXPECT_EQ(moves_.status.spec.mapping->source_name.at("x"), "y");
  EXPECT_EQ(Json("GET", "/v1/migrations/m1/dead-letters").at("dead_letters").at(0).at("key"),
            "a\"b");
}

TEST_F(RestApiTest, SystemRoutesAnswer) {
  EXPECT_EQ(Ask("GET", "/readyz").status, 503);
  health_.SetReady(true);
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("roost_requests_total"));
  EXPECT_EQ(Json("GET", "/v1/version").at("version"), "1.2.3");
  EXPECT_EQ(Json("GET", "/v1/stores").at("stores").as_array().size(), 2u);
}

// Every "$ref" below `value` names a schema that is there.
void ExpectReferencesResolve(const bj::value& value, const bj::object& schemas) {
  if (const bj::object* object = value.if_object()) {
    for (const auto& [name, member] : *object) {
      if (name == "$ref") {
        const std::string target(member.as_string());
        const std::string prefix = "#/components/schemas/";
        ASSERT_TRUE(target.starts_with(prefix)) << target;
        EXPECT_TRUE(schemas.contains(target.substr(prefix.size()))) << target;
      }
      ExpectReferencesResolve(member, schemas);
    }
  } else if (const bj::array* array = value.if_array()) {
    for (const bj::value& element : *array) {
      ExpectReferencesResolve(element, schemas);
    }
  }
}

TEST_F(RestApiTest, OpenApiDescribesEveryRouteAndNothingElse) {
  const bj::value document = Json("GET", "/openapi.json");
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  const bj::object& paths = document.at("paths").as_object();
  std::set<std::string> described;
  std::set<std::string> operations;
  for (const auto& [path, methods] : paths) {
    for (const auto& [method, operation] : methods.as_object()) {
      described.insert(std::string(method) + " " + std::string(path));
      operations.insert(std::string(operation.at("operationId").as_string()));
      EXPECT_FALSE(operation.at("summary").as_string().empty());
      EXPECT_TRUE(operation.at("responses").as_object().contains("default"));
    }
  }
  std::set<std::string> served;
  for (const RestRoute& route : table_->routes()) {
    std::string method = route.method;
    for (char& c : method) {
      c = static_cast<char>(c | 0x20);
    }
    served.insert(method + " " + route.path);
  }
  EXPECT_EQ(described, served);
  EXPECT_EQ(operations.size(), served.size()) << "operation ids must be unique";
  const bj::object& schemas = document.at("components").at("schemas").as_object();
  ExpectReferencesResolve(document, schemas);
  for (const RestRoute& route : table_->routes()) {
    EXPECT_TRUE(route.request_schema.empty() || schemas.contains(route.request_schema));
    EXPECT_TRUE(route.response_schema.empty() || schemas.contains(route.response_schema));
  }
}

}  // namespace
}  // namespace roost::rest
