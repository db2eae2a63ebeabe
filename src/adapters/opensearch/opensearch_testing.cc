#include "adapters/opensearch/opensearch_testing.h"

#include <cstdio>
#include <cstdlib>

#include "adapters/opensearch/opensearch_index.h"

namespace roost {

OpenSearchOptions OptionsOf(uint16_t port) {
  OpenSearchOptions options;
  options.uri = "opensearch://127.0.0.1:" + std::to_string(port);
  return options;
}

OpenSearchOptions SharedServer() { return OptionsOf(SharedOpenSearchPeer().port()); }

std::unique_ptr<OpenSearchStore> OpenStore(const OpenSearchOptions& options) {
  auto store = OpenOpenSearchStore(options, TestClock(), TestMetrics());
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
    std::exit(1);
  }
  return *std::move(store);
}

std::string Raw(const std::string& method, const std::string& path, const std::string& body,
                uint16_t port) {
  static HttpClient client;
  HttpCall call;
  call.method = method;
  call.url =
      "http://127.0.0.1:" + std::to_string(port == 0 ? SharedOpenSearchPeer().port() : port) + path;
  call.body = body;
  const auto reply = client.Call(Soon(), call);
  EXPECT_TRUE(reply.ok()) << reply.error().ToString();
  return reply.ok() ? reply->body : "";
}

std::string IndexOf(const std::string& collection) {
  return OsIndexName(OpenSearchOptions().index_prefix, collection);
}

std::string AliasOf(const std::string& collection) {
  const std::string index = IndexOf(collection);
  const std::string reply = Raw("GET", "/" + index + "/_alias");
  const size_t begin = reply.find("\"" + index + "-");
  return begin == std::string::npos
             ? std::string()
             : reply.substr(begin + 1, reply.find('"', begin + 1) - begin - 1);
}

OpenSearchProxy::OpenSearchProxy(uint16_t server_port, Hook hook)
    : server_port_(server_port), hook_(std::move(hook)) {
  handler_.handle = [this](const HttpRequest& request) { return Handle(request); };
  auto started = HttpServer::Start(
      {}, [this](const HttpRequest&) { return &handler_; }, executor_, TestMetrics());
  EXPECT_TRUE(started.ok()) << started.error().ToString();
  server_ = *std::move(started);
}

HttpResponse OpenSearchProxy::Handle(const HttpRequest& request) {
  if (auto answer = hook_(request)) {
    return *std::move(answer);
  }
  HttpCall call;
  call.method = request.method;
  call.url = "http://127.0.0.1:" + std::to_string(server_port_) + request.path +
             (request.query.empty() ? "" : "?" + request.query);
  call.body = request.body;
  if (!request.body.empty()) {
    call.headers.emplace_back("Content-Type", std::string(request.Header("content-type")));
  }
  const auto reply = client_.Call(Soon(), call);
  HttpResponse response;
  response.status = reply.ok() ? reply->status : 502;
  response.body = reply.ok() ? reply->body : reply.error().ToString();
  return response;
}

}  // namespace roost
