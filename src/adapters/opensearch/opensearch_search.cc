// Nearest neighbours and words.

#include <algorithm>
#include <bit>

#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_operand.h"
#include "base/json.h"
#include "store/tokenizer.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

/// The server sums in float32: so many more are fetched and put in order by exact distances.
constexpr uint64_t kRerank = 16;
constexpr uint64_t kMaxHits = 10'000;  ///< k of a knn query has this limit
constexpr uint64_t kMaxEfSearch = 10'000;
constexpr size_t kMaxQueryWords = 256;
constexpr size_t kMaxClauses = 900;

std::string VectorText(const Vector& vector) {
  std::string out;
  AppendVector(out, vector);
  return out;
}

// Doc values are longs: for sparse vectors the index and the value's bits; for binary ones the
// place and 32 bits. Distances as in types.h.
constexpr std::string_view kSparseScript =
    "double s = 0; for (long p : doc[params.f]) { def w = params.q[Long.toString(p >>> 32)]; if (w "
    "!= null) { s += (double) Float.intBitsToFloat((int) p) * (double) w; } } return -s;";
constexpr std::string_view kHammingScript =
    "long d = 0; for (long p : doc[params.f]) { d += Long.bitCount((p & 4294967295L) ^ "
    "(long) params.q[(int) (p >>> 32)]); } return (double) d;";
constexpr std::string_view kJaccardScript =
    "long a = 0; long o = 0; for (long p : doc[params.f]) { long w = p & 4294967295L; long q = "
    "(long) params.q[(int) (p >>> 32)]; a += Long.bitCount(w & q); o += Long.bitCount(w | q); } "
    "return o == 0 ? 1.0 : 1.0 - (double) a / (double) o;";

std::string PackedParameters(const VectorFieldSchema& field, const Vector& query) {
  std::string out = R"({"f":)" + JsonString(PackedName(field.name)) + R"(,"q":)";
  if (field.type == DataType::kSparseVector) {
    out += '{';
    for (const auto& [index, value] : ToSparseEntries(query)) {
      out += (out.back() == '{' ? "\"" : ",\"") + std::to_string(index) + "\":";
      std::string number;
      AppendJsonDouble(number, value);
      out += number.find_first_of(".e") == std::string::npos ? number + ".0" : number;
    }
    return out + "}}";
  }
  out += '[';
  for (const int64_t packed : PackVector(query)) {
    // Above 2^31 JSON numbers are longs already; below the script casts.
    out += (out.back() == '[' ? "" : ",") + std::to_string(packed & 0xffffffffLL);
  }
  return out + "]}";
}

/// Sorted by a script that computes the distance in double precision.
std::string PackedSearch(const VectorFieldSchema& field, const Vector& query,
                         const std::string& where, uint64_t size) {
  const std::string_view script = field.type == DataType::kSparseVector ? kSparseScript
                                  : field.metric == Metric::kJaccard    ? kJaccardScript
                                                                        : kHammingScript;
  return R"({"track_total_hits":false,"size":)" + std::to_string(size) +
         R"(,"query":{"bool":{"filter":[)" + where + R"(,{"exists":{"field":)" +
         JsonString(PackedName(field.name)) +
         R"(}}]}},"sort":[{"_script":{"type":"number","order":"asc","script":{"lang":"painless",)" +
         R"("source":)" + JsonString(script) + R"(,"params":)" + PackedParameters(field, query) +
         R"(}}},{"_pk":"asc"}]})";
}

std::string ExactSearch(const VectorFieldSchema& field, const Vector& query,
                        const std::string& where, uint64_t size) {
  if (OsIsPacked(field.type)) {
    return PackedSearch(field, query, where, size);
  }
  return R"({"track_total_hits":false,"size":)" + std::to_string(size) +
         R"(,"query":{"script_score":{"query":{"bool":{"filter":[)" + where +
         R"(,{"exists":{"field":)" + JsonString(field.name) +
         R"(}}]}},"script":{"lang":"knn","source":"knn_score","params":{"field":)" +
         JsonString(field.name) + R"(,"query_value":)" + VectorText(query) + R"(,"space_type":")" +
         std::string(OsSpaceType(field.metric)) +
         R"("}}}},"sort":[{"_score":"desc"},{"_pk":"asc"}]})";
}

/// The filter stands inside the clause, so that the graph is walked among what matches.
std::string GraphSearch(const VectorFieldSchema& field, const Vector& query,
                        const std::string& where, uint64_t size, uint64_t ef) {
  return R"({"track_total_hits":false,"size":)" + std::to_string(size) + R"(,"query":{"knn":{)" +
         JsonString(field.name) + R"(:{"vector":)" + VectorText(query) + R"(,"k":)" +
         std::to_string(size) + R"(,"method_parameters":{"ef_search":)" +
         std::to_string(std::clamp<uint64_t>(ef, size, kMaxEfSearch)) + R"(},"filter":)" + where +
         "}}}}";
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

Result<OsStore::Answers> OsStore::RunSearches(const Session& session,
                                              std::span<const std::string> bodies) {
  Answers answers;
  if (bodies.size() == 1) {
    Found found = TRY(RunSearch(session, bodies[0]));
    answers.reply = std::move(found.reply);
    answers.documents.push_back(std::move(found.documents));
    return answers;
  }
  OsCall call;
  call.method = "POST";
  call.lines = true;
  call.path = "/_msearch";
  for (const std::string& body : bodies) {
    call.body += R"({"index":)" + JsonString(session.index.alias) +
                 R"(,"allow_partial_search_results":false})" + "\n" + body + "\n";
  }
  answers.reply = TRY(client_.Call(session.context, call));
  answers.documents = TRY(ParseMultiSearch(answers.reply));
  if (answers.documents.size() != bodies.size()) {
    return Unavailable(client_.name() + " answered " + std::to_string(answers.documents.size()) +
                       " of " + std::to_string(bodies.size()) + " searches");
  }
  return answers;
}

Result<std::vector<Hit>> OsStore::Rank(const Session& session, const SearchRequest& request,
                                       const VectorFieldSchema& field, const Vector& query,
                                       const std::vector<OsDocument>& documents) {
  std::vector<Hit> hits;
  for (const OsDocument& document : documents) {
    OsDecoded decoded = TRY(DecodeRecord(session.schema(), document.source));
    const auto vector = decoded.record.vectors.find(field.name);
    if (vector == decoded.record.vectors.end()) {
      continue;
    }
    const double distance = ReferenceDistance(field.metric, query, vector->second);
    hits.push_back({.record = Project(session.schema(), request.output, std::move(decoded.record)),
                    .distance = distance,
                    .score = ScoreOf(field.metric, distance)});
  }
  return Cut(std::move(hits), request);
}

Result<SearchResult> OsStore::SearchVectors(const Session& session, const SearchRequest& request,
                                            const VectorFieldSchema& field) {
  const std::string where = TRY(Where(session, request.tenant, request.filter));
  const uint64_t size = std::min(uint64_t{request.top_k} + request.offset + kRerank, kMaxHits);
  const bool exact = request.exact || field.index != "HNSW" || OsIsPacked(field.type);
  const uint64_t ef = request.ef == 0 ? options_.ef_search : request.ef;
  std::vector<std::string> bodies;
  for (const Vector& query : request.vectors) {
    bodies.push_back(exact ? ExactSearch(field, query, where, size)
                           : GraphSearch(field, query, where, size, ef));
  }
  Answers answers = TRY(RunSearches(session, bodies));
  SearchResult found;
  std::vector<size_t> short_ones;
  for (size_t i = 0; i < request.vectors.size(); ++i) {
    if (!exact && answers.documents[i].size() < size) {
      short_ones.push_back(i);  // a graph may leave out some of the few that match
    }
    found.hits.push_back(
        TRY(Rank(session, request, field, request.vectors[i], answers.documents[i])));
  }
  if (!short_ones.empty()) {
    std::vector<std::string> again;
    for (const size_t i : short_ones) {
      again.push_back(ExactSearch(field, request.vectors[i], where, size));
    }
    const Answers full = TRY(RunSearches(session, again));
    for (size_t k = 0; k < short_ones.size(); ++k) {
      const size_t i = short_ones[k];
      found.hits[i] = TRY(Rank(session, request, field, request.vectors[i], full.documents[k]));
    }
  }
  return found;
}

Result<SearchResult> OsStore::SearchTexts(const Session& session, const SearchRequest& request) {
  const CollectionSchema& schema = session.schema();
  std::vector<std::string> fields;
  for (const FieldSchema& field : schema.fields) {
    if (field.type == DataType::kText && (request.field.empty() || field.name == request.field)) {
      fields.push_back(std::string(kOsWords) + "." + field.name);
    }
  }
  const std::string where = TRY(Where(session, request.tenant, request.filter));
  const uint64_t size = std::min(uint64_t{request.top_k} + request.offset, kMaxHits);
  SearchResult found;
  for (const std::string& text : request.texts) {
    std::vector<std::string> words = Tokenize(text);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    words.resize(std::min(words.size(), std::min(kMaxQueryWords, kMaxClauses / fields.size())));
    std::string clauses;
    for (const std::string& field : fields) {
      for (const std::string& word : words) {
        clauses += (clauses.empty() ? "" : ",") + OsTerm(field, JsonString(word));
      }
    }
    std::vector<Hit> hits;
    if (!words.empty()) {
      const Found answer = TRY(RunSearch(
          session,
          R"({"track_total_hits":false,"size":)" + std::to_string(size) +
              R"(,"query":{"bool":{"filter":[)" + where + R"(],"should":[)" + clauses +
              R"(],"minimum_should_match":1}},"sort":[{"_score":"desc"},{"_pk":"asc"}]})"));
      for (const OsDocument& document : answer.documents) {
        OsDecoded decoded = TRY(DecodeRecord(schema, document.source));
        hits.push_back({.record = Project(schema, request.output, std::move(decoded.record)),
                        .distance = -document.score,
                        .score = document.score});
      }
    }
    found.hits.push_back(Cut(std::move(hits), request));
  }
  return found;
}

Result<SearchResult> OsStore::Search(const RequestContext& context, const SearchRequest& request) {
  return With<SearchResult>(context, options_.call_timeout, request.collection,
                            [&](const Session& session) -> Result<SearchResult> {
                              const VectorFieldSchema* field =
                                  TRY(ValidateSearch(session.schema(), capabilities_, request));
                              if (request.consistency == Consistency::kStrong) {
                                TRY(Refresh(session));
                              }
                              return field == nullptr ? SearchTexts(session, request)
                                                      : SearchVectors(session, request, *field);
                            });
}

}  // namespace roost
