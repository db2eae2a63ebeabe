#include "net/http_endpoints.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

uint16_t ClosedPort() {
  TestServer server;
  server.Start();
  return server.port();
}

class HttpEndpointsTest : public testing::Test {
 protected:
  HttpEndpointsTest() {
    for (TestServer* server : {&one_, &two_}) {
      server->AddEcho();
      server->On("/who").handle = [server](const HttpRequest&) {
        return HttpResponse{.body = std::to_string(server->port())};
      };
    }
  }
  HttpEndpoints Make(std::vector<uint16_t> ports, HttpEndpointsOptions options = {}) {
    for (const uint16_t port : ports) {
      options.hosts.push_back({"127.0.0.1", port});
    }
    return HttpEndpoints(std::move(options), clock_, random_, *metrics_);
  }
  double Connections(const std::string& state) {
    return metrics_
        ->GetGauge("roost_http_client_connections", "", {{"store", "http"}, {"state", state}})
        .value();
  }

  FakeClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  TestServer one_;
  TestServer two_;
};

TEST_F(HttpEndpointsTest, CallsTakeTurnsAndKeepTheirConnections) {
  one_.Start();
  two_.Start();
  auto endpoints = Make({one_.port(), two_.port()});
  int at_one = 0;
  for (int i = 0; i < 10; ++i) {
    const auto reply = endpoints.Call({}, {.url = "/who"});
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    at_one += reply->body == std::to_string(one_.port());
  }
  EXPECT_EQ(at_one, 5);
  EXPECT_EQ(one_.Metric("roost_http_connections"), 1);
  EXPECT_EQ(Connections("idle"), 2);
  EXPECT_EQ(Connections("in_use"), 0);
}

TEST_F(HttpEndpointsTest, SendsItsHeadersWithEveryCall) {
  std::string seen;
  one_.On("/see").handle = [&seen](const HttpRequest& request) {
    seen =
        std::string(request.Header("authorization")) + " " + std::string(request.Header("x-own"));
    return HttpResponse{};
  };
  one_.Start();
  auto endpoints = Make({one_.port()}, {.headers = {{"Authorization", "Basic abc"}}});
  ASSERT_TRUE(endpoints.Call({}, {.url = "/see", .headers = {{"x-own", "1"}}}).ok());
  EXPECT_EQ(seen, "Basic abc 1");
}

TEST_F(HttpEndpointsTest, AnEndpointThatIsAwayIsPassedOverByReadsAndWrites) {
  one_.Start();
  auto endpoints = Make({ClosedPort(), one_.port()});
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(endpoints.Call({}, {.method = "POST", .url = "/echo", .body = "w"}).ok());
  }
  EXPECT_EQ(endpoints.endpoints()[0].failures, 1);
  const auto alone = Make({ClosedPort()}).Call({}, {.method = "POST", .url = "/echo"});
  EXPECT_EQ(alone.code(), Code::kUnavailable);
  EXPECT_FALSE(alone.error().outcome_unknown);
}

TEST_F(HttpEndpointsTest, OnlySafeCallsAreSentAgainAfterALoss) {
  std::atomic<int> calls{0};
  one_.On("/cut").stream = [&](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    ++calls;
    TRY(writer.Start({}));
    return Internal("cut");
  };
  one_.Start();
  auto endpoints = Make({one_.port()});
  const auto write = endpoints.Call({}, {.method = "POST", .url = "/cut"});
  EXPECT_TRUE(write.error().outcome_unknown);
  EXPECT_EQ(calls, 1);
  const auto read = endpoints.Call({}, {.method = "POST", .url = "/cut", .safe = true});
  EXPECT_EQ(read.code(), Code::kUnavailable);
  EXPECT_FALSE(read.error().outcome_unknown);
  EXPECT_EQ(calls, 4);
}

TEST_F(HttpEndpointsTest, AnEndpointThatSaysItIsAwayRests) {
  one_.On("/busy").handle = [](const HttpRequest&) { return HttpResponse{.status = 503}; };
  one_.Start();
  two_.Start();
  auto endpoints = Make({one_.port(), two_.port()});
  EXPECT_EQ(endpoints.Call({}, {.url = "/busy"})->status, 503);
  EXPECT_TRUE(endpoints.endpoints()[0].resting);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(endpoints.Call({}, {.url = "/who"})->body, std::to_string(two_.port()));
  }
}

TEST_F(HttpEndpointsTest, CallsBeyondTheLimitWaitForAConnection) {
  Gate gate;
  std::atomic<int> most{0};
  std::atomic<int> inside{0};
  one_.On("/slow").handle = [&](const HttpRequest& request) {
    most = std::max<int>(most, ++inside);
    gate.Wait(request.context);
    --inside;
    return HttpResponse{};
  };
  one_.Start();
  auto endpoints = Make({one_.port()}, {.max_connections_per_host = 2});
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { good += endpoints.Call({}, {.url = "/slow"}).ok(); });
  }
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 2; }));
  EXPECT_EQ(Connections("in_use"), 2);
  RequestContext hurried;
  hurried.deadline = Deadline::After(milliseconds(50));
  const auto late = endpoints.Call(hurried, {.method = "POST", .url = "/slow"});
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(late.error().outcome_unknown);
  EXPECT_NE(late.error().message.find("all 2 are in use"), std::string::npos);
  std::stop_source stop;
  stop.request_stop();
  RequestContext stopped;
  stopped.stop = stop.get_token();
  EXPECT_EQ(endpoints.Call(stopped, {.url = "/slow"}).code(), Code::kCancelled);
  gate.Open();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 6);
  EXPECT_EQ(most, 2);
}

}  // namespace
}  // namespace roost
