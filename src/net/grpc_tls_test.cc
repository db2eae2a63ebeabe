#include <gtest/gtest.h>

#include "net/grpc_client.h"
#include "net/grpc_testing.h"
#include "net/http_endpoints.h"

namespace roost {
namespace {

using Connection = GrpcTestServer::Connection;
using Reply = GrpcTestServer::Reply;
using Request = GrpcTestServer::Request;

class GrpcTlsTest : public testing::Test {
 protected:
  std::unique_ptr<GrpcTestServer> Serve(GrpcTestServer::Options options) {
    options.certificate_file = certificate_.certificate_file;
    options.key_file = certificate_.key_file;
    return std::make_unique<GrpcTestServer>(
        [](Connection& connection, const Request& request) {
          connection.Send(request.stream,
                          Reply::Message(request.Header(":scheme") + request.message()));
        },
        options);
  }
  Result<std::string> Call(const GrpcTestServer& server, TlsOptions tls,
                           const std::string& host = "127.0.0.1",
                           const std::string& message = "!") {
    const auto client = GrpcClient::Create(
        {.hosts = {{host, server.port()}}, .tls = std::move(tls)}, clock_, random_, *metrics_);
    if (!client.ok()) {
      return client.error();
    }
    RequestContext context;
    context.deadline = Deadline::After(std::chrono::seconds(20));
    return (*client)->Call(context, {.method = "/p.S/Do", .message = message});
  }
  TlsOptions Trusting() const {
    return {.enabled = true, .ca_file = certificate_.certificate_file};
  }

  TestCertificate certificate_{"server"};
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
};

TEST_F(GrpcTlsTest, TrustsTheCaFileForNamesAndAddresses) {
  const auto server = Serve({});
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto reply = Call(*server, Trusting(), host);
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_EQ(*reply, "https!");
  }
}

TEST_F(GrpcTlsTest, LargeMessagesPassBothWays) {
  const auto server = Serve({});
  const std::string large(10 << 20, 'L');
  const auto reply = Call(*server, Trusting(), "127.0.0.1", large);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_TRUE(*reply == "https" + large);
}

TEST_F(GrpcTlsTest, AnUnknownCertificateIsRefusedUnlessToldOtherwise) {
  const auto server = Serve({});
  const auto reply = Call(*server, {.enabled = true});
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_FALSE(reply.error().outcome_unknown);
  EXPECT_NE(reply.error().message.find("self-signed certificate"), std::string::npos)
      << reply.error().message;
  EXPECT_TRUE(Call(*server, {.enabled = true, .verify = false}).ok());
}

TEST_F(GrpcTlsTest, ACertificateOfAnotherHostIsRefused) {
  const auto server = Serve({});
  // The same machine by an address that the certificate does not name.
  const auto reply = Call(*server, Trusting(), "127.1");
  EXPECT_EQ(reply.code(), Code::kUnavailable);
  EXPECT_NE(reply.error().message.find("mismatch"), std::string::npos) << reply.error().message;
  EXPECT_TRUE(Call(*server, {.enabled = true, .verify = false}, "127.1").ok());
}

TEST_F(GrpcTlsTest, ShowsItsOwnCertificateWhereAsked) {
  const TestCertificate own("client");
  const auto server = Serve({.client_ca_file = own.certificate_file});
  EXPECT_FALSE(Call(*server, Trusting()).ok());
  TlsOptions tls = Trusting();
  tls.certificate_file = own.certificate_file;
  tls.key_file = own.key_file;
  const auto reply = Call(*server, tls);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  tls.key_file = certificate_.key_file;
  EXPECT_EQ(Call(*server, tls).code(), Code::kInvalidArgument) << "not the certificate's key";
}

TEST_F(GrpcTlsTest, TlsAndClearTextThatMeetAreToldApart) {
  const auto secure = Serve({});
  const auto plain = std::make_unique<GrpcTestServer>([](Connection&, const Request&) {});
  const auto clear_to_tls = Call(*secure, {});
  EXPECT_EQ(clear_to_tls.code(), Code::kUnavailable);
  EXPECT_NE(clear_to_tls.error().message.find("does it expect TLS?"), std::string::npos)
      << clear_to_tls.error().message;
  const auto tls_to_clear = Call(*plain, Trusting());
  EXPECT_EQ(tls_to_clear.code(), Code::kUnavailable) << tls_to_clear.error().message;
}

TEST_F(GrpcTlsTest, AServerWithoutHttp2IsNamed) {
  const auto server = Serve({.alpn = false});
  EXPECT_NE(Call(*server, Trusting()).error().message.find("does not offer HTTP/2 by TLS"),
            std::string::npos);
}

TEST_F(GrpcTlsTest, HttpCallsShowTheirCertificateToo) {
  const TestCertificate own("client");
  const auto server = Serve({.first_bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                             .client_ca_file = own.certificate_file});
  HttpEndpointsOptions options{.hosts = {{"localhost", server->port()}}, .tls = Trusting()};
  const auto refused = HttpEndpoints(options, clock_, random_, *metrics_).Call({}, {.url = "/"});
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  options.tls.certificate_file = own.certificate_file;
  options.tls.key_file = own.key_file;
  const auto reply = HttpEndpoints(options, clock_, random_, *metrics_).Call({}, {.url = "/"});
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(reply->body, "ok");
  options.tls.key_file = "/nowhere";
  EXPECT_EQ(HttpEndpoints(options, clock_, random_, *metrics_).Call({}, {.url = "/"}).code(),
            Code::kUnavailable);
}

}  // namespace
}  // namespace roost
