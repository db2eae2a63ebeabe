#include <boost/json.hpp>
#include <fmt/format.h>

#include "protocol/rest/rest_api.h"

// openapi_components.json, put into the program by components.S.
extern "C" const char roost_openapi_components[];
extern "C" const char roost_openapi_components_end[];

namespace roost::rest {

namespace {

namespace bj = boost::json;

bj::object Reference(const std::string& schema) {
  return {{"$ref", "#/components/schemas/" + schema}};
}

bj::object Content(const std::string& type, const std::string& schema) {
  bj::object media;
  if (!schema.empty()) {
    media["schema"] = Reference(schema);
  }
  return {{type, media}};
}

bj::array Parameters(const RestRoute& route) {
  bj::array parameters;
  for (size_t at = route.path.find('{'); at != std::string::npos;
       at = route.path.find('{', at + 1)) {
    const std::string name = route.path.substr(at + 1, route.path.find('}', at) - at - 1);
    parameters.push_back({{"name", name},
                          {"in", "path"},
                          {"required", true},
                          {"schema", bj::object{{"type", "string"}}}});
  }
  for (const QueryParameter& parameter : route.query) {
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"description", parameter.description},
                          {"schema", bj::object{{"type", parameter.type}}}});
  }
  return parameters;
}

bj::object Operation(const RestRoute& route) {
  bj::object operation{
      {"operationId", route.operation}, {"summary", route.summary}, {"tags", bj::array{route.tag}}};
  bj::array parameters = Parameters(route);
  if (!parameters.empty()) {
    operation["parameters"] = std::move(parameters);
  }
  if (!route.request_schema.empty()) {
    operation["requestBody"] = {
        {"required", true},
        {"content", Content(route.stream_body ? "application/x-ndjson" : "application/json",
                            route.request_schema)}};
  }
  bj::object responses;
  responses[std::to_string(route.response_status)] = {
      {"description", "done"}, {"content", Content(route.response_type, route.response_schema)}};
  responses["default"] = {{"description", "what went wrong"},
                          {"content", Content("application/problem+json", "Problem")}};
  operation["responses"] = std::move(responses);
  return operation;
}

std::string Lower(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(c | 0x20);
  }
  return text;
}

}  // namespace

std::string OpenApi(const std::vector<RestRoute>& routes, const std::string& version) {
  bj::object paths;
  for (const RestRoute& route : routes) {
    if (!paths.contains(route.path)) {
      paths[route.path] = bj::object();
    }
    paths[route.path].get_object()[Lower(route.method)] = Operation(route);
  }
  const std::string_view components(
      roost_openapi_components,
      static_cast<size_t>(roost_openapi_components_end - roost_openapi_components));
  const bj::object document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Roost"},
        {"version", version},
        {"summary", "One front door to vector stores"},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"paths", std::move(paths)},
      {"components", {{"schemas", bj::parse({components.data(), components.size()})}}}};
  return bj::serialize(document);
}

std::vector<RestRoute> MakeRoutes(const RestDependencies& dependencies, const RestLimits& limits) {
  std::vector<RestRoute> routes;
  AddSystemRoutes(routes, dependencies);
  AddCollectionRoutes(routes, dependencies);
  AddAdoptionRoutes(routes, dependencies);
  AddRecordRoutes(routes, dependencies);
  AddBulkRoutes(routes, dependencies, limits);
  AddKindRoutes(routes, dependencies.gateway, dependencies.records);
  AddMigrationRoutes(routes, dependencies);
  RestRoute self{.method = "GET",
                 .path = "/openapi.json",
                 .operation = "getOpenApi",
                 .tag = "system",
                 .summary = "This description",
                 .response_type = "application/json"};
  routes.push_back(std::move(self));
  const auto text = std::make_shared<const std::string>(OpenApi(routes, dependencies.version));
  routes.back().call = [text](const RestCall&) -> Result<HttpResponse> {
    return JsonResponse(*text);
  };
  return routes;
}

}  // namespace roost::rest
