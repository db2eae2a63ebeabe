// Get, Query, Count.

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include <v1/base.pb.h>
#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_impl.h"
#include "store/validate.h"

namespace roost {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

}  // namespace

Result<std::optional<std::vector<WeaviateStore::Row>>> WeaviateStore::Match(
    const Session& session, const std::string& tenant, const Filter& filter) {
  using Found = std::optional<std::vector<Row>>;
  const WeaviateFilter narrowed = session.table.format->Narrow(&filter, session.table, tenant);
  if (narrowed.kind == WeaviateFilter::Kind::kNone) {
    return Found(std::vector<Row>());
  }
  if (narrowed.kind == WeaviateFilter::Kind::kAll) {
    return Found();
  }
  const Wanted read = narrowed.exact ? Wanted{.scalars = false} : WantedFor(session.table, filter);
  const uint64_t most = RowsPerReply(session.table, read);
  weaviate::v1::SearchRequest request;
  session.table.format->AskFor(session.table, read, request);
  request.set_limit(static_cast<uint32_t>(most));
  *request.mutable_filters() = *narrowed.native;
  auto rows = Run(session, tenant, request);
  if (!rows.ok() && rows.code() != Code::kResourceExhausted) {
    return std::move(rows).error();
  }
  if (!rows.ok() || rows->size() >= most) {
    return Found();
  }
  if (!narrowed.exact) {
    std::erase_if(*rows, [&](const Row& row) { return !Matches(&filter, row.record); });
  }
  return Found(*std::move(rows));
}

Result<uint64_t> WeaviateStore::CountMatches(const Session& session, const std::string& tenant,
                                             const Filter& filter) {
  const auto rows = TRY(Match(session, tenant, filter));
  if (rows) {
    return static_cast<uint64_t>(rows->size());
  }
  uint64_t count = 0;
  TRY(ReadRange(session, tenant, kFirstObjectId, kLastObjectId, WantedFor(session.table, filter),
                options_.max_results, [&](Row&& row) {
                  count += Matches(&filter, row.record) ? 1 : 0;
                  return true;
                }));
  return count;
}

Result<GetResult> WeaviateStore::GetRows(const Session& session, const GetRequest& request) {
  TRY(ValidateOutput(session.table.schema, request.output));
  TRY(ValidateKeys(session.table.schema, capabilities_, request.keys));
  const Wanted wanted = WantedFor(session.table, request.output);
  GetResult result;
  result.records.resize(request.keys.size());
  std::map<std::string, std::map<ObjectId, std::vector<size_t>>> places;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    if (const auto id = session.table.format->IdOf(request.keys[i].key)) {
      places[request.keys[i].tenant][*id].push_back(i);
    }
  }
  for (const auto& [tenant, of_tenant] : places) {
    std::vector<ObjectId> ids;
    for (const auto& [id, rows] : of_tenant) {
      ids.push_back(id);
    }
    for (Row& row : TRY(Find(session, tenant, ids, wanted))) {
      for (const size_t place : of_tenant.at(row.id)) {
        if (row.record.key == request.keys[place]) {
          result.records[place] = Project(session.table.schema, request.output, row.record);
        }
      }
    }
  }
  return result;
}

Status WeaviateStore::Complete(const Session& session, const std::string& tenant,
                               const Filter& filter, const Wanted& wanted, std::vector<Row>& rows) {
  std::map<ObjectId, Row*> places;
  for (Row& row : rows) {
    places[row.id] = &row;
  }
  std::vector<ObjectId> ids;
  for (const auto& [id, row] : places) {
    ids.push_back(id);
  }
  std::set<ObjectId> there;
  for (Row& row : TRY(Find(session, tenant, ids, wanted))) {
    if (Matches(&filter, row.record)) {
      places.at(row.id)->record = std::move(row.record);
      there.insert(row.id);
    }
  }
  std::erase_if(rows, [&](const Row& row) { return !there.contains(row.id); });
  return {};
}

Status WeaviateStore::QueryTenant(const Session& session, const QueryRequest& request,
                                  const std::string& tenant, uint64_t& skip, QueryResult& result) {
  const uint64_t wanted_rows = request.limit - result.records.size();
  const Filter* filter = request.filter.get();
  Wanted wanted = WantedFor(session.table, request.output);
  Wanted first = filter == nullptr ? wanted : WantedFor(session.table, *filter);
  std::vector<Row> rows;
  const auto take = [&](Row&& row) {
    if (skip > 0) {
      --skip;
      return true;
    }
    rows.push_back(std::move(row));
    return rows.size() < wanted_rows;
  };
  auto matching =
      filter == nullptr ? std::optional<std::vector<Row>>() : TRY(Match(session, tenant, *filter));
  if (matching) {
    std::sort(matching->begin(), matching->end(),
              [](const Row& a, const Row& b) { return a.record.key < b.record.key; });
    static_cast<void>(std::all_of(std::make_move_iterator(matching->begin()),
                                  std::make_move_iterator(matching->end()), take));
  } else {
    const uint64_t most = std::min(skip, kNoLimit - wanted_rows) + wanted_rows;
    TRY(ScanKeys(session, tenant, {}, filter, first, most, take));
  }
  if (filter == nullptr) {
    for (Row& row : rows) {
      result.records.push_back(
          Project(session.table.schema, request.output, std::move(row.record)));
    }
    return {};
  }
  // What the filter looks at was read; now the rest, of those that are wanted.
  wanted.fields.insert(wanted.fields.end(), first.fields.begin(), first.fields.end());
  std::sort(wanted.fields.begin(), wanted.fields.end());
  wanted.exact = wanted.exact || first.exact;
  TRY(Complete(session, tenant, *filter, wanted, rows));
  for (Row& row : rows) {
    result.records.push_back(Project(session.table.schema, request.output, std::move(row.record)));
  }
  return {};
}

Result<QueryResult> WeaviateStore::QueryRows(const Session& session, const QueryRequest& request) {
  TRY(ValidateOutput(session.table.schema, request.output));
  QueryResult result;
  uint64_t skip = request.offset;
  for (const std::string& tenant : TRY(TenantsOf(session, request.tenant))) {
    if (result.records.size() >= request.limit) {
      break;
    }
    TRY(QueryTenant(session, request, tenant, skip, result));
  }
  return result;
}

Result<uint64_t> WeaviateStore::CountRows(const Session& session, const CountRequest& request) {
  uint64_t count = 0;
  for (const std::string& tenant : TRY(TenantsOf(session, request.tenant))) {
    if (request.filter == nullptr) {
      const std::string name =
          session.table.schema.multi_tenant() ? session.table.format->TenantName(tenant) : "";
      auto all = client_->CountObjects(session.context, session.table.class_name, name);
      if (all.ok()) {
        count += *all;
      } else if (!IsAbsentTenant(all.error())) {
        return std::move(all).error();
      }
      continue;
    }
    count += TRY(CountMatches(session, tenant, *request.filter));
  }
  return count;
}

Result<GetResult> WeaviateStore::Get(const RequestContext& context, const GetRequest& request) {
  return With<GetResult>(context, options_.call_timeout, request.collection, false,
                         [&](const Session& session) { return GetRows(session, request); });
}

Result<QueryResult> WeaviateStore::Query(const RequestContext& context,
                                         const QueryRequest& request) {
  return With<QueryResult>(context, options_.call_timeout, request.collection, false,
                           [&](const Session& session) { return QueryRows(session, request); });
}

Result<uint64_t> WeaviateStore::Count(const RequestContext& context, const CountRequest& request) {
  return With<uint64_t>(context, options_.bulk_timeout, request.collection, false,
                        [&](const Session& session) { return CountRows(session, request); });
}

}  // namespace roost
