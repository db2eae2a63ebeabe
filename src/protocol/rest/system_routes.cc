#include <fmt/format.h>

#include "base/json.h"
#include "protocol/rest/rest_api.h"

namespace roost::rest {

namespace {

HttpResponse HealthResponse(const HealthReport& report) {
  HttpResponse response = JsonResponse(report.json, report.ok ? 200 : 503);
  response.headers.emplace_back("cache-control", "no-store");
  return response;
}

template <typename Set, typename Name>
std::string NameArray(const Set& values, Name name) {
  std::string out = "[";
  for (const auto value : values) {
    out += fmt::format(R"({}"{}")", out.size() > 1 ? "," : "", name(value));
  }
  return out + "]";
}

std::string EncodeStore(const std::string& name, VectorStore& store,
                        const RequestContext& context) {
  const Capabilities& able = store.capabilities();
  const Status health = store.CheckHealth(context.WithTimeout(std::chrono::seconds(2)));
  std::string out = R"({"name":)";
  AppendJsonString(out, name);
  out += R"(,"kind":)";
  AppendJsonString(out, able.store);
  out += R"(,"version":)";
  AppendJsonString(out, able.version);
  out += fmt::format(R"(,"healthy":{},"error":)", health.ok());
  AppendJsonString(out, health.ok() ? std::string() : health.error().ToString());
  out += fmt::format(
      R"(,"types":{},"metrics":{},"max_dimension":{},"max_indexed_dimension":{},"max_top_k":{},)"
      R"("max_vectors_per_record":{},"null_bytes_in_strings":{},)"
      R"("keyword_search":{},"dynamic_fields":{},"tenants":{},"fenced_writes":{}}})",
      NameArray(able.types, DataTypeName), NameArray(able.metrics, MetricName), able.max_dimension,
      able.max_indexed_dimension, able.max_top_k, able.max_vectors_per_record,
      able.null_bytes_in_strings, able.keyword_search, able.dynamic_fields, able.tenants,
      able.fenced_writes);
  return out;
}

}  // namespace

void AddSystemRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies) {
  HealthRegistry& health = dependencies.health;
  Metrics& metrics = dependencies.metrics;
  const auto& stores = dependencies.stores;
  const std::string version = dependencies.version;
  routes.push_back({.method = "GET",
                    .path = "/healthz",
                    .operation = "getLiveness",
                    .tag = "system",
                    .summary = "Whether the process lives",
                    .response_schema = "Health",
                    .call = [&health](const RestCall&) -> Result<HttpResponse> {
                      return HealthResponse(health.Live());
                    },
                    .inline_ok = true});
  routes.push_back(
      {.method = "GET",
       .path = "/readyz",
       .operation = "getReadiness",
       .tag = "system",
       .summary = "Whether requests should be sent here; 503 while starting or draining",
       .response_schema = "Health",
       .call = [&health](const RestCall&) -> Result<HttpResponse> {
         return HealthResponse(health.Ready());
       },
       .inline_ok = true});
  routes.push_back({.method = "GET",
                    .path = "/metrics",
                    .operation = "getMetrics",
                    .tag = "system",
                    .summary = "The process's numbers in Prometheus' text format",
                    .response_type = "text/plain; version=0.0.4",
                    .call = [&metrics](const RestCall&) -> Result<HttpResponse> {
                      HttpResponse response = JsonResponse(metrics.Render());
                      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                      return response;
                    }});
  routes.push_back({.method = "GET",
                    .path = "/v1/version",
                    .operation = "getVersion",
                    .tag = "system",
                    .summary = "The server's version",
                    .response_schema = "Version",
                    .call = [version](const RestCall&) -> Result<HttpResponse> {
                      return JsonResponse(fmt::format(R"({{"version":"{}"}})", version));
                    },
                    .inline_ok = true});
  routes.push_back({.method = "GET",
                    .path = "/v1/stores",
                    .operation = "listStores",
                    .tag = "system",
                    .summary = "The configured stores, their health and what they can do",
                    .response_schema = "StoreList",
                    .call = [&stores](const RestCall& request) -> Result<HttpResponse> {
                      std::string out = R"({"stores":[)";
                      for (const auto& [name, store] : stores) {
                        out += out.back() == '[' ? "" : ",";
                        out += EncodeStore(name, *store, request.http.context);
                      }
                      return JsonResponse(out + "]}");
                    }});
}

}  // namespace roost::rest
