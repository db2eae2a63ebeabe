// Get, Query, Scan, Count, DescribeCollection, and the conditions they share with search.

#include <algorithm>
#include <limits>

#include "adapters/pgvector/pgvector_filter.h"
#include "adapters/pgvector/pgvector_impl.h"
#include "store/validate.h"

namespace roost {
namespace {

/// Rows a page when a filter is judged here.
constexpr int64_t kMatchPage = 5'000;
/// Estimates below this are replaced by the exact count.
constexpr int64_t kCountExactly = 100'000;

std::string Number(size_t parameter) { return "$" + std::to_string(parameter); }

bool FitsKeyType(const CollectionSchema& schema, const RecordKey& key) {
  return std::holds_alternative<int64_t>(key.key) == (schema.key_type == KeyType::kInt64);
}

}  // namespace

Result<std::vector<RecordKey>> PgStore::MatchHere(const Session& session,
                                                  const std::optional<std::string>& tenant,
                                                  const Filter& filter) {
  const OutputFields scalars;
  const PgLayout& layout = *session.table.layout;
  const auto columns = session.table.Selected(scalars);
  std::vector<RecordKey> keys;
  std::optional<RecordKey> after;
  while (true) {
    PgParams params;
    std::string sql = "SELECT " + ColumnList(columns, "t") + " FROM " + layout.source +
                      " t WHERE " + layout.live + " AND " +
                      PrintWider(filter, session.table, params);
    if (tenant) {
      sql += " AND t.\"_tenant\" = " + Number(params.Text(*tenant));
    }
    if (after) {
      sql += " AND " + layout.Beyond(*after, ">", params);
    }
    sql += " ORDER BY " + layout.order + " LIMIT " + std::to_string(kMatchPage);
    auto page = TRY(session.connection.Run(session.context, sql, std::move(params)));
    for (size_t row = 0; row < page.rows(); ++row) {
      Record record = TRY(DecodeRow(session.table, columns, page, row));
      after = record.key;
      if (Matches(&filter, record)) {
        keys.push_back(std::move(record.key));
      }
    }
    if (keys.size() > options_.max_filtered_keys) {
      return ResourceExhausted(
          "the filter has arithmetic or comparisons of JSON that PostgreSQL cannot do exactly, and "
          "it matches more than " +
          std::to_string(options_.max_filtered_keys) +
          " records; add a condition that matches fewer");
    }
    if (page.rows() < static_cast<size_t>(kMatchPage)) {
      return keys;
    }
  }
}

Result<std::string> PgStore::Where(const Session& session, const std::optional<std::string>& tenant,
                                   const FilterPtr& filter, PgParams& params) {
  const PgLayout& layout = *session.table.layout;
  std::string sql = layout.live;
  if (tenant) {
    if (tenant->find('\0') != std::string::npos) {
      return std::string("false");
    }
    sql += " AND t.\"_tenant\" = " + Number(params.Text(*tenant));
  }
  if (filter == nullptr) {
    return sql;
  }
  TRY(CheckFilter(*filter, session.table));
  if (CanPrint(*filter, session.table)) {
    if (layout.ours && !tenant && !session.table.schema.multi_tenant() && NamesKeys(*filter)) {
      sql += " AND t.\"_tenant\" = ''";  // the primary key begins with it
    }
    return sql + " AND " + PrintSql(*filter, session.table, params);
  }
  const std::vector<RecordKey> keys = TRY(MatchHere(session, tenant, *filter));
  const size_t first = params.params().size() + 1;
  AddKeys(params, session.table.schema.key_type, keys);
  return sql + " AND EXISTS (SELECT 1 FROM " + WantedKeys(session.table, first) + " WHERE " +
         layout.same_key + ")";
}

Result<GetResult> PgStore::Get(const RequestContext& context, const GetRequest& request) {
  return With<GetResult>(
      context, options_.call_timeout, request.collection,
      [&](const Session& session) -> Result<GetResult> {
        TRY(ValidateOutput(session.table.schema, request.output));
        TRY(ValidateKeys(session.table.schema, capabilities_, request.keys));
        GetResult result;
        result.records.resize(request.keys.size());
        if (request.keys.empty()) {
          return result;
        }
        const auto columns = session.table.Selected(request.output);
        const PgLayout& layout = *session.table.layout;
        PgParams params;
        AddKeys(params, session.table.schema.key_type, request.keys);
        auto rows = TRY(session.connection.Run(
            session.context,
            "SELECT " + ColumnList(columns, "t") + ", k.n FROM unnest($1::text[], $2::" +
                std::string(session.table.key_array()) + ") WITH ORDINALITY AS k (a, b, n) JOIN " +
                layout.source + " t ON " + layout.same_key + " WHERE " + layout.live,
            std::move(params)));
        for (size_t row = 0; row < rows.rows(); ++row) {
          Record record = TRY(DecodeRow(session.table, columns, rows, row));
          const auto place = static_cast<size_t>(rows.Int(row, columns.size())) - 1;
          result.records.at(place) =
              Project(session.table.schema, request.output, std::move(record));
        }
        return result;
      });
}

Result<QueryResult> PgStore::Query(const RequestContext& context, const QueryRequest& request) {
  return With<QueryResult>(
      context, options_.call_timeout, request.collection,
      [&](const Session& session) -> Result<QueryResult> {
        TRY(ValidateOutput(session.table.schema, request.output));
        QueryResult result;
        const auto columns = session.table.Selected(request.output);
        PgParams params;
        const std::string where = TRY(Where(session, request.tenant, request.filter, params));
        constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
        const PgLayout& layout = *session.table.layout;
        const size_t limit = params.Int64(static_cast<int64_t>(std::min(request.limit, kMax)));
        const size_t offset = params.Int64(static_cast<int64_t>(std::min(request.offset, kMax)));
        auto rows = TRY(session.connection.Run(session.context,
                                               "SELECT " + ColumnList(columns, "t") + " FROM " +
                                                   layout.source + " t WHERE " + where +
                                                   " ORDER BY " + layout.order + " LIMIT " +
                                                   Number(limit) + " OFFSET " + Number(offset),
                                               std::move(params)));
        for (size_t row = 0; row < rows.rows(); ++row) {
          Record record = TRY(DecodeRow(session.table, columns, rows, row));
          result.records.push_back(
              Project(session.table.schema, request.output, std::move(record)));
        }
        return result;
      });
}

Result<ScanPage> PgStore::Scan(const RequestContext& context, const ScanRequest& request) {
  // The barrier needs nothing: each page is a new snapshot on the primary, which shows every
  // transaction that was committed before.
  return With<ScanPage>(
      context, options_.bulk_timeout, request.collection,
      [&](const Session& session) -> Result<ScanPage> {
        const CollectionSchema& schema = session.table.schema;
        for (const auto* end : {&request.after, &request.until}) {
          if (*end && !FitsKeyType(schema, **end)) {
            return InvalidArgument("the scan's range has keys of the wrong type for collection \"" +
                                   schema.name + "\"");
          }
        }
        if (request.limit == 0) {
          return InvalidArgument("the scan's limit is 0; ask for 1 record or more");
        }
        const PgLayout& layout = *session.table.layout;
        const OutputFields everything{.fields = {}, .vectors = request.vectors};
        const auto columns = session.table.Selected(everything);
        std::vector<PgStatement> statements;
        // New tables have no statistics; without these it might read and sort all for each page.
        for (const char* plan : {"enable_seqscan", "enable_bitmapscan", "enable_sort"}) {
          statements.push_back(Setting(plan, "off"));
        }
        PgStatement& select = statements.emplace_back();
        std::string where = TRY(Where(session, request.tenant, nullptr, select.params));
        if (request.after) {
          where += " AND " + layout.Beyond(*request.after, ">", select.params);
        }
        if (request.until) {
          where += " AND " + layout.Beyond(*request.until, "<=", select.params);
        }
        select.sql = "SELECT " + ColumnList(columns, "t") + " FROM " + layout.source + " t WHERE " +
                     where + " ORDER BY " + layout.order + " LIMIT " +
                     Number(select.params.Int64(int64_t{request.limit} + 1));
        auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kRead));
        const PgResult& rows = results.back();
        ScanPage page;
        page.done = rows.rows() <= request.limit;
        const size_t count = std::min<size_t>(rows.rows(), request.limit);
        page.records.reserve(count);
        for (size_t row = 0; row < count; ++row) {
          Record record = TRY(DecodeRow(session.table, columns, rows, row));
          page.records.push_back(std::move(record));
        }
        return page;
      });
}

Result<uint64_t> PgStore::Count(const RequestContext& context, const CountRequest& request) {
  return With<uint64_t>(
      context, options_.bulk_timeout, request.collection,
      [&](const Session& session) -> Result<uint64_t> {
        PgParams params;
        const std::string where = TRY(Where(session, request.tenant, request.filter, params));
        auto rows = TRY(session.connection.Run(
            session.context,
            "SELECT count(*) FROM " + session.table.layout->source + " t WHERE " + where,
            std::move(params)));
        return static_cast<uint64_t>(rows.Int(0, 0));
      });
}

Result<CollectionDescription> PgStore::DescribeCollection(const RequestContext& context,
                                                          const std::string& collection) {
  return With<CollectionDescription>(
      context, options_.call_timeout, collection,
      [&](const Session& session) -> Result<CollectionDescription> {
        CollectionDescription description;
        description.schema = session.table.schema;
        PgParams params;
        params.Text(session.table.name);
        auto row = TRY(session.connection.Run(
            session.context,
            "SELECT pg_total_relation_size(c.oid), GREATEST(c.reltuples::bigint, "
            "pg_stat_get_live_tuples(c.oid)) FROM pg_class c WHERE c.oid = $1::regclass",
            std::move(params)));
        if (row.rows() == 0) {
          return NotFound("table " + session.table.name + " is gone");
        }
        description.bytes_on_disk = static_cast<uint64_t>(row.Int(0, 0));
        int64_t count = row.Int(0, 1);
        if (count < kCountExactly) {
          auto exact = TRY(session.connection.Run(
              session.context, "SELECT count(*) FROM " + session.table.layout->source +
                                   " t WHERE " + session.table.layout->live));
          count = exact.Int(0, 0);
        }
        description.estimated_count = static_cast<uint64_t>(count);
        const bool all = TRY(LookAtIndexes(session.context, session.connection, session.table));
        description.index_ready = all || !session.table.layout->ours ||
                                  description.estimated_count < options_.index_min_rows;
        return description;
      });
}

}  // namespace roost
