#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kPiece = size_t{64} << 10;

/// Waits until `value` has not changed for a while; its value then.
size_t Settled(const std::atomic<size_t>& value) {
  size_t last = value;
  auto since = std::chrono::steady_clock::now();
  Eventually([&] {
    const auto now = std::chrono::steady_clock::now();
    if (value != last) {
      last = value;
      since = now;
    }
    return now - since > milliseconds(300);
  });
  return last;
}

TEST(HttpStream, PiecesArriveBeforeTheEnd) {
  TestServer server;
  Gate gate;
  server.On("/stream").stream = [&gate](const HttpRequest& request,
                                        HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({.content_type = "text/plain"}));
    TRY(writer.Write("first"));
    gate.Wait(request.context);
    TRY(writer.Write(" second"));
    return {};
  };
  server.Start();
  TestConnection client(server.port());
  client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string seen;
  while (seen.find("5\r\nfirst\r\n") == std::string::npos) {
    const std::string bytes = client.Receive();
    ASSERT_FALSE(bytes.empty());
    seen += bytes;
  }
  EXPECT_NE(seen.find("Transfer-Encoding: chunked"), std::string::npos);
  gate.Open();
  while (!seen.ends_with("7\r\n second\r\n0\r\n\r\n")) {
    const std::string bytes = client.Receive();
    ASSERT_FALSE(bytes.empty());
    seen += bytes;
  }
  const TestReply again = client.Get("/stream");
  EXPECT_TRUE(again.complete);
  EXPECT_EQ(again.body, "first second");
}

TEST(HttpStream, SlowReaderHoldsTheHandlerAndNotTheMemory) {
  TestServer server;
  server.AddEcho();
  std::atomic<size_t> written{0};
  constexpr size_t kPieces = 500;
  server.On("/stream").stream = [&written](const HttpRequest&,
                                           HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    const std::string piece(kPiece, 'x');
    for (size_t i = 0; i < kPieces; ++i) {
      TRY(writer.Write(piece));
      written += piece.size();
    }
    return {};
  };
  server.Start();
  const size_t memory = ResidentBytes();
  TestConnection client(server.port(), 65536);
  client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return written > 0; }));
  // One MiB ahead, and what the kernel takes (its send buffer grows to 4 MiB).
  EXPECT_LT(Settled(written), size_t{12} << 20);
  EXPECT_LT(ResidentBytes(), memory + (size_t{16} << 20));
  const TestReply reply = client.Read();
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body.size(), kPieces * kPiece);
  TestConnection other(server.port());
  EXPECT_EQ(other.Get("/echo").status, 200) << "no reply is held any more";
}

TEST(HttpStream, HandlerHearsThatTheClientLeft) {
  TestServer server;
  std::atomic<int> code{-1};
  server.On("/stream").stream = [&code](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    Status status = writer.Start({});
    while (status.ok()) {
      status = writer.Write(std::string(kPiece, 'x'));
    }
    code = static_cast<int>(status.code());
    return status;
  };
  server.Start();
  TestConnection client(server.port());
  client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(client.Receive().empty());
  client.Close();
  EXPECT_TRUE(Eventually([&] { return code == static_cast<int>(Code::kCancelled); }));
}

TEST(HttpStream, ClientThatNeverReadsIsCut) {
  TestServer server;
  server.options.write_stall_timeout = seconds(1);
  std::atomic<int> code{-1};
  server.On("/stream").stream = [&code](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    Status status = writer.Start({});
    while (status.ok()) {
      status = writer.Write(std::string(kPiece, 'x'));
    }
    code = static_cast<int>(status.code());
    return status;
  };
  server.Start();
  TestConnection client(server.port(), 65536);
  client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return code == static_cast<int>(Code::kCancelled); }));
}

TEST(HttpStream, ErrorBeforeTheStartIsAProblemAndAfterItACut) {
  TestServer server;
  server.On("/before").stream = [](const HttpRequest&, HttpResponseWriter&) -> Status {
    return NotFound("no such dump");
  };
  server.On("/after").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    TRY(writer.Write("some"));
    return Internal("broke in the middle");
  };
  server.On("/nothing").stream = [](const HttpRequest&, HttpResponseWriter&) -> Status {
    return {};
  };
  server.Start();
  TestConnection client(server.port());
  const TestReply before = client.Get("/before");
  EXPECT_EQ(before.status, 404);
  EXPECT_NE(before.body.find("no such dump"), std::string::npos);
  EXPECT_EQ(client.Get("/nothing").status, 500);
  const TestReply after = client.Get("/after");
  EXPECT_FALSE(after.complete);
  EXPECT_TRUE(client.Ends());
}

TEST(HttpStream, OldClientsReadUntilTheEnd) {
  TestServer server;
  server.On("/stream").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    return writer.Write("body");
  };
  server.Start();
  TestConnection client(server.port());
  client.Send("GET /stream HTTP/1.0\r\n\r\n");
  const TestReply reply = client.Read();
  EXPECT_EQ(reply.Header("transfer-encoding"), "");
  EXPECT_EQ(reply.body, "body");
}

HttpHandler CountingHandler(Gate& gate, std::atomic<int>& code) {
  HttpHandler handler;
  handler.stream_body = true;
  handler.handle = [&](const HttpRequest& request) {
    gate.Wait(request.context);
    size_t bytes = 0;
    for (;;) {
      Result<std::string> piece = request.body_reader->Read();
      if (!piece.ok()) {
        code = static_cast<int>(piece.code());
        return ProblemResponse(piece.error(), request.context.request_id);
      }
      if (piece->empty()) {
        return HttpResponse{.body = std::to_string(bytes)};
      }
      EXPECT_LE(piece->size(), kPiece);
      bytes += piece->size();
    }
  };
  return handler;
}

TEST(HttpStream, BodyWaitsForASlowHandler) {
  TestServer server;
  server.options.max_body_bytes = 1000;  // Bodies that are streamed have no limit.
  Gate gate;
  std::atomic<int> code{-1};
  server.On("/count") = CountingHandler(gate, code);
  server.Start();
  constexpr size_t kTotal = size_t{64} << 20;
  const size_t memory = ResidentBytes();
  TestConnection client(server.port());
  std::atomic<size_t> sent{0};
  std::thread sender([&] {
    client.Send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kTotal) +
                "\r\n\r\n");
    const std::string piece(kPiece, 'x');
    while (sent < kTotal && client.Send(piece)) {
      sent += piece.size();
    }
  });
  ASSERT_TRUE(Eventually([&] { return sent > 0; }));
  EXPECT_LT(Settled(sent), size_t{24} << 20) << "the kernel's buffers and half a MiB of ours";
  EXPECT_LT(ResidentBytes(), memory + (size_t{16} << 20));
  gate.Open();
  EXPECT_EQ(client.Read().body, std::to_string(kTotal));
  sender.join();
  client.Send(
      "POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().body, "5");
  EXPECT_EQ(client.Post("/count", "").body, "0");
}

TEST(HttpStream, EndArrivesWhenTheLastBytesFilledTheBuffer) {
  TestServer server;
  Gate gate;
  std::atomic<int> code{-1};
  server.On("/count") = CountingHandler(gate, code);
  server.Start();
  // As much as may wait for the handler: the last byte is taken, and then reading pauses.
  constexpr size_t kTotal = size_t{512} << 10;
  TestConnection client(server.port());
  ASSERT_TRUE(client.Send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                          std::to_string(kTotal) + "\r\n\r\n" + std::string(kTotal, 'x')));
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  gate.Open();
  EXPECT_EQ(client.Read().body, std::to_string(kTotal));
}

TEST(HttpStream, BodyReaderHearsThatTheClientLeft) {
  for (const bool half : {false, true}) {
    TestServer server;
    Gate gate;
    gate.Open();
    std::atomic<int> code{-1};
    server.On("/count") = CountingHandler(gate, code);
    server.Start();
    TestConnection client(server.port());
    client.Send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    half ? client.EndSending() : client.Close();
    EXPECT_TRUE(Eventually([&] { return code == static_cast<int>(Code::kCancelled); }));
  }
}

TEST(HttpStream, ReplyBeforeTheBodyIsReadEndsTheConnection) {
  TestServer server;
  server.On("/early").handle = [](const HttpRequest&) { return HttpResponse{.status = 403}; };
  server.On("/early").stream_body = true;
  server.Start();
  TestConnection client(server.port());
  client.Send("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nabc");
  const TestReply reply = client.Read();
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.Header("connection"), "close");
}

TEST(HttpDeadline, ComesFromTheClientAndIsKept) {
  TestServer server;
  Gate gate;
  std::atomic<bool> stopped{false};
  server.On("/slow").handle = [&](const HttpRequest& request) {
    EXPECT_LE(request.context.deadline.Remaining(), milliseconds(200));
    stopped = !gate.Wait(request.context);
    return HttpResponse{};
  };
  server.Start();
  TestConnection client(server.port());
  const auto began = std::chrono::steady_clock::now();
  const TestReply reply = client.Get("/slow", "X-Request-Timeout-Ms: 200\r\n");
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(reply.status, 504);
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, seconds(5));
  EXPECT_TRUE(Eventually([&] { return stopped.load(); })) << "the handler is told";
}

TEST(HttpDeadline, DefaultHoldsWhereTheClientNamesNone) {
  TestServer server;
  server.options.default_request_timeout = milliseconds(300);
  server.options.max_request_timeout = milliseconds(400);
  Gate gate;
  server.On("/slow").handle = [&](const HttpRequest& request) {
    EXPECT_LE(request.context.deadline.Remaining(), milliseconds(400));
    gate.Wait(request.context);
    return HttpResponse{};
  };
  server.Start();
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/slow").status, 504);
  TestConnection other(server.port());
  EXPECT_EQ(other.Get("/slow", "X-Request-Timeout-Ms: 999999\r\n").status, 504) << "clamped";
  TestConnection third(server.port());
  for (const std::string bad : {"soon", "-1", "0", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(third.Get("/slow", "X-Request-Timeout-Ms: " + bad + "\r\n").status, 400) << bad;
  }
}

TEST(HttpDeadline, HoldsWhileTheRequestWaitsForAWorker) {
  TestServer server({.threads = 1, .queue = 8});
  Gate gate;
  std::atomic<int> runs{0};
  server.On("/slow").handle = [&](const HttpRequest&) {
    ++runs;
    gate.Wait({});
    return HttpResponse{};
  };
  server.Start();
  TestConnection first(server.port());
  first.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return runs == 1; }));
  TestConnection second(server.port());
  EXPECT_EQ(second.Get("/slow", "X-Request-Timeout-Ms: 50\r\n").status, 504);
  gate.Open();
  EXPECT_EQ(first.Read().status, 200);
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_requests_in_flight") == 0; }));
  EXPECT_EQ(runs, 1) << "nobody waits for the second any more";
}

TEST(HttpDisconnect, StopsTheHandler) {
  TestServer server;
  Gate gate;
  std::atomic<bool> stopped{false};
  server.On("/slow").handle = [&](const HttpRequest& request) {
    stopped = !gate.Wait(request.context) && request.context.stop.stop_requested();
    return HttpResponse{};
  };
  server.Start();
  TestConnection client(server.port());
  client.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
}

TEST(HttpDisconnect, HalfClosedClientsGetTheirReplies) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send(
      "GET /echo?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /inline?2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /echo?3 HTTP/1.1\r\nHost: x\r\n\r\n");
  client.EndSending();
  for (const std::string n : {"1", "2", "3"}) {
    const TestReply reply = client.Read();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.body.find(n), std::string::npos);
  }
  EXPECT_TRUE(client.Ends());
  TestConnection partial(server.port());
  partial.Send("GET /echo HTTP/1.1\r\nHos");
  partial.EndSending();
  EXPECT_EQ(partial.Read().status, 0);
}

}  // namespace
}  // namespace roost
