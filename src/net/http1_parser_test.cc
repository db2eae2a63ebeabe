#include "net/http1_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace roost {
namespace {

using Event = Http1Parser::Event;

struct Outcome {
  HttpRequest request;
  std::string body;
  std::string rest;
  Event last = Event::kNeedMore;
  int status = 0;
};

/// Feeds `text` in pieces of `step` bytes, as a connection would.
Outcome Parse(const std::string& text, size_t step, size_t max_header_bytes = 16384) {
  Outcome outcome;
  Http1Parser parser(max_header_bytes);
  parser.Reset(outcome.request);
  std::string pending;
  for (size_t at = 0; at < text.size(); at += step) {
    pending += text.substr(at, step);
    std::string_view input(pending);
    for (;;) {
      outcome.last = parser.Next(input);
      if (outcome.last == Event::kBody) {
        outcome.body += parser.body();
      } else if (outcome.last != Event::kHead) {
        break;
      }
    }
    pending = std::string(input);
    if (outcome.last == Event::kError) {
      outcome.status = parser.error_status();
      return outcome;
    }
    if (outcome.last == Event::kEnd) {
      outcome.rest = pending + text.substr(std::min(at + step, text.size()));
      return outcome;
    }
  }
  return outcome;
}

int RefusedWith(const std::string& text) {
  const int whole = Parse(text, text.size()).status;
  EXPECT_EQ(Parse(text, 1).status, whole) << text;
  return whole;
}

TEST(Http1Parser, ReadsARequestInPiecesOfAnySize) {
  const std::string text =
      "POST /a/b?c=d%20e&f HTTP/1.1\r\nHost: x\r\nX-Mixed-Case:  padded value \r\n"
      "Content-Length: 5\r\n\r\nhelloNEXT";
  for (size_t step = 1; step <= text.size(); ++step) {
    const Outcome outcome = Parse(text, step);
    ASSERT_EQ(outcome.last, Event::kEnd) << step;
    EXPECT_EQ(outcome.request.method, "POST");
    EXPECT_EQ(outcome.request.path, "/a/b");
    EXPECT_EQ(outcome.request.query, "c=d%20e&f");
    EXPECT_EQ(outcome.request.Header("x-mixed-case"), "padded value");
    EXPECT_EQ(outcome.body, "hello");
    EXPECT_EQ(outcome.rest, "NEXT");
  }
}

TEST(Http1Parser, ReadsChunksAndDropsTrailers) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n1;name=value\r\n,\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\nNEXT";
  for (size_t step = 1; step <= text.size(); ++step) {
    const Outcome outcome = Parse(text, step);
    ASSERT_EQ(outcome.last, Event::kEnd) << step;
    EXPECT_EQ(outcome.body, "hello, world");
    EXPECT_EQ(outcome.request.Header("x-trailer"), "");
    EXPECT_EQ(outcome.rest, "NEXT");
  }
}

TEST(Http1Parser, TakesTheFormThatProxiesSend) {
  const Outcome outcome = Parse("GET http://host:1/p?q HTTP/1.1\r\nHost: host\r\n\r\n", 7);
  ASSERT_EQ(outcome.last, Event::kEnd);
  EXPECT_EQ(outcome.request.path, "/p");
  EXPECT_EQ(outcome.request.query, "q");
  EXPECT_EQ(Parse("GET http://host?q HTTP/1.1\r\nHost: host\r\n\r\n", 100).request.path, "/");
  EXPECT_EQ(Parse("OPTIONS * HTTP/1.1\r\nHost: host\r\n\r\n", 100).request.path, "*");
}

TEST(Http1Parser, IgnoresAnEmptyLineBeforeARequest) {
  EXPECT_EQ(Parse("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 1).last, Event::kEnd);
}

TEST(Http1Parser, RefusesWhatCouldBeReadInTwoWays) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const std::string headers : {
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
           "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
           "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
           "Content-Length: 3, 3\r\n\r\nabc",
           "Content-Length: +3\r\n\r\nabc",
           "Content-Length: -3\r\n\r\nabc",
           "Content-Length: 0x3\r\n\r\nabc",
           "Content-Length: \r\n\r\nabc",
           "Content-Length: 99999999999999999999999\r\n\r\nabc",
           "Content-Length : 3\r\n\r\nabc",
           " Content-Length: 3\r\n\r\nabc",
           "X: 1\r\n Content-Length: 3\r\n\r\nabc",
           "X: 1\r\n\tfolded\r\n\r\n",
           "Transfer-Encoding: xchunked\r\n\r\n",
           "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding: identity\r\n\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding:\x0b chunked\r\n\r\n0\r\n\r\n",
           "Host: y\r\n\r\n",
           "X\r\n\r\n",
           ": no name\r\n\r\n",
           "X: a\nY: b\r\n\r\n",
           "X: a\rY: b\r\n\r\n",
           "Na me: b\r\n\r\n",
       }) {
    EXPECT_EQ(RefusedWith(head + headers), 400) << headers;
  }
  EXPECT_EQ(RefusedWith(head + "X: a" + std::string(1, '\0') + "b\r\n\r\n"), 400);
}

TEST(Http1Parser, RefusesBadChunks) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body : {
           "x\r\nabc\r\n0\r\n\r\n",
           "-3\r\nabc\r\n0\r\n\r\n",
           "3\nabc\r\n0\r\n\r\n",
           "3\r\nabcd\r\n0\r\n\r\n",
           "3\r\nabc0\r\n\r\n",
           "11111111111111111\r\nabc",
           "\r\nabc\r\n",
       }) {
    EXPECT_EQ(RefusedWith(head + body), 400) << body;
  }
}

TEST(Http1Parser, RefusesBadRequestLines) {
  for (const std::string line : {
           "GET /\r\n",
           "GET / HTTP/2.0\r\n",
           "GET / HTTP/1.2\r\n",
           "GET / http/1.1\r\n",
           "GET  / HTTP/1.1\r\n",
           "GET / x HTTP/1.1\r\n",
           " GET / HTTP/1.1\r\n",
           "G@T / HTTP/1.1\r\n",
           "GET relative HTTP/1.1\r\n",
           "CONNECT host:80 HTTP/1.1\r\n",
           "GET /\x01 HTTP/1.1\r\n",
       }) {
    EXPECT_EQ(RefusedWith(line + "Host: x\r\n\r\n"), 400) << line;
  }
  EXPECT_EQ(RefusedWith("GET / HTTP/1.1\nHost: x\n\n"), 400);
  EXPECT_EQ(RefusedWith("GET / HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(Parse("GET / HTTP/1.0\r\n\r\n", 100).last, Event::kEnd);
  EXPECT_EQ(RefusedWith("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
}

TEST(Http1Parser, LimitsHeadersHoweverTheyArrive) {
  const std::string many = [] {
    std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 2000; ++i) {
      text += "X-" + std::to_string(i) + ": v\r\n";
    }
    return text + "\r\n";
  }();
  const std::string one = "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(5000, 'a') + "\r\n\r\n";
  const std::string endless = "GET /" + std::string(5000, 'a');
  for (const std::string& text : {many, one, endless}) {
    for (const size_t step : {size_t{1}, size_t{100}, text.size()}) {
      EXPECT_EQ(Parse(text, step, 4096).status, 431) << step;
    }
  }
}

TEST(Http1Parser, LimitsTheNumberOfHeaders) {
  std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 300; ++i) {
    text += "a:\r\n";
  }
  EXPECT_EQ(Parse(text + "\r\n", 100).status, 431);
}

TEST(Http1Parser, LimitsChunkLinesAndTrailers) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Parse(head + "1;" + std::string(9000, 'e'), 512, 4096).status, 400);
  EXPECT_EQ(Parse(head + "0\r\nX: " + std::string(9000, 't'), 512, 4096).status, 400);
}

}  // namespace
}  // namespace roost
