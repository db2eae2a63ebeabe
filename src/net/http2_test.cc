#include "net/http2.h"

#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "net/http2_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string HeaderOf(const Http2TestClient::Stream& stream, std::string_view name) {
  for (const auto& [key, value] : stream.headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

TEST(Http2, AnswersLikeHttp1) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  for (const std::string path : {"/echo", "/inline"}) {
    const auto reply = client.Call("POST", path + "?a=b", "body", {{"x-request-id", "r-1"}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST " + path + " a=b body");
    EXPECT_EQ(HeaderOf(reply, "content-type"), "text/plain");
    EXPECT_EQ(HeaderOf(reply, "content-length"), std::to_string(reply.body.size()));
    EXPECT_EQ(HeaderOf(reply, "x-request-id"), "r-1");
  }
  EXPECT_EQ(client.Call("GET", "/inline").body, "GET /inline  ");
  const auto head = client.Call("HEAD", "/echo");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(HeaderOf(head, "content-length"), "12");
  const auto missing = client.Call("GET", "/nowhere");
  EXPECT_EQ(missing.status, 404);
  EXPECT_NE(missing.body.find("NOT_FOUND"), std::string::npos);
  EXPECT_EQ(client.Call("POST", "/echo", "x", {{"content-type", "application/grpc"}}).status, 415);
  EXPECT_EQ(server.Metric(R"(roost_http_requests_total{method="POST",protocol="h2",status="2xx"})"),
            2);
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_requests_in_flight") == 0; }));
}

TEST(Http2, StreamsEndInAnyOrder) {
  TestServer server({.threads = 32, .queue = 256});
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{.body = request.query};
  };
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  std::set<int32_t> slow;
  for (int i = 0; i < 16; ++i) {
    slow.insert(client.Submit("GET", "/slow?" + std::to_string(i)));
  }
  ASSERT_TRUE(client.Flush());
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 16; }));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(client.Call("GET", "/echo?" + std::to_string(i)).status, 200);
  }
  gate.Open();
  for (const int32_t id : slow) {
    EXPECT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
    EXPECT_EQ(client.stream(id).status, 200);
  }
}

TEST(Http2, ManyStreamsAtOnceAreAllAnswered) {
  TestServer server({.threads = 8, .queue = 2000});
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  std::vector<int32_t> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(client.Submit("POST", "/echo?" + std::to_string(i), "b"));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE(client.Pump([&] { return client.stream(ids[i]).closed; }));
    EXPECT_EQ(client.stream(ids[i]).body, "POST /echo " + std::to_string(i) + " b");
  }
}

TEST(Http2, RepliesKeepToTheClientsWindows) {
  TestServer server;
  server.AddEcho();
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(300'000, 'x')};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection, 1000, true);
  const int32_t id = client.Submit("GET", "/large");
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).body.size() == 1000; }));
  EXPECT_EQ(client.Call("GET", "/inline").status, 200) << "another stream is not held up";
  EXPECT_EQ(client.stream(id).body.size(), 1000u);
  nghttp2_submit_window_update(client.session(), 0, id, 1 << 20);
  nghttp2_submit_window_update(client.session(), 0, 0, 1 << 20);
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_EQ(client.stream(id).body, std::string(300'000, 'x'));
}

TEST(Http2, StreamedReplyWaitsForTheClient) {
  TestServer server;
  std::atomic<size_t> written{0};
  constexpr size_t kPiece = 65536;
  constexpr size_t kPieces = 300;
  server.On("/stream").stream = [&](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    for (size_t i = 0; i < kPieces; ++i) {
      TRY(writer.Write(std::string(kPiece, 'x')));
      written += kPiece;
    }
    return {};
  };
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection, 1 << 20, true);
  const int32_t id = client.Submit("GET", "/stream");
  // The connection's window is 65,535: so much leaves, one MiB waits, the handler stands.
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).body.size() == 65535; }));
  ASSERT_TRUE(Eventually([&] { return written >= (1 << 20); }));
  EXPECT_EQ(client.Call("HEAD", "/inline").status, 200);
  EXPECT_LE(written, (size_t{1} << 20) + 4 * kPiece);
  nghttp2_submit_window_update(client.session(), 0, id, 1 << 30);
  nghttp2_submit_window_update(client.session(), 0, 0, 1 << 30);
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_TRUE(client.stream(id).ended);
  EXPECT_EQ(client.stream(id).body.size(), kPieces * kPiece);
}

TEST(Http2, FailedStreamIsReset) {
  TestServer server;
  server.On("/after").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    TRY(writer.Write("some"));
    return Internal("broke in the middle");
  };
  server.On("/before").stream = [](const HttpRequest&, HttpResponseWriter&) -> Status {
    return NotFound("no such dump");
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const auto reply = client.Call("GET", "/after");
  EXPECT_FALSE(reply.ended);
  EXPECT_EQ(reply.error, static_cast<uint32_t>(NGHTTP2_INTERNAL_ERROR));
  EXPECT_EQ(client.Call("GET", "/before").status, 404) << "the connection lives";
}

TEST(Http2, StreamedBodyWaitsForTheHandlerAndOthersDoNot) {
  TestServer server;
  Gate gate;
  server.On("/count").stream_body = true;
  server.On("/count").handle = [&gate](const HttpRequest& request) {
    gate.Wait(request.context);
    size_t bytes = 0;
    for (;;) {
      const Result<std::string> piece = request.body_reader->Read();
      if (!piece.ok()) {
        return ProblemResponse(piece.error(), "");
      }
      if (piece->empty()) {
        return HttpResponse{.body = std::to_string(bytes)};
      }
      bytes += piece->size();
    }
  };
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  ASSERT_EQ(client.Call("GET", "/inline").status, 200);
  const int32_t id = client.Submit("POST", "/count", std::string(10 << 20, 'x'));
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).sent > 0; }));
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.Call("POST", "/echo", std::string(100'000, 'y')).status, 200);
  }
  EXPECT_LE(client.stream(id).sent, size_t{1} << 20) << "one window";
  gate.Open();
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_EQ(client.stream(id).body, std::to_string(10 << 20));
}

TEST(Http2, ResetStopsTheHandler) {
  TestServer server;
  Gate gate;
  std::atomic<bool> stopped{false};
  server.On("/slow").handle = [&](const HttpRequest& request) {
    stopped = !gate.Wait(request.context) && request.context.stop.stop_requested();
    return HttpResponse{};
  };
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const int32_t id = client.Submit("GET", "/slow");
  client.Flush();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  nghttp2_submit_rst_stream(client.session(), 0, id, NGHTTP2_CANCEL);
  EXPECT_EQ(client.Call("GET", "/echo").status, 200);
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
}

TEST(Http2, DisconnectStopsEveryHandler) {
  TestServer server;
  Gate gate;
  server.On("/slow").handle = [&](const HttpRequest& request) {
    EXPECT_FALSE(gate.Wait(request.context));
    return HttpResponse{};
  };
  server.Start();
  {
    TestConnection connection(server.port());
    Http2TestClient client(connection);
    for (int i = 0; i < 5; ++i) {
      client.Submit("GET", "/slow");
    }
    client.Flush();
    ASSERT_TRUE(Eventually([&] { return gate.waiting() == 5; }));
  }
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 0; }));
}

TEST(Http2, DeadlinesAreKeptPerStream) {
  TestServer server;
  server.options.default_request_timeout = milliseconds(300);
  Gate gate;
  server.On("/slow").handle = [&](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(client.Call("GET", "/slow", "", {{"x-request-timeout-ms", "100"}}).status, 504);
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(100));
  EXPECT_EQ(client.Call("GET", "/slow").status, 504) << "the default";
  EXPECT_EQ(client.Call("GET", "/slow", "", {{"x-request-timeout-ms", "x"}}).status, 400);
}

TEST(Http2, OverloadIs503) {
  TestServer server({.threads = 1, .queue = 1});
  Gate gate;
  server.On("/slow").handle = [&](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const int32_t first = client.Submit("GET", "/slow");
  client.Flush();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  const int32_t second = client.Submit("GET", "/slow");
  client.Flush();
  ASSERT_TRUE(Eventually([&] { return server.executor().stats().queued == 1; }));
  const auto refused = client.Call("GET", "/slow");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(HeaderOf(refused, "retry-after"), "1");
  gate.Open();
  EXPECT_TRUE(client.Pump([&] { return client.stream(first).closed; }));
  EXPECT_TRUE(client.Pump([&] { return client.stream(second).closed; }));
}

TEST(Http2, DrainSendsGoAwayAndLetsStreamsEnd) {
  TestServer server;
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    EXPECT_TRUE(gate.Wait(request.context));
    return HttpResponse{.body = "done"};
  };
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  TestConnection idle_connection(server.port());
  Http2TestClient idle(idle_connection);
  ASSERT_EQ(idle.Call("GET", "/echo").status, 200);
  const int32_t id = client.Submit("GET", "/slow");
  client.Flush();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  std::thread stopper([&] { server.server().Stop(); });
  EXPECT_TRUE(idle.Pump([&] { return idle.goaway() && idle.ended(); }));
  EXPECT_TRUE(client.Pump([&] { return client.goaway(); }));
  EXPECT_EQ(client.goaway_error(), static_cast<uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_FALSE(client.stream(id).closed);
  gate.Open();
  EXPECT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_EQ(client.stream(id).body, "done");
  EXPECT_TRUE(client.Pump([&] { return client.ended(); }));
  stopper.join();
}

}  // namespace
}  // namespace roost
