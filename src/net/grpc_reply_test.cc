#include "net/grpc_reply.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "net/grpc_testing.h"

namespace roost {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// A reply that began as it should.
GrpcReply Begun(size_t max_bytes = 1000) {
  GrpcReply reply(max_bytes);
  EXPECT_TRUE(reply.AddHeader(":status", "200"));
  EXPECT_TRUE(reply.AddHeader("content-type", "application/grpc+proto"));
  return reply;
}

Result<std::string> EndWith(GrpcReply reply, const std::string& status,
                            const std::string& message = "") {
  EXPECT_TRUE(reply.AddHeader("grpc-status", status));
  EXPECT_TRUE(reply.AddHeader("grpc-message", message));
  reply.End();
  return std::move(reply).Finish(NGHTTP2_NO_ERROR);
}

TEST(GrpcReply, TakesAMessageInAnyPieces) {
  const std::string framed = GrpcFramed("hello, world");
  for (size_t piece = 1; piece <= framed.size(); ++piece) {
    GrpcReply reply = Begun();
    for (size_t i = 0; i < framed.size(); i += piece) {
      EXPECT_TRUE(reply.AddData(framed.substr(i, piece)));
    }
    EXPECT_EQ(*EndWith(std::move(reply), "0"), "hello, world");
  }
  GrpcReply empty = Begun();
  EXPECT_TRUE(empty.AddData(GrpcFramed("")));
  EXPECT_EQ(*EndWith(std::move(empty), "0"), "");
}

TEST(GrpcReply, EveryStatusHasItsCode) {
  for (int code = 1; code <= 16; ++code) {
    const auto reply = EndWith(Begun(), std::to_string(code), "no%20such%0A100%25 %zz%4");
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(static_cast<int>(reply.code()), code);
    EXPECT_EQ(reply.error().message, "no such\n100% %zz%4");
  }
  EXPECT_EQ(EndWith(Begun(), "17").code(), Code::kUnknown);
  EXPECT_EQ(EndWith(Begun(), "4294967296").code(), Code::kUnknown);
  EXPECT_EQ(EndWith(Begun(), "ok").code(), Code::kUnknown);
}

TEST(GrpcReply, BrokenRepliesAreErrors) {
  const auto with_body = [](const std::string& body) {
    GrpcReply reply = Begun();
    reply.AddData(body);
    return EndWith(std::move(reply), "0");
  };
  EXPECT_EQ(with_body("").error().message, "the reply has no message");
  EXPECT_EQ(with_body(std::string("\0\0", 2)).error().message, "the reply is cut short");
  EXPECT_EQ(with_body(GrpcFramed("12345").substr(0, 8)).error().message, "the reply is cut short");
  EXPECT_EQ(with_body(GrpcFramed("12345") + "6").error().message,
            "the reply goes on after its message");
  EXPECT_EQ(with_body(GrpcFramed("1") + GrpcFramed("2")).code(), Code::kInternal);
  EXPECT_EQ(with_body(std::string("\1\0\0\0\1x", 6)).error().message,
            "the reply is compressed, which was not asked for");
  GrpcReply no_status = Begun();
  no_status.AddData(GrpcFramed("x"));
  no_status.End();
  EXPECT_EQ(std::move(no_status).Finish(0).error().message, "the reply ends without a status");
}

TEST(GrpcReply, ATooLargeMessageIsRefusedByItsPrefix) {
  GrpcReply reply = Begun(10);
  EXPECT_FALSE(reply.AddData(std::string("\0\xff\xff\xff\xff", 5)));
  EXPECT_FALSE(reply.AddData("more"));
  const auto refused = std::move(reply).Finish(NGHTTP2_CANCEL);
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message,
            "the reply has 4294967295 bytes; at most 10 are allowed (max_reply_bytes): ask for "
            "fewer rows or raise it");
  GrpcReply fits = Begun(10);
  EXPECT_TRUE(fits.AddData(GrpcFramed("0123456789")));
  EXPECT_EQ(*EndWith(std::move(fits), "0"), "0123456789");
}

TEST(GrpcReply, WebServersAreToldFromStores) {
  const auto answer = [](const std::string& status, const std::string& type,
                         const std::string& body) {
    GrpcReply reply(1000);
    reply.AddHeader(":status", status);
    reply.AddHeader("content-type", type);
    reply.AddData(body);
    reply.End();
    return std::move(reply).Finish(0).error();
  };
  EXPECT_EQ(answer("503", "text/html", "<h1>\x1b[2J\nBusy</h1>" + std::string(500, 'x')).code,
            Code::kUnavailable);
  EXPECT_EQ(answer("503", "text/html", "<h1>\x1b[2J\nBusy</h1>").message,
            "the server answered with HTTP status 503, \"<h1> [2J Busy</h1>\"; is this the store's "
            "gRPC port?");
  EXPECT_EQ(answer("401", "text/html", "").code, Code::kUnauthenticated);
  EXPECT_EQ(answer("403", "text/html", "").code, Code::kPermissionDenied);
  EXPECT_EQ(answer("404", "text/html", "").code, Code::kUnimplemented);
  EXPECT_EQ(answer("400", "text/html", "").code, Code::kInternal);
  EXPECT_EQ(answer("200", "text/html", "hello").message,
            "the server's answer is no gRPC, \"hello\"; is this the store's gRPC port?");
  EXPECT_EQ(answer("x", "application/grpc", "").code, Code::kUnknown);
}

TEST(GrpcReply, ResetsHaveTheirCodes) {
  const auto code = [](uint32_t reset) { return Begun().Finish(reset).code(); };
  EXPECT_EQ(code(NGHTTP2_REFUSED_STREAM), Code::kUnavailable);
  EXPECT_EQ(code(NGHTTP2_CANCEL), Code::kCancelled);
  EXPECT_EQ(code(NGHTTP2_ENHANCE_YOUR_CALM), Code::kResourceExhausted);
  EXPECT_EQ(code(NGHTTP2_INADEQUATE_SECURITY), Code::kPermissionDenied);
  EXPECT_EQ(code(NGHTTP2_INTERNAL_ERROR), Code::kInternal);
  EXPECT_EQ(code(0xdeadbeef), Code::kInternal);
  // Some servers end their side and then reset the client's: the status counts.
  GrpcReply ended = Begun();
  ended.AddHeader("grpc-status", "5");
  ended.End();
  EXPECT_EQ(std::move(ended).Finish(NGHTTP2_CANCEL).code(), Code::kNotFound);
}

TEST(GrpcReply, HeadersWithoutEndAreCutOff) {
  GrpcReply reply = Begun();
  bool taken = true;
  for (int i = 0; i < 10'000 && taken; ++i) {
    taken = reply.AddHeader("x-" + std::to_string(i), std::string(100, 'v'));
  }
  EXPECT_FALSE(taken);
  EXPECT_EQ(std::move(reply).Finish(0).code(), Code::kInternal);
}

TEST(GrpcTimeout, SpeaksOfAnyDeadline) {
  EXPECT_EQ(GrpcTimeout(Deadline::Infinite()), "");
  EXPECT_EQ(GrpcTimeout(Deadline::After(milliseconds(-5))), "1u");
  const auto unit = [](std::chrono::nanoseconds left) {
    const std::string text = GrpcTimeout(Deadline::After(left));
    EXPECT_LE(text.size(), 9) << text;
    return text.back();
  };
  EXPECT_EQ(unit(milliseconds(200)), 'u');
  EXPECT_EQ(unit(milliseconds(200'000)), 'm');
  EXPECT_EQ(unit(hours(100)), 'S');
  EXPECT_EQ(unit(hours(100'000)), 'M');
}

}  // namespace
}  // namespace roost
