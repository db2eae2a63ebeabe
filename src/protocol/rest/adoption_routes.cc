// What others made on a store, and its adoption as collections.

#include "base/json.h"
#include "protocol/rest/json_body.h"
#include "protocol/rest/rest_api.h"
#include "store/schema_json.h"

namespace roost::rest {

namespace {

/// `{"foreign":[…` with each one's name, collection and obstacle.
std::string EncodeForeign(const std::vector<ForeignCollection>& list) {
  std::string out = R"({"foreign":[)";
  for (const ForeignCollection& one : list) {
    out += out.back() == '[' ? "" : ",";
    out += R"({"name":)" + JsonString(one.name);
    if (!one.adopted_as.empty()) {
      out += R"(,"adopted_as":)" + JsonString(one.adopted_as);
    }
    if (!one.obstacle.empty()) {
      out += R"(,"obstacle":)" + JsonString(one.obstacle);
    }
    out += "}";
  }
  return out + "]}";
}

std::string EncodePlan(const AdoptionPlan& plan, bool adopted) {
  std::string out = std::string(R"({"adopted":)") + (adopted ? "true" : "false") +
                    R"(,"collection":)" + SchemaToJson(plan.schema) + R"(,"fidelity":[)";
  for (const FidelityRow& row : plan.rows) {
    out += out.back() == '[' ? "" : ",";
    out += R"({"what":)" + JsonString(row.what) + R"(,"from":)" + JsonString(row.from) +
           R"(,"to":)" + JsonString(row.to) + R"(,"fidelity":)" +
           JsonString(FidelityName(row.fidelity)) + R"(,"remark":)" + JsonString(row.remark) + "}";
  }
  out += R"(],"notes":[)";
  for (const std::string& note : plan.notes) {
    out += out.back() == '[' ? "" : ",";
    out += JsonString(note);
  }
  return out + "]}";
}

Result<AdoptionQuery> DecodeQuery(const std::string& body) {
  AdoptionQuery query;
  std::string metric;
  TRY(ReadBody(body, [&](std::string_view member, sj::value value) {
    if (member == "foreign") {
      query.foreign = ReadString(member, value);
    } else if (member == "name") {
      query.name = ReadString(member, value);
    } else if (member == "metric") {
      metric = ReadString(member, value);
    } else {
      UnknownMember(member, "foreign, name, metric");
    }
  }));
  if (query.foreign.empty()) {
    return InvalidArgument("\"foreign\" is missing: name what shall be adopted");
  }
  if (!metric.empty()) {
    query.metric = TRY(ParseMetric(metric));
  }
  return query;
}

Result<HttpResponse> Adopt(Gateway& gateway, const RestCall& request) {
  const AdoptionQuery query = TRY(DecodeQuery(request.http.body));
  const std::string& store = request.PathValue(0);
  if (request.Query("dry_run") == "true") {
    const AdoptionPlan plan = TRY(gateway.PlanAdoption(request.http.context, store, query));
    return JsonResponse(EncodePlan(plan, false));
  }
  const AdoptionPlan plan = TRY(gateway.Adopt(request.http.context, store, query));
  return JsonResponse(EncodePlan(plan, true), 201);
}

}  // namespace

void AddAdoptionRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies) {
  Gateway& gateway = dependencies.gateway;
  routes.push_back({.method = "GET",
                    .path = "/v1/stores/{store}/foreign",
                    .operation = "listForeign",
                    .tag = "collections",
                    .summary = "Tables or classes on the store that others made",
                    .response_schema = "ForeignList",
                    .call = [&gateway](const RestCall& request) -> Result<HttpResponse> {
                      const auto list =
                          TRY(gateway.ListForeign(request.http.context, request.PathValue(0)));
                      return JsonResponse(EncodeForeign(list));
                    }});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/stores/{store}/adopt",
       .operation = "adoptForeign",
       .tag = "collections",
       .summary = "Make a collection of what others made, which stays as it is, or plan it",
       .request_schema = "AdoptionRequest",
       .response_schema = "AdoptionReport",
       .response_status = 201,
       .query = {{"dry_run", "boolean", "only tell what the collection would be"}},
       .call = [&gateway](const RestCall& request) { return Adopt(gateway, request); }});
}

}  // namespace roost::rest
