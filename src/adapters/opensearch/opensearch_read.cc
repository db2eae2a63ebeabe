// Get, Query, Scan, Count, DescribeCollection, and the conditions they share with search.

#include <algorithm>
#include <limits>

#include "adapters/opensearch/opensearch_filter.h"
#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_operand.h"
#include "base/json.h"
#include "store/validate.h"

namespace roost {
namespace {

constexpr size_t kGetRows = 1'000;        ///< keys of one multi-get
constexpr uint64_t kMaxPageRows = 5'000;  ///< of one search
constexpr uint64_t kMaxKeyPage = 10'000;  ///< of one search that brings keys only

bool FitsKeyType(const CollectionSchema& schema, const RecordKey& key) {
  return std::holds_alternative<int64_t>(key.key) == (schema.key_type == KeyType::kInt64);
}

bool WantsVectors(const CollectionSchema& schema, const OutputFields& output) {
  return output.vectors ||
         std::any_of(output.fields.begin(), output.fields.end(),
                     [&](const std::string& name) { return schema.FindVector(name) != nullptr; });
}

/// The part of a document that has to come: leaving something out costs the server time, vectors
/// are worth it.
std::string SourceFor(const CollectionSchema& schema, bool vectors) {
  if (vectors || schema.vectors.empty()) {
    return "true";
  }
  std::string out = R"({"excludes":[)";
  for (const std::string_view name : {kOsTokens, kOsWords, kOsPacked}) {
    out += JsonString(name) + ",";
  }
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    out += (i == 0 ? "" : ",") + JsonString(schema.vectors[i].name);
  }
  return out + "]}";
}

Result<std::string> OrderOf(const OsDocument& document, const CollectionSchema& schema) {
  const OsDecoded decoded = TRY(DecodeRecord(schema, document.source));
  return OsOrder(schema, decoded.record.key);
}

}  // namespace

Result<OsStore::Found> OsStore::MultiGet(const Session& session, std::span<const std::string> ids,
                                         const std::string& source) {
  Found found;
  if (ids.empty()) {
    return found;
  }
  OsCall call;
  call.method = "POST";
  call.path = "/" + session.index.alias + "/_mget?realtime=true";
  call.body = R"({"docs":[)";
  for (size_t i = 0; i < ids.size(); ++i) {
    call.body += (i == 0 ? R"({"_id":)" : R"(,{"_id":)") + JsonString(ids[i]) + R"(,"_source":)" +
                 source + "}";
  }
  call.body += "]}";
  found.reply = TRY(client_.Call(session.context, call));
  found.documents = TRY(ParseMultiGet(found.reply));
  if (found.documents.size() != ids.size()) {
    return Unavailable(client_.name() + " answered " + std::to_string(found.documents.size()) +
                       " of " + std::to_string(ids.size()) + " keys");
  }
  return found;
}

Status OsStore::Refresh(const Session& session) {
  const auto refresh = [&](const RequestContext& context) -> Status {
    OsCall call;
    call.method = "POST";
    call.path = "/" + session.index.alias + "/_refresh";
    const std::string reply = TRY(client_.Call(context, call));
    if (TRY(ParseFailedShards(reply)) > 0) {
      return Unavailable("a shard of " + client_.name() + " could not be refreshed");
    }
    return {};
  };
  return refresher_.Run(session.context, session.index.alias, refresh);
}

Result<OsStore::Found> OsStore::RunSearch(const Session& session, const std::string& body) {
  OsCall call;
  call.method = "POST";
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      session.context.deadline.Remaining() + std::chrono::seconds(1));
  call.path = "/" + session.index.alias +
              "/_search?allow_partial_search_results=false&cancel_after_time_interval=" +
              std::to_string(left.count()) + "ms";
  call.body = body;
  Found found;
  found.reply = TRY(client_.Call(session.context, call));
  found.documents = TRY(ParseSearch(found.reply));
  return found;
}

Status OsStore::Walk(const Session& session, const std::string& query,
                     std::optional<std::string> after, uint64_t page_rows,
                     const std::string& source,
                     const std::function<Result<bool>(const OsDocument&)>& take) {
  while (true) {
    std::string body = R"({"track_total_hits":false,"size":)" + std::to_string(page_rows) +
                       R"(,"sort":[{"_pk":"asc"}],"_source":)" + source + R"(,"query":)" + query;
    if (after) {
      body += R"(,"search_after":[)" + JsonString(*after) + "]";
    }
    const Found page = TRY(RunSearch(session, body + "}"));
    for (const OsDocument& document : page.documents) {
      if (!TRY(take(document))) {
        return {};
      }
    }
    if (page.documents.size() < page_rows) {
      return {};
    }
    after = TRY(OrderOf(page.documents.back(), session.schema()));
  }
}

uint64_t OsStore::PageRows(const CollectionSchema& schema, bool vectors) const {
  uint64_t bytes = 500 + 40 * schema.fields.size();
  if (vectors) {
    for (const VectorFieldSchema& field : schema.vectors) {
      bytes += field.type == DataType::kBinaryVector   ? field.dimension / 2
               : field.type == DataType::kSparseVector ? 2'000
                                                       : 12 * uint64_t{field.dimension};
    }
  }
  return std::clamp<uint64_t>(options_.page_bytes / bytes, 10, kMaxPageRows);
}

Result<std::vector<std::string>> OsStore::MatchHere(const Session& session, const Filter& filter,
                                                    const std::string& wider) {
  std::vector<std::string> orders;
  const auto take = [&](const OsDocument& document) -> Result<bool> {
    const OsDecoded decoded = TRY(DecodeRecord(session.schema(), document.source));
    if (!decoded.dead && Matches(&filter, decoded.record)) {
      orders.push_back(JsonString(OsOrder(session.schema(), decoded.record.key)));
    }
    if (orders.size() > options_.max_filtered_keys) {
      return ResourceExhausted(
          "the filter has a condition that OpenSearch cannot judge exactly (arithmetic, a "
          "comparison of two fields, a pattern over long strings), and it matches more than " +
          std::to_string(options_.max_filtered_keys) +
          " records; add a condition that matches fewer");
    }
    return true;
  };
  TRY(Walk(session, wider, std::nullopt, PageRows(session.schema(), false),
           SourceFor(session.schema(), false), take));
  return orders;
}

Result<std::string> OsStore::Where(const Session& session, const std::optional<std::string>& tenant,
                                   const FilterPtr& filter) {
  const CollectionSchema& schema = session.schema();
  std::string live = R"({"bool":{"must_not":[{"term":{"_dead":true}}],"filter":[)";
  if (tenant) {
    live += !schema.multi_tenant() && tenant->empty() ? std::string(kOsMatchAll)
            : schema.multi_tenant()                   ? OsTerm(kOsTenant, JsonString(*tenant))
                                                      : std::string(kOsMatchNone);
  }
  if (filter == nullptr) {
    return live + "]}}";
  }
  TRY(OsCheckFilter(*filter, schema));
  live += tenant ? "," : "";
  OsCutFields cut;
  for (const std::string& field : OsFieldsThatMustBeWhole(*filter, schema)) {
    const Found some =
        TRY(RunSearch(session, R"({"size":1,"terminate_after":1,"_source":false,"query":)" +
                                   OsTerm(kOsCut, JsonString(field)) + "}"));
    if (!some.documents.empty()) {
      cut.insert(field);
    }
  }
  if (OsCanPrint(*filter, cut)) {
    return live + OsPrintFilter(*filter, schema) + "]}}";
  }
  const std::string wider = live + OsPrintWider(*filter, schema, cut) + "]}}";
  const auto orders = TRY(MatchHere(session, *filter, wider));
  return live + (orders.empty() ? std::string(kOsMatchNone) : OsTerms(kOsOrder, orders)) + "]}}";
}

Result<GetResult> OsStore::Get(const RequestContext& context, const GetRequest& request) {
  return With<GetResult>(
      context, options_.call_timeout, request.collection,
      [&](const Session& session) -> Result<GetResult> {
        const CollectionSchema& schema = session.schema();
        TRY(ValidateOutput(schema, request.output));
        TRY(ValidateKeys(schema, capabilities_, request.keys));
        GetResult result;
        result.records.resize(request.keys.size());
        const bool vectors = WantsVectors(schema, request.output);
        const std::string source = SourceFor(schema, vectors);
        const size_t rows = std::min<size_t>(kGetRows, PageRows(schema, vectors));
        for (size_t begin = 0; begin < request.keys.size(); begin += rows) {
          const size_t end = std::min(request.keys.size(), begin + rows);
          std::vector<std::string> ids;
          for (size_t i = begin; i < end; ++i) {
            ids.push_back(OsDocumentId(schema, request.keys[i]));
          }
          const Found found = TRY(MultiGet(session, ids, source));
          for (size_t i = begin; i < end; ++i) {
            if (!found.documents[i - begin].found) {
              continue;
            }
            OsDecoded decoded = TRY(DecodeRecord(schema, found.documents[i - begin].source));
            if (!decoded.dead && decoded.record.key == request.keys[i]) {
              result.records[i] = Project(schema, request.output, std::move(decoded.record));
            }
          }
        }
        return result;
      });
}

Result<bool> OsStore::Skip(const Session& session, const std::string& query, uint64_t rows,
                           std::optional<std::string>& after) {
  while (rows > 0) {
    const uint64_t step = std::min(rows, kMaxKeyPage);
    uint64_t seen = 0;
    const auto take = [&](const OsDocument& document) -> Result<bool> {
      if (++seen == step) {
        after = TRY(OrderOf(document, session.schema()));
      }
      return seen < step;
    };
    TRY(Walk(session, query, after, step, R"(["_key","_tenant"])", take));
    if (seen < step) {
      return false;
    }
    rows -= step;
  }
  return true;
}

Result<QueryResult> OsStore::Query(const RequestContext& context, const QueryRequest& request) {
  return With<QueryResult>(
      context, options_.call_timeout, request.collection,
      [&](const Session& session) -> Result<QueryResult> {
        const CollectionSchema& schema = session.schema();
        TRY(ValidateOutput(schema, request.output));
        QueryResult result;
        if (request.consistency == Consistency::kStrong) {
          TRY(Refresh(session));
        }
        const std::string where = TRY(Where(session, request.tenant, request.filter));
        if (request.limit == 0) {
          return result;
        }
        std::optional<std::string> after;
        if (!TRY(Skip(session, where, request.offset, after))) {
          return result;
        }
        const bool vectors = WantsVectors(schema, request.output);
        const uint64_t rows = std::min(request.limit, PageRows(schema, vectors));
        const auto take = [&](const OsDocument& document) -> Result<bool> {
          OsDecoded decoded = TRY(DecodeRecord(schema, document.source));
          result.records.push_back(Project(schema, request.output, std::move(decoded.record)));
          return result.records.size() < request.limit;
        };
        TRY(Walk(session, where, after, rows, SourceFor(schema, vectors), take));
        return result;
      });
}

Result<ScanPage> OsStore::Scan(const RequestContext& context, const ScanRequest& request) {
  // Each page is a search of its own, newer than the call, that goes on after a key: it does not
  // matter what was written between two pages, and there is nothing on the server to lose.
  return With<ScanPage>(
      context, options_.bulk_timeout, request.collection,
      [&](const Session& session) -> Result<ScanPage> {
        const CollectionSchema& schema = session.schema();
        for (const auto* end : {&request.after, &request.until}) {
          if (*end && !FitsKeyType(schema, **end)) {
            return InvalidArgument("the scan's range has keys of the wrong type for collection \"" +
                                   schema.name + "\"");
          }
        }
        if (request.limit == 0) {
          return InvalidArgument("the scan's limit is 0; ask for 1 record or more");
        }
        if (request.barrier) {
          TRY(Refresh(session));
        }
        const std::string where = TRY(Where(session, request.tenant, nullptr));
        std::optional<std::string> after;
        if (request.after) {
          after = OsOrder(schema, *request.after);
        }
        ScanPage page;
        page.done = true;
        const uint64_t rows =
            std::min(uint64_t{request.limit} + 1, PageRows(schema, request.vectors));
        const auto take = [&](const OsDocument& document) -> Result<bool> {
          OsDecoded decoded = TRY(DecodeRecord(schema, document.source));
          if (request.until && decoded.record.key > *request.until) {
            return false;
          }
          if (page.records.size() == request.limit) {
            page.done = false;
            return false;
          }
          if (!request.vectors) {
            decoded.record.vectors.clear();
          }
          page.records.push_back(std::move(decoded.record));
          return true;
        };
        TRY(Walk(session, where, after, rows, SourceFor(schema, request.vectors), take));
        return page;
      });
}

Result<uint64_t> OsStore::Count(const RequestContext& context, const CountRequest& request) {
  return With<uint64_t>(
      context, options_.bulk_timeout, request.collection,
      [&](const Session& session) -> Result<uint64_t> {
        TRY(Refresh(session));
        const std::string where = TRY(Where(session, request.tenant, request.filter));
        OsCall call;
        call.method = "POST";
        call.path = "/" + session.index.alias + "/_count";
        call.body = R"({"query":)" + where + "}";
        const std::string reply = TRY(client_.Call(session.context, call));
        if (TRY(ParseFailedShards(reply)) > 0) {
          return Unavailable("a shard of " + client_.name() + " failed during the count");
        }
        return static_cast<uint64_t>(TRY(ParseNumber(reply, "count")));
      });
}

}  // namespace roost
