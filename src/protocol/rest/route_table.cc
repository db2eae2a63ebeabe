#include "protocol/rest/route_table.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace roost::rest {

namespace {

std::vector<std::string_view> SplitPath(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t start = 1; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return InvalidArgument("the address has a '%' that is not followed by two hex digits");
      }
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::optional<std::string> RestCall::Query(std::string_view name) const {
  std::string_view rest = http.query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const Result<std::string> key = PercentDecode(pair.substr(0, equals), true);
    if (key.ok() && *key == name) {
      const Result<std::string> value =
          PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true);
      return value.ok() ? *value : std::string();
    }
  }
  return std::nullopt;
}

HttpResponse JsonResponse(std::string body, int status) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

struct RouteTable::Entry {
  const RestRoute* route = nullptr;
  std::vector<std::string_view> parts;  ///< empty views stand for `{…}`
  HttpHandler handler;

  bool Matches(const std::vector<std::string_view>& path) const {
    if (path.size() != parts.size()) {
      return false;
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].empty() ? parts[i] != path[i] : path[i].empty()) {
        return false;
      }
    }
    return true;
  }

  Result<RestCall> Call(const HttpRequest& request) const {
    RestCall call{.http = request, .path_values = {}};
    const std::vector<std::string_view> path = SplitPath(request.path);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) {
        call.path_values.push_back(TRY(PercentDecode(path[i], false)));
      }
    }
    return call;
  }
};

namespace {

HttpResponse Answer(const RestRoute& route, const Result<RestCall>& call,
                    const HttpRequest& request) {
  if (!call.ok()) {
    return ProblemResponse(call.error(), request.context.request_id);
  }
  Result<HttpResponse> response = route.call(*call);
  if (!response.ok()) {
    return ProblemResponse(response.error(), request.context.request_id);
  }
  return *std::move(response);
}

}  // namespace

RouteTable::RouteTable(std::vector<RestRoute> routes) : routes_(std::move(routes)) {
  for (const RestRoute& route : routes_) {
    auto entry = std::make_unique<Entry>();
    entry->route = &route;
    for (const std::string_view part : SplitPath(route.path)) {
      entry->parts.push_back(part.starts_with('{') ? std::string_view() : part);
    }
    const Entry* self = entry.get();
    if (route.call) {
      entry->handler.handle = [self](const HttpRequest& request) {
        return Answer(*self->route, self->Call(request), request);
      };
    } else {
      entry->handler.stream = [self](const HttpRequest& request, HttpResponseWriter& writer) {
        const Result<RestCall> call = self->Call(request);
        return call.ok() ? self->route->stream(*call, writer) : Status(call.error());
      };
    }
    entry->handler.stream_body = route.stream_body;
    entry->handler.inline_ok = route.inline_ok;
    entries_.push_back(std::move(entry));
  }
  not_found_.handle = [](const HttpRequest& request) {
    return ProblemResponse(
        NotFound("there is nothing at " + request.path.substr(0, 200) + "; see /openapi.json"),
        request.context.request_id);
  };
  wrong_method_.handle = [this](const HttpRequest& request) {
    std::set<std::string> allowed;
    const std::vector<std::string_view> path = SplitPath(request.path);
    for (const auto& entry : entries_) {
      if (entry->Matches(path)) {
        allowed.insert(entry->route->method);
      }
    }
    HttpResponse response = ProblemResponse(
        Unimplemented(fmt::format("{} takes {}, not {}", request.path.substr(0, 200),
                                  fmt::join(allowed, ", "), request.method)),
        request.context.request_id);
    response.status = 405;
    response.headers.emplace_back("allow", fmt::format("{}", fmt::join(allowed, ", ")));
    return response;
  };
}

RouteTable::~RouteTable() = default;

const HttpHandler* RouteTable::Find(const HttpRequest& request) const {
  const std::vector<std::string_view> path = SplitPath(request.path);
  const Entry* other_method = nullptr;
  for (const auto& entry : entries_) {
    if (entry->Matches(path)) {
      if (entry->route->method == request.method ||
          (request.method == "HEAD" && entry->route->method == "GET")) {
        return &entry->handler;
      }
      other_method = entry.get();
    }
  }
  return other_method != nullptr ? &wrong_method_ : &not_found_;
}

}  // namespace roost::rest
