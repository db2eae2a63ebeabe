// What callers see when OpenSearch is slow, hangs, ends, refuses or was changed by others.

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/opensearch/opensearch_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Answer = std::optional<HttpResponse>;

bool IsBulk(const HttpRequest& request) { return request.path.ends_with("/_bulk"); }

/// A collection on the shared server, seen through a proxy that a test may answer for.
class OpenSearchFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_->CreateCollection(Soon(), {.schema = schema_}).ok());
    ASSERT_TRUE(Upsert(Soon(), 1).ok());
  }
  Result<WriteResult> Upsert(const RequestContext& context, int64_t n) {
    return store_->Upsert(context, {.collection = schema_.name, .records = {PlainRow("a", n)}});
  }
  int64_t Stored() {
    const auto got = store_->Get(Soon(), {.collection = schema_.name, .keys = {KeyOf("a")}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() && got->records[0] ? std::get<int64_t>(got->records[0]->fields.at("n")) : -1;
  }
  /// From now on the proxy answers what `hook` says.
  void Meddle(OpenSearchProxy::Hook hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::make_shared<OpenSearchProxy::Hook>(std::move(hook));
  }
  Answer Ask(const HttpRequest& request) {
    std::shared_ptr<OpenSearchProxy::Hook> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = hook_;
    }
    return hook == nullptr ? Answer() : (*hook)(request);
  }

  std::mutex mutex_;
  std::shared_ptr<OpenSearchProxy::Hook> hook_;
  const CollectionSchema schema_ = PlainSchema();
  OpenSearchProxy proxy_{SharedOpenSearchPeer().port(),
                         [this](const HttpRequest& request) { return Ask(request); }};
  std::unique_ptr<OpenSearchStore> store_ = OpenStore(OptionsOf(proxy_.port()));
};

HttpResponse Failure(int status, const std::string& type, const std::string& reason) {
  HttpResponse response;
  response.status = status;
  response.body = R"({"error":{"root_cause":[{"type":")" + type + R"(","reason":")" + reason +
                  R"("}],"type":")" + type + R"(","reason":")" + reason + R"("},"status":)" +
                  std::to_string(status) + "}";
  return response;
}

/// A bulk reply of 200 in which one row was refused and nothing was written.
HttpResponse BusyRow() {
  HttpResponse response;
  response.body =
      R"({"took":1,"errors":true,"items":[{"index":{"_index":"i","_id":"a","status":429,"error":{)"
      R"("type":"opensearch_rejected_execution_exception","reason":"rejected execution"}}}]})";
  return response;
}

TEST_F(OpenSearchFaultTest, RowsRefusedInsideA200AreSentAgain) {
  std::atomic<int> refused{0};
  Meddle([&](const HttpRequest& request) {
    return IsBulk(request) && refused++ < 3 ? Answer(BusyRow()) : Answer();
  });
  const auto written = Upsert(Soon(), 2);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->written, 1u);
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(Stored(), 2);
}

TEST_F(OpenSearchFaultTest, RowsRefusedForEverAreErrorsOfTheirRows) {
  auto options = OptionsOf(proxy_.port());
  options.max_resends = 2;
  options.resend_delay = milliseconds(1);
  store_ = OpenStore(options);
  std::atomic<int> refused{0};
  Meddle([&](const HttpRequest& request) {
    refused += IsBulk(request) ? 1 : 0;
    return IsBulk(request) ? Answer(BusyRow()) : Answer();
  });
  const auto written = Upsert(Soon(), 2);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->written, 0u);
  ASSERT_EQ(written->errors.size(), 1u);
  EXPECT_EQ(written->errors[0].row, 0u);
  EXPECT_EQ(written->errors[0].error.code, Code::kResourceExhausted);
  EXPECT_FALSE(written->errors[0].error.outcome_unknown);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(Stored(), 1);
}

TEST_F(OpenSearchFaultTest, OneBadRowOfABatchIsReportedAndTheOthersAreWritten) {
  std::atomic<bool> once{true};
  Meddle([&](const HttpRequest& request) -> Answer {
    if (!IsBulk(request) || !once.exchange(false)) {
      return {};
    }
    HttpResponse response;
    response.body =
        R"({"took":1,"errors":true,"items":[{"index":{"_id":"b","status":201,"result":"created",)"
        R"("_version":0}},{"index":{"_id":"c","status":500,"error":{"type":"some_exception",)"
        R"("reason":"a disk is on fire"}}}]})";
    return response;
  });
  const auto written = store_->Upsert(
      Soon(), {.collection = schema_.name, .records = {PlainRow("b", 1), PlainRow("c", 1)}});
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->written, 1u);
  ASSERT_EQ(written->errors.size(), 1u);
  EXPECT_EQ(written->errors[0].row, 1u);
  EXPECT_TRUE(written->errors[0].error.outcome_unknown);
  EXPECT_THAT(written->errors[0].error.message, HasSubstr("on fire"));
}

TEST_F(OpenSearchFaultTest, CodesSayWhetherToTryAgain) {
  struct Case {
    HttpResponse reply;
    Code code;
    const char* says;
  };
  const std::vector<Case> cases = {
      {Failure(401, "security_exception", "no"), Code::kUnauthenticated, "credentials"},
      {Failure(403, "security_exception", "no permissions for [indices:data/read/get]"),
       Code::kPermissionDenied, "rights"},
      {Failure(403, "cluster_block_exception",
               "index [i] blocked by: [FORBIDDEN/12/disk usage "
               "exceeded flood-stage watermark]"),
       Code::kResourceExhausted, "free space"},
      {Failure(403, "cluster_block_exception", "blocked by: [FORBIDDEN/8/index write (api)]"),
       Code::kFailedPrecondition, "remove the block"},
      {Failure(429, "circuit_breaking_exception", "Data too large"), Code::kResourceExhausted,
       "overloaded"},
      {Failure(503, "cluster_manager_not_discovered_exception", "none"), Code::kUnavailable,
       "none"},
      {Failure(400, "strict_dynamic_mapping_exception", "no [n]"), Code::kFailedPrecondition,
       "behind Roost's back"}};
  for (const Case& wanted : cases) {
    Meddle([&](const HttpRequest& request) {
      return request.path.ends_with("/_mget") ? Answer(wanted.reply) : Answer();
    });
    const auto got = store_->Get(Soon(), {.collection = schema_.name, .keys = {KeyOf("a")}});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.code(), wanted.code) << got.error().ToString();
    EXPECT_THAT(got.error().message,
                AllOf(HasSubstr(wanted.says), HasSubstr("opensearch://127.0.0.1:")));
  }
}

TEST_F(OpenSearchFaultTest, PartialSearchesAreErrors) {
  for (const std::string body :
       {R"({"took":1,"timed_out":true,"_shards":{"total":1,"failed":0},"hits":{"hits":[]}})",
        R"({"took":1,"timed_out":false,"_shards":{"total":2,"failed":1},"hits":{"hits":[]}})",
        R"({"took":1})", "<html>hello</html>", ""}) {
    Meddle([&](const HttpRequest& request) -> Answer {
      if (!request.path.ends_with("/_search")) {
        return {};
      }
      HttpResponse response;
      response.body = body;
      return response;
    });
    const auto found = store_->Query(Soon(), {.collection = schema_.name});
    EXPECT_FALSE(found.ok()) << body;
    EXPECT_TRUE(IsRetryable(found.code()) || found.code() == Code::kDeadlineExceeded)
        << found.error().ToString();
  }
}

TEST_F(OpenSearchFaultTest, DeadlineIsKeptWhileTheServerHangs) {
  const auto hang = std::make_shared<std::atomic<bool>>(true);  // outlives the test's body
  Meddle([hang](const HttpRequest& request) -> Answer {
    while (*hang && IsBulk(request)) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    return {};
  });
  const auto before = steady_clock::now();
  const auto written = Upsert(Within(milliseconds(200)), 2);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(5));
  *hang = false;
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(written.error().outcome_unknown) << "it may still land";
}

TEST_F(OpenSearchFaultTest, StopEndsAWaitingCall) {
  const auto hang = std::make_shared<std::atomic<bool>>(true);  // outlives the test's body
  std::stop_source stop;
  Meddle([hang, stop](const HttpRequest& request) mutable -> Answer {
    if (request.path.ends_with("/_mget")) {
      stop.request_stop();
      while (*hang) {
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
    return {};
  });
  RequestContext context = Soon();
  context.stop = stop.get_token();
  const auto got = store_->Get(context, {.collection = schema_.name, .keys = {KeyOf("a")}});
  *hang = false;
  EXPECT_EQ(got.code(), Code::kCancelled);
  EXPECT_FALSE(got.error().outcome_unknown);
}

TEST_F(OpenSearchFaultTest, SecondEndpointServesWhenTheFirstIsDown) {
  auto options = OptionsOf(1);  // nobody listens there
  options.uri += ",127.0.0.1:" + std::to_string(SharedOpenSearchPeer().port());
  const auto store = OpenStore(options);
  for (int i = 0; i < 6; ++i) {
    const auto written =
        store->Upsert(Soon(), {.collection = schema_.name, .records = {PlainRow("a", 10 + i)}});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
  }
  EXPECT_EQ(Stored(), 15);
}

TEST_F(OpenSearchFaultTest, SignsInWithWhatTheAddressSays) {
  std::mutex mutex;
  std::string seen;
  Meddle([&](const HttpRequest& request) -> Answer {
    const std::lock_guard lock(mutex);
    seen = request.Header("authorization");
    return {};
  });
  const std::string host = "127.0.0.1:" + std::to_string(proxy_.port());
  for (const auto& [uri, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"opensearch://" + host, ""},
           {"opensearch://admin:p%40ss@" + host, "Basic YWRtaW46cEBzcw=="},
           {"opensearch://" + host + "?token=abc", "Bearer abc"},
           {"opensearch://" + host + "?api_key=xyz", "ApiKey xyz"}}) {
    OpenSearchOptions options;
    options.uri = uri;
    const auto store = OpenStore(options);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(seen, wanted);
  }
}

TEST_F(OpenSearchFaultTest, WrongCredentialsAndOtherServersAreSaidPlainly) {
  HttpResponse answer;
  Meddle([&](const HttpRequest&) { return Answer(answer); });
  const auto opened = [&](int status, const std::string& body) {
    answer.status = status;
    answer.body = body;
    OpenSearchOptions options;
    options.uri = "opensearch://me:hush@127.0.0.1:" + std::to_string(proxy_.port());
    const auto store = OpenOpenSearchStore(options, TestClock(), TestMetrics());
    EXPECT_FALSE(store.ok());
    EXPECT_THAT(store.error().message, Not(HasSubstr("hush")));
    EXPECT_THAT(store.error().message, HasSubstr("opensearch://me@127.0.0.1:"));
    return store.ok() ? Error{} : store.error();
  };
  EXPECT_EQ(opened(401, "Unauthorized").code, Code::kUnauthenticated);
  EXPECT_EQ(opened(200, "<html>").code, Code::kFailedPrecondition);
  EXPECT_EQ(opened(301, "").code, Code::kFailedPrecondition);
  const Error elastic =
      opened(200, R"({"version":{"number":"8.1.0"},"tagline":"You Know, for Search"})");
  EXPECT_EQ(elastic.code, Code::kFailedPrecondition);
  EXPECT_THAT(elastic.message, HasSubstr("not OpenSearch"));
  const Error old =
      opened(200, R"({"version":{"distribution":"opensearch","number":"1.3.2"},"tagline":"x"})");
  EXPECT_THAT(old.message, HasSubstr("2.17"));
  const Error bare =
      opened(200, R"({"version":{"distribution":"opensearch","number":"2.19.1"},"tagline":"x"})");
  EXPECT_THAT(bare.message, HasSubstr("k-NN plugin"));
}

TEST_F(OpenSearchFaultTest, IndexesChangedByOthersAreSaidPlainly) {
  const std::string index = "/" + IndexOf(schema_.name);
  const std::string described = Raw("GET", index + "/_mapping");
  const auto mapping = described.substr(described.find("{\"mappings\""));
  const std::string alias = AliasOf(schema_.name);
  Raw("DELETE", index);
  // Put back with another dimension, the alias and Roost's own notes included.
  std::string changed = mapping.substr(0, mapping.size() - 1);
  changed.replace(changed.find("\"dimension\":4"), 13, "\"dimension\":3");
  changed.insert(changed.size() - 1,
                 R"(,"settings":{"index.knn":true},"aliases":{")" + alias + "\":{}}");
  ASSERT_THAT(Raw("PUT", index, changed), HasSubstr("acknowledged"));
  const auto written = Upsert(Soon(), 2);
  ASSERT_FALSE(written.ok() && written->errors.empty());
  const auto fresh = OpenStore(OptionsOf(proxy_.port()));
  const auto described_again = fresh->DescribeCollection(Soon(), schema_.name);
  ASSERT_FALSE(described_again.ok());
  EXPECT_EQ(described_again.code(), Code::kFailedPrecondition);
  EXPECT_THAT(described_again.error().message,
              AllOf(HasSubstr("behind Roost's back"), HasSubstr("3 dimensions"),
                    HasSubstr("drop the collection")));
  Raw("DELETE", index);
  ASSERT_THAT(Raw("PUT", index, R"({"mappings":{"properties":{"x":{"type":"keyword"}}}})"),
              HasSubstr("acknowledged"));
  const auto foreign = store_->Count(Soon(), {.collection = schema_.name});
  EXPECT_EQ(foreign.code(), Code::kFailedPrecondition) << "nobody's index under the name";
  EXPECT_THAT(foreign.error().message, HasSubstr("not made by Roost"));
  Raw("DELETE", index);
  EXPECT_EQ(store_->Count(Soon(), {.collection = schema_.name}).code(), Code::kNotFound);
}

TEST(OpenSearchServer, StoppedServerIsUnavailableAndComesBackWithTheData) {
  auto peer = OpenSearchPeer::Launch({});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  const auto store = OpenStore(OptionsOf((*peer)->port()));
  const auto schema = PlainSchema();
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  ASSERT_TRUE(
      store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}}).ok());
  (*peer)->Freeze(true);
  const auto before = steady_clock::now();
  EXPECT_EQ(store->CheckHealth(Within(milliseconds(300))).code(), Code::kDeadlineExceeded);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(5));
  (*peer)->Freeze(false);
  (*peer)->Stop();
  EXPECT_EQ(store->CheckHealth(Soon()).code(), Code::kUnavailable);
  const auto written =
      store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("b", 1)}});
  EXPECT_EQ(written.code(), Code::kUnavailable);
  EXPECT_FALSE(written.error().outcome_unknown);
  const Status again = (*peer)->Start();
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_TRUE(Await([&] {
    const auto count = store->Count(Soon(), {.collection = schema.name});
    return count.ok() && *count == 1;
  }));
}

TEST(OpenSearchServer, UnreadableAddressIsRefusedWithoutRepeatingIt) {
  for (const std::string uri :
       {"opensearch://me:secret@127.0.0.1:99999", "opensearch://me:secret@h/database",
        "opensearch://me:secret@h?engine=secret", "opensearch://me:secret@h?index_prefix=Secret"}) {
    OpenSearchOptions options;
    options.uri = uri;
    const auto refused = OpenOpenSearchStore(options, TestClock(), TestMetrics());
    ASSERT_FALSE(refused.ok()) << uri;
    EXPECT_EQ(refused.code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("ecret")));
  }
}

}  // namespace
}  // namespace roost
