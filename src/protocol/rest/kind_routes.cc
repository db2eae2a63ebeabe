#include <fmt/format.h>

#include "base/json.h"
#include "protocol/rest/kind_codec.h"
#include "protocol/rest/record_codec.h"
#include "protocol/rest/rest_api.h"

namespace roost::rest {

namespace {

// An operation on one tenant's records: decodes its body by the layout, answers with JSON.
using KindCall =
    std::function<Result<std::string>(const RestCall&, const RecordScope&, const RecordLayout&)>;

class KindRoutes {
 public:
  KindRoutes(std::vector<RestRoute>& routes, RecordService& records)
      : routes_(routes), records_(records) {}

  // Requests and replies are described under the operation's name: "insert_record" takes an
  // "InsertRecordRequest".
  void Add(const std::string& operation, std::string summary, std::string request_schema,
           std::string response_schema, KindCall call) {
    RestRoute route;
    route.method = "POST";
    route.path = "/v1/records/{collection}/{tenant}/" + operation;
    route.operation = operation;
    route.tag = "application records";
    route.summary = std::move(summary);
    route.request_schema = std::move(request_schema);
    route.response_schema = std::move(response_schema);
    route.call = [this_records = &records_,
                  call = std::move(call)](const RestCall& rest) -> Result<HttpResponse> {
      const RecordScope scope{.collection = rest.PathValue(0), .tenant = rest.PathValue(1)};
      const RecordLayout layout = TRY(this_records->Layout(rest.http.context, scope.collection));
      std::string body = TRY(call(rest, scope, layout));
      return JsonResponse(std::move(body));
    };
    routes_.push_back(std::move(route));
  }

 private:
  std::vector<RestRoute>& routes_;
  RecordService& records_;
};

std::string EncodeOne(const Record& record) {
  std::string out = R"({"record":)";
  AppendKindRecord(out, record);
  return out + "}";
}

void AddWrites(KindRoutes& routes, RecordService& records) {
  routes.Add("insert_record", "Write a new record; refused where it is there already",
             "InsertRecordRequest", "WriteResult",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout& layout) -> Result<std::string> {
               RecordBatch batch = TRY(DecodeBatch(call.http.body, *layout.schema, true));
               const bool written = !batch.check_only;
               TRY(records.InsertRecord(call.http.context, scope, std::move(batch)));
               return EncodeWriteResult({.written = written ? 1U : 0U, .errors = {}});
             });
  routes.Add("upsert_records", "Write records, replacing whole ones", "UpsertRecordsRequest",
             "WriteResult",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout& layout) -> Result<std::string> {
               RecordBatch batch = TRY(DecodeBatch(call.http.body, *layout.schema, false));
               const WriteResult result =
                   TRY(records.UpsertRecords(call.http.context, scope, std::move(batch)));
               return EncodeWriteResult(result);
             });
  const auto update = [&records](bool with_vector) -> KindCall {
    return [&records, with_vector](const RestCall& call, const RecordScope& scope,
                                   const RecordLayout& layout) -> Result<std::string> {
      RecordUpdate change = TRY(DecodeUpdate(call.http.body, *layout.schema, with_vector));
      const Record record = TRY(records.UpdateRecord(call.http.context, scope, std::move(change)));
      return EncodeOne(record);
    };
  };
  routes.Add("update_record_vector", "Replace a record's vector, and some properties",
             "UpdateRecordVectorRequest", "KindRecordResult", update(true));
  routes.Add("update_record_metadata", "Replace some of a record's properties; null removes one",
             "UpdateRecordMetadataRequest", "KindRecordResult", update(false));
}

void AddDeletions(KindRoutes& routes, RecordService& records) {
  const auto remove = [&records](bool single) -> KindCall {
    return [&records, single](const RestCall& call, const RecordScope& scope,
                              const RecordLayout&) -> Result<std::string> {
      const RecordDeletion deletion = TRY(DecodeDeletion(call.http.body, single));
      const uint64_t deleted = TRY(records.DeleteRecords(call.http.context, scope, deletion));
      return fmt::format(R"({{"deleted":{}}})", deleted);
    };
  };
  routes.Add("delete_record", "Delete a record; its object goes to the delete hook",
             "DeleteRecordRequest", "DeletedCount", remove(true));
  routes.Add("delete_records_by_ids", "Delete records; their objects go to the delete hook",
             "DeleteRecordsByIdsRequest", "DeletedCount", remove(false));
  routes.Add(
      "delete_all_records", "Delete every record of the tenant", "RecordOrigin", "DeletedCount",
      [&records](const RestCall& call, const RecordScope& scope,
                 const RecordLayout&) -> Result<std::string> {
        const RecordOrigin origin = TRY(DecodeOrigin(call.http.body));
        const uint64_t deleted = TRY(records.DeleteAllRecords(call.http.context, scope, origin));
        return fmt::format(R"({{"deleted":{}}})", deleted);
      });
}

void AddQueries(KindRoutes& routes, RecordService& records) {
  routes.Add("query_by_vector", "Find the records nearest to a vector", "QueryByVectorRequest",
             "KindHits",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout& layout) -> Result<std::string> {
               VectorQuery query = TRY(DecodeVectorQuery(call.http.body, *layout.schema));
               const std::vector<Hit> hits =
                   TRY(records.QueryByVector(call.http.context, scope, std::move(query)));
               return EncodeKindHits(hits, true);
             });
  routes.Add("query_by_keyword", "Find the records that match words best", "QueryByKeywordRequest",
             "KindHits",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout& layout) -> Result<std::string> {
               KeywordQuery query = TRY(DecodeKeywordQuery(call.http.body, *layout.schema));
               const bool with_records = query.include_metadata;
               const std::vector<Hit> hits =
                   TRY(records.QueryByKeyword(call.http.context, scope, std::move(query)));
               return EncodeKindHits(hits, with_records);
             });
  routes.Add("query_by_filter", "Find the records that match a filter, and what is connected",
             "QueryByFilterRequest", "ConnectedRecords",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout& layout) -> Result<std::string> {
               const FilterQuery query = TRY(DecodeFilterQuery(call.http.body, *layout.schema));
               const ConnectedRecords result =
                   TRY(records.QueryByFilter(call.http.context, scope, query));
               return EncodeConnected(result);
             });
}

Result<std::string> GetByIds(RecordService& records, const RestCall& call, const RecordScope& scope,
                             bool single) {
  const IdsBody ids = TRY(DecodeIds(call.http.body, single));
  const auto found =
      TRY(records.GetRecordsByIds(call.http.context, scope, ids.ids, ids.include_vector));
  std::string out = single ? R"({"record":)" : R"({"records":[)";
  for (size_t i = 0; i < found.size(); ++i) {
    out += i > 0 ? "," : "";
    if (found[i]) {
      AppendKindRecord(out, *found[i]);
    } else {
      out += "null";
    }
  }
  return out + (single ? "}" : "]}");
}

void AddReads(KindRoutes& routes, RecordService& records) {
  routes.Add("get_most_recent_records", "The records that changed last, newest first",
             "GetMostRecentRecordsRequest", "KindRecords",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout&) -> Result<std::string> {
               const RecentBody recent = TRY(DecodeRecent(call.http.body));
               const std::vector<Record> found = TRY(records.GetMostRecentRecords(
                   call.http.context, scope, recent.limit, recent.include_vector));
               return EncodeKindRecords("records", found);
             });
  routes.Add("get_records_by_ids", "Records in the order asked; null where there is none",
             "GetRecordsByIdsRequest", "KindRecords",
             [&records](const RestCall& call, const RecordScope& scope, const RecordLayout&) {
               return GetByIds(records, call, scope, false);
             });
  routes.Add("get_record_by_id", "A record; null where there is none", "GetRecordByIdRequest",
             "KindRecordResult",
             [&records](const RestCall& call, const RecordScope& scope, const RecordLayout&) {
               return GetByIds(records, call, scope, true);
             });
  routes.Add("sync_by_last_modified", "What other devices changed, deletions included",
             "SyncByLastModifiedRequest", "SyncPage",
             [&records](const RestCall& call, const RecordScope& scope,
                        const RecordLayout&) -> Result<std::string> {
               const SyncRequest request = TRY(DecodeSync(call.http.body));
               const SyncPage page =
                   TRY(records.SyncByLastModified(call.http.context, scope, request));
               return EncodeSync(page);
             });
}

Result<HttpResponse> Describe(Gateway& gateway, RecordService& records, const RestCall& call) {
  const std::string& name = call.PathValue(0);
  const RecordLayout layout = TRY(records.Layout(call.http.context, name));
  const Gateway::Described described = TRY(gateway.DescribeCollection(call.http.context, name));
  const VectorFieldSchema& vector = *layout.schema->FindVector(record_field::kVector);
  std::string out = R"({"name":)";
  AppendJsonString(out, name);
  out += R"(,"store":)";
  AppendJsonString(out, described.store);
  out +=
      fmt::format(R"(,"dimension":{},"metric":"{}",)", vector.dimension, MetricName(vector.metric));
  // The document of the kinds is {"kinds": {…}}.
  out += layout.kinds->text().substr(1);
  return JsonResponse(std::move(out));
}

void AddCollection(std::vector<RestRoute>& routes, Gateway& gateway, RecordService& records) {
  routes.push_back({.method = "PUT",
                    .path = "/v1/records/{collection}",
                    .operation = "createRecordCollection",
                    .tag = "application records",
                    .summary = "Make a collection of records with kinds, or change its kinds",
                    .request_schema = "RecordCollection",
                    .response_schema = "RecordCollection",
                    .call = [&gateway, &records](const RestCall& call) -> Result<HttpResponse> {
                      const RecordCollectionSpec spec =
                          TRY(DecodeRecordCollection(call.http.body, call.PathValue(0)));
                      TRY(records.CreateCollection(call.http.context, spec));
                      return Describe(gateway, records, call);
                    }});
  routes.push_back({.method = "GET",
                    .path = "/v1/records/{collection}",
                    .operation = "describeRecordCollection",
                    .tag = "application records",
                    .summary = "Kinds, dimension and metric of a collection of records",
                    .response_schema = "RecordCollection",
                    .call = [&gateway, &records](const RestCall& call) {
                      return Describe(gateway, records, call);
                    }});
  routes.push_back({.method = "POST",
                    .path = "/v1/records/{collection}/purge_deleted",
                    .operation = "purge_deleted",
                    .tag = "application records",
                    .summary = "Forget old deletions, which devices that sync need no more",
                    .request_schema = "PurgeDeletedRequest",
                    .response_schema = "DeletedCount",
                    .call = [&records](const RestCall& call) -> Result<HttpResponse> {
                      const int64_t before = TRY(DecodePurge(call.http.body));
                      const uint64_t purged =
                          TRY(records.PurgeDeleted(call.http.context, call.PathValue(0), before));
                      return JsonResponse(fmt::format(R"({{"deleted":{}}})", purged));
                    }});
}

}  // namespace

void AddKindRoutes(std::vector<RestRoute>& routes, Gateway& gateway, RecordService& records) {
  AddCollection(routes, gateway, records);
  KindRoutes kind_routes(routes, records);
  AddWrites(kind_routes, records);
  AddDeletions(kind_routes, records);
  AddQueries(kind_routes, records);
  AddReads(kind_routes, records);
}

}  // namespace roost::rest
