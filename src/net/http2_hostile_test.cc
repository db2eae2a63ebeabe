#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "net/http2_testing.h"

namespace roost {
namespace {

using std::chrono::seconds;

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  std::string frame;
  for (const uint32_t byte : {size >> 16, size >> 8, size, uint32_t{type}, uint32_t{flags},
                              stream >> 24, stream >> 16, stream >> 8, stream}) {
    frame.push_back(static_cast<char>(byte & 0xff));
  }
  return frame.append(payload);
}

const std::string kSettings = Frame(NGHTTP2_SETTINGS, 0, 0, "");
/// GET http /inline, by HPACK's static table and literals.
const std::string kGetInline = "\x82\x86\x04\x07/inline\x41\x01x";

TEST(Http2Hostile, RapidResetEndsInGoAwayAndCostsLittle) {
  TestServer server({.threads = 4, .queue = 64});
  std::atomic<int> runs{0};
  server.On("/work").handle = [&runs](const HttpRequest&) {
    ++runs;
    return HttpResponse{};
  };
  server.Start();
  TestConnection connection(server.port());
  std::string attack = kPreface + kSettings;
  constexpr uint32_t kResets = 100'000;
  for (uint32_t i = 0; i < kResets; ++i) {
    const uint32_t id = 2 * i + 1;
    attack +=
        Frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, "\x83\x86\x04\x05/work\x41\x01x");
    attack += Frame(NGHTTP2_RST_STREAM, 0, id, std::string("\0\0\0\x08", 4));
  }
  const double cpu = CpuSeconds();
  std::thread sender([&] { connection.Send(attack); });
  // What the server says before it leaves.
  std::string seen;
  for (std::string bytes; !(bytes = connection.Receive()).empty();) {
    seen += bytes;
  }
  sender.join();
  EXPECT_LT(CpuSeconds() - cpu, 5.0);
  EXPECT_LT(runs, 10'000);
  bool goaway = false;
  for (size_t at = 0; at + 9 <= seen.size();) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(seen[at + i]); };
    goaway |= byte(3) == NGHTTP2_GOAWAY;
    at += 9u + (byte(0) << 16 | byte(1) << 8 | byte(2));
  }
  EXPECT_TRUE(goaway);
  const double answered =
      server.Metric(R"(roost_http_requests_total{method="POST",protocol="h2",status="4xx"})");
  EXPECT_LT(answered, 20'000) << "most were never looked at";
}

TEST(Http2Hostile, ResetRequestsCountUntilTheirHandlersEnd) {
  TestServer server({.threads = 64, .queue = 64});
  server.options.max_streams_per_connection = 4;
  Gate gate;
  server.On("/stubborn").handle = [&gate](const HttpRequest&) {
    gate.Wait({});  // Does not look at its context.
    return HttpResponse{};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  for (int i = 0; i < 4; ++i) {
    const int32_t id = client.Submit("GET", "/stubborn");
    client.Flush();
    ASSERT_TRUE(Eventually([&] { return gate.waiting() == static_cast<size_t>(i) + 1; }));
    nghttp2_submit_rst_stream(client.session(), 0, id, NGHTTP2_CANCEL);
  }
  EXPECT_EQ(client.Call("GET", "/stubborn").status, 503);
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 0; }));
  EXPECT_TRUE(Eventually([&] { return client.Call("GET", "/stubborn").status == 200; }));
}

/// Sends `first`, then `flood` again and again, reading nothing; true when the server cut it.
bool IsCut(uint16_t port, const std::string& first, const std::string& flood, size_t times) {
  TestConnection connection(port, 65536);
  bool alive = connection.Send(kPreface + kSettings + first);
  const size_t frames = std::min<size_t>(times, 500);
  std::string batch;
  for (size_t i = 0; i < frames; ++i) {
    batch += flood;
  }
  for (size_t i = 0; alive && i < times; i += frames) {
    alive = connection.Send(batch);
  }
  return !alive || connection.Ends();
}

TEST(Http2Hostile, FloodsAreCutAndHoldNoMemory) {
  TestServer server;
  server.AddEcho();
  server.Start();
  const size_t memory = ResidentBytes();
  const std::string open_head = Frame(NGHTTP2_HEADERS, 0, 1, kGetInline);
  EXPECT_TRUE(IsCut(server.port(), open_head,
                    Frame(NGHTTP2_CONTINUATION, 0, 1, std::string("\x40\x01z\x01z", 5)), 100'000))
      << "CONTINUATION";
  EXPECT_TRUE(IsCut(server.port(), "", Frame(NGHTTP2_PING, 0, 0, "12345678"), 2'000'000))
      << "PING whose answers are not read";
  EXPECT_TRUE(IsCut(server.port(), "", kSettings, 2'000'000)) << "SETTINGS, likewise";
  std::string entries;
  for (int i = 0; i < 100; ++i) {
    entries += std::string("\0\x03\0\0\0\x64", 6);
  }
  EXPECT_TRUE(IsCut(server.port(), "", Frame(NGHTTP2_SETTINGS, 0, 0, entries), 1))
      << "a hundred settings in one frame";
  EXPECT_LT(ResidentBytes(), memory + (size_t{32} << 20));
}

TEST(Http2Hostile, HeaderListTooLargeIs431AndTheConnectionLives) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  ASSERT_EQ(client.Call("GET", "/echo").status, 200);
  HttpHeaders headers;
  for (int i = 0; i < 10; ++i) {
    headers.emplace_back("x-" + std::to_string(i), std::string(2000, 'x'));
  }
  EXPECT_EQ(client.Call("GET", "/echo", "", headers).status, 431);
  EXPECT_EQ(client.Call("GET", "/echo").status, 200);
}

TEST(Http2Hostile, AnnouncedGigabyteIs413BeforeItIsRead) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const int32_t id = client.Submit("POST", "/echo", std::string(1000, 'x'),
                                   {{"content-length", "1073741824"}}, true);
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_EQ(client.stream(id).status, 413);
  EXPECT_EQ(client.stream(id).error, static_cast<uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_EQ(client.Call("GET", "/echo").status, 200);
}

TEST(Http2Hostile, UnannouncedBodiesAreCutAtTheLimit) {
  TestServer server;
  server.options.max_body_bytes = 100'000;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  EXPECT_EQ(client.Call("POST", "/echo", std::string(3'000'000, 'x')).status, 413);
  // What was thrown away does not stay counted in the connection's window.
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(client.Call("POST", "/echo", std::string(1'000'000, 'x')).status, 413);
  }
  EXPECT_EQ(client.Call("POST", "/echo", "small").status, 200);
}

TEST(Http2Hostile, BodiesHeldAreLimited) {
  TestServer server;
  server.options.max_buffered_body_bytes = 1'000'000;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  const int32_t held = client.Submit("POST", "/echo", std::string(700'000, 'x'), {}, true);
  ASSERT_TRUE(client.Pump([&] { return client.stream(held).sent == 700'000; }));
  EXPECT_EQ(client.Call("POST", "/echo", std::string(700'000, 'x')).status, 503);
  client.stream(held).upload_open = false;
  nghttp2_session_resume_data(client.session(), held);
  ASSERT_TRUE(client.Pump([&] { return client.stream(held).closed; }));
  EXPECT_EQ(client.stream(held).status, 200);
  EXPECT_EQ(client.Call("POST", "/echo", std::string(700'000, 'x')).status, 200);
}

TEST(Http2Hostile, CompressedHeadersCountAsMemory) {
  TestServer server;
  server.options.max_buffered_body_bytes = size_t{1} << 20;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  // 15 KiB a request, and but a few bytes each of them after the first.
  HttpHeaders headers;
  for (int i = 0; i < 15; ++i) {
    headers.emplace_back("x", std::string(1000, 'x'));
  }
  std::vector<int32_t> ids;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(client.Submit("POST", "/echo", "", headers, true));
  }
  ASSERT_TRUE(client.Pump([&] { return client.stream(ids.back()).status != 0; }));
  EXPECT_EQ(client.stream(ids.back()).status, 503);
  EXPECT_EQ(client.stream(ids.front()).status, 0) << "the first still waits for its body";
}

TEST(Http2Hostile, MakingTheServerResetStreamsEndsInGoAway) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection connection(server.port());
  std::string attack = kPreface + kSettings;
  constexpr uint32_t kStreams = 20'000;
  for (uint32_t i = 0; i < kStreams; ++i) {
    const uint32_t id = 2 * i + 1;
    attack +=
        Frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, "\x83\x86\x04\x05/echo\x41\x01x");
    attack += Frame(NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff");  // Overflows the window.
  }
  std::thread sender([&] { connection.Send(attack); });
  std::string seen;
  for (std::string bytes; !(bytes = connection.Receive()).empty();) {
    seen += bytes;
  }
  sender.join();
  std::optional<uint8_t> goaway;
  for (size_t at = 0; at + 9 <= seen.size();) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(seen[at + i]); };
    if (byte(3) == NGHTTP2_GOAWAY && at + 17 <= seen.size()) {
      goaway = byte(16);
    }
    at += 9u + (byte(0) << 16 | byte(1) << 8 | byte(2));
  }
  EXPECT_EQ(goaway, NGHTTP2_ENHANCE_YOUR_CALM);
  const double answered =
      server.Metric(R"(roost_http_requests_total{method="POST",protocol="h2",status="4xx"})");
  EXPECT_LT(answered, 2'000) << "most were never looked at";
}

TEST(Http2Hostile, WindowsThatOpenByBytesAreNoProgress) {
  TestServer server;
  server.options.write_stall_timeout = seconds(1);
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(300'000, 'x')};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection, 1000, true);
  const int32_t id = client.Submit("GET", "/large");
  // Each answer opens the window by one byte, which asks for the next.
  size_t opened = 0;
  ASSERT_TRUE(client.Pump([&] {
    if (client.stream(id).body.size() == 1000 + opened && !client.stream(id).closed) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // The attacker's pace.
      nghttp2_submit_window_update(client.session(), 0, id, 1);
      ++opened;
    }
    return client.stream(id).closed;
  }));
  EXPECT_EQ(client.stream(id).error, static_cast<uint32_t>(NGHTTP2_CANCEL));
  EXPECT_LT(client.stream(id).body.size(), 5'000u);
}

TEST(Http2Hostile, SlowStartsAreCut) {
  TestServer server;
  server.options.header_timeout = seconds(1);
  server.options.body_idle_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  TestConnection no_settings(server.port());
  no_settings.Send(kPreface);
  TestConnection open_head(server.port());
  open_head.Send(kPreface + kSettings + Frame(NGHTTP2_HEADERS, 0, 1, kGetInline));
  TestConnection half_frame(server.port());
  half_frame.Send(kPreface + kSettings.substr(0, 5));
  TestConnection slow_body(server.port());
  Http2TestClient client(slow_body);
  const int32_t id = client.Submit("POST", "/echo", "abc", {}, true);
  client.Flush();
  EXPECT_TRUE(no_settings.Ends());
  EXPECT_TRUE(open_head.Ends());
  EXPECT_TRUE(half_frame.Ends());
  ASSERT_TRUE(client.Pump([&] { return client.stream(id).closed; }));
  EXPECT_EQ(client.stream(id).status, 408);
}

TEST(Http2Hostile, ReplyThatIsNotTakenIsReset) {
  TestServer server;
  server.options.write_stall_timeout = seconds(1);
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(300'000, 'x')};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection, 1000, true);
  const auto reply = client.Call("GET", "/large");
  EXPECT_EQ(reply.error, static_cast<uint32_t>(NGHTTP2_CANCEL));
  EXPECT_EQ(reply.body.size(), 1000u);
}

TEST(Http2Hostile, MalformedRequestsAreResetAndNothingRuns) {
  TestServer server;
  std::atomic<int> runs{0};
  server.On("/work").handle = [&runs](const HttpRequest&) {
    ++runs;
    return HttpResponse{};
  };
  server.Start();
  TestConnection connection(server.port());
  Http2TestClient client(connection);
  EXPECT_NE(client.Call("POST", "/work", "abc", {{"content-length", "5"}}).error, 0u)
      << "content-length and body differ";
  EXPECT_NE(client.Call("GET", "/work", "", {{"transfer-encoding", "chunked"}}).error, 0u);
  EXPECT_NE(client.Call("GET", "/work", "", {{"connection", "close"}}).error, 0u);
  EXPECT_EQ(runs, 0);
}

TEST(Http2Hostile, NonsenseAfterThePrefaceEndsTheConnection) {
  TestServer server;
  server.AddEcho();
  server.Start();
  for (const std::string& bytes :
       {std::string(1000, '\xff'), std::string("GET / HTTP/1.1\r\n\r\n"),
        Frame(NGHTTP2_DATA, 0, 1, "x"), Frame(NGHTTP2_HEADERS, 4, 2, kGetInline),
        Frame(NGHTTP2_HEADERS, 4, 1, "\xff\xff\xff\xff\xff\xff")}) {
    TestConnection connection(server.port());
    connection.Send(kPreface + kSettings + bytes);
    connection.EndSending();
    EXPECT_TRUE(connection.Ends());
  }
  TestConnection after(server.port());
  EXPECT_EQ(after.Get("/echo").status, 200);
}

}  // namespace
}  // namespace roost
