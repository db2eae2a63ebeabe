#include "net/grpc_client.h"

#include <atomic>
#include <barrier>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

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
void Silence(Connection&, const Request&) {}

class GrpcClientTest : public testing::Test {
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
  double Metric(const std::string& name) {
    return metrics_->GetCounter(name, "", {{"store", "grpc"}}).value();
  }

  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
};

TEST_F(GrpcClientTest, CallsAndKeepsTheConnection) {
  std::mutex mutex;
  Request seen;
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    const std::lock_guard lock(mutex);
    seen = request;
    Echo(connection, request);
  });
  const auto client = Connect(
      {.hosts = {{"127.0.0.1", server.port()}}, .metadata = {{"authorization", "Bearer x"}}});
  EXPECT_EQ(server.connections(), 0) << "connects when it must";
  for (const std::string message : {"", "one", "two"}) {
    const auto reply = client->Call(
        {}, {.method = "/p.S/Do", .message = message, .metadata = {{"dbname", "books"}}});
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_EQ(*reply, message);
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(seen.path, "/p.S/Do");
  EXPECT_EQ(seen.Header(":method"), "POST");
  EXPECT_EQ(seen.Header(":scheme"), "http");
  EXPECT_EQ(seen.Header("te"), "trailers");
  EXPECT_EQ(seen.Header("content-type"), "application/grpc");
  EXPECT_EQ(seen.Header("authorization"), "Bearer x");
  EXPECT_EQ(seen.Header("dbname"), "books");
  EXPECT_EQ(seen.Header("grpc-timeout"), "");
  ASSERT_TRUE(Call(*client).ok());
  EXPECT_EQ(seen.Header("grpc-timeout").back(), 'u');
  EXPECT_EQ(Metric("roost_grpc_connects_total"), 1);
}

TEST_F(GrpcClientTest, LargeMessagesPassBothWays) {
  GrpcTestServer server(Echo, {.window = 65535});
  const auto client = Connect(server);
  std::string large(4 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) {
    large[i] = static_cast<char>(i * 2654435761U >> 24);
  }
  const auto reply = Call(*client, large);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_TRUE(*reply == large);
}

TEST_F(GrpcClientTest, ManyCallersShareOneConnection) {
  GrpcTestServer server(Echo);
  const auto client = Connect(server);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string message =
            std::string(i % 50 == 0 ? 100'000 : 10, static_cast<char>('a' + t)) + std::to_string(i);
        const auto reply = Call(*client, message);
        good += reply.ok() && *reply == message;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 3200);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(GrpcClientTest, RepliesInAnyOrderReachTheirCallers) {
  constexpr size_t kCallers = 8;
  std::vector<Request> waiting;  // Of one connection, so of one thread.
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    waiting.push_back(request);
    if (waiting.size() == kCallers) {
      for (; !waiting.empty(); waiting.pop_back()) {
        Echo(connection, waiting.back());
      }
    }
  });
  const auto client = Connect(server);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kCallers; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string message = std::to_string(t * 100 + i);
        const auto reply = Call(*client, message);
        good += reply.ok() && *reply == message;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 160);
}

TEST_F(GrpcClientTest, TheReaderHandsOverWhenItsOwnReplyIsThere) {
  const std::string large(20 << 20, 'L');  // Many reads long.
  std::atomic<int> arrived{0};
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    if (++arrived == 2) {
      connection.Send(request.stream - 2, Reply::Message("small"));
      connection.Send(request.stream, Reply::Message(large));
    }
  });
  FakeClock clock;  // Stands still: nobody looks after the connection but its callers.
  const auto client =
      GrpcClient::Create({.hosts = {{"127.0.0.1", server.port()}}}, clock, random_, *metrics_);
  ASSERT_TRUE(client.ok());
  Result<std::string> first = std::string();
  std::jthread reader([&] { first = Call(**client); });
  ASSERT_TRUE(Eventually([&] { return arrived == 1; }));
  const auto second = Call(**client);
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_TRUE(*second == large);
  reader.join();
  EXPECT_EQ(*first, "small");
}

TEST_F(GrpcClientTest, CallsBeyondTheServersLimitWaitTheirTurn) {
  std::vector<Request> waiting;
  std::atomic<size_t> most{0};
  GrpcTestServer server(
      [&](Connection& connection, const Request& request) {
        waiting.push_back(request);
        most = std::max<size_t>(most, waiting.size());
        if (waiting.size() == 2) {
          Echo(connection, waiting[0]);
          Echo(connection, waiting[1]);
          waiting.clear();
        }
      },
      {.max_streams = 2});
  const auto client = Connect(server);
  std::atomic<int> good{0};
  std::barrier round(8);  // The server answers pairs only.
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        good += Call(*client).ok();
        round.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 80);
  EXPECT_EQ(most, 2);
}

TEST_F(GrpcClientTest, StatusesOfTheServerArePassedOn) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    connection.Send(request.stream, Reply::Status(std::stoi(request.message()), "no%20luck"));
  });
  const auto client = Connect(server);
  for (int code = 1; code <= 16; ++code) {
    const auto reply = Call(*client, std::to_string(code));
    EXPECT_EQ(static_cast<int>(reply.code()), code);
    EXPECT_EQ(reply.error().message,
              "Do at 127.0.0.1:" + std::to_string(server.port()) + ": no luck");
  }
  EXPECT_FALSE(Call(*client, "5").error().outcome_unknown);
  EXPECT_FALSE(Call(*client, "8").error().outcome_unknown);
  EXPECT_TRUE(Call(*client, "14").error().outcome_unknown);
  EXPECT_TRUE(Call(*client, "13").error().outcome_unknown);
  EXPECT_FALSE(Call(*client, "14", GrpcEffect::kRead).error().outcome_unknown);
}

TEST_F(GrpcClientTest, TheDeadlineEndsACallAndTheConnectionGoesOn) {
  GrpcTestServer server([](Connection& connection, const Request& request) {
    if (request.message() != "hang") {
      Echo(connection, request);
    }
  });
  const auto client = Connect(server);
  ASSERT_TRUE(Call(*client).ok());
  const auto start = std::chrono::steady_clock::now();
  const auto reply = Call(*client, "hang", GrpcEffect::kWrite, milliseconds(200));
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(reply.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(reply.error().outcome_unknown);
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, seconds(5));
  EXPECT_FALSE(Call(*client, "hang", GrpcEffect::kRead, milliseconds(50)).error().outcome_unknown);
  EXPECT_TRUE(Call(*client).ok());
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(Eventually([&] { return server.resets() == 2; })) << "the server is told";
  EXPECT_EQ(Call(*client, "m", GrpcEffect::kWrite, milliseconds(-1)).code(),
            Code::kDeadlineExceeded);
}

TEST_F(GrpcClientTest, StopEndsTheReaderAndThoseWhoWaitForIt) {
  std::atomic<int> arrived{0};
  GrpcTestServer server([&](Connection& connection, const Request& request) {
    ++arrived;
    if (request.message() == "m") {
      Echo(connection, request);
    }
  });
  const auto client = Connect(server);
  ASSERT_TRUE(Call(*client).ok());
  std::vector<std::stop_source> stops(3);
  std::vector<std::thread> threads;
  std::atomic<int> cancelled{0};
  for (auto& stop : stops) {
    threads.emplace_back([&] {
      RequestContext context;
      context.stop = stop.get_token();
      const auto reply = client->Call(context, {.method = "/p.S/Do", .message = "hang"});
      cancelled += reply.code() == Code::kCancelled && reply.error().outcome_unknown;
    });
    ASSERT_TRUE(Eventually([&] { return arrived == static_cast<int>(threads.size()) + 1; }));
  }
  // The second waits on the first, which reads; then the first goes and another must read.
  for (const size_t i : {1, 0, 2}) {
    stops[i].request_stop();
    threads[i].join();
    EXPECT_TRUE(Call(*client).ok());
  }
  EXPECT_EQ(cancelled, 3);
  RequestContext stopped;
  stopped.stop = stops[0].get_token();
  EXPECT_EQ(client->Call(stopped, {.method = "/p.S/Do"}).code(), Code::kCancelled);
}

TEST_F(GrpcClientTest, MessagesBeyondTheirLimitsAreRefused) {
  GrpcTestServer server(Echo);
  const auto client = Connect({.hosts = {{"127.0.0.1", server.port()}},
                               .max_request_bytes = 2000,
                               .max_reply_bytes = 1000});
  const auto request = Call(*client, std::string(2001, 'x'));
  EXPECT_EQ(request.code(), Code::kResourceExhausted);
  EXPECT_NE(request.error().message.find("max_request_bytes"), std::string::npos);
  EXPECT_FALSE(request.error().outcome_unknown);
  const auto reply = Call(*client, std::string(1001, 'x'));
  EXPECT_EQ(reply.code(), Code::kResourceExhausted);
  EXPECT_NE(reply.error().message.find("max_reply_bytes"), std::string::npos);
  EXPECT_TRUE(Call(*client, std::string(1000, 'x')).ok());
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(GrpcClientTest, TooManyCallsAreRefusedAtOnce) {
  std::atomic<int> arrived{0};
  GrpcTestServer server([&](Connection&, const Request&) { ++arrived; });
  const auto client = Connect({.hosts = {{"127.0.0.1", server.port()}}, .max_calls = 2});
  std::stop_source stop;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      RequestContext context;
      context.stop = stop.get_token();
      EXPECT_EQ(client->Call(context, {.method = "/p.S/Do"}).code(), Code::kCancelled);
    });
  }
  ASSERT_TRUE(Eventually([&] { return arrived == 2; }));
  EXPECT_EQ(Call(*client).code(), Code::kResourceExhausted);
  stop.request_stop();
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_F(GrpcClientTest, NonsenseInTheOptionsIsRefused) {
  const auto create = [&](GrpcOptions options) {
    return GrpcClient::Create(std::move(options), clock_, random_, *metrics_).code();
  };
  EXPECT_EQ(create({}), Code::kInvalidArgument);
  EXPECT_EQ(create({.hosts = {{"h", 1}}, .metadata = {{"Upper", "x"}}}), Code::kInvalidArgument);
  EXPECT_EQ(create({.hosts = {{"h", 1}}, .metadata = {{"grpc-timeout", "1S"}}}),
            Code::kInvalidArgument);
  EXPECT_EQ(create({.hosts = {{"h", 1}}, .metadata = {{"a", "x\r\ny"}}}), Code::kInvalidArgument);
  EXPECT_EQ(create({.hosts = {{"h", 1}}, .tls = {.enabled = true, .ca_file = "/nowhere"}}),
            Code::kInvalidArgument);
  EXPECT_EQ(create({.hosts = {{"h", 1}}, .connections_per_host = 0}), Code::kInvalidArgument);
  GrpcTestServer server(Silence);
  EXPECT_EQ(Connect(server)->Call({}, {.method = "/p.S/Do", .metadata = {{"", ""}}}).code(),
            Code::kInvalidArgument);
}

TEST_F(GrpcClientTest, SeveralConnectionsAreUsedInTurn) {
  GrpcTestServer server(Echo);
  const auto client = Connect({.hosts = {{"127.0.0.1", server.port()}}, .connections_per_host = 3});
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(Call(*client).ok());
  }
  EXPECT_EQ(server.connections(), 3);
}

}  // namespace
}  // namespace roost
