#include <fmt/format.h>

#include "protocol/rest/record_codec.h"
#include "protocol/rest/rest_api.h"

namespace roost::rest {

namespace {

// A route below a collection that decodes its body by the collection's schema.
using RecordCall = std::function<Result<std::string>(const RestCall&, const CollectionSchema&)>;

RestRoute RecordRoute(Gateway& gateway, std::string verb, std::string summary,
                      std::string request_schema, std::string response_schema, RecordCall call) {
  RestRoute route;
  route.method = "POST";
  route.path = "/v1/collections/{collection}/" + verb;
  route.operation = verb == "hybrid-search" ? "hybridSearch" : verb + "Records";
  route.tag = "records";
  route.summary = std::move(summary);
  route.request_schema = std::move(request_schema);
  route.response_schema = std::move(response_schema);
  route.call = [&gateway, call = std::move(call)](const RestCall& request) -> Result<HttpResponse> {
    const auto schema = TRY(gateway.Schema(request.http.context, request.PathValue(0)));
    std::string body = TRY(call(request, *schema));
    return JsonResponse(std::move(body));
  };
  return route;
}

std::string EncodeRecords(const std::vector<Record>& records, const CollectionSchema& schema) {
  std::string out = R"({"records":[)";
  for (size_t i = 0; i < records.size(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    AppendRecord(out, records[i], schema);
  }
  return out;
}

std::string EncodeDelete(const DeleteResult& result) {
  WriteResult rows{.written = 0, .errors = result.errors};
  const std::string errors = EncodeWriteResult(rows);
  return fmt::format(R"({{"deleted":{},{})", result.deleted,
                     errors.substr(errors.find("\"errors")));
}

Result<std::string> Delete(Gateway& gateway, const RestCall& request,
                           const CollectionSchema& schema) {
  DeleteBody body = TRY(DecodeDelete(request.http.body, schema));
  if (body.filter != nullptr) {
    const DeleteResult result =
        TRY(gateway.DeleteByFilter(request.http.context, schema.name, body.filter, body.tenant));
    return EncodeDelete(result);
  }
  const DeleteRequest keys{
      .collection = schema.name, .keys = std::move(body.keys), .filter = {}, .fence = {}};
  const DeleteResult result = TRY(gateway.Delete(request.http.context, keys));
  return EncodeDelete(result);
}

Result<std::string> Get(Gateway& gateway, const RestCall& request, const CollectionSchema& schema) {
  const GetRequest get = TRY(DecodeGet(request.http.body, schema));
  const GetResult result = TRY(gateway.Get(request.http.context, get));
  std::string out = R"({"records":[)";
  for (size_t i = 0; i < result.records.size(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    if (result.records[i]) {
      AppendRecord(out, *result.records[i], schema);
    } else {
      out += "null";
    }
  }
  out += "]}";
  return out;
}

Result<std::string> Scan(Gateway& gateway, const RestCall& request,
                         const CollectionSchema& schema) {
  const ScanRequest scan = TRY(DecodeScan(request.http.body, schema));
  const ScanPage page = TRY(gateway.Scan(request.http.context, scan));
  std::string out = EncodeRecords(page.records, schema);
  out += page.done ? R"(],"done":true})" : R"(],"done":false})";
  return out;
}

}  // namespace

void AddRecordRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies) {
  Gateway& gateway = dependencies.gateway;
  routes.push_back(RecordRoute(
      gateway, "insert", "Write new records; existing keys are errors of their rows",
      "WriteRequest", "WriteResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const WriteRequest write = TRY(DecodeWrite(request.http.body, schema));
        const WriteResult result = TRY(gateway.Insert(request.http.context, write));
        return EncodeWriteResult(result);
      }));
  routes.push_back(RecordRoute(
      gateway, "upsert", "Write records, replacing those with the same key", "WriteRequest",
      "WriteResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const WriteRequest write = TRY(DecodeWrite(request.http.body, schema));
        const WriteResult result = TRY(gateway.Upsert(request.http.context, write));
        return EncodeWriteResult(result);
      }));
  routes.push_back(RecordRoute(gateway, "delete", "Delete records by key or by filter",
                               "DeleteRequest", "DeleteResult",
                               [&gateway](const RestCall& request, const CollectionSchema& schema) {
                                 return Delete(gateway, request, schema);
                               }));
  routes.push_back(RecordRoute(gateway, "get", "Read records by key", "GetRequest", "GetResult",
                               [&gateway](const RestCall& request, const CollectionSchema& schema) {
                                 return Get(gateway, request, schema);
                               }));
  routes.push_back(RecordRoute(
      gateway, "query", "Read records that match a filter, ordered by key", "QueryRequest",
      "QueryResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const QueryRequest query = TRY(DecodeQuery(request.http.body, schema));
        const QueryResult result = TRY(gateway.Query(request.http.context, query));
        return EncodeRecords(result.records, schema) + "]}";
      }));
  routes.push_back(RecordRoute(
      gateway, "count", "Count the records that match a filter", "CountRequest", "CountResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const CountRequest count = TRY(DecodeCount(request.http.body, schema));
        const uint64_t result = TRY(gateway.Count(request.http.context, count));
        return fmt::format(R"({{"count":{}}})", result);
      }));
  routes.push_back(RecordRoute(gateway, "scan", "Read all records page by page, ordered by key",
                               "ScanRequest", "ScanResult",
                               [&gateway](const RestCall& request, const CollectionSchema& schema) {
                                 return Scan(gateway, request, schema);
                               }));
  routes.push_back(RecordRoute(
      gateway, "search", "Find the nearest records to vectors, or the best for words",
      "SearchRequest", "SearchResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const SearchRequest search = TRY(DecodeSearch(request.http.body, schema));
        const SearchResult result = TRY(gateway.Search(request.http.context, search));
        return EncodeSearchResult(result, schema);
      }));
  routes.push_back(RecordRoute(
      gateway, "hybrid-search", "Run several searches and fuse their hits into one list",
      "HybridSearchRequest", "SearchResult",
      [&gateway](const RestCall& request, const CollectionSchema& schema) -> Result<std::string> {
        const HybridSearchRequest search = TRY(DecodeHybrid(request.http.body, schema));
        const SearchResult result = TRY(gateway.HybridSearch(request.http.context, search));
        return EncodeSearchResult(result, schema);
      }));
}

}  // namespace roost::rest
