#include "net/http_server.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "net/http_testing.h"

namespace roost {
namespace {

TEST(HttpServer, KeepsTheConnectionForTheNextRequest) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  for (const std::string path : {"/echo", "/inline"}) {
    for (int i = 0; i < 3; ++i) {
      const TestReply reply = client.Post(path + "?n=" + std::to_string(i), "body");
      EXPECT_EQ(reply.status, 200);
      EXPECT_EQ(reply.body, "POST " + path + " n=" + std::to_string(i) + " body");
      EXPECT_EQ(reply.Header("content-type"), "text/plain");
      EXPECT_FALSE(reply.Header("date").empty());
    }
  }
  EXPECT_EQ(
      server.Metric(R"(roost_http_requests_total{method="POST",protocol="http/1.1",status="2xx"})"),
      6);
  EXPECT_EQ(server.Metric("roost_http_connections"), 1);
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_requests_in_flight") == 0; }));
  EXPECT_EQ(server.Metric("roost_http_request_duration_seconds_count"), 6);
}

TEST(HttpServer, ClosesWhenTheClientAsksForIt) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  const TestReply reply = client.Get("/echo", "Connection: close\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(client.Ends());
  TestConnection old(server.port());
  old.Send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.Read().status, 200);
  EXPECT_TRUE(old.Ends());
  TestConnection kept(server.port());
  kept.Send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.Read().Header("connection"), "keep-alive");
  EXPECT_EQ(kept.Get("/echo").status, 200);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  std::string requests;
  for (int i = 0; i < 500; ++i) {
    requests += "GET " + std::string(i % 3 == 0 ? "/echo" : "/inline") + "?" + std::to_string(i) +
                " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  std::thread sender([&] { client.Send(requests); });
  for (int i = 0; i < 500; ++i) {
    const TestReply reply = client.Read();
    ASSERT_EQ(reply.status, 200) << i;
    ASSERT_NE(reply.body.find(" " + std::to_string(i) + " "), std::string::npos) << reply.body;
  }
  sender.join();
}

// Workers send small replies themselves. Were the loop not told of them where it has more to do, it
// would go on with its sweep, once a second.
TEST(HttpServer, WhatFollowsAReplyDoesNotWaitForTheSweep) {
  TestServer server;
  server.AddEcho();
  server.Start();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    TestConnection pipelined(server.port());
    ASSERT_TRUE(
        pipelined.Send("GET /echo?first HTTP/1.1\r\nHost: h\r\n\r\n"
                       "GET /echo?second HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_EQ(pipelined.Read().body, "GET /echo first ");
    EXPECT_EQ(pipelined.Read().body, "GET /echo second ");
    TestConnection half(server.port());
    ASSERT_TRUE(half.Send("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"));
    half.EndSending();
    EXPECT_EQ(half.Read().status, 200);
    EXPECT_TRUE(half.Ends());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(HttpServer, ReadsChunkedBodies) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().body, "POST /echo  hello, world");
  EXPECT_EQ(client.Get("/echo").status, 200) << "the connection goes on";
}

TEST(HttpServer, LargeBodiesArriveWholeWithRoomBehindThem) {
  TestServer server;
  size_t spare = 0;
  server.On("/size").handle = [&spare](const HttpRequest& request) {
    spare = request.body.capacity() - request.body.size();
    HttpResponse response;
    response.body = request.body;
    return response;
  };
  server.Start();
  TestConnection client(server.port());
  std::string body(5'000'001, 'a');
  for (size_t i = 0; i < body.size(); ++i) {
    body[i] = static_cast<char>('a' + i % 23);
  }
  std::thread sender([&] {
    client.Send("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
  });
  const TestReply reply = client.Read();
  sender.join();
  EXPECT_TRUE(reply.complete);
  EXPECT_TRUE(reply.body == body);
  EXPECT_GE(spare, 64u);
}

TEST(HttpServer, HeadHasTheHeadersOfGetAndNoBody) {
  TestServer server;
  server.AddEcho();
  server.On("/stream").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    return writer.Write("body");
  };
  server.Start();
  TestConnection client(server.port());
  for (const std::string path : {"/echo", "/inline", "/stream"}) {
    client.Send("HEAD " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const TestReply reply = client.Read(true);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(path == "/stream" || std::stoi(reply.Header("content-length")) > 0);
  }
  EXPECT_EQ(client.Get("/echo").body, "GET /echo  ");
}

TEST(HttpServer, RepliesWithoutBodyHaveNone) {
  TestServer server;
  server.On("/none").handle = [](const HttpRequest&) { return HttpResponse{.status = 204}; };
  server.Start();
  TestConnection client(server.port());
  const TestReply reply = client.Get("/none");
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.Header("content-length"), "");
  EXPECT_EQ(client.Get("/none").status, 204);
}

TEST(HttpServer, SaysContinueOnlyToThoseWhoWait) {
  TestServer server;
  server.options.max_body_bytes = 1000;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  client.Send("body");
  EXPECT_EQ(client.Read().body, "POST /echo  body");
  // Nothing is asked for that would be refused.
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Read().status, 413);
  EXPECT_TRUE(client.Ends());
  TestConnection other(server.port());
  other.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: magic\r\n\r\n");
  EXPECT_EQ(other.Read().status, 417);
}

TEST(HttpServer, EchoesTheRequestIdOrMakesOne) {
  TestServer server;
  std::string seen;
  server.On("/id").handle = [&seen](const HttpRequest& request) {
    seen = request.context.request_id + " " + std::string(request.Header("traceparent"));
    return HttpResponse{};
  };
  server.Start();
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/id", "X-Request-Id: abc-1\r\nTraceparent: 00-aa-bb-01\r\n")
                .Header("x-request-id"),
            "abc-1");
  EXPECT_EQ(seen, "abc-1 00-aa-bb-01");
  const std::string first = client.Get("/id").Header("x-request-id");
  const std::string second = client.Get("/id").Header("x-request-id");
  EXPECT_EQ(first.size(), 16u);
  EXPECT_NE(first, second);
  const std::string unfit = "X-Request-Id: " + std::string(500, 'x') + "\r\n";
  EXPECT_EQ(client.Get("/id", unfit).Header("x-request-id").size(), 16u);
}

TEST(HttpServer, UnknownRoutesAreProblemsAndKeepTheConnection) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  TestReply reply = client.Get("/nowhere", "X-Request-Id: r-1\r\n");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.Header("content-type"), "application/problem+json");
  EXPECT_NE(reply.body.find(R"("code":"NOT_FOUND")"), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find(R"("request_id":"r-1")"), std::string::npos) << reply.body;
  EXPECT_EQ(client.Post("/nowhere", "a small body").status, 404);
  EXPECT_EQ(client.Get("/echo").status, 200);
  reply = client.Post("/nowhere", std::string(100'000, 'x'));
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.Header("connection"), "close") << "a large body is not read for nothing";
}

TEST(HttpServer, HandlersThatThrowAreA500) {
  TestServer server;
  for (const std::string path : {"/throws", "/throws-inline"}) {
    server.On(path).handle = [](const HttpRequest&) -> HttpResponse {
      throw std::runtime_error("secret detail");
    };
  }
  server.On("/throws-inline").inline_ok = true;
  server.On("/throws-stream").stream = [](const HttpRequest&, HttpResponseWriter&) -> Status {
    throw std::runtime_error("secret detail");
  };
  server.Start();
  TestConnection client(server.port());
  for (const std::string path : {"/throws", "/throws-inline", "/throws-stream"}) {
    const TestReply reply = client.Get(path);
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body.find("secret"), std::string::npos);
  }
}

TEST(HttpServer, HeaderValuesCannotBeginAnotherHeader) {
  TestServer server;
  server.On("/x").handle = [](const HttpRequest&) {
    HttpResponse response;
    response.headers.emplace_back("X-Name", "a\r\nX-Injected: 1");
    return response;
  };
  server.Start();
  TestConnection client(server.port());
  const TestReply reply = client.Get("/x");
  EXPECT_EQ(reply.Header("x-injected"), "");
  EXPECT_EQ(reply.Header("x-name"), "a  X-Injected: 1");
}

TEST(HttpServer, RefusesAnAddressItCannotUse) {
  auto metrics = MakeMetrics();
  Executor executor({.name = "test"});
  const auto router = [](const HttpRequest&) -> const HttpHandler* { return nullptr; };
  EXPECT_EQ(HttpServer::Start({.address = "nowhere"}, router, executor, *metrics).code(),
            Code::kInvalidArgument);
  auto first = HttpServer::Start({}, router, executor, *metrics);
  ASSERT_TRUE(first.ok());
  const auto second = HttpServer::Start({.port = (*first)->port()}, router, executor, *metrics);
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
}

TEST(HttpServer, SeveralLoopsShareTheConnections) {
  TestServer server;
  server.options.io_threads = 3;
  server.AddEcho();
  server.Start();
  std::vector<TestConnection> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(server.port());
  }
  for (int round = 0; round < 3; ++round) {
    for (TestConnection& client : clients) {
      EXPECT_EQ(client.Get("/echo").status, 200);
    }
  }
}

TEST(ProblemResponse, EscapesWhatItQuotes) {
  const HttpResponse response = ProblemResponse(InvalidArgument("a \"b\" \\ \n c"), "id");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            R"({"type":"about:blank","title":"Bad Request","status":400,)"
            R"("detail":"a \"b\" \\ \u000a c","code":"INVALID_ARGUMENT","request_id":"id"})");
}

TEST(ProblemResponse, TellsWhenToRetry) {
  EXPECT_EQ(ProblemResponse(Unavailable("x"), "").headers, (HttpHeaders{{"Retry-After", "1"}}));
  EXPECT_EQ(ProblemResponse(ResourceExhausted("x"), "").status, 429);
  EXPECT_EQ(ProblemResponse(ResourceExhausted("x"), "").headers.size(), 1u);
  EXPECT_TRUE(ProblemResponse(NotFound("x"), "").headers.empty());
}

TEST(HttpStatusTable, KnowsEveryCode) {
  EXPECT_EQ(HttpStatus(Code::kOk), 200);
  EXPECT_EQ(HttpStatus(Code::kCancelled), 499);
  EXPECT_EQ(HttpStatus(Code::kUnauthenticated), 401);
  EXPECT_EQ(HttpStatus(Code::kPermissionDenied), 403);
  EXPECT_EQ(HttpStatus(Code::kAlreadyExists), 409);
  EXPECT_EQ(HttpStatus(Code::kDeadlineExceeded), 504);
  EXPECT_EQ(HttpStatus(Code::kUnimplemented), 501);
  EXPECT_EQ(HttpStatus(Code::kDataLoss), 500);
}

}  // namespace
}  // namespace roost
