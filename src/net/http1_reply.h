#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace roost {

/// The head of an HTTP/1.1 reply, written straight into a connection's output.
struct Http1Head {
  const HttpResponse& response;
  std::string_view request_id;
  std::string_view date;
  enum class Body : uint8_t { kLength, kChunked, kUntilClose, kNone };
  Body body = Body::kLength;
  size_t length = 0;  ///< for kLength
  bool keep_alive = true;
  bool http10 = false;
};

/// Appends the head. Control characters in header values become blanks, so that a value taken from
/// a client cannot begin a header of its own.
void AppendHead(std::string& out, const Http1Head& head);
/// Appends "<hex size>\r\n". Size zero would end the body: never call it with that.
void AppendChunkSize(std::string& out, size_t size);
/// "Not Found" for 404; "Status" for one we have no words for.
std::string_view ReasonPhrase(int status);
/// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second in each thread; valid until the next call.
std::string_view HttpDate();
/// True for statuses whose replies have no body: 1xx, 204, 304.
bool HasNoBody(int status);

}  // namespace roost
