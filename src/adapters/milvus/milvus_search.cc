// Nearest neighbours.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"
#include "adapters/milvus/milvus_key.h"
#include "adapters/milvus/milvus_with.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

/// Milvus' own limit of hits, and of `ef`.
constexpr size_t kMaxHits = 16'384;
constexpr size_t kMaxSearchEf = 32'768;
/// Milvus sums in float32: so many more are fetched and put in order by exact distances.
constexpr size_t kRerank = 16;
constexpr size_t kMaxQueriesPerCall = 1'024;
/// Below 4,992 rows a segment has no coarse index; this leaves room for rows just written.
constexpr uint64_t kComparedByMilvus = 2'500;

template <typename Request>
void AddParam(Request& request, const char* key, std::string value) {
  auto* param = request.add_search_params();
  param->set_key(key);
  param->set_value(std::move(value));
}

milvus::proto::common::PlaceholderType PlaceholderOf(DataType type) {
  switch (type) {
    case DataType::kBinaryVector:
      return milvus::proto::common::BinaryVector;
    case DataType::kSparseVector:
      return milvus::proto::common::SparseFloatVector;
    default:
      return milvus::proto::common::FloatVector;
  }
}

std::string PlaceholderBytes(const Vector& vector) {
  if (vector.type == DataType::kFloatVector || vector.type == StoredVectorType(vector.type)) {
    return vector.bytes;
  }
  return Vector::Floats(ToFloats(vector)).bytes;
}

bool Nearer(const Hit& a, const Hit& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.record.key < b.record.key;
}

double Norm(const Vector& vector) {
  double sum = 0;
  for (const float value : ToFloats(vector)) {
    sum += double{value} * value;
  }
  return std::sqrt(sum);
}

/// How far Milvus' float32 may have misjudged a distance.
double Uncertainty(Metric metric, double distance, const Vector& query, const Vector& stored) {
  constexpr double kRelative = 1e-5;
  switch (metric) {
    case Metric::kL2:
      return kRelative * distance;
    case Metric::kInnerProduct:
      return query.type == DataType::kSparseVector ? kRelative * std::fabs(distance)
                                                   : kRelative * Norm(query) * Norm(stored);
    case Metric::kHamming:
      return 0;
    default:
      return kRelative;
  }
}

}  // namespace

/// A request with what its queries have in common, and what was found so far.
struct MilvusStore::Nearest {
  struct Query {
    std::vector<Hit> hits;  ///< the nearest that count, best first
    /// Nothing nearer than this is missing.
    double bound = -std::numeric_limits<double>::infinity();
    bool everything = false;  ///< nothing is missing at all
    bool absent = false;      ///< some hits had no vector
  };

  bool Enough(const Query& query) const {
    if (query.everything || (request.max_distance && query.bound > *request.max_distance)) {
      return true;
    }
    return query.hits.size() >= needed &&
           (!request.exact || query.hits[needed - 1].distance < query.bound);
  }

  const SearchRequest& request;
  const VectorFieldSchema& field;
  const MilvusColumn& column;
  MilvusFilter filter;
  std::vector<const MilvusColumn*> columns;  ///< without the key's
  ReadPoint point;
  size_t needed = 0;
  size_t limit = 0;           ///< hits to ask Milvus for
  bool only_present = false;  ///< ask only for records with the vector
  std::vector<Query> queries;

  /// Milvus holds zeros where there is no vector.
  std::string FilterText(const MilvusLayout& layout, bool present) const {
    if (!present || !layout.Nullable(column)) {
      return filter.text;
    }
    return AndTexts("not array_contains(" + layout.Find(MilvusColumn::Role::kNulls)->name + ", " +
                        std::to_string(layout.NullNumber(column)) + ")",
                    filter.text);
  }

  /// Whether the record counts; then with its distance.
  std::optional<Hit> Judge(const Vector& query, const Record& record) const {
    const auto stored = record.vectors.find(field.name);
    if (stored == record.vectors.end() ||
        (!filter.exact && !Matches(request.filter.get(), record))) {
      return std::nullopt;
    }
    const double distance = ReferenceDistance(field.metric, query, stored->second);
    return Hit{.record = {}, .distance = distance, .score = ScoreOf(field.metric, distance)};
  }
};

namespace {

/// The request but for where and how much to read of it.
void FillSearch(const SearchRequest& search, std::span<const size_t> which,
                const VectorFieldSchema& field, size_t limit, uint32_t ef_search,
                pb::SearchRequest& request) {
  request.set_dsl_type(milvus::proto::common::BoolExprV1);
  request.set_nq(static_cast<int64_t>(which.size()));
  milvus::proto::common::PlaceholderGroup group;
  auto& placeholder = *group.add_placeholders();
  placeholder.set_tag("$0");
  placeholder.set_type(PlaceholderOf(field.type));
  for (const size_t i : which) {
    placeholder.add_values(PlaceholderBytes(search.vectors[i]));
  }
  request.set_placeholder_group(group.SerializeAsString());
  const uint32_t wished = search.ef != 0 ? search.ef : ef_search;
  const size_t ef = std::min(std::max<size_t>(wished, limit), kMaxSearchEf);
  AddParam(request, "topk", std::to_string(limit));
  AddParam(request, "metric_type", std::string(MetricName(field.metric)));
  AddParam(request, "round_decimal", "-1");
  AddParam(request, "params", field.index == "HNSW" ? "{\"ef\":" + std::to_string(ef) + "}" : "{}");
}

}  // namespace

Result<MilvusStore::Found> MilvusStore::SearchRows(const Session& session, const Nearest& nearest,
                                                   std::span<const size_t> which) {
  const MilvusLayout& layout = session.layout;
  pb::SearchRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(layout.name);
  request.set_dsl(nearest.FilterText(layout, nearest.only_present));
  AddParam(request, "anns_field", nearest.column.name);
  FillSearch(nearest.request, which, nearest.field, nearest.limit, options_.ef_search, request);
  SetReadPoint(request, nearest.point.consistency, nearest.point.timestamp);
  // The rows of many hits are read by their keys, in messages that are not too large.
  const bool by_key = nearest.limit * which.size() > PageRows(layout, nearest.columns);
  // The key's name differs for each collection ever made: a search of another one is an error.
  request.add_output_fields(layout.key_name());
  for (const MilvusColumn* column : nearest.columns) {
    if (!by_key) {
      request.add_output_fields(column->name);
    }
  }
  const auto reply = TRY(CallMilvus<pb::SearchResults>(
      *server_.client, server_.name, session.context, "Search", request, GrpcEffect::kRead));
  const auto& results = reply.results();
  const size_t total = CountOf(results.ids());
  Found found{.records = std::vector<std::optional<Record>>(total),
              .hits = {results.topks().begin(), results.topks().end()}};
  found.hits.resize(which.size());
  if (!by_key) {
    const MilvusRows rows =
        TRY(MilvusRows::Open(layout, nearest.columns, results.fields_data(), total));
    for (size_t row = 0; row < total; ++row) {
      Record record = TRY(rows.Read(row));
      record.key = TRY(FromStoredKey(layout, StoredKeyAt(results.ids(), row)));
      found.records[row] = std::move(record);
    }
    return found;
  }
  std::map<RecordKey, std::vector<size_t>> places;
  for (size_t row = 0; row < total; ++row) {
    const RecordKey key = TRY(FromStoredKey(layout, StoredKeyAt(results.ids(), row)));
    places[key].push_back(row);
  }
  std::vector<const RecordKey*> keys;
  for (const auto& [key, rows] : places) {
    keys.push_back(&key);
  }
  auto columns = nearest.columns;
  columns.push_back(&layout.columns[0]);
  for (Record& record : TRY(FetchKeys(session, keys, "", columns, nearest.point))) {
    for (const size_t row : places[record.key]) {
      found.records[row] = record;
    }
  }
  return found;
}

Status MilvusStore::SearchOnce(const Session& session, Nearest& nearest,
                               std::span<const size_t> which) {
  Found found = TRY(SearchRows(session, nearest, which));
  size_t row = 0;
  for (size_t place = 0; place < which.size(); ++place) {
    const Vector& vector = nearest.request.vectors[which[place]];
    Nearest::Query& query = nearest.queries[which[place]];
    query = {.hits = {}, .everything = found.hits[place] < nearest.limit};
    const size_t end = std::min(row + found.hits[place], found.records.size());
    for (; row < end; ++row) {
      if (!found.records[row]) {
        continue;  // deleted between the search and the reading of its hits
      }
      const Record& record = *found.records[row];
      const auto stored = record.vectors.find(nearest.field.name);
      if (stored == record.vectors.end()) {
        query.absent = true;
        continue;
      }
      const double distance = ReferenceDistance(nearest.field.metric, vector, stored->second);
      query.bound =
          distance - 2 * Uncertainty(nearest.field.metric, distance, vector, stored->second);
      if (auto hit = nearest.Judge(vector, record)) {
        hit->record = *std::move(found.records[row]);
        query.hits.push_back(*std::move(hit));
      }
    }
    std::sort(query.hits.begin(), query.hits.end(), Nearer);
  }
  return {};
}

Status MilvusStore::SearchHere(const Session& session, Nearest& nearest,
                               std::span<const size_t> which) {
  auto columns = nearest.columns;
  columns.push_back(&session.layout.columns[0]);
  for (const size_t i : which) {
    nearest.queries[i] = {.hits = {}, .everything = true};
  }
  uint64_t judged = 0;
  TRY(ForEach(session,
              {.after = {}, .until = {}, .filter = nearest.FilterText(session.layout, true)},
              columns, kMaxHits, nearest.point, [&](Record&& record) {
                for (const size_t i : which) {
                  auto& hits = nearest.queries[i].hits;
                  auto hit = nearest.Judge(nearest.request.vectors[i], record);
                  if (!hit) {
                    break;  // for no query
                  }
                  hit->record.key = record.key;
                  if (hits.size() >= nearest.needed && !Nearer(*hit, hits.front())) {
                    continue;
                  }
                  hit->record = record;
                  hits.push_back(*std::move(hit));
                  std::push_heap(hits.begin(), hits.end(), Nearer);
                  if (hits.size() > nearest.needed) {
                    std::pop_heap(hits.begin(), hits.end(), Nearer);
                    hits.pop_back();
                  }
                }
                return ++judged <= options_.max_judged_records;
              }));
  if (judged > options_.max_judged_records) {
    return TooManyToJudge();
  }
  for (const size_t i : which) {
    std::sort(nearest.queries[i].hits.begin(), nearest.queries[i].hits.end(), Nearer);
  }
  return {};
}

Result<SearchResult> MilvusStore::SearchVectors(const Session& session,
                                                const SearchRequest& request,
                                                const VectorFieldSchema& field) {
  const MilvusLayout& layout = session.layout;
  TRY(ValidateOutput(layout.schema, request.output));
  const auto vector = static_cast<size_t>(&field - layout.schema.vectors.data());
  Nearest nearest{.request = request,
                  .field = field,
                  .column = layout.VectorColumn(vector),
                  .filter = TRY(Translate(session, request.tenant, request.filter)),
                  .columns = {},
                  .point = {},
                  .needed = size_t{request.top_k} + request.offset,
                  .queries = std::vector<Nearest::Query>(request.vectors.size())};
  SearchResult result;
  result.hits.resize(request.vectors.size());
  if (nearest.filter.nothing) {
    return result;
  }
  OutputFields read = request.output;
  read.fields.push_back(field.name);
  read.fields.insert(read.fields.end(), nearest.filter.needed.fields.begin(),
                     nearest.filter.needed.fields.end());
  nearest.columns = layout.Selected(read);
  nearest.columns.erase(nearest.columns.begin());  // the key comes by itself
  nearest.point = TRY(SharedPoint(session.context, request.consistency));
  std::vector<size_t> open(request.vectors.size());
  for (size_t i = 0; i < open.size(); ++i) {
    open[i] = i;
  }
  // Besides the collection's own HNSW index, Milvus searches larger data that has none yet by a
  // coarse index of its own making (queryNode.segcore.interimIndex).
  bool here = false;
  if (request.exact && field.type != DataType::kBinaryVector) {
    here = TRY(CountThere(session, "", Consistency::kEventual)) > kComparedByMilvus ||
           (field.index == "HNSW" && TRY(LookAtIndex(session.context, layout, vector)).indexed > 0);
  }
  // A filter that Milvus cannot say drops some of the hits here.
  nearest.limit =
      std::min(nearest.filter.exact ? nearest.needed + kRerank : 4 * nearest.needed + 64, kMaxHits);
  while (!here && !open.empty()) {
    const size_t rows = PageRows(layout, nearest.columns);
    const size_t at_once = std::clamp<size_t>(rows / nearest.limit, 1, kMaxQueriesPerCall);
    for (size_t from = 0; from < open.size(); from += at_once) {
      const size_t count = std::min(at_once, open.size() - from);
      TRY(SearchOnce(session, nearest, std::span(open).subspan(from, count)));
    }
    std::erase_if(open, [&](size_t i) { return nearest.Enough(nearest.queries[i]); });
    const bool absent =
        std::any_of(open.begin(), open.end(), [&](size_t i) { return nearest.queries[i].absent; });
    if (absent && !nearest.only_present) {
      nearest.only_present = true;
    } else if (nearest.limit < kMaxHits) {
      nearest.limit = std::min(4 * nearest.limit, kMaxHits);
    } else {
      break;
    }
  }
  if (!open.empty() && (here || request.exact || !nearest.filter.exact)) {
    TRY(SearchHere(session, nearest, open));
  }
  for (size_t i = 0; i < request.vectors.size(); ++i) {
    auto& hits = nearest.queries[i].hits;
    for (size_t place = request.offset; place < std::min(nearest.needed, hits.size()); ++place) {
      if (request.max_distance && hits[place].distance > *request.max_distance) {
        break;
      }
      Hit hit = std::move(hits[place]);
      hit.record = Project(layout.schema, request.output, std::move(hit.record));
      result.hits[i].push_back(std::move(hit));
    }
  }
  return result;
}

Result<SearchResult> MilvusStore::Search(const RequestContext& context,
                                         const SearchRequest& request) {
  return With<SearchResult>(context, options_.call_timeout, request.collection,
                            [&](const Session& session) -> Result<SearchResult> {
                              const VectorFieldSchema* field = TRY(
                                  ValidateSearch(session.layout.schema, capabilities_, request));
                              return SearchVectors(session, request, *field);
                            });
}

}  // namespace roost
