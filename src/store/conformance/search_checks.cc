#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "store/conformance/trial.h"
#include "store/vector_math.h"

namespace roost::conformance {
namespace {

constexpr size_t kDimension = 16;

Vector RandomVector(Random& random) {
  std::vector<float> values(kDimension);
  for (auto& value : values) {
    value = static_cast<float>(random.NextDouble() - 0.5);
  }
  return Vector::Floats(values);
}

/// Integer keys with random vectors; "group" is 0 for every tenth, "rare" true for the keys that
/// are multiples of 97.
struct Corpus {
  CollectionSchema schema;
  std::vector<Record> records;
};

Corpus Fill(Trial& trial, size_t count, Metric metric) {
  Corpus corpus{.schema = trial.Plain(), .records = {}};
  corpus.schema.key_type = KeyType::kInt64;
  corpus.schema.vectors[0].dimension = kDimension;
  corpus.schema.vectors[0].metric = metric;
  corpus.schema.fields = {{.name = "part", .type = DataType::kInt64},
                          {.name = "rare", .type = DataType::kBool}};
  if (!trial.Create(corpus.schema)) {
    return corpus;
  }
  SeededRandom random(99);
  for (size_t i = 0; i < count; ++i) {
    Record record;
    record.key = IntegerKey(static_cast<int64_t>(i));
    record.vectors["v"] = RandomVector(random);
    record.fields["part"] = static_cast<int64_t>(i % 10);
    record.fields["rare"] = i % 97 == 0;
    corpus.records.push_back(std::move(record));
  }
  trial.Upsert(corpus.schema.name, corpus.records);
  return corpus;
}

/// The nearest by brute force: distance and key.
std::vector<std::pair<double, RecordKey>> Nearest(const Corpus& corpus, const Vector& query,
                                                  const Filter* filter, size_t count) {
  std::vector<std::pair<double, RecordKey>> all;
  for (const auto& record : corpus.records) {
    if (Matches(filter, record)) {
      all.emplace_back(
          ReferenceDistance(corpus.schema.vectors[0].metric, query, record.vectors.at("v")),
          record.key);
    }
  }
  std::sort(all.begin(), all.end());
  all.resize(std::min(all.size(), count));
  return all;
}

void ExpectExact(const std::vector<Hit>& hits,
                 const std::vector<std::pair<double, RecordKey>>& expected,
                 const std::string& what) {
  ASSERT_EQ(hits.size(), expected.size()) << what;
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_NEAR(hits[i].distance, expected[i].first, 1e-5) << what << ", rank " << i;
    // Neighbours closer than the distances' precision may change places.
    const bool clear =
        (i == 0 || expected[i].first - expected[i - 1].first > 1e-6) &&
        (i + 1 == expected.size() || expected[i + 1].first - expected[i].first > 1e-6);
    if (clear) {
      EXPECT_EQ(hits[i].record.key, expected[i].second) << what << ", rank " << i;
    }
  }
}

void ExactSearch(Trial& trial) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    if (!trial.Claims(metric)) {
      continue;
    }
    const auto corpus = Fill(trial, 500, metric);
    SeededRandom random(5);
    for (int i = 0; i < 10; ++i) {
      const Vector query = RandomVector(random);
      for (const char* filter : {"", "part == 3", "rare", "part in [1, 2] and not rare"}) {
        const auto parsed = trial.Parse(filter, corpus.schema);
        const auto hits = trial.Search({.collection = corpus.schema.name,
                                        .vectors = {query},
                                        .top_k = 20,
                                        .filter = parsed,
                                        .exact = true});
        ExpectExact(hits.at(0), Nearest(corpus, query, parsed.get(), 20),
                    std::string(MetricName(metric)) + " " + filter);
      }
    }
  }
}

/// The part of the true nearest that the hits hold.
double Recall(const std::vector<Hit>& hits,
              const std::vector<std::pair<double, RecordKey>>& expected) {
  std::set<RecordKey> wanted;
  for (const auto& [distance, key] : expected) {
    wanted.insert(key);
  }
  const auto found = std::count_if(hits.begin(), hits.end(),
                                   [&](const Hit& hit) { return wanted.contains(hit.record.key); });
  return wanted.empty() ? 1 : static_cast<double>(found) / static_cast<double>(wanted.size());
}

void ApproximateSearchRecall(Trial& trial) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    if (!trial.Claims(metric)) {
      continue;
    }
    const auto corpus = Fill(trial, 2'000, metric);
    SeededRandom random(6);
    for (const char* filter : {"", "part == 3"}) {
      const auto parsed = trial.Parse(filter, corpus.schema);
      double sum = 0;
      constexpr int kQueries = 50;
      for (int i = 0; i < kQueries; ++i) {
        const Vector query = RandomVector(random);
        const auto hits = trial.Search({.collection = corpus.schema.name,
                                        .vectors = {query},
                                        .top_k = 10,
                                        .filter = parsed,
                                        .ef = 200});
        EXPECT_EQ(hits.at(0).size(), 10u) << MetricName(metric) << " " << filter;
        EXPECT_TRUE(
            std::is_sorted(hits.at(0).begin(), hits.at(0).end(),
                           [](const Hit& a, const Hit& b) { return a.distance < b.distance; }));
        sum += Recall(hits.at(0), Nearest(corpus, query, parsed.get(), 10));
      }
      EXPECT_GE(sum / kQueries, 0.9) << MetricName(metric) << " recall, filter " << filter;
    }
  }
}

void RareFilterGivesFullResults(Trial& trial) {
  const auto corpus = Fill(trial, 2'000, trial.AnyMetric());
  const auto rare = trial.Parse("rare", corpus.schema);  // 21 of 2,000
  SeededRandom random(8);
  for (int i = 0; i < 10; ++i) {
    const Vector query = RandomVector(random);
    const auto hits = trial.Search(
        {.collection = corpus.schema.name, .vectors = {query}, .top_k = 20, .filter = rare});
    EXPECT_EQ(hits.at(0).size(), 20u) << "a rare filter starves the search";
    const auto one = trial.Search({.collection = corpus.schema.name,
                                   .vectors = {query},
                                   .top_k = 10,
                                   .filter = trial.Parse("id == 1234", corpus.schema)});
    EXPECT_EQ(Keys(one.at(0)), (std::vector<std::string>{"1234"}));
  }
}

void SeveralQueriesInOneCall(Trial& trial) {
  const auto corpus = Fill(trial, 300, trial.AnyMetric());
  SeededRandom random(9);
  std::vector<Vector> queries;
  for (int i = 0; i < 17; ++i) {
    queries.push_back(RandomVector(random));
  }
  const auto hits = trial.Search(
      {.collection = corpus.schema.name, .vectors = queries, .top_k = 5, .exact = true});
  ASSERT_EQ(hits.size(), queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    ExpectExact(hits[i], Nearest(corpus, queries[i], nullptr, 5), "query " + std::to_string(i));
  }
}

void TopKAndOffset(Trial& trial) {
  const auto corpus = Fill(trial, 50, trial.AnyMetric());
  SeededRandom random(10);
  const Vector query = RandomVector(random);
  const auto expected = Nearest(corpus, query, nullptr, 50);
  const auto search = [&](uint32_t top_k, uint32_t offset, bool exact) {
    return trial
        .Search({.collection = corpus.schema.name,
                 .vectors = {query},
                 .top_k = top_k,
                 .offset = offset,
                 .exact = exact})
        .at(0);
  };
  for (const bool exact : {true, false}) {
    EXPECT_EQ(search(500, 0, exact).size(), 50u) << "top_k above the number of records";
    EXPECT_EQ(search(10, 45, exact).size(), 5u);
    EXPECT_TRUE(search(10, 50, exact).empty());
    ExpectExact(search(10, 20, exact), {expected.begin() + 20, expected.begin() + 30}, "offset 20");
    ExpectExact(search(1, 0, exact), {expected.begin(), expected.begin() + 1}, "top 1");
  }
  const auto most = trial.capabilities().max_top_k;
  EXPECT_EQ(search(most, 0, false).size(), 50u);
  for (const uint32_t top_k : {0u, most + 1}) {
    const auto refused = trial.store().Search(
        Trial::Context(), {.collection = corpus.schema.name, .vectors = {query}, .top_k = top_k});
    EXPECT_EQ(refused.code(), Code::kInvalidArgument) << top_k << ": " << ErrorOf(refused);
  }
  const auto beyond = trial.store().Search(
      Trial::Context(),
      {.collection = corpus.schema.name, .vectors = {query}, .top_k = most, .offset = 1});
  EXPECT_EQ(beyond.code(), Code::kInvalidArgument) << ErrorOf(beyond);
}

void MaxDistance(Trial& trial) {
  const auto corpus = Fill(trial, 200, trial.AnyMetric());
  SeededRandom random(11);
  const Vector query = RandomVector(random);
  const auto expected = Nearest(corpus, query, nullptr, 200);
  const double limit = (expected[7].first + expected[8].first) / 2;
  for (const bool exact : {true, false}) {
    const auto hits = trial
                          .Search({.collection = corpus.schema.name,
                                   .vectors = {query},
                                   .top_k = 100,
                                   .max_distance = limit,
                                   .exact = exact})
                          .at(0);
    ExpectExact(hits, {expected.begin(), expected.begin() + 8}, "max_distance");
    const auto none = trial
                          .Search({.collection = corpus.schema.name,
                                   .vectors = {query},
                                   .max_distance = expected[0].first - 1,
                                   .exact = exact})
                          .at(0);
    EXPECT_TRUE(none.empty());
  }
}

void MaxDistanceIsIncluded(Trial& trial) {
  const auto schema = trial.Plain();
  if (schema.vectors[0].metric != Metric::kL2) {
    return;
  }
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(
      schema.name,
      {PlainRecord(StringKey("at"), {3, 4, 0, 0}),  // 5 away, exactly in every arithmetic
       PlainRecord(StringKey("in"), {1, 0, 0, 0}), PlainRecord(StringKey("out"), {4, 4, 0, 0})});
  const auto hits = trial.Search({.collection = schema.name,
                                  .vectors = {FloatVector({0, 0, 0, 0})},
                                  .max_distance = 5,
                                  .exact = true});
  EXPECT_EQ(Keys(hits.at(0)), (std::vector<std::string>{"\"in\"", "\"at\""}));
}

void TiesAreInKeyOrder(Trial& trial) {
  auto schema = trial.Plain();
  schema.key_type = KeyType::kInt64;
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> rows;
  std::vector<std::string> expected;
  for (int64_t i = 0; i < 30; ++i) {
    rows.push_back(PlainRecord(IntegerKey((i * 7) % 30 - 15)));
    expected.push_back(std::to_string(i - 15));
  }
  trial.Upsert(schema.name, rows);
  const auto search = [&](uint32_t top_k, uint32_t offset) {
    return Keys(trial
                    .Search({.collection = schema.name,
                             .vectors = {FloatVector({4, 3, 2, 1})},
                             .top_k = top_k,
                             .offset = offset,
                             .exact = true})
                    .at(0));
  };
  EXPECT_EQ(search(30, 0), expected);
  EXPECT_EQ(search(5, 0), std::vector<std::string>(expected.begin(), expected.begin() + 5))
      << "of equal distances the lowest keys come first";
  EXPECT_EQ(search(5, 10), std::vector<std::string>(expected.begin() + 10, expected.begin() + 15));
}

void BadSearchesAreRefused(Trial& trial) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"))});
  const auto refused = [&](const char* what, SearchRequest request) {
    request.collection = schema.name;
    const auto searched = trial.store().Search(Trial::Context(), request);
    EXPECT_EQ(searched.code(), Code::kInvalidArgument) << what << ": " << ErrorOf(searched);
  };
  const float nan = std::nanf("");
  refused("no query", {});
  refused("too short", {.vectors = {FloatVector({1, 2, 3})}});
  refused("too long", {.vectors = {FloatVector({1, 2, 3, 4, 5})}});
  refused("NaN", {.vectors = {FloatVector({1, 2, nan, 4})}});
  refused("infinity", {.vectors = {FloatVector({1, 2, INFINITY, 4})}});
  refused("unknown vector", {.field = "w", .vectors = {FloatVector({1, 2, 3, 4})}});
  refused("scalar field", {.field = "id", .vectors = {FloatVector({1, 2, 3, 4})}});
  refused("vectors and texts", {.vectors = {FloatVector({1, 2, 3, 4})}, .texts = {"x"}});
  refused("one of two is bad", {.vectors = {FloatVector({1, 2, 3, 4}), FloatVector({1, 2, 3})}});
  refused("NaN distance", {.vectors = {FloatVector({1, 2, 3, 4})}, .max_distance = std::nan("")});
}

/// A leg of weight 1 beside one of weight 0 gives the order; its last hit's score is 0 as well.
void ExpectWeights(Trial& trial, HybridSearchRequest request) {
  request.fusion = HybridSearchRequest::Fusion::kWeighted;
  for (const size_t heavy : {0u, 1u}) {
    request.weights = {heavy == 0 ? 1.0 : 0.0, heavy == 1 ? 1.0 : 0.0};
    const auto found = trial.store().HybridSearch(Trial::Context(), request);
    ASSERT_TRUE(found.ok()) << ErrorOf(found);
    ASSERT_EQ(found->hits.at(0).size(), 10u);
    const auto leg = Keys(trial.Search(request.legs[heavy]).at(0));
    ASSERT_EQ(leg.size(), 10u);
    const auto keys = Keys(found->hits[0]);
    EXPECT_TRUE(std::equal(leg.begin(), leg.end() - 1, keys.begin()))
        << "leg " << heavy << " weighs 1, the other 0";
  }
}

void HybridSearchFuses(Trial& trial) {
  auto schema = trial.Plain();
  if (trial.capabilities().max_vectors_per_record < 2) {
    return;
  }
  schema.vectors.push_back({.name = "w", .dimension = 4, .metric = trial.AnyMetric()});
  ASSERT_TRUE(trial.Create(schema));
  SeededRandom random(12);
  std::vector<Record> rows;
  for (int i = 0; i < 40; ++i) {
    auto record = PlainRecord(StringKey(std::to_string(i)));
    for (const char* name : {"v", "w"}) {
      std::vector<float> values(4);
      for (auto& value : values) {
        value = static_cast<float>(random.NextDouble()) + 0.1f;
      }
      record.vectors[name] = Vector::Floats(values);
    }
    rows.push_back(std::move(record));
  }
  trial.Upsert(schema.name, rows);
  HybridSearchRequest request;
  for (const char* name : {"v", "w"}) {
    request.legs.push_back({.collection = schema.name,
                            .field = name,
                            .vectors = {FloatVector({0.9f, 0.5f, 0.3f, 0.7f})},
                            .exact = true});
  }
  std::map<RecordKey, double> fused;
  for (auto leg : request.legs) {
    leg.top_k = 50;
    const auto hits = trial.Search(leg).at(0);
    for (size_t rank = 0; rank < hits.size(); ++rank) {
      fused[hits[rank].record.key] += 1.0 / static_cast<double>(61 + rank);
    }
  }
  const auto found = trial.store().HybridSearch(Trial::Context(), request);
  ASSERT_TRUE(found.ok()) << ErrorOf(found);
  ASSERT_EQ(found->hits.size(), 1u);
  ASSERT_EQ(found->hits[0].size(), 10u);
  double last = 1;
  for (const auto& hit : found->hits[0]) {
    EXPECT_NEAR(hit.score, fused[hit.record.key], 1e-9);
    EXPECT_NEAR(hit.distance, -hit.score, 1e-9);
    EXPECT_LE(hit.score, last + 1e-12);
    last = hit.score;
  }
  ExpectWeights(trial, request);
  request.legs[1].collection = trial.Name("Other");
  EXPECT_EQ(trial.store().HybridSearch(Trial::Context(), request).code(), Code::kInvalidArgument);
}

}  // namespace

Checks SearchChecks() {
  return {{"ExactSearch", ExactSearch},
          {"ApproximateSearchRecall", ApproximateSearchRecall},
          {"RareFilterGivesFullResults", RareFilterGivesFullResults},
          {"SeveralQueriesInOneCall", SeveralQueriesInOneCall},
          {"TopKAndOffset", TopKAndOffset},
          {"MaxDistance", MaxDistance},
          {"MaxDistanceIsIncluded", MaxDistanceIsIncluded},
          {"TiesAreInKeyOrder", TiesAreInKeyOrder},
          {"BadSearchesAreRefused", BadSearchesAreRefused},
          {"HybridSearchFuses", HybridSearchFuses}};
}

}  // namespace roost::conformance
