#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "net/http_testing.h"

namespace roost {
namespace {

using std::chrono::seconds;

TEST(HttpDrain, CallsInFlightEndAndTheirConnectionsClose) {
  TestServer server;
  Gate gate;
  server.On("/slow").handle = [&gate](const HttpRequest& request) {
    EXPECT_TRUE(gate.Wait(request.context));
    return HttpResponse{.body = "done"};
  };
  server.AddEcho();
  server.Start();
  TestConnection busy(server.port());
  busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  TestConnection idle(server.port());
  EXPECT_EQ(idle.Get("/echo").status, 200);
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  std::thread stopper([&] { server.server().Stop(); });
  EXPECT_TRUE(idle.Ends()) << "nothing keeps it";
  gate.Open();
  const TestReply reply = busy.Read();
  EXPECT_EQ(reply.body, "done");
  EXPECT_EQ(reply.Header("connection"), "close");
  EXPECT_TRUE(busy.Ends());
  stopper.join();
  server.server().Stop();
}

TEST(HttpDrain, IsQuickWhenNothingIsInFlight) {
  TestServer server;
  server.AddEcho();
  server.Start();
  TestConnection idle(server.port());
  EXPECT_EQ(idle.Get("/echo").status, 200);
  const auto began = std::chrono::steady_clock::now();
  server.server().Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
}

TEST(HttpDrain, CutsWhatDoesNotEndInTime) {
  TestServer server;
  server.options.drain_timeout = seconds(1);
  Gate gate;
  std::atomic<bool> stopped{false};
  server.On("/slow").handle = [&](const HttpRequest& request) {
    stopped = !gate.Wait(request.context);
    return HttpResponse{};
  };
  server.On("/stream").stream = [](const HttpRequest&, HttpResponseWriter& writer) -> Status {
    TRY(writer.Start({}));
    for (;;) {
      TRY(writer.Write(std::string(65536, 'x')));
    }
  };
  server.Start();
  TestConnection busy(server.port());
  busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  TestConnection unread(server.port());
  unread.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  TestConnection sending(server.port());
  sending.Send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1");
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  server.server().Stop();
  EXPECT_TRUE(stopped) << "Stop() returns after the handlers have";
  EXPECT_TRUE(busy.Ends());
  EXPECT_TRUE(sending.Ends());
  EXPECT_TRUE(unread.Ends());
}

TEST(HttpDrain, ManyThreadsMayStop) {
  TestServer server;
  server.options.io_threads = 2;
  server.AddEcho();
  server.Start();
  TestConnection client(server.port());
  EXPECT_EQ(client.Get("/echo").status, 200);
  std::thread one([&] { server.server().Stop(); });
  std::thread two([&] { server.server().Stop(); });
  one.join();
  two.join();
  EXPECT_TRUE(client.Ends());
}

TEST(HttpDrain, UnderLoadEveryReplyIsWholeOrAbsent) {
  TestServer server;
  server.AddEcho();
  server.Start();
  std::atomic<int> replies{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    // Connected before the server may stop, whenever the thread begins.
    clients.emplace_back([&replies, client = TestConnection(server.port())]() mutable {
      for (;;) {
        const TestReply reply = client.Post("/echo", "body");
        if (reply.status == 0) {
          return;
        }
        EXPECT_EQ(reply.status, 200);
        EXPECT_TRUE(reply.complete);
        ++replies;
        if (reply.Header("connection") == "close") {
          return;
        }
      }
    });
  }
  ASSERT_TRUE(Eventually([&] { return replies > 100; }));
  server.server().Stop();
  for (std::thread& client : clients) {
    client.join();
  }
}

}  // namespace
}  // namespace roost
