#include "cli/api.h"

#include <algorithm>

#include <boost/json.hpp>

#include "base/strings.h"

namespace roost {

namespace {

Code ParseCode(std::string_view name) {
  for (int code = 1; code <= static_cast<int>(Code::kUnauthenticated); ++code) {
    if (CodeName(static_cast<Code>(code)) == name) {
      return static_cast<Code>(code);
    }
  }
  return Code::kUnknown;
}

// What stands for a code where the reply is no problem document: a proxy's page.
Code CodeOfStatus(int status) {
  switch (status) {
    case 400:
      return Code::kInvalidArgument;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 413:
    case 429:
      return Code::kResourceExhausted;
    case 502:
    case 503:
      return Code::kUnavailable;
    case 504:
      return Code::kDeadlineExceeded;
    default:
      return Code::kUnknown;
  }
}

Error ErrorOfReply(const HttpReply& reply, const std::string& url) {
  boost::json::error_code error;
  const boost::json::value document = boost::json::parse(reply.body, error);
  if (!error && document.is_object()) {
    const auto& problem = document.get_object();
    const auto* detail = problem.if_contains("detail");
    const auto* code = problem.if_contains("code");
    if (detail != nullptr && detail->is_string() && code != nullptr && code->is_string()) {
      return {.code = ParseCode(code->get_string()), .message = std::string(detail->get_string())};
    }
  }
  return {.code = CodeOfStatus(reply.status),
          .message = url + " answered with status " + std::to_string(reply.status) +
                     "; is that a Roost server?"};
}

std::chrono::milliseconds RetryAfter(const HttpReply& reply) {
  const Result<uint64_t> seconds = ParseUint64(reply.Header("retry-after"));
  return std::chrono::seconds(seconds.ok() ? std::min<uint64_t>(*seconds, 3'600) : 0);
}

std::string WithoutEndSlash(std::string url) {
  while (url.ends_with('/')) {
    url.pop_back();
  }
  return url;
}

Api::Options Tidy(Api::Options options) {
  options.url = WithoutEndSlash(std::move(options.url));
  return options;
}

}  // namespace

struct Api::Outcome {
  Result<std::string> result;
  bool lost = false;  ///< no reply came
  bool busy = false;  ///< the server wants to be asked again
  std::chrono::milliseconds retry_after{0};
};

Api::Api(Options options, Clock& clock)
    : options_(Tidy(std::move(options))),
      clock_(clock),
      client_(
          {.hint = "is `roost serve` running there? (--url or ROOST_URL names another place)"}) {}

Api::Outcome Api::Once(const std::string& method, const std::string& path,
                       const std::string& body) {
  RequestContext context;
  context.deadline = Deadline::After(options_.timeout);
  HttpCall call{.method = method, .url = options_.url + path};
  call.body = body;
  Result<HttpReply> reply = client_.Call(context, call);
  if (!reply.ok()) {
    unreachable_ = reply.code() == Code::kUnavailable;
    const bool lost = unreachable_;
    return {.result = std::move(reply).error(), .lost = lost};
  }
  unreachable_ = false;
  if (reply->status / 100 == 2) {
    return {.result = std::move(reply->body)};
  }
  const bool busy = reply->status == 503 || reply->status == 429;
  return {.result = ErrorOfReply(*reply, options_.url),
          .busy = busy,
          .retry_after = RetryAfter(*reply)};
}

Result<std::string> Api::Call(const std::string& method, const std::string& path,
                              std::string body) {
  return Once(method, path, body).result;
}

Result<std::string> Api::CallPatiently(const std::string& method, const std::string& path,
                                       const std::string& body, bool repeat_lost) {
  std::chrono::milliseconds wait{100};
  for (uint32_t attempt = 1;; ++attempt) {
    Outcome outcome = Once(method, path, body);
    const bool again = outcome.busy || (outcome.lost && repeat_lost);
    if (outcome.result.ok() || !again || attempt >= options_.attempts) {
      return std::move(outcome.result);
    }
    ++retries_;
    if (!WaitFor(std::min(std::max(wait, outcome.retry_after), options_.longest_wait))) {
      return Cancelled("interrupted while waiting for the server: " +
                       outcome.result.error().message);
    }
    wait *= 2;
  }
}

bool Api::WaitFor(std::chrono::milliseconds wait) {
  constexpr std::chrono::milliseconds kStep{100};
  for (; wait.count() > 0 && !options_.give_up(); wait -= kStep) {
    clock_.SleepFor(std::min(wait, kStep), {});
  }
  return !options_.give_up();
}

std::string CollectionPath(std::string_view collection, std::string_view rest) {
  return "/v1/collections/" + PercentEncode(collection) + std::string(rest);
}

}  // namespace roost
