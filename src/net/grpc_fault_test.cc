// What a server, a network or an attacker may do to a gRPC client.

#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "net/grpc_client.h"
#include "net/grpc_testing.h"
#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Connection = GrpcTestServer::Connection;
using Reply = GrpcTestServer::Reply;
using Request = GrpcTestServer::Request;

void Echo(Connection& connection, const Request& request) {
  connection.Send(request.stream, Reply::Message(request.message()));
}

class GrpcFaultTest : public testing::Test {
 protected:
  std::unique_ptr<GrpcClient> Connect(GrpcOptions options) {
    auto client = GrpcClient::Create(std::move(options), clock_, random_, *metrics_);
    EXPECT_TRUE(client.ok()) << client.error().message;
    return std::move(client).value();
  }
  std::unique_ptr<GrpcClient> Connect(const GrpcTestServer& server) {
    return Connect({.hosts = {{"127.0.0.1", server.port()}}});
  }
  static Result<std::string> Call(GrpcClient& client, const std::string& message = "m",
                                  GrpcEffect effect = GrpcEffect::kWrite,
                                  milliseconds timeout = seconds(20)) {
    RequestContext context;
    context.deadline = Deadline::After(timeout);
    return client.Call(context, {.method = "/p.S/Do", .message = message, .effect = effect});
  }
  /// A port of 127.0.0.1 where nobody listens.
  static uint16_t ClosedPort() {
    GrpcTestServer server(Echo);
    return server.port();
  }
  double Metric(const std::string& name) {
    return metrics_->GetCounter(name, "", {{"store", "grpc"}}).value();
  }
  double OpenConnections() {
    return metrics_->GetGauge("roost_grpc_connections", "", {{"store", "grpc"}}).value();
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
};

TEST_F(GrpcFaultTest, NobodyListens) {
  const auto client = Connect({.hosts = {{"127.0.0.1", ClosedPort()}}});
  const auto reply = Call(*client);
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_NE(reply.error().message.find("connection refused"), std::string::npos)
      << reply.error().message;
  EXPECT_FALSE(reply.error().outcome_unknown);
  EXPECT_EQ(Metric("roost_grpc_connect_failures_total"), 1) << "once is enough";
  EXPECT_EQ(Call(*Connect({.hosts = {{"no-such-host.invalid", 1}}})).code(), Code::kUnavailable);
}

TEST_F(GrpcFaultTest, AnEndpointThatIsAwayIsPassedOver) {
  GrpcTestServer server(Echo);
  FakeClock clock;  // Stands still: the endpoint's rest does not end.
  const auto client =
      GrpcClient::Create({.hosts = {{"127.0.0.1", ClosedPort()}, {"127.0.0.1", server.port()}}},
                         clock, random_, *metrics_);
  ASSERT_TRUE(client.ok());
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Call(**client).ok());
  }
  EXPECT_EQ((*client)->endpoints()[0].failures, 1);
  EXPECT_EQ((*client)->endpoints()[1].failures, 0);
}

TEST_F(GrpcFaultTest, ASilentPeerIsGivenUpInTime) {
  GrpcTestServer server(Echo, {.greet = false});
  const auto client =
      Connect({.hosts = {{"127.0.0.1", server.port()}}, .connect_timeout = milliseconds(100)});
  EXPECT_EQ(
      Call(*client).error().message,
      "cannot reach 127.0.0.1:" + std::to_string(server.port()) + ": no answer within 100 ms");
  const auto hurried = Call(*client, "m", GrpcEffect::kWrite, milliseconds(20));
  EXPECT_EQ(hurried.code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(hurried.error().outcome_unknown);
}

TEST_F(GrpcFaultTest, ThoseWhoWaitForAConnectionShareItsFailure) {
  GrpcTestServer server(Echo, {.greet = false});
  const auto client =
      Connect({.hosts = {{"127.0.0.1", server.port()}}, .connect_timeout = milliseconds(300)});
  std::atomic<int> unavailable{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] { unavailable += Call(*client).code() == Code::kUnavailable; });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(unavailable, 16);
  EXPECT_LE(server.connections(), 4) << "not one after another";
}

TEST_F(GrpcFaultTest, AnotherProtocolIsNamed) {
  GrpcTestServer web(Echo, {.first_bytes = "HTTP/1.1 400 Bad Request\r\n\r\n"});
  EXPECT_NE(Call(*Connect(web)).error().message.find("speaks HTTP/1.1, not gRPC"),
            std::string::npos);
  GrpcTestServer mail(Echo, {.first_bytes = "220 mail.example ESMTP ready, go ahead\r\n"});
  const auto reply = Call(*Connect(mail));
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_NE(reply.error().message.find("breaks the rules of HTTP/2"), std::string::npos)
      << reply.error().message;
}

TEST_F(GrpcFaultTest, ACallThatTheServerRefusedIsSentAgain) {
  std::atomic<int> calls{0};
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    if (++calls % 2 == 1) {
      nghttp2_submit_rst_stream(connection.session(), NGHTTP2_FLAG_NONE, request.stream,
                                NGHTTP2_REFUSED_STREAM);
    } else {
      Echo(connection, request);
    }
  });
  const auto client = Connect(server);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Call(*client).ok());
  }
  EXPECT_EQ(calls, 20);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(Metric("roost_grpc_retries_total"), 10);
}

TEST_F(GrpcFaultTest, RefusalsWithoutEndAreTheCallers) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    nghttp2_submit_rst_stream(connection.session(), NGHTTP2_FLAG_NONE, request.stream,
                              NGHTTP2_REFUSED_STREAM);
  });
  const auto client = Connect(server);
  const auto reply = Call(*client);
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_FALSE(reply.error().outcome_unknown);
  EXPECT_EQ(Metric("roost_grpc_retries_total"), 2);
}

TEST_F(GrpcFaultTest, GoAwayMovesCallsItLeftOutToANewConnection) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    if (request.connection == 0 && request.message() == "last") {
      connection.GoAway(request.stream - 2, NGHTTP2_NO_ERROR, "");
    } else {
      Echo(connection, request);
    }
  });
  const auto client = Connect(server);
  EXPECT_TRUE(Call(*client, "first").ok());
  EXPECT_EQ(*Call(*client, "last"), "last");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(client->endpoints()[0].failures, 0) << "an orderly end is no failure";
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 1; }));
}

TEST_F(GrpcFaultTest, GoAwayLetsTheCallsItTookEnd) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    if (request.connection == 0) {
      connection.GoAway(request.stream, NGHTTP2_NO_ERROR, "");
    }
    Echo(connection, request);
  });
  const auto client = Connect(server);
  EXPECT_TRUE(Call(*client).ok());
  EXPECT_TRUE(Call(*client).ok());
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(Metric("roost_grpc_retries_total"), 0);
}

TEST_F(GrpcFaultTest, TheReasonOfAGoAwayIsTold) {
  GrpcTestServer server([](Connection& connection, const Request&) {
    connection.GoAway(1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    connection.Close();
  });
  const auto reply = Call(*Connect(server));
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_TRUE(reply.error().outcome_unknown);
  EXPECT_NE(reply.error().message.find("ENHANCE_YOUR_CALM, too_many_pings"), std::string::npos)
      << reply.error().message;
}

TEST_F(GrpcFaultTest, ALostConnectionLeavesAWritesOutcomeOpenAndRepeatsARead) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    if (request.message() == "cut" || request.connection == 0) {
      connection.Close();
    } else {
      Echo(connection, request);
    }
  });
  const auto client = Connect(server);
  EXPECT_TRUE(Call(*client, "m", GrpcEffect::kRead).ok());
  EXPECT_EQ(server.connections(), 2);
  const auto write = Call(*client, "cut");
  EXPECT_EQ(write.code(), Code::kUnavailable);
  EXPECT_TRUE(write.error().outcome_unknown);
  EXPECT_NE(write.error().message.find("lost the connection to 127.0.0.1:"), std::string::npos);
  EXPECT_EQ(server.connections(), 2) << "a write is not sent twice";
  const auto read = Call(*client, "cut", GrpcEffect::kRead);
  EXPECT_FALSE(read.error().outcome_unknown);
  EXPECT_EQ(server.connections(), 5) << "three tries";
}

TEST_F(GrpcFaultTest, AllCallsOfALostConnectionLearnOfIt) {
  std::atomic<int> arrived{0};
  GrpcTestServer server([&](Connection& connection, const Request&) {
    if (++arrived == 8) {
      connection.Close();
    }
  });
  const auto client = Connect(server);
  std::atomic<int> unknown{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto reply = Call(*client);
      unknown += reply.code() == Code::kUnavailable && reply.error().outcome_unknown;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(unknown, 8);
}

TEST_F(GrpcFaultTest, AConnectionThatEndedWhileIdleIsReplaced) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    Echo(connection, request);
    connection.Close();
  });
  FakeClock clock;
  const auto client =
      GrpcClient::Create({.hosts = {{"127.0.0.1", server.port()}}}, clock, random_, *metrics_);
  ASSERT_TRUE(client.ok());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(Call(**client).ok());
    // The background thread finds the end and closes our side.
    EXPECT_TRUE(Eventually([&] {
      clock.AwaitSleepers(1);
      clock.Advance(seconds(1));
      return server.open() == 0;
    }));
    EXPECT_EQ(server.connections(), i);
  }
  EXPECT_EQ(Metric("roost_grpc_retries_total"), 0);
}

TEST_F(GrpcFaultTest, ADeadPeerIsFoundByAPing) {
  std::atomic<int> arrived{0};
  GrpcTestServer server(
      [&](Connection& connection, const Request& request) {
        if (++arrived == 1) {
          Echo(connection, request);
        }
      },
      {.answer_pings = false});
  FakeClock clock;
  const auto client =
      GrpcClient::Create({.hosts = {{"127.0.0.1", server.port()}}}, clock, random_, *metrics_);
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(Call(**client).ok());  // Now the peer has said all it has to say.
  Result<std::string> reply = std::string();
  std::jthread caller([&] { reply = Call(**client); });
  ASSERT_TRUE(Eventually([&] { return arrived == 2; }));
  clock.AwaitSleepers(1);
  clock.Advance(seconds(29));
  clock.AwaitSleepers(1);
  EXPECT_EQ(server.pings(), 0);
  clock.Advance(seconds(1));
  EXPECT_TRUE(Eventually([&] { return server.pings() == 1; }));
  clock.AwaitSleepers(1);
  clock.Advance(seconds(10));
  caller.join();
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_TRUE(reply.error().outcome_unknown);
  EXPECT_NE(reply.error().message.find("no sign of life for 40000 ms"), std::string::npos);
}

TEST_F(GrpcFaultTest, APeerThatAnswersPingsIsLeftInPeace) {
  std::atomic<int> arrived{0};
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    if (++arrived == 2) {
      connection.Send(request.stream - 2, Reply::Message("first"));
      connection.Send(request.stream, Reply::Message("second"));
    }
  });
  FakeClock clock;
  // Time here runs faster than the answers to pings, so it may take them a long time.
  const auto client = GrpcClient::Create(
      {.hosts = {{"127.0.0.1", server.port()}}, .keepalive_timeout = std::chrono::hours(10)}, clock,
      random_, *metrics_);
  ASSERT_TRUE(client.ok());
  Result<std::string> reply = std::string();
  std::jthread caller([&] { reply = Call(**client); });
  ASSERT_TRUE(Eventually([&] { return arrived == 1; }));
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(Eventually([&] {
      clock.AwaitSleepers(1);
      clock.Advance(seconds(1));
      return server.pings() == i;
    })) << i;
  }
  EXPECT_EQ(*Call(**client), "second");
  caller.join();
  EXPECT_EQ(*reply, "first");
}

TEST_F(GrpcFaultTest, HostileRepliesAreErrorsAndTheConnectionLives) {
  const HttpHeaders grpc = {{":status", "200"}, {"content-type", "application/grpc"}};
  const HttpHeaders ok = {{"grpc-status", "0"}};
  struct Case {
    std::string name;
    Reply reply;
    Code code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {"no trailers", {.body = GrpcFramed("x")}, Code::kInternal, "ends without a status"},
      {"nothing at all", {.headers = grpc}, Code::kInternal, "ends without a status"},
      {"status without message", {.trailers = ok}, Code::kInternal, "no message"},
      {"length too large",
       {.body = std::string("\0\0\0\0\x09x", 6), .trailers = ok},
       Code::kInternal,
       "cut short"},
      {"length too small",
       {.body = std::string("\0\0\0\0\1xyz", 8), .trailers = ok},
       Code::kInternal,
       "goes on after"},
      {"length of 4 GiB",
       {.body = std::string("\0\xff\xff\xff\xff", 5), .no_end = true},
       Code::kResourceExhausted,
       "4294967295 bytes"},
      {"half a message, then reset",
       {.body = GrpcFramed("half of it").substr(0, 9), .reset = NGHTTP2_INTERNAL_ERROR},
       Code::kInternal,
       "broke the call off"},
      {"a message, then reset",
       {.body = GrpcFramed("x"), .reset = NGHTTP2_CANCEL},
       Code::kCancelled,
       "broke the call off"},
      {"compressed",
       {.body = std::string("\1\0\0\0\1x", 6), .trailers = ok},
       Code::kInternal,
       "compressed"},
      {"HTML",
       {.headers = {{":status", "502"}, {"content-type", "text/html"}}, .body = "<p>Bad gateway"},
       Code::kUnavailable,
       "HTTP status 502, \"<p>Bad gateway\""},
      {"HTML as a success",
       {.headers = {{":status", "200"}, {"content-type", "text/html"}}, .body = "<p>Hi"},
       Code::kUnknown,
       "no gRPC"},
      {"headers of 100 KB",
       {.headers = {{":status", "200"},
                    {"x", std::string(60'000, 'y')},
                    {"z", std::string(9'000, 'y')}}},
       Code::kInternal,
       "headers are larger"},
      {"a status that is no number",
       {.body = GrpcFramed("x"), .trailers = HttpHeaders{{"grpc-status", "fine"}}},
       Code::kUnknown,
       ""},
  };
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    if (request.message() == "m") {
      Echo(connection, request);
    } else {
      connection.Send(request.stream, cases[std::stoul(request.message())].reply);
    }
  });
  const auto client = Connect(server);
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto reply = Call(*client, std::to_string(i));
    ASSERT_FALSE(reply.ok()) << cases[i].name;
    EXPECT_EQ(reply.code(), cases[i].code) << cases[i].name << ": " << reply.error().message;
    EXPECT_NE(reply.error().message.find(cases[i].says), std::string::npos)
        << cases[i].name << ": " << reply.error().message;
    EXPECT_EQ(reply.error().outcome_unknown, cases[i].code != Code::kResourceExhausted)
        << cases[i].name;
    EXPECT_TRUE(Call(*client).ok()) << cases[i].name;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(GrpcFaultTest, GarbageAmongFramesBreaksTheConnectionOnly) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    if (request.message() == "m") {
      Echo(connection, request);
    } else if (request.message() == "frame") {
      connection.Raw(std::string("\0\0\4\x06\0\0\0\0\0oops", 13));  // A PING of four bytes.
    } else {
      connection.Raw(std::string(1000, '\xff'));
    }
  });
  const auto client = Connect(server);
  for (const std::string kind : {"frame", "noise"}) {
    const auto reply = Call(*client, kind);
    EXPECT_EQ(reply.code(), Code::kUnavailable);
    EXPECT_TRUE(reply.error().outcome_unknown);
    EXPECT_NE(reply.error().message.find("breaks the rules of HTTP/2"), std::string::npos)
        << reply.error().message;
    EXPECT_TRUE(Call(*client).ok());
  }
}

TEST_F(GrpcFaultTest, AnAnswerBeforeTheRequestIsThroughEndsTheCall) {
  GrpcTestServer server(
      [](Connection& connection, const Request& request) {
        connection.Send(request.stream, Reply::Status(8, "too large"));
      },
      {.window = 1000, .on_headers = true});
  const auto client = Connect(server);
  for (int i = 0; i < 3; ++i) {
    const auto reply = Call(*client, std::string(10 << 20, 'x'));
    EXPECT_EQ(reply.code(), Code::kResourceExhausted) << reply.error().message;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(GrpcFaultTest, SurvivesManyThreadsOnAConnectionThatKeepsBreaking) {
  std::atomic<int> calls{0};
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    const int call = ++calls;
    if (call % 50 == 0) {
      connection.GoAway(request.stream, NGHTTP2_NO_ERROR, "");
    }
    if (call % 73 == 0) {
      connection.Close();
    } else if (call % 11 != 0) {
      Echo(connection, request);
    }
  });
  const auto client = Connect(
      {.hosts = {{"127.0.0.1", server.port()}}, .connections_per_host = 2, .max_attempts = 10});
  std::atomic<int> good{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string message = std::to_string(t * 1000 + i);
        const auto reply = Call(*client, message, GrpcEffect::kRead, milliseconds(100));
        good += reply.ok();
        wrong += reply.ok() && *reply != message;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(good, 500);
}

}  // namespace
}  // namespace roost
