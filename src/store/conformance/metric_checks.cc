#include <algorithm>
#include <cmath>

#include "store/conformance/trial.h"
#include "store/vector_math.h"

namespace roost::conformance {
namespace {

/// Worked by hand: a = [1, 2, 3, 4], b = [.5, −1, 2, .25], q = [2, 1, −1, 3].
struct Worked {
  Metric metric;
  double a;
  double b;
};
constexpr Worked kWorked[] = {{Metric::kL2, 4.358898943540674, 4.776243294681649},  // √19, √22.8125
                              {Metric::kInnerProduct, -13, 1.25},
                              {Metric::kCosine, 1 - 0.6128258770283412, 1 + 0.1400280084028009}};

void WorkedDistances(Trial& trial, const Worked& worked) {
  if (!trial.Claims(worked.metric)) {
    return;
  }
  for (const char* index : {"FLAT", "HNSW"}) {
    auto schema = trial.Plain(index);
    schema.vectors[0].metric = worked.metric;
    schema.vectors[0].index = index;
    ASSERT_TRUE(trial.Create(schema));
    trial.Upsert(schema.name, {PlainRecord(StringKey("b"), {0.5f, -1, 2, 0.25f}),
                               PlainRecord(StringKey("a"), {1, 2, 3, 4})});
    for (const bool exact : {true, false}) {
      const auto hits = trial
                            .Search({.collection = schema.name,
                                     .vectors = {FloatVector({2, 1, -1, 3})},
                                     .exact = exact})
                            .at(0);
      ASSERT_EQ(hits.size(), 2u) << index;
      EXPECT_EQ(ToString(hits[0].record.key), "\"a\"");
      EXPECT_NEAR(hits[0].distance, worked.a, 1e-5);
      EXPECT_NEAR(hits[1].distance, worked.b, 1e-5);
      for (const auto& hit : hits) {
        EXPECT_NEAR(hit.score, ScoreOf(worked.metric, hit.distance), 1e-9);
      }
      EXPECT_GT(hits[0].score, hits[1].score) << "a higher score is better";
    }
  }
}

void BinaryMetrics(Trial& trial) {
  if (!trial.Claims(DataType::kBinaryVector)) {
    return;
  }
  const auto bits = [](std::initializer_list<int> bytes) {
    Vector vector{.type = DataType::kBinaryVector, .bytes = {}};
    for (const int byte : bytes) {
      vector.bytes += static_cast<char>(byte);
    }
    return vector;
  };
  for (const Metric metric : {Metric::kHamming, Metric::kJaccard}) {
    auto schema = trial.Plain(MetricName(metric));
    schema.vectors[0] = {
        .name = "v", .type = DataType::kBinaryVector, .dimension = 16, .metric = metric};
    ASSERT_TRUE(trial.Create(schema));
    std::vector<Record> rows(4);
    const std::vector<Vector> vectors = {bits({0xF0, 0x01}), bits({0xFF, 0xFF}), bits({0, 0}),
                                         bits({0x80, 0x01})};
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].key = StringKey(std::to_string(i));
      rows[i].vectors["v"] = vectors[i];
    }
    trial.Upsert(schema.name, rows);
    const auto hits =
        trial.Search({.collection = schema.name, .vectors = {vectors[0]}, .exact = true}).at(0);
    const bool hamming = metric == Metric::kHamming;
    const std::vector<std::string> order = {"\"0\"", "\"3\"", hamming ? "\"2\"" : "\"1\"",
                                            hamming ? "\"1\"" : "\"2\""};
    EXPECT_EQ(Keys(hits), order);
    const std::vector<double> distances =
        hamming ? std::vector<double>{0, 3, 5, 11} : std::vector<double>{0, 0.6, 1 - 5.0 / 16, 1};
    ASSERT_EQ(hits.size(), distances.size());
    for (size_t i = 0; i < hits.size(); ++i) {
      EXPECT_NEAR(hits[i].distance, distances[i], 1e-6);
      EXPECT_NEAR(hits[i].score, ScoreOf(metric, hits[i].distance), 1e-9);
    }
  }
}

/// Vectors of the narrow types the store claims, one a metric.
std::vector<VectorFieldSchema> NarrowVectors(Trial& trial) {
  std::vector<VectorFieldSchema> fields;
  for (const DataType type :
       {DataType::kFloat16Vector, DataType::kBFloat16Vector, DataType::kInt8Vector}) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
      if (trial.Claims(type) && trial.Claims(metric)) {
        fields.push_back({.name = "v" + std::to_string(fields.size()),
                          .type = type,
                          .dimension = 4,
                          .metric = metric});
      }
    }
  }
  return fields;
}

void NarrowVectorsTakeEveryMetric(Trial& trial) {
  const std::vector<std::vector<float>> written = {{1, 2, 3, 4}, {-7, 2, 0, 1}, {5, -6, 7, -8}};
  const std::vector<float> asked = {2, 1, -1, 3};
  const auto fields = NarrowVectors(trial);
  const size_t together = trial.capabilities().max_vectors_per_record;
  for (size_t first = 0; first < fields.size(); first += together) {
    auto schema = trial.Plain(std::to_string(first));
    schema.key_type = KeyType::kInt64;
    schema.vectors.assign(
        fields.begin() + static_cast<ptrdiff_t>(first),
        fields.begin() + static_cast<ptrdiff_t>(std::min(first + together, fields.size())));
    ASSERT_TRUE(trial.Create(schema));
    std::vector<Record> rows(written.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].key = IntegerKey(static_cast<int64_t>(i));
      for (const auto& field : schema.vectors) {
        rows[i].vectors[field.name] = FromFloats(field.type, written[i]);
      }
    }
    trial.Upsert(schema.name, rows);
    for (const auto& field : schema.vectors) {
      const Vector query = FromFloats(field.type, asked);
      std::vector<std::pair<double, RecordKey>> expected;
      expected.reserve(rows.size());
      for (const auto& row : rows) {
        expected.emplace_back(ReferenceDistance(field.metric, query, row.vectors.at(field.name)),
                              row.key);
      }
      std::sort(expected.begin(), expected.end());
      const auto hits =
          trial.Search({.collection = schema.name, .field = field.name, .vectors = {query}}).at(0);
      ASSERT_EQ(hits.size(), expected.size());
      for (size_t i = 0; i < hits.size(); ++i) {
        EXPECT_EQ(hits[i].record.key, expected[i].second)
            << DataTypeName(field.type) << " " << MetricName(field.metric) << ", rank " << i;
        EXPECT_NEAR(hits[i].distance, expected[i].first, 1e-5);
      }
    }
  }
}

void LargeAndSmallNumbers(Trial& trial) {
  if (!trial.Claims(Metric::kCosine)) {
    return;
  }
  auto schema = trial.Plain();
  schema.vectors[0].metric = Metric::kCosine;
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {PlainRecord(StringKey("large"), {1e15f, 2e15f, 0, 0}),
                             PlainRecord(StringKey("small"), {1e-15f, -2e-15f, 0, 0})});
  const auto hits =
      trial
          .Search(
              {.collection = schema.name, .vectors = {FloatVector({1, 2, 0, 0})}, .exact = true})
          .at(0);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_NEAR(hits[0].distance, 0, 1e-5);
  EXPECT_NEAR(hits[1].distance, 1.6, 1e-5);
}

}  // namespace

Checks MetricChecks() {
  Checks checks = {{"BinaryMetrics", BinaryMetrics},
                   {"NarrowVectorsTakeEveryMetric", NarrowVectorsTakeEveryMetric},
                   {"LargeAndSmallNumbers", LargeAndSmallNumbers}};
  for (const auto& worked : kWorked) {
    checks.push_back({"WorkedDistances_" + std::string(MetricName(worked.metric)),
                      [worked](Trial& trial) { WorkedDistances(trial, worked); }});
  }
  return checks;
}

}  // namespace roost::conformance
