#include "adapters/opensearch/opensearch_testing.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "adapters/opensearch/opensearch_index.h"

namespace roost {

SystemClock& TestClock() {
  static SystemClock clock;
  return clock;
}

Metrics& TestMetrics() {
  static const std::unique_ptr<Metrics> metrics = MakeMetrics();
  return *metrics;
}

RequestContext Within(std::chrono::milliseconds time) {
  RequestContext context;
  context.deadline = Deadline::After(time);
  return context;
}

RequestContext Soon() { return Within(std::chrono::seconds(60)); }

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

std::string FreshName() {
  static std::atomic<int> next{0};
  return "t" + std::to_string(getpid()) + "_" + std::to_string(next++);
}

bool Await(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::After(std::chrono::seconds(60));
  while (!deadline.Passed()) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return condition();
}

CollectionSchema PlainSchema(uint32_t dimension) {
  CollectionSchema schema;
  schema.name = FreshName();
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  schema.vectors = {{.name = "v", .dimension = dimension, .metric = Metric::kL2}};
  return schema;
}

Record PlainRow(std::string key, int64_t n, std::vector<float> v) {
  Record record;
  record.key.key = std::move(key);
  record.fields["n"] = n;
  record.vectors["v"] = Vector::Floats(v);
  return record;
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
