// Nearest neighbours and keyword search.

#include <algorithm>
#include <cmath>
#include <set>

#include <v1/base.pb.h>
#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_impl.h"
#include "store/tokenizer.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

/// So many more are fetched and put in order by exact distances.
constexpr uint64_t kRerank = 16;

bool Nearer(const Hit& a, const Hit& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.record.key < b.record.key;
}

/// The server's distance as architecture.md defines distances.
double OwnDistance(Metric metric, double distance) {
  return metric == Metric::kL2 ? std::sqrt(std::max(0.0, distance)) : distance;
}

double Norm(const Vector& vector) {
  double sum = 0;
  for (const float value : ToFloats(vector)) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

pb::Filters Bucket(pb::Filters::Operator op, int64_t bucket) {
  pb::Filters filter;
  filter.set_operator_(op);
  filter.mutable_target()->set_property(std::string(kBucketProperty));
  filter.set_value_int(bucket);
  return filter;
}

/// Weaviate looks at 8 candidates for each hit asked for, 100 to 500, or as many as the hits: how
/// many hits make it look at `ef`.
uint64_t LimitFor(uint64_t ef) {
  constexpr uint64_t kFactor = 8;
  constexpr uint64_t kMost = 500;
  return ef > kMost ? ef : (ef + kFactor - 1) / kFactor;
}

std::string QueryWords(const std::string& text) {
  const auto words = Tokenize(text);
  std::string joined;
  for (const std::string& word : std::set<std::string>(words.begin(), words.end())) {
    joined += (joined.empty() ? "" : " ") + word;
  }
  return joined;
}

}  // namespace

/// One query of a request.
struct WeaviateStore::Nearest {
  const SearchRequest& request;
  const VectorFieldSchema* field = nullptr;  ///< null: keyword search
  size_t query = 0;                          ///< which of the request's
  std::string words;                         ///< of a keyword search
  std::vector<std::string> word_properties;
  Wanted wanted;

  uint64_t needed() const { return uint64_t{request.top_k} + request.offset; }
  const Vector& target() const { return request.vectors[query]; }
  Hit HitOf(Row&& row) const;
  /// No object that the server orders behind `last` is nearer than this.
  double Beyond(const Row& last) const;
};

Hit WeaviateStore::Nearest::HitOf(Row&& row) const {
  Hit hit;
  if (field != nullptr) {
    hit.distance = ReferenceDistance(field->metric, target(), row.record.vectors.at(field->name));
    hit.score = ScoreOf(field->metric, hit.distance);
  } else {
    hit.distance = -row.score;
    hit.score = row.score;
  }
  hit.record = std::move(row.record);
  return hit;
}

double WeaviateStore::Nearest::Beyond(const Row& last) const {
  // The server sums in float32.
  constexpr double kRelative = 1e-5;
  if (field == nullptr) {
    return -last.score * (1 + kRelative);
  }
  const double distance = OwnDistance(field->metric, last.distance);
  switch (field->metric) {
    case Metric::kL2:
      return distance * (1 - kRelative);
    case Metric::kCosine:
      return distance - kRelative;
    default:
      return distance - kRelative * Norm(target()) * Norm(last.record.vectors.at(field->name));
  }
}

pb::SearchRequest WeaviateStore::Ask(const Session& session, const Nearest& nearest,
                                     const WeaviateFilter& narrowed, const Piece& piece,
                                     uint64_t limit) const {
  pb::SearchRequest request;
  session.table.format->AskFor(session.table, nearest.wanted, request);
  request.set_limit(static_cast<uint32_t>(limit));
  if (nearest.field != nullptr) {
    auto& near = *request.mutable_near_vector();
    // The way that 1.27 knows, and later ones too.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    near.set_vector_bytes(EncodeVector(nearest.target()));
#pragma GCC diagnostic pop
    const std::string& target = session.table.vectors[*nearest.wanted.vector];
    if (!target.empty()) {
      near.mutable_targets()->add_target_vectors(target);
    }
    request.mutable_metadata()->set_distance(true);
  } else {
    auto& words = *request.mutable_bm25_search();
    words.set_query(nearest.words);
    for (const std::string& property : nearest.word_properties) {
      words.add_properties(property);
    }
    request.mutable_metadata()->set_score(true);
  }
  pb::Filters all;
  all.set_operator_(pb::Filters::OPERATOR_AND);
  if (narrowed.kind == WeaviateFilter::Kind::kSome) {
    *all.add_filters() = *narrowed.native;
  }
  if (piece) {
    *all.add_filters() = Bucket(pb::Filters::OPERATOR_GREATER_THAN_EQUAL, piece->first);
    *all.add_filters() = Bucket(pb::Filters::OPERATOR_LESS_THAN, piece->second);
  }
  if (all.filters_size() == 1) {
    *request.mutable_filters() = all.filters(0);
  } else if (all.filters_size() > 1) {
    *request.mutable_filters() = std::move(all);
  }
  return request;
}

Result<std::vector<WeaviateStore::Piece>> WeaviateStore::PiecesOf(const Session& session,
                                                                  const Nearest& nearest,
                                                                  const std::string& tenant) {
  if (nearest.field == nullptr || !nearest.request.exact || nearest.field->index == "FLAT" ||
      !session.table.format->ours()) {
    return std::vector<Piece>{std::nullopt};
  }
  // An HNSW index compares with every object that a filter leaves, if these are few.
  const uint64_t count = TRY(CountRows(
      session, {.collection = session.table.schema.name,
                .tenant = session.table.schema.multi_tenant() ? std::optional<std::string>(tenant)
                                                              : std::nullopt}));
  const auto pieces = static_cast<int64_t>(count / options_.exact_piece + 1);
  std::vector<Piece> out;
  for (int64_t i = 0; i < std::min(pieces, kObjectBuckets); ++i) {
    out.emplace_back(std::pair(i * kObjectBuckets / pieces, (i + 1) * kObjectBuckets / pieces));
  }
  return out;
}

Result<std::vector<Hit>> WeaviateStore::SearchPiece(const Session& session, const Nearest& nearest,
                                                    const std::string& tenant, const Piece& piece) {
  if (!session.table.format->ours() && nearest.field != nullptr && nearest.request.exact &&
      nearest.field->index != "FLAT") {
    // It has no buckets to search piece by piece.
    return SearchEverything(session, nearest, tenant);
  }
  const Filter* filter = nearest.request.filter.get();
  const WeaviateFilter narrowed = session.table.format->Narrow(filter, session.table, tenant);
  std::vector<Hit> hits;
  if (narrowed.kind == WeaviateFilter::Kind::kNone) {
    return hits;
  }
  const uint64_t most = RowsPerReply(session.table, nearest.wanted, options_.max_reply_bytes);
  uint64_t limit = std::max(nearest.needed() + kRerank, LimitFor(nearest.request.ef));
  if (limit > most && nearest.needed() > most) {
    return SearchEverything(session, nearest, tenant);
  }
  limit = std::min(limit, most);
  while (true) {
    pb::SearchRequest request = Ask(session, nearest, narrowed, piece, limit);
    std::vector<Row> rows = TRY(Run(session, tenant, request));
    const bool all = rows.size() < limit;
    const double beyond = all || rows.empty() ? 0 : nearest.Beyond(rows.back());
    hits.clear();
    for (Row& row : rows) {
      if (narrowed.exact || Matches(filter, row.record)) {
        hits.push_back(nearest.HitOf(std::move(row)));
      }
    }
    std::sort(hits.begin(), hits.end(), Nearer);
    const bool enough =
        (hits.size() >= nearest.needed() && beyond > hits[nearest.needed() - 1].distance) ||
        (nearest.request.max_distance && beyond > *nearest.request.max_distance);
    if (all || enough) {
      return hits;
    }
    if (limit == most) {
      const bool settled = !nearest.request.exact && hits.size() >= nearest.needed();
      return settled ? hits : SearchEverything(session, nearest, tenant);
    }
    limit = std::min(limit * 4, most);
  }
}

Result<std::vector<Hit>> WeaviateStore::SearchEverything(const Session& session,
                                                         const Nearest& nearest,
                                                         const std::string& tenant) {
  if (nearest.field == nullptr) {
    return ResourceExhausted(
        "more records hold the words than Weaviate gives in one reply, and too few of them match "
        "the filter; search for rarer words");
  }
  const Filter* filter = nearest.request.filter.get();
  std::vector<Hit> best;  // a heap, the farthest on top
  Wanted wanted = nearest.wanted;
  wanted.scalars = wanted.scalars || filter != nullptr;
  TRY(ReadRange(
      session, tenant, kFirstObjectId, kLastObjectId, wanted, options_.max_results, [&](Row&& row) {
        if (!row.record.vectors.contains(nearest.field->name) || !Matches(filter, row.record)) {
          return true;
        }
        best.push_back(nearest.HitOf(std::move(row)));
        std::push_heap(best.begin(), best.end(), Nearer);
        if (best.size() > nearest.needed()) {
          std::pop_heap(best.begin(), best.end(), Nearer);
          best.pop_back();
        }
        return true;
      }));
  std::sort(best.begin(), best.end(), Nearer);
  return best;
}

Result<std::vector<Hit>> WeaviateStore::SearchOne(const Session& session, const Nearest& nearest,
                                                  const std::vector<std::string>& tenants) {
  std::vector<Hit> hits;
  for (const std::string& tenant : tenants) {
    for (const Piece& piece : TRY(PiecesOf(session, nearest, tenant))) {
      auto found = TRY(SearchPiece(session, nearest, tenant, piece));
      std::move(found.begin(), found.end(), std::back_inserter(hits));
    }
  }
  const SearchRequest& request = nearest.request;
  std::sort(hits.begin(), hits.end(), Nearer);
  // Where all of a tenant was read for one piece, its hits came again with the next.
  hits.erase(std::unique(hits.begin(), hits.end(),
                         [](const Hit& a, const Hit& b) { return a.record.key == b.record.key; }),
             hits.end());
  if (request.max_distance) {
    std::erase_if(hits, [&](const Hit& hit) { return hit.distance > *request.max_distance; });
  }
  hits.erase(hits.begin(),
             hits.begin() + static_cast<ptrdiff_t>(std::min<size_t>(request.offset, hits.size())));
  if (hits.size() > request.top_k) {
    hits.erase(hits.begin() + request.top_k, hits.end());
  }
  for (Hit& hit : hits) {
    hit.record = Project(session.table.schema, request.output, std::move(hit.record));
  }
  return hits;
}

Result<SearchResult> WeaviateStore::SearchRows(const Session& session,
                                               const SearchRequest& request) {
  TRY(ValidateOutput(session.table.schema, request.output));
  Nearest nearest{.request = request};
  nearest.field = TRY(ValidateSearch(session.table.schema, capabilities_, request));
  nearest.wanted = WantedFor(session.table, request.output);
  if (request.filter != nullptr) {
    const Wanted judged = WantedFor(session.table, *request.filter);
    nearest.wanted.fields.insert(nearest.wanted.fields.end(), judged.fields.begin(),
                                 judged.fields.end());
    std::sort(nearest.wanted.fields.begin(), nearest.wanted.fields.end());
    nearest.wanted.exact = nearest.wanted.exact || judged.exact;
  }
  if (nearest.field != nullptr) {
    nearest.wanted.vector = session.table.FindVector(nearest.field->name);
  } else {
    for (size_t i = 0; i < session.table.words.size(); ++i) {
      if (!session.table.words[i].empty() &&
          (request.field.empty() || request.field == session.table.field(i).name)) {
        nearest.word_properties.push_back(session.table.words[i]);
      }
    }
  }
  const auto tenants = TRY(TenantsOf(session, request.tenant));
  SearchResult result;
  const size_t queries = nearest.field != nullptr ? request.vectors.size() : request.texts.size();
  for (nearest.query = 0; nearest.query < queries; ++nearest.query) {
    if (nearest.field == nullptr) {
      nearest.words = QueryWords(request.texts[nearest.query]);
      if (nearest.words.empty()) {
        result.hits.emplace_back();
        continue;
      }
    }
    result.hits.push_back(TRY(SearchOne(session, nearest, tenants)));
  }
  return result;
}

Result<SearchResult> WeaviateStore::Search(const RequestContext& context,
                                           const SearchRequest& request) {
  return With<SearchResult>(context, options_.call_timeout, request.collection, false,
                            [&](const Session& session) { return SearchRows(session, request); });
}

}  // namespace roost
