#include "cli/api.h"

#include <gtest/gtest.h>

#include "cli/session.h"
#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

// Sleeping moves it; nobody waits.
class JumpingClock final : public Clock {
 public:
  SteadyTime Now() const override { return now_; }
  WallTime WallNow() const override { return {}; }
  bool SleepUntil(SteadyTime until, std::stop_token) override {
    now_ = std::max(now_, until);
    return true;
  }
  milliseconds slept() const {
    return std::chrono::duration_cast<milliseconds>(now_.time_since_epoch());
  }

 private:
  SteadyTime now_{};
};

std::string Url(const TestServer& server) {
  return "http://127.0.0.1:" + std::to_string(server.port());
}

HttpResponse Problem(int status, const std::string& code, const std::string& detail) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = R"({"status":)" + std::to_string(status) + R"(,"code":")" + code +
                  R"(","detail":")" + detail + "\"}"};
}

TEST(Api, GivesTheServersOwnCodeAndWords) {
  TestServer server;
  server.On("/gone").handle = [](const HttpRequest&) {
    return Problem(404, "NOT_FOUND", "there is no collection \\\"x\\\"");
  };
  server.Start();
  JumpingClock clock;
  Api api({.url = Url(server) + "//"}, clock);
  const auto reply = api.Call("GET", "/gone");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.code(), Code::kNotFound);
  EXPECT_EQ(reply.error().message, "there is no collection \"x\"");
  EXPECT_FALSE(api.unreachable());
}

TEST(Api, AsksWhetherAPageOfAnotherServerIsRoosts) {
  TestServer server;
  server.On("/x").handle = [](const HttpRequest&) {
    return HttpResponse{.status = 502, .content_type = "text/html", .body = "<h1>Bad</h1>"};
  };
  server.Start();
  JumpingClock clock;
  Api api({.url = Url(server)}, clock);
  const auto reply = api.Call("GET", "/x");
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_NE(reply.error().message.find("502; is that a Roost server?"), std::string::npos);
}

TEST(Api, TellsThatNobodyAnswersAndHowToSayAnotherPlace) {
  uint16_t port = 0;
  {
    TestServer server;
    server.Start();
    port = server.port();
  }
  JumpingClock clock;
  Api api({.url = "http://127.0.0.1:" + std::to_string(port)}, clock);
  const auto reply = api.Call("GET", "/");
  ASSERT_FALSE(reply.ok());
  EXPECT_TRUE(api.unreachable());
  EXPECT_NE(reply.error().message.find("--url"), std::string::npos) << reply.error().message;
  EXPECT_EQ(ExitStatusOf(reply.code(), api.unreachable()), ExitStatus::kUnreachable);
}

TEST(Api, WaitsAsLongAsABusyServerSaysAndTriesAgain) {
  TestServer server;
  int calls = 0;
  server.On("/busy").handle = [&calls](const HttpRequest&) {
    HttpResponse response = Problem(503, "UNAVAILABLE", "full");
    response.headers.emplace_back("retry-after", "3");
    return ++calls < 3 ? response : HttpResponse{.body = "done"};
  };
  server.Start();
  JumpingClock clock;
  Api api({.url = Url(server)}, clock);
  const auto reply = api.CallPatiently("POST", "/busy", "{}", false);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(*reply, "done");
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(api.retries(), 2u);
  EXPECT_EQ(clock.slept(), milliseconds(6'000));
}

TEST(Api, GivesUpAfterItsAttemptsAndAtAnInterrupt) {
  TestServer server;
  int calls = 0;
  server.On("/busy").handle = [&calls](const HttpRequest&) {
    ++calls;
    return Problem(503, "UNAVAILABLE", "full");
  };
  server.Start();
  JumpingClock clock;
  Api patient({.url = Url(server), .attempts = 4}, clock);
  EXPECT_EQ(patient.CallPatiently("POST", "/busy", "{}", false).code(), Code::kUnavailable);
  EXPECT_EQ(calls, 4);
  Api interrupted({.url = Url(server), .give_up = [] { return true; }}, clock);
  EXPECT_EQ(interrupted.CallPatiently("POST", "/busy", "{}", false).code(), Code::kCancelled);
  EXPECT_EQ(calls, 5);
}

TEST(Api, RepeatsALostCallOnlyWhereThatChangesNothing) {
  uint16_t port = 0;
  {
    TestServer server;
    server.Start();
    port = server.port();
  }
  JumpingClock clock;
  Api api({.url = "http://127.0.0.1:" + std::to_string(port), .attempts = 3}, clock);
  EXPECT_FALSE(api.CallPatiently("POST", "/insert", "{}", false).ok());
  EXPECT_EQ(api.retries(), 0u);
  EXPECT_FALSE(api.CallPatiently("POST", "/upsert", "{}", true).ok());
  EXPECT_EQ(api.retries(), 2u);
}

TEST(Api, EncodesNamesForPaths) {
  EXPECT_EQ(PercentEncode("a b/ä?%"), "a%20b%2F%C3%A4%3F%25");
  EXPECT_EQ(CollectionPath("shop.books", "/get"), "/v1/collections/shop.books/get");
}

}  // namespace
}  // namespace roost
