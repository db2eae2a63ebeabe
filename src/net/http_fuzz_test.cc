#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "net/http_testing.h"

namespace roost {
namespace {

constexpr int kRounds = 1500;

/// Changes, doubles, drops or cuts a few bytes.
std::string Mutate(std::string text, Random& random) {
  for (uint64_t n = 1 + random.Below(4); n > 0 && !text.empty(); --n) {
    const size_t at = random.Below(text.size());
    switch (random.Below(6)) {
      case 0:
        text[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        text[at] = static_cast<char>(text[at] ^ (1 << random.Below(8)));
        break;
      case 2:
        text.erase(at, 1 + random.Below(8));
        break;
      case 3:
        text.insert(at, text.substr(random.Below(text.size()), random.Below(40)));
        break;
      case 4:
        text.insert(at, std::string(random.Below(300), static_cast<char>(random.Below(256))));
        break;
      default:
        text.resize(at);
        break;
    }
  }
  return text;
}

/// Sends mutants of `seeds`, each over its own connection in a few pieces. The server must answer
/// or close; a crash, a sanitizer report or a leaked request fails the test.
void Attack(const std::vector<std::string>& seeds, uint64_t seed) {
  // The same mutants in every run; others with --gtest_shuffle --gtest_random_seed=N.
  seed += static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed()) * 1000;
  SeededRandom random(seed);
  TestServer server;
  server.options.max_body_bytes = 10'000;
  server.AddEcho();
  server.On("/count").stream_body = true;
  server.On("/count").handle = [](const HttpRequest& request) {
    for (;;) {
      const Result<std::string> piece = request.body_reader->Read();
      if (!piece.ok() || piece->empty()) {
        return HttpResponse{};
      }
    }
  };
  server.Start();
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = Mutate(seeds[random.Below(seeds.size())], random);
    TestConnection client(server.port());
    const size_t cut = random.Below(text.size() + 1);
    client.Send(text.substr(0, cut));
    client.Send(text.substr(cut));
    client.EndSending();
    ASSERT_TRUE(client.Ends()) << "round " << i << " of seed " << seed;
  }
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/echo").status, 200);
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_requests_in_flight") == 0; }));
}

TEST(HttpFuzz, Http1) {
  Attack({"GET /echo?a=b HTTP/1.1\r\nHost: x\r\nX-Request-Id: 1\r\n\r\n"
          "POST /inline HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
          "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /count HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n"
          "X-Request-Timeout-Ms: 50\r\n\r\nabcd",
          "HEAD /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: "
          "x\r\n\r\n"},
         1);
}

std::string Frame(char type, char flags, char stream, std::string_view payload) {
  std::string frame{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream};
  return frame.append(payload);
}

TEST(HttpFuzz, Http2) {
  const std::string start = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0, "");
  const std::string get("\x82\x86\x04\x07/inline\x41\x01x");
  const std::string post("\x83\x86\x04\x05/echo\x41\x01x");
  const std::string count("\x83\x86\x04\x06/count\x41\x01x");
  Attack({start + Frame(1, 5, 1, get) + Frame(1, 4, 3, post) + Frame(0, 1, 3, "hello"),
          start + Frame(1, 0, 1, get) + Frame(9, 4, 1, "") + Frame(6, 0, 0, "12345678"),
          start + Frame(1, 4, 1, count) + Frame(0, 0, 1, "abc") +
              Frame(3, 0, 1, std::string("\0\0\0\x08", 4)),
          start + Frame(1, 4, 1, post) + Frame(0, 0, 1, "abc") + Frame(1, 5, 1, "\x40\x01t\x01v") +
              Frame(8, 0, 0, std::string("\0\0\1\0", 4)) + Frame(1, 5, 3, get)},
         2);
}

}  // namespace
}  // namespace roost
