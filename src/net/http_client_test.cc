#include "net/http_client.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Url(const TestServer& server, const std::string& path) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + path;
}

TEST(HttpClient, CallsAndKeepsTheConnection) {
  TestServer server;
  server.AddEcho();
  server.Start();
  HttpClient client;
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    const bool body = method != "GET" && method != "DELETE";
    const auto reply = client.Call(
        {}, {.method = method, .url = Url(server, "/echo?a=b"), .body = body ? "text" : ""});
    ASSERT_TRUE(reply.ok()) << reply.error().ToString();
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, method + " /echo a=b " + (body ? "text" : ""));
    EXPECT_EQ(reply->Header("content-type"), "text/plain");
  }
  const auto head = client.Call({}, {.method = "HEAD", .url = Url(server, "/echo")});
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->Header("content-length"), "12");
  EXPECT_EQ(client.Call({}, {.url = Url(server, "/nowhere")})->status, 404);
  EXPECT_EQ(server.Metric("roost_http_connections"), 1);
  EXPECT_EQ(client.stats().idle, 1u);
}

TEST(HttpClient, SendsHeadersAndTheContext) {
  TestServer server;
  HttpRequest seen;
  server.On("/see").handle = [&seen](const HttpRequest& request) {
    seen = request;
    return HttpResponse{};
  };
  server.Start();
  HttpClient client;
  RequestContext context;
  context.request_id = "call-7";
  context.deadline = Deadline::After(seconds(20));
  ASSERT_TRUE(client
                  .Call(context, {.method = "POST",
                                  .url = Url(server, "/see"),
                                  .headers = {{"Authorization", "Bearer k"}, {"X-Empty", ""}}})
                  .ok());
  EXPECT_EQ(seen.Header("authorization"), "Bearer k");
  EXPECT_EQ(seen.Header("content-type"), "application/json");
  EXPECT_EQ(seen.Header("expect"), "");
  EXPECT_EQ(seen.context.request_id, "call-7");
  EXPECT_LE(seen.context.deadline.Remaining(), seconds(20));
  HttpClient silent({.send_context = false});
  ASSERT_TRUE(silent.Call(context, {.url = Url(server, "/see")}).ok());
  EXPECT_EQ(seen.Header("x-request-timeout-ms"), "");
}

TEST(HttpClient, SaysWhatToDoWhenNobodyListens) {
  uint16_t port = 0;
  {
    TestServer server;
    server.Start();
    port = server.port();
  }
  HttpClient client;
  const std::string url = "http://user:secret@127.0.0.1:" + std::to_string(port);
  const auto reply = client.Call({}, {.method = "POST", .url = url + "/x?key=secret"});
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_EQ(reply.error().message, "cannot reach http://127.0.0.1:" + std::to_string(port) +
                                       ": connection refused; is `roost serve` running?");
  EXPECT_FALSE(reply.error().outcome_unknown) << "nothing was sent";
  EXPECT_EQ(client.Call({}, {.url = "ftp://x"}).code(), Code::kInvalidArgument);
  EXPECT_EQ(client.Call({}, {.url = "http://:bad:"}).code(), Code::kInvalidArgument);
  EXPECT_EQ(client.Call({}, {.url = "http://no-such-host.invalid"}).code(), Code::kUnavailable);
}

TEST(HttpClient, StopsAtTheDeadlineAndOnRequest) {
  TestServer server;
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{};
  };
  server.Start();
  HttpClient client({.send_context = false});
  RequestContext context;
  context.deadline = Deadline::After(milliseconds(100));
  auto began = std::chrono::steady_clock::now();
  const auto late = client.Call(context, {.method = "POST", .url = Url(server, "/slow")});
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(late.error().outcome_unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 0; })) << "the server is told";

  std::stop_source stop;
  RequestContext stoppable;
  stoppable.stop = stop.get_token();
  std::thread stopper([&] {
    EXPECT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
    stop.request_stop();
  });
  began = std::chrono::steady_clock::now();
  const auto stopped = client.Call(stoppable, {.url = Url(server, "/slow")});
  EXPECT_EQ(stopped.code(), Code::kCancelled);
  EXPECT_FALSE(stopped.error().outcome_unknown) << "a GET";
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  stopper.join();
  EXPECT_EQ(client.Call(stoppable, {.url = Url(server, "/slow")}).code(), Code::kCancelled);
}

TEST(HttpClient, StreamsBothWays) {
  TestServer server;
  server.On("/swap").stream_body = true;
  server.On("/swap").stream = [](const HttpRequest& request, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    for (;;) {
      const std::string piece = TRY(request.body_reader->Read());
      if (piece.empty()) {
        return {};
      }
      TRY(writer.Write(piece));
    }
  };
  server.Start();
  HttpClient client;
  for (const bool announced : {false, true}) {
    constexpr size_t kTotal = 20'000'000;
    size_t sent = 0;
    size_t received = 0;
    HttpCall call{.method = "POST", .url = Url(server, "/swap")};
    call.upload = [&]() -> Result<std::string> {
      const size_t bytes = std::min<size_t>(100'000, kTotal - sent);
      sent += bytes;
      return std::string(bytes, 'u');
    };
    if (announced) {
      call.upload_bytes = kTotal;
    }
    call.download = [&](std::string_view piece) -> Status {
      received += piece.size();
      return {};
    };
    const auto reply = client.Call({}, call);
    ASSERT_TRUE(reply.ok()) << reply.error().ToString();
    EXPECT_EQ(reply->body, "");
    EXPECT_EQ(received, kTotal);
  }
}

TEST(HttpClient, ErrorsOfCallbacksAreTheCallsErrors) {
  TestServer server;
  server.AddEcho();
  server.Start();
  HttpClient client;
  HttpCall call{.method = "POST", .url = Url(server, "/echo")};
  call.upload = []() -> Result<std::string> { return DataLoss("disk gone"); };
  EXPECT_EQ(client.Call({}, call).code(), Code::kDataLoss);
  call.upload = nullptr;
  call.download = [](std::string_view) -> Status { return Aborted("enough"); };
  EXPECT_EQ(client.Call({}, call).code(), Code::kAborted);
  call.url = Url(server, "/nowhere");
  const auto reply = client.Call({}, call);
  ASSERT_TRUE(reply.ok()) << "an error's body is not a download";
  EXPECT_NE(reply->body.find("NOT_FOUND"), std::string::npos);
}

TEST(HttpClient, LimitsTheReply) {
  TestServer server;
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(100'000, 'x')};
  };
  server.Start();
  HttpClient client({.max_reply_bytes = 50'000});
  EXPECT_EQ(client.Call({}, {.url = Url(server, "/large")}).code(), Code::kResourceExhausted);
}

TEST(HttpClient, SurvivesAServerThatClosedTheKeptConnection) {
  TestServer server;
  server.options.keep_alive_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  HttpClient client;
  const HttpCall call{.method = "POST", .url = Url(server, "/echo"), .body = "b"};
  ASSERT_TRUE(client.Call({}, call).ok());
  ASSERT_TRUE(Eventually([&] { return server.Metric("roost_http_connections") == 0; }));
  EXPECT_TRUE(client.Call({}, call).ok());
}

TEST(HttpClient, LostConnectionLeavesTheOutcomeOpen) {
  TestServer server;
  server.On("/cut").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    return Internal("cut");
  };
  server.Start();
  HttpClient client;
  const auto reply = client.Call({}, {.method = "POST", .url = Url(server, "/cut")});
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_TRUE(reply.error().outcome_unknown);
  EXPECT_NE(reply.error().message.find("lost the connection"), std::string::npos);
}

/// Answers every connection with these bytes and closes it.
class CutServer {
 public:
  CutServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, any, size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, any, &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  }
  ~CutServer() { ::close(socket_); }
  CutServer(const CutServer&) = delete;
  CutServer& operator=(const CutServer&) = delete;

  const std::string& url() const { return url_; }
  void AnswerOnce(std::string_view bytes) const {
    const int peer = ::accept(socket_, nullptr, nullptr);
    std::string request;
    while (!request.ends_with("body")) {
      char piece[4096];
      const ssize_t more = ::recv(peer, piece, sizeof piece, 0);
      ASSERT_GT(more, 0);
      request.append(piece, static_cast<size_t>(more));
    }
    EXPECT_EQ(::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    ::close(peer);
  }

 private:
  const int socket_;
  std::string url_;
};

TEST(HttpClient, AReplyThatIsCutAnywhereIsALostConnection) {
  CutServer server;
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  for (size_t bytes = 0; bytes <= reply.size(); ++bytes) {
    std::jthread thread([&] { server.AnswerOnce(std::string_view(reply).substr(0, bytes)); });
    HttpClient client;
    const auto got = client.Call({}, {.method = "POST", .url = server.url(), .body = "body"});
    if (bytes == reply.size()) {
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got->body, "{}");
      continue;
    }
    ASSERT_FALSE(got.ok()) << "cut after " << bytes << " bytes: " << got->status;
    EXPECT_EQ(got.code(), Code::kUnavailable) << bytes << ": " << got.error().message;
    EXPECT_TRUE(got.error().outcome_unknown) << bytes;
    EXPECT_EQ(client.stats().idle, 0u) << "a lost connection must not be counted as one";
  }
}

TEST(HttpClient, ServesManyThreads) {
  TestServer server({.threads = 16, .queue = 256});
  server.AddEcho();
  server.Start();
  HttpClient client({.max_idle = 4});
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        const std::string body = std::to_string(i * 1000 + n);
        const auto reply =
            client.Call({}, {.method = "POST", .url = Url(server, "/echo"), .body = body});
        good += reply.ok() && reply->body == "POST /echo  " + body;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 400);
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_connections") <= 4; }));
}

}  // namespace
}  // namespace roost
