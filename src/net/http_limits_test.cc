#include <array>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::seconds;

TEST(HttpLimits, SmuggledRequestsAreRefusedAndTheConnectionEnds) {
  TestServer server;
  server.AddEcho();
  server.Start();
  const std::string hidden = "GET /inline?hidden HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::string headers : {
           "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
           "Transfer-Encoding: xchunked\r\n\r\n",
           "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
           "X: a\r\n b\r\n\r\n",
           "Content-Length : 40\r\n\r\n",
           "X: a\n\r\n",
       }) {
    TestConnection client(server.port());
    client.Send("POST /echo HTTP/1.1\r\nHost: x\r\n" + headers + hidden);
    const TestReply reply = client.Read();
    EXPECT_EQ(reply.status, 400) << headers;
    EXPECT_EQ(reply.Header("connection"), "close");
    EXPECT_EQ(client.Read().status, 0) << "nothing more is answered: " << headers;
    client.EndSending();
    EXPECT_TRUE(client.Ends());
  }
}

TEST(HttpLimits, HeadersTooLargeAre431) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/echo", "X: " + std::string(20'000, 'x') + "\r\n").status, 431);
  EXPECT_TRUE(client.Ends());
}

TEST(HttpLimits, AnnouncedGigabyteIsRefusedBeforeItIsRead) {
  TestServer server;
  server.AddEcho();
  server.Start();
  const size_t before = ResidentBytes();
  TestConnection client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n");
  std::thread sender([&] {
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 1024 && client.Send(piece); ++i) {
    }
  });
  EXPECT_EQ(client.Read().status, 413);
  client.EndSending();
  sender.join();
  EXPECT_LT(ResidentBytes(), before + (size_t{16} << 20));
}

TEST(HttpLimits, UnannouncedBodiesAreCutAtTheLimit) {
  TestServer server;
  server.options.max_body_bytes = 100'000;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    client.Send("2710\r\n" + std::string(10'000, 'x') + "\r\n");
  }
  EXPECT_EQ(client.Read().status, 413);
}

TEST(HttpLimits, BodiesHeldAreLimitedOverAllRequests) {
  TestServer server;
  server.options.max_buffered_body_bytes = 1 << 20;
  server.AddEcho();
  server.Start();
  // Together they do not fit; which of the two is refused is a matter of chance.
  std::array<TestConnection, 2> clients{TestConnection(server.port()),
                                        TestConnection(server.port())};
  std::vector<std::thread> senders;
  for (TestConnection& client : clients) {
    senders.emplace_back([&client] {
      client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" +
                  std::string(900'000, 'x'));
    });
  }
  std::array<pollfd, 2> readable{{{clients[0].fd(), POLLIN, 0}, {clients[1].fd(), POLLIN, 0}}};
  ASSERT_GT(poll(readable.data(), readable.size(), 10'000), 0);
  const size_t which = readable[0].revents != 0 ? 0 : 1;
  const TestReply refused = clients[which].Read();
  for (std::thread& sender : senders) {
    sender.join();
  }
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("retry-after"), "1");
  EXPECT_EQ(server.Metric(R"(roost_http_refused_total{reason="memory"})"), 1);
  clients[1 - which].Send(std::string(100'000, 'x'));
  EXPECT_EQ(clients[1 - which].Read().status, 200) << "the other is not harmed";
  TestConnection third(server.port());
  EXPECT_EQ(third.Post("/echo", std::string(1'000'000, 'x')).status, 200) << "given back";
}

TEST(HttpLimits, SlowHeadersAre408) {
  TestServer server;
  server.options.header_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send("GET /echo HTTP/1.1\r\nHost: x\r\n");
  TestConnection kept(server.port());
  EXPECT_EQ(kept.Get("/echo").status, 200);
  kept.Send("G");
  TestConnection silent(server.port());
  TestConnection preface(server.port());
  preface.Send("PRI * HT");
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_EQ(kept.Read().status, 408) << "also of a later request";
  EXPECT_TRUE(silent.Ends()) << "nothing at all";
  EXPECT_TRUE(preface.Ends());
}

TEST(HttpLimits, SlowBodiesAre408) {
  TestServer server;
  server.options.body_idle_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
  EXPECT_EQ(client.Read().status, 408);
  client.EndSending();
  EXPECT_TRUE(client.Ends());
}

/// Sends `piece` ten times a second until the server has had enough; what it then says.
TestReply Trickle(TestConnection& client, const std::string& piece) {
  pollfd readable{client.fd(), POLLIN, 0};
  for (int i = 0; i < 100 && poll(&readable, 1, 100) == 0; ++i) {
    client.Send(piece);
  }
  return client.Read();
}

TEST(HttpLimits, TrickledRequestsAreCutAlthoughBytesKeepComing) {
  TestServer server;
  server.options.header_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  TestConnection head(server.port());
  head.Send("GET /echo HTTP/1.1\r\nHost: x\r\n");
  EXPECT_EQ(Trickle(head, "X: y\r\n").status, 408);
  TestConnection body(server.port());
  body.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
      "X-Request-Timeout-Ms: 500\r\n\r\n");
  EXPECT_EQ(Trickle(body, "x").status, 504) << "the request's deadline holds for its body too";
}

TEST(HttpLimits, TrickledReadersAreCut) {
  TestServer server;
  server.options.write_stall_timeout = seconds(1);
  constexpr size_t kReply = size_t{16} << 20;
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(kReply, 'x')};
  };
  server.Start();
  TestConnection client(server.port(), 4096);
  client.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  size_t read = 0;
  pollfd broken{client.fd(), 0, 0};  // An error or hang-up is always told.
  for (int i = 0; i < 200 && poll(&broken, 1, 50) == 0; ++i) {
    read += client.Receive(100).size();
  }
  EXPECT_NE(broken.revents, 0) << "two kilobytes a second are not enough";
  EXPECT_LT(read, size_t{100'000});
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_connections") == 0; }));
}

TEST(HttpLimits, RepliesThatNobodyTakesAreLimited) {
  TestServer server;
  server.options.max_buffered_reply_bytes = size_t{8} << 20;
  server.On("/large").handle = [](const HttpRequest&) {
    return HttpResponse{.body = std::string(size_t{24} << 20, 'x')};
  };
  server.AddEcho();
  server.Start();
  TestConnection greedy(server.port(), 4096);
  greedy.Send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  TestConnection client(server.port());
  EXPECT_TRUE(Eventually([&] { return client.Get("/echo").status == 503; }));
  EXPECT_EQ(client.Get("/inline").status, 200) << "health checks go on";
  // Who takes nothing is cut early when memory is short; then the others are served again.
  EXPECT_TRUE(Eventually([&] { return client.Get("/echo").status == 200; }));
  EXPECT_EQ(server.Metric("roost_http_connections"), 1);
}

TEST(HttpLimits, AThousandConnectionsAreServedAtOnce) {
  TestServer server({.threads = 8, .queue = 2000});
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{.body = request.query};
  };
  server.Start();
  std::vector<TestConnection> clients;
  clients.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    clients.emplace_back(server.port());
    clients.back().Send("GET /slow?" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  ASSERT_TRUE(Eventually([&] { return server.executor().stats().queued == 992; }));
  gate.Open();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(clients[static_cast<size_t>(i)].Read().body, std::to_string(i));
  }
}

TEST(HttpLimits, IdleConnectionsAreClosed) {
  TestServer server;
  server.options.keep_alive_timeout = seconds(1);
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/echo").status, 200);
  EXPECT_TRUE(client.Ends());
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_connections") == 0; }));
}

TEST(HttpLimits, OverloadIs503AtOnce) {
  TestServer server({.threads = 2, .queue = 1});
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    gate.Wait(request.context);
    return HttpResponse{};
  };
  server.AddEcho();
  server.Start();
  std::vector<TestConnection> busy;
  for (int i = 0; i < 3; ++i) {
    busy.emplace_back(server.port());
    busy.back().Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  ASSERT_TRUE(
      Eventually([&] { return gate.waiting() == 2 && server.executor().stats().queued == 1; }));
  TestConnection client(server.port());
  const TestReply refused = client.Get("/echo");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("retry-after"), "1");
  EXPECT_EQ(client.Get("/inline").status, 200) << "health checks go on";
  EXPECT_EQ(server.Metric(R"(roost_http_refused_total{reason="overload"})"), 1);
  gate.Open();
  for (TestConnection& connection : busy) {
    EXPECT_EQ(connection.Read().status, 200);
  }
  EXPECT_EQ(client.Get("/echo").status, 200) << "the connection lived through it";
}

TEST(HttpLimits, ConnectionsOverTheLimitAreClosedAtOnce) {
  TestServer server;
  server.options.max_connections = 3;
  server.AddEcho();
  server.Start();
  std::vector<TestConnection> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.port());
    EXPECT_EQ(clients.back().Get("/echo").status, 200);
  }
  TestConnection extra(server.port());
  EXPECT_TRUE(extra.Ends());
  EXPECT_EQ(server.Metric(R"(roost_http_refused_total{reason="connections"})"), 1);
  clients.pop_back();
  EXPECT_TRUE(Eventually([&] { return server.Metric("roost_http_connections") == 2; }));
  TestConnection next(server.port());
  EXPECT_EQ(next.Get("/echo").status, 200);
}

TEST(HttpLimits, AcceptingGoesOnAfterTheDescriptorsRanOut) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection waiting(server.port());
  EXPECT_EQ(waiting.Get("/echo").status, 200);
  LogWarning("Descriptors are about to run out.");  // UBSan's first look at a type needs a pipe.
  // The server shares our descriptors: take all but the one of the client's own socket.
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int next_free = dup(0);
  close(next_free);
  const rlimit tight{static_cast<rlim_t>(next_free) + 1, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  TestConnection client(server.port());
  client.Send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(waiting.Get("/echo").status, 200) << "those who are in are served";
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(client.Read().status, 200) << "the one in the queue is let in later";
}

TEST(HttpLimits, TwoThousandIdleConnectionsAreCheap) {
  TestServer server;
  server.AddEcho();
  server.Start();
  const std::string preface =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  std::vector<TestConnection> clients;
  clients.reserve(2000);
  size_t memory = 0;
  size_t threads = 0;
  for (int i = 0; i < 2000; ++i) {
    TestConnection& client = clients.emplace_back(server.port());
    if (i % 2 == 0) {
      ASSERT_EQ(client.Get("/inline").status, 200);
    } else {
      ASSERT_TRUE(client.Send(preface));
      ASSERT_FALSE(client.Receive().empty());
    }
    if (i == 1) {
      memory = ResidentBytes();
      threads = ThreadCount();
    }
  }
  EXPECT_EQ(server.Metric("roost_http_connections"), 2000);
  EXPECT_EQ(ThreadCount(), threads);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(ResidentBytes(), memory + (size_t{32} << 20));
#else
  EXPECT_LT(ResidentBytes(), memory + (size_t{512} << 20)) << "a sanitizer's own share is in it";
#endif
}

}  // namespace
}  // namespace roost
