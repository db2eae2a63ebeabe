#include <fmt/format.h>

#include "base/json.h"
#include "protocol/rest/json_body.h"
#include "protocol/rest/rest_api.h"
#include "store/schema_json.h"

namespace roost::rest {

namespace {

std::string NameList(std::string_view member, const std::vector<std::string>& names) {
  std::string out = fmt::format(R"({{"{}":[)", member);
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    AppendJsonString(out, names[i]);
  }
  out += "]}";
  return out;
}

std::string EncodeDescription(const Gateway::Described& described) {
  std::string out = SchemaToJson(described.description.schema);
  out.pop_back();
  out += R"(,"store":)";
  AppendJsonString(out, described.store);
  out += fmt::format(R"(,"estimated_count":{},"bytes_on_disk":{},"index_ready":{}}})",
                     described.description.estimated_count, described.description.bytes_on_disk,
                     described.description.index_ready);
  return out;
}

Result<HttpResponse> CreateCollection(Gateway& gateway, const RestCall& request) {
  CollectionSchema schema = TRY(SchemaFromJson(request.http.body));
  const std::string name = schema.name;
  TRY(gateway.CreateCollection(request.http.context, std::move(schema),
                               request.Query("store").value_or("")));
  const Gateway::Described described = TRY(gateway.DescribeCollection(request.http.context, name));
  return JsonResponse(EncodeDescription(described), 201);
}

Result<HttpResponse> CreateDatabase(Gateway& gateway, const RestCall& request) {
  std::string name;
  TRY(ReadBody(request.http.body, [&](std::string_view member, sj::value value) {
    if (member != "name") {
      UnknownMember(member, "name");
    }
    name = ReadString(member, value);
  }));
  TRY(gateway.CreateDatabase(request.http.context, name));
  std::string out = R"({"name":)";
  AppendJsonString(out, name);
  return JsonResponse(out + "}", 201);
}

void AddDatabases(std::vector<RestRoute>& routes, Gateway& gateway) {
  routes.push_back({.method = "GET",
                    .path = "/v1/databases",
                    .operation = "listDatabases",
                    .tag = "databases",
                    .summary = "Names of the databases",
                    .response_schema = "DatabaseList",
                    .call = [&gateway](const RestCall&) -> Result<HttpResponse> {
                      const auto names = TRY(gateway.ListDatabases());
                      return JsonResponse(NameList("databases", names));
                    }});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/databases",
       .operation = "createDatabase",
       .tag = "databases",
       .summary = "Make a database",
       .request_schema = "Database",
       .response_schema = "Database",
       .response_status = 201,
       .call = [&gateway](const RestCall& request) { return CreateDatabase(gateway, request); }});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/databases/{database}",
                    .operation = "dropDatabase",
                    .tag = "databases",
                    .summary = "Drop a database that holds no collections",
                    .response_schema = "Empty",
                    .call = [&gateway](const RestCall& request) -> Result<HttpResponse> {
                      TRY(gateway.DropDatabase(request.http.context, request.PathValue(0)));
                      return JsonResponse("{}");
                    }});
}

}  // namespace

void AddCollectionRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies) {
  Gateway& gateway = dependencies.gateway;
  AddDatabases(routes, gateway);
  routes.push_back({.method = "GET",
                    .path = "/v1/collections",
                    .operation = "listCollections",
                    .tag = "collections",
                    .summary = "Names of the collections",
                    .response_schema = "CollectionList",
                    .query = {{"database", "string", "only those of this database"}},
                    .call = [&gateway](const RestCall& request) -> Result<HttpResponse> {
                      const auto names = TRY(
                          gateway.ListCollections(request.http.context, request.Query("database")));
                      return JsonResponse(NameList("collections", names));
                    }});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/collections",
       .operation = "createCollection",
       .tag = "collections",
       .summary = "Make a collection",
       .request_schema = "Collection",
       .response_schema = "CollectionDescription",
       .response_status = 201,
       .query = {{"store", "string", "where it shall live; the default store if left out"}},
       .call = [&gateway](const RestCall& request) { return CreateCollection(gateway, request); }});
  routes.push_back({.method = "GET",
                    .path = "/v1/collections/{collection}",
                    .operation = "describeCollection",
                    .tag = "collections",
                    .summary = "Schema, store and size of a collection",
                    .response_schema = "CollectionDescription",
                    .call = [&gateway](const RestCall& request) -> Result<HttpResponse> {
                      const Gateway::Described described = TRY(
                          gateway.DescribeCollection(request.http.context, request.PathValue(0)));
                      return JsonResponse(EncodeDescription(described));
                    }});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/collections/{collection}",
                    .operation = "dropCollection",
                    .tag = "collections",
                    .summary = "Drop a collection with its records",
                    .response_schema = "Empty",
                    .call = [&gateway](const RestCall& request) -> Result<HttpResponse> {
                      TRY(gateway.DropCollection(request.http.context, request.PathValue(0)));
                      return JsonResponse("{}");
                    }});
}

}  // namespace roost::rest
