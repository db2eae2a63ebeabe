// The operations that find records.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "base/json.h"
#include "gateway/records/connected_records.h"
#include "gateway/records/flat_record.h"
#include "gateway/records/record_service.h"
#include "store/bm25.h"
#include "store/tokenizer.h"

namespace roost {

namespace {

namespace f = record_field;

Status CheckLimit(std::string_view name, uint64_t value, uint64_t most) {
  if (value == 0 || value > most) {
    return InvalidArgument(fmt::format("\"{}\" is {}; it must be from 1 to {}", name, value, most));
  }
  return {};
}

// The largest distance whose score is at least `score`.
double DistanceOf(Metric metric, double score) {
  return metric == Metric::kCosine || metric == Metric::kJaccard ? 1 - score : -score;
}

Status ApplySimilarity(const SimilaritySetting& setting, const VectorFieldSchema& field,
                       SearchRequest& search) {
  if (setting.metric && *setting.metric != field.metric) {
    return InvalidArgument(fmt::format(
        "the similarity setting asks for {}; the collection was made for {}, which its index knows",
        MetricName(*setting.metric), MetricName(field.metric)));
  }
  search.max_distance = setting.max_distance;
  if (setting.min_score) {
    const double cut = DistanceOf(field.metric, *setting.min_score);
    search.max_distance = search.max_distance ? std::min(*search.max_distance, cut) : cut;
  }
  search.ef = setting.ef;
  search.exact = setting.exact;
  return {};
}

std::vector<std::string> TextFields(const CollectionSchema& schema) {
  std::vector<std::string> names;
  for (const FieldSchema& field : schema.fields) {
    if (field.type == DataType::kText) {
      names.push_back(field.name);
    }
  }
  return names;
}

void SortByTime(std::vector<Record>& records) {
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    const int64_t at_a = MicrosOf(a, f::kModified);
    const int64_t at_b = MicrosOf(b, f::kModified);
    return at_a != at_b ? at_a > at_b : a.key < b.key;
  });
}

}  // namespace

Result<std::vector<Hit>> RecordService::QueryByVector(const RequestContext& context,
                                                      const RecordScope& scope, VectorQuery query) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckLimit("top_k", query.top_k, options_.max_limit));
  SearchRequest search{.collection = scope.collection, .field = std::string(f::kVector)};
  TRY(ApplySimilarity(query.similarity, *layout.schema->FindVector(f::kVector), search));
  search.vectors.push_back(std::move(query.query_vector));
  search.top_k = query.top_k;
  search.filter = TRY(Alive(layout, query.filter));
  search.tenant = scope.tenant;
  search.output.vectors = query.include_vector;
  SearchResult result = TRY(gateway_.Search(context, search));
  return result.hits.empty() ? std::vector<Hit>() : std::move(result.hits.front());
}

Result<std::vector<Hit>> RecordService::QueryByKeyword(const RequestContext& context,
                                                       const RecordScope& scope,
                                                       KeywordQuery query) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckLimit("top_k", query.top_k, options_.max_limit));
  if (Tokenize(query.keyword).empty()) {
    return InvalidArgument("\"keyword\" has no word: letters or digits");
  }
  if (TextFields(*layout.schema).empty()) {
    return FailedPrecondition(fmt::format(
        "no kind of \"{}\" has a TEXT property, which keyword search looks at", scope.collection));
  }
  query.filter = TRY(Alive(layout, query.filter));
  if (!gateway_.CapabilitiesOf(scope.collection).keyword_search) {
    return RankHere(context, scope, layout, query);
  }
  SearchRequest search{.collection = scope.collection};
  search.texts.push_back(query.keyword);
  search.top_k = query.top_k;
  search.filter = query.filter;
  search.tenant = scope.tenant;
  search.output.all_scalars = query.include_metadata;
  if (!query.include_metadata) {
    search.output.fields = {std::string(f::kType)};
  }
  SearchResult result = TRY(gateway_.Search(context, search));
  return result.hits.empty() ? std::vector<Hit>() : std::move(result.hits.front());
}

Result<std::vector<Hit>> RecordService::RankHere(const RequestContext& context,
                                                 const RecordScope& scope,
                                                 const RecordLayout& layout,
                                                 const KeywordQuery& query) {
  const std::vector<std::string> fields = TextFields(*layout.schema);
  std::string matches;
  for (const std::string& field : fields) {
    matches += fmt::format("{}text_match(`{}`, {{words}})", matches.empty() ? "" : " or ", field);
  }
  QueryRequest candidates{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
  const FilterPtr holds =
      TRY(ParseFilter(matches, *layout.schema, {{"words", Value(query.keyword)}}));
  candidates.filter = AndFilters(query.filter, holds);
  candidates.limit = options_.max_keyword_candidates + 1;
  QueryResult found = TRY(gateway_.Query(context, candidates));
  if (found.records.size() > options_.max_keyword_candidates) {
    return ResourceExhausted(fmt::format(
        "more than {} records hold a word of \"{}\", and their store does not rank them; use "
        "rarer words or a filter",
        options_.max_keyword_candidates, query.keyword));
  }
  const std::vector<std::string> words = Tokenize(query.keyword);
  std::vector<Hit> hits(found.records.size());
  for (const std::string& field : fields) {
    Bm25Statistics statistics;
    std::vector<std::vector<std::string>> texts;
    for (const Record& record : found.records) {
      texts.push_back(Tokenize(TextOf(record, field)));
      statistics.Add(texts.back());
    }
    for (size_t i = 0; i < hits.size(); ++i) {
      hits[i].score += statistics.Score(words, texts[i]);
    }
  }
  for (size_t i = 0; i < hits.size(); ++i) {
    hits[i].distance = -hits[i].score;
    hits[i].record = std::move(found.records[i]);
    if (!query.include_metadata) {
      hits[i].record.fields = {
          {std::string(f::kType), Value(std::string(TextOf(hits[i].record, f::kType)))}};
      hits[i].record.dynamic.clear();
    }
  }
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.score != b.score ? a.score > b.score : a.record.key < b.record.key;
  });
  hits.resize(std::min<size_t>(hits.size(), query.top_k));
  return hits;
}

Result<ConnectedRecords> RecordService::QueryByFilter(const RequestContext& context,
                                                      const RecordScope& scope,
                                                      const FilterQuery& query) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckLimit("top_k", query.top_k, options_.max_limit));
  QueryRequest request{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
  request.filter = TRY(Alive(layout, query.filter));
  request.limit = query.top_k;
  request.output.vectors = query.include_vector;
  QueryResult found = TRY(gateway_.Query(context, request));
  ConnectedRecords result;
  result.records = std::move(found.records);
  if (!query.get_connected_results || result.records.empty()) {
    return result;
  }
  const ConnectionSearch search{.gateway = gateway_,
                                .scope = scope,
                                .layout = layout,
                                .limit = options_.max_connected,
                                .include_vector = query.include_vector};
  TRY(FindConnected(context, search, result));
  return result;
}

// A moment from which on there are at least `limit` records, and not many more, if there are that
// many at all: windows that grow, then the last one halved. Stores give records by key only.
Result<int64_t> RecordService::RecentFrom(const RequestContext& context, const RecordScope& scope,
                                          const RecordLayout& layout, uint32_t limit) {
  const auto count_from = [&](int64_t from) -> Result<uint64_t> {
    CountRequest count{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
    count.filter = TRY(ParseFilter("deleted == false and last_modified >= {from}", *layout.schema,
                                   {{"from", Value(from)}}));
    return gateway_.Count(context, count);
  };
  const int64_t now = ToUnixMicros(clock_.WallNow());
  int64_t empty_from = now + 1;  // fewer than `limit` from here on
  int64_t from = 0;              // enough from here on, or all
  for (int64_t window = 60'000'000; window < now; window *= 8) {
    if (TRY(count_from(now - window)) >= limit) {
      from = now - window;
      break;
    }
    empty_from = now - window;
  }
  while (empty_from - from > 1) {
    if (TRY(count_from(from)) <= 4 * static_cast<uint64_t>(limit) + 100) {
      break;
    }
    const int64_t middle = from + (empty_from - from) / 2;
    if (TRY(count_from(middle)) >= limit) {
      from = middle;
    } else {
      empty_from = middle;
    }
  }
  return from;
}

Result<std::vector<Record>> RecordService::GetMostRecentRecords(const RequestContext& context,
                                                                const RecordScope& scope,
                                                                uint32_t limit,
                                                                bool include_vector) {
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  TRY(CheckLimit("limit", limit, options_.max_limit));
  const int64_t from = TRY(RecentFrom(context, scope, layout, limit));
  QueryRequest query{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
  query.limit = options_.batch_rows;
  query.output.vectors = include_vector;
  std::vector<Record> newest;
  std::string after;
  for (;;) {
    query.filter = TRY(ParseFilter(
        after.empty() ? "deleted == false and last_modified >= {from}"
                      : "deleted == false and last_modified >= {from} and uniqueid > {after}",
        *layout.schema, {{"from", Value(from)}, {"after", Value(after)}}));
    QueryResult page = TRY(gateway_.Query(context, query));
    const bool last = page.records.size() < query.limit;
    if (!page.records.empty()) {
      after = std::get<std::string>(page.records.back().key.key);
    }
    std::move(page.records.begin(), page.records.end(), std::back_inserter(newest));
    SortByTime(newest);
    newest.resize(std::min<size_t>(newest.size(), limit));
    if (last) {
      return newest;
    }
  }
}

Result<std::vector<std::optional<Record>>> RecordService::GetRecordsByIds(
    const RequestContext& context, const RecordScope& scope, const std::vector<std::string>& ids,
    bool include_vector) {
  TRY(Layout(context, scope.collection));
  if (ids.size() > options_.max_ids) {
    return InvalidArgument(
        fmt::format("{} ids are more than one request takes ({})", ids.size(), options_.max_ids));
  }
  OutputFields output;
  output.vectors = include_vector;
  Stored stored = TRY(Read(context, scope, ids, std::move(output)));
  for (std::optional<Record>& record : stored) {
    if (record && IsDeletion(*record)) {
      record.reset();
    }
  }
  return stored;
}

}  // namespace roost
