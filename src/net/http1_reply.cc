#include "net/http1_reply.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

namespace roost {
namespace {

constexpr std::pair<int, std::string_view> kReasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

void AppendNumber(std::string& out, uint64_t number, int base = 10) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, end);
}

void AppendValue(std::string& out, std::string_view value) {
  const size_t at = out.size();
  out.append(value);
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  for (const auto& [number, words] : kReasons) {
    if (number == status) {
      return words;
    }
  }
  return "Status";
}

std::string_view HttpDate() {
  thread_local std::time_t made_at = 0;
  thread_local char text[32];
  thread_local size_t size = 0;
  const std::time_t second = std::time(nullptr);
  if (second != made_at || size == 0) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made_at = second;
  }
  return {text, size};
}

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

void AppendHead(std::string& out, const Http1Head& head) {
  const HttpResponse& response = head.response;
  out.append("HTTP/1.1 ");
  AppendNumber(out, static_cast<uint64_t>(std::clamp(response.status, 100, 999)));
  out.push_back(' ');
  out.append(ReasonPhrase(response.status));
  out.append("\r\nDate: ");
  out.append(head.date);
  if (!response.content_type.empty() && head.body != Http1Head::Body::kNone) {
    out.append("\r\nContent-Type: ");
    AppendValue(out, response.content_type);
  }
  switch (head.body) {
    case Http1Head::Body::kLength:
      out.append("\r\nContent-Length: ");
      AppendNumber(out, head.length);
      break;
    case Http1Head::Body::kChunked:
      out.append("\r\nTransfer-Encoding: chunked");
      break;
    case Http1Head::Body::kUntilClose:
    case Http1Head::Body::kNone:
      break;
  }
  out.append("\r\nX-Request-Id: ");
  AppendValue(out, head.request_id);
  for (const auto& [name, value] : response.headers) {
    out.append("\r\n");
    AppendValue(out, name);
    out.append(": ");
    AppendValue(out, value);
  }
  if (!head.keep_alive) {
    out.append("\r\nConnection: close");
  } else if (head.http10) {
    out.append("\r\nConnection: keep-alive");
  }
  out.append("\r\n\r\n");
}

void AppendChunkSize(std::string& out, size_t size) {
  AppendNumber(out, size, 16);
  out.append("\r\n");
}

}  // namespace roost
