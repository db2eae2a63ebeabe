// Nearest neighbours.

#include <algorithm>

#include "adapters/pgvector/pgvector_impl.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

/// hnsw.ef_search goes no further, so an index gives no more.
constexpr uint64_t kMaxFromIndex = 1'000;
/// PostgreSQL sums in float32: so many more are fetched and put in order by exact distances.
constexpr uint64_t kRerank = 16;

std::string Number(size_t parameter) { return "$" + std::to_string(parameter); }

std::string_view Operator(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return " <-> ";
    case Metric::kCosine:
      return " <=> ";
    case Metric::kJaccard:
      return " <%> ";
    case Metric::kHamming:
      return " <~> ";
    default:
      return " <#> ";
  }
}

std::string VectorCast(const VectorFieldSchema& field) {
  switch (field.type) {
    case DataType::kFloat16Vector:
    case DataType::kInt8Vector:
      return "::halfvec";
    case DataType::kBinaryVector:
      return "::bit(" + std::to_string(field.dimension) + ")";
    default:
      return "::vector";
  }
}

/// The distance as SQL computes it, for ORDER BY; binds the query.
std::string DistanceSql(const PgTable& table, size_t vector, const Vector& query,
                        PgParams& params) {
  const VectorFieldSchema& field = table.schema.vectors[vector];
  if (field.type == DataType::kSparseVector) {
    std::string sum = "(0::float8";
    for (auto& [part, bytes] : EncodeQueryParts(query)) {
      const std::string bound = Number(params.Raw(0, std::move(bytes)));
      sum += " + COALESCE(t." + table.FindParts(vector)->name + "[" + std::to_string(part + 1) +
             "] <#> " + bound + "::sparsevec, 0)";
    }
    return sum + ")";
  }
  PgWriter writer;
  EncodeVector(writer, query);
  return "t." + table.VectorColumn(vector).name + std::string(Operator(field.metric)) +
         Number(params.Raw(0, writer.Take())) + VectorCast(field);
}

bool Nearer(const Hit& a, const Hit& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.record.key < b.record.key;
}

/// Best first, without those too far away and those before the offset.
std::vector<Hit> Cut(std::vector<Hit> hits, const SearchRequest& request) {
  std::sort(hits.begin(), hits.end(), Nearer);
  if (request.max_distance) {
    std::erase_if(hits, [&](const Hit& hit) { return hit.distance > *request.max_distance; });
  }
  hits.erase(hits.begin(),
             hits.begin() + static_cast<ptrdiff_t>(std::min<size_t>(request.offset, hits.size())));
  if (hits.size() > request.top_k) {
    hits.erase(hits.begin() + request.top_k, hits.end());
  }
  return hits;
}

}  // namespace

/// What the queries of one request have in common.
struct PgStore::NearestQuery {
  const SearchRequest& request;
  size_t vector = 0;
  std::vector<const PgColumn*> columns;
  std::string where;
  PgParams where_params;
  uint64_t limit = 0;
};

Result<std::vector<PgResult>> PgStore::RunNearest(const Session& session, const NearestQuery& query,
                                                  std::span<const size_t> which, bool exact) {
  std::vector<PgStatement> statements;
  // A plan for any vector and limit would not use the index.
  statements.push_back(Setting("plan_cache_mode", "force_custom_plan"));
  if (exact) {
    statements.push_back(Setting("enable_indexscan", "off"));
  } else {
    const uint64_t ef = query.request.ef == 0 ? options_.ef_search : query.request.ef;
    statements.push_back(
        Setting("hnsw.ef_search", std::to_string(std::clamp<uint64_t>(
                                      ef, std::min(query.limit, kMaxFromIndex), kMaxFromIndex))));
    if (server_.iterative_scan) {
      statements.push_back(Setting("hnsw.iterative_scan", "strict_order"));
    }
  }
  const size_t settings = statements.size();
  const PgTable& table = session.table;
  const std::string column = "t." + table.VectorColumn(query.vector).name;
  for (const size_t i : which) {
    PgStatement& statement = statements.emplace_back();
    statement.params = query.where_params;
    const std::string distance =
        DistanceSql(table, query.vector, query.request.vectors[i], statement.params);
    statement.sql = "SELECT " + ColumnList(query.columns, "t") + " FROM " + table.layout->source +
                    " t WHERE " + query.where + " AND " + column + " IS NOT NULL ORDER BY " +
                    distance + (exact ? ", " + table.layout->order : "") + " LIMIT " +
                    Number(statement.params.Int64(static_cast<int64_t>(query.limit)));
  }
  auto results = TRY(session.connection.Run(session.context, statements, PgEffect::kRead));
  results.erase(results.begin(), results.begin() + static_cast<ptrdiff_t>(settings));
  return results;
}

Result<SearchResult> PgStore::SearchVectors(const Session& session, const SearchRequest& request,
                                            const VectorFieldSchema& field) {
  const PgTable& table = session.table;
  NearestQuery query{.request = request,
                     .vector = static_cast<size_t>(&field - table.schema.vectors.data()),
                     .columns = table.Selected(request.output),
                     .where = {},
                     .where_params = {},
                     .limit = uint64_t{request.top_k} + request.offset + kRerank};
  query.where = TRY(Where(session, request.tenant, request.filter, query.where_params));
  const PgColumn* column = &table.VectorColumn(query.vector);
  if (std::find(query.columns.begin(), query.columns.end(), column) == query.columns.end()) {
    query.columns.push_back(column);
  }
  if (!table.indexed[table.schema.vectors.size()]) {
    TRY(LookAtIndexes(session.context, session.connection, table));
  }
  const uint64_t needed = uint64_t{request.top_k} + request.offset;
  const bool exact = request.exact || !table.indexed[query.vector] || needed > kMaxFromIndex;
  if (!exact) {
    query.limit = std::min(query.limit, kMaxFromIndex);
  }
  std::vector<size_t> all(request.vectors.size());
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] = i;
  }
  auto results = TRY(RunNearest(session, query, all, exact));
  if (!exact) {
    // Filters, deleted rows and the index's own limits may leave too few, though more match.
    std::vector<size_t> short_ones;
    for (const size_t i : all) {
      if (results[i].rows() < query.limit) {
        short_ones.push_back(i);
      }
    }
    if (!short_ones.empty()) {
      auto full = TRY(RunNearest(session, query, short_ones, true));
      for (size_t i = 0; i < short_ones.size(); ++i) {
        results[short_ones[i]] = std::move(full[i]);
      }
    }
  }
  SearchResult found;
  for (const size_t i : all) {
    std::vector<Hit> hits;
    for (size_t row = 0; row < results[i].rows(); ++row) {
      Record record = TRY(DecodeRow(table, query.columns, results[i], row));
      const double distance =
          ReferenceDistance(field.metric, request.vectors[i], record.vectors.at(field.name));
      hits.push_back({.record = Project(table.schema, request.output, std::move(record)),
                      .distance = distance,
                      .score = ScoreOf(field.metric, distance)});
    }
    found.hits.push_back(Cut(std::move(hits), request));
  }
  return found;
}

Result<SearchResult> PgStore::SearchTexts(const Session& session, const SearchRequest& request) {
  SearchResult found;
  for (const std::string& text : request.texts) {
    auto hits = TRY(SearchText(session, request, text));
    found.hits.push_back(Cut(std::move(hits), request));
  }
  return found;
}

Result<SearchResult> PgStore::Search(const RequestContext& context, const SearchRequest& request) {
  return With<SearchResult>(context, options_.call_timeout, request.collection,
                            [&](const Session& session) -> Result<SearchResult> {
                              const VectorFieldSchema* field =
                                  TRY(ValidateSearch(session.table.schema, capabilities_, request));
                              return field == nullptr ? SearchTexts(session, request)
                                                      : SearchVectors(session, request, *field);
                            });
}

}  // namespace roost
