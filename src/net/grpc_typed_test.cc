#include "net/grpc_typed.h"

#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include "net/grpc_testing.h"

namespace roost {
namespace {

using google::protobuf::StringValue;
using google::protobuf::UInt64Value;

TEST(GrpcTyped, EncodesTheRequestAndDecodesTheReply) {
  GrpcTestServer server([](GrpcTestServer::Connection& connection,
                           const GrpcTestServer::Request& request) {
    StringValue asked;
    EXPECT_TRUE(asked.ParseFromString(request.message()));
    UInt64Value answer;
    answer.set_value(asked.value().size());
    connection.Send(request.stream,
                    GrpcTestServer::Reply::Message(
                        request.Header("dbname") == "bad" ? "\x08" : answer.SerializeAsString()));
  });
  SystemClock clock;
  SeededRandom random(1);
  const auto metrics = MakeMetrics();
  const auto client =
      GrpcClient::Create({.hosts = {{"127.0.0.1", server.port()}}}, clock, random, *metrics);
  ASSERT_TRUE(client.ok());
  StringValue request;
  request.set_value("seven!!");
  const auto reply = CallGrpc<UInt64Value>(**client, {}, "/p.S/Do", request, GrpcEffect::kRead);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(reply->value(), 7);
  const auto bad = CallGrpc<UInt64Value>(**client, {}, "/p.S/Do", request, GrpcEffect::kWrite,
                                         {{"dbname", "bad"}});
  EXPECT_EQ(bad.code(), Code::kInternal);
  EXPECT_TRUE(bad.error().outcome_unknown);
}

}  // namespace
}  // namespace roost
