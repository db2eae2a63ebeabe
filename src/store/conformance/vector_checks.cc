#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "store/conformance/trial.h"
#include "store/vector_math.h"

namespace roost::conformance {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// 10,000 random finite floats of any magnitude, and the special ones.
std::vector<float> RandomBits(uint64_t seed, size_t count) {
  SeededRandom random(seed);
  std::vector<float> values = {0.0f,
                               -0.0f,
                               std::numeric_limits<float>::denorm_min(),
                               -std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::lowest(),
                               std::numeric_limits<float>::min(),
                               1e-45f,
                               0.1f,
                               16'777'217.0f};
  while (values.size() < count) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random.Next()));
    if (std::isfinite(value)) {
      values.push_back(value);
    }
  }
  return values;
}

/// The metric under which any finite vector is taken and compared without overflow trouble.
Metric SafeMetric(Trial& trial) {
  return trial.Claims(Metric::kInnerProduct) ? Metric::kInnerProduct : trial.AnyMetric();
}

void FloatBitsSurvive(Trial& trial) {
  constexpr size_t kDimension = 100;
  constexpr size_t kRows = 100;
  auto schema = trial.Plain();
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].dimension = kDimension;
  schema.vectors[0].metric = SafeMetric(trial);
  schema.vectors[0].index = "FLAT";
  ASSERT_TRUE(trial.Create(schema));
  const auto values = RandomBits(7, kDimension * kRows);
  std::vector<Record> rows;
  for (size_t i = 0; i < kRows; ++i) {
    Record record;
    record.key = IntegerKey(static_cast<int64_t>(i));
    record.vectors["v"] = Vector::Floats(std::span(values).subspan(i * kDimension, kDimension));
    rows.push_back(std::move(record));
  }
  trial.Upsert(schema.name, rows);
  const auto scanned = trial.ScanAll(schema.name);
  ASSERT_EQ(scanned.size(), kRows);
  for (size_t i = 0; i < kRows; ++i) {
    const auto got = trial.Get(schema.name, rows[i].key);
    ASSERT_TRUE(got.has_value());
    EXPECT_TRUE(got->vectors == rows[i].vectors) << "get changed bits of row " << i;
    EXPECT_TRUE(scanned[i].vectors == rows[i].vectors) << "scan changed bits of row " << i;
  }
}

void NegativeZeroSurvives(Trial& trial) {
  auto schema = trial.Plain();
  schema.vectors[0].metric = SafeMetric(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto record = PlainRecord(StringKey("a"), {-0.0f, 1, -0.0f, 0.0f});
  trial.Upsert(schema.name, {record});
  const auto got = trial.Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->vectors == record.vectors) << Show(*got);
}

Metric MetricFor(Trial& trial, DataType type) {
  return type == DataType::kBinaryVector   ? Metric::kHamming
         : type == DataType::kSparseVector ? Metric::kInnerProduct
                                           : trial.AnyMetric();
}

std::vector<Vector> Samples(DataType type) {
  if (type == DataType::kSparseVector) {
    return {FromSparseEntries(std::vector<SparseEntry>{{0, 1.5f}, {7, -2.0f}, {4'000'000, 0.25f}}),
            FromSparseEntries(std::vector<SparseEntry>{{3, 1.0f}})};
  }
  std::vector<float> a;
  std::vector<float> b;
  for (int i = 0; i < 16; ++i) {
    a.push_back(type == DataType::kInt8Vector ? static_cast<float>(i * 17 - 128)
                                              : static_cast<float>(i) * 0.37f - 2);
    b.push_back(type == DataType::kInt8Vector ? 127.0f : i % 3 == 0 ? 1.0f : 0.0f);
  }
  return {FromFloats(type, a), FromFloats(type, b)};
}

void VectorTypeRoundTrip(Trial& trial, DataType type) {
  if (!trial.Claims(type)) {
    return;
  }
  auto schema = trial.Plain();
  schema.vectors[0].type = type;
  schema.vectors[0].dimension = type == DataType::kSparseVector ? 0 : 16;
  schema.vectors[0].metric = MetricFor(trial, type);
  ASSERT_TRUE(trial.Create(schema));
  const auto samples = Samples(type);
  std::vector<Record> rows;
  for (size_t i = 0; i < samples.size(); ++i) {
    Record record;
    record.key = StringKey(std::string(1, static_cast<char>('a' + i)));
    record.vectors["v"] = samples[i];
    rows.push_back(record);
  }
  trial.Upsert(schema.name, rows);
  const auto scanned = trial.ScanAll(schema.name);
  ASSERT_EQ(scanned.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto got = trial.Get(schema.name, rows[i].key);
    ASSERT_TRUE(got.has_value());
    EXPECT_TRUE(SameRecord(*got, rows[i])) << Show(*got);
    EXPECT_TRUE(SameRecord(scanned[i], rows[i])) << Show(scanned[i]);
  }
  const auto hits =
      trial.Search({.collection = schema.name, .vectors = {samples[0]}, .exact = true}).at(0);
  ASSERT_EQ(hits.size(), samples.size());
  for (const auto& hit : hits) {
    const auto& stored = rows[hit.record.key == rows[0].key ? 0 : 1].vectors.at("v");
    const double expected = ReferenceDistance(schema.vectors[0].metric, samples[0], stored);
    EXPECT_NEAR(hit.distance, expected, 1e-4 * std::max(1.0, std::fabs(expected)));
  }
}

void SparseEntriesAreSorted(Trial& trial) {
  if (!trial.Claims(DataType::kSparseVector)) {
    return;
  }
  auto schema = trial.Plain();
  schema.vectors[0] = {
      .name = "v", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct};
  ASSERT_TRUE(trial.Create(schema));
  Record record;
  record.key = StringKey("a");
  record.vectors["v"] = FromSparseEntries(std::vector<SparseEntry>{{9, 1.0f}, {2, 2.0f}});
  trial.Upsert(schema.name, {record});
  const auto got = trial.Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->vectors.at("v") ==
              FromSparseEntries(std::vector<SparseEntry>{{2, 2.0f}, {9, 1.0f}}));
  record.vectors["v"] = FromSparseEntries(std::vector<SparseEntry>{{2, 1.0f}, {2, 2.0f}});
  const auto twice =
      trial.store().Upsert(Trial::Context(), {.collection = schema.name, .records = {record}});
  EXPECT_EQ(twice.code(), Code::kInvalidArgument) << ErrorOf(twice);
}

void SeveralVectors(Trial& trial) {
  const uint32_t count = std::min(trial.capabilities().max_vectors_per_record, 4u);
  auto schema = trial.Plain();
  schema.vectors.clear();
  for (uint32_t i = 0; i < count; ++i) {
    schema.vectors.push_back(
        {.name = "v" + std::to_string(i), .dimension = i + 2, .metric = trial.AnyMetric()});
  }
  ASSERT_TRUE(trial.Create(schema));
  Record all;
  all.key = StringKey("all");
  for (uint32_t i = 0; i < count; ++i) {
    all.vectors["v" + std::to_string(i)] =
        Vector::Floats(std::vector<float>(i + 2, static_cast<float>(i + 1)));
  }
  Record first;
  first.key = StringKey("first");
  first.vectors["v0"] = FloatVector({5, 5});
  trial.Upsert(schema.name, {all, first});
  for (const auto& record : {all, first}) {
    const auto got = trial.Get(schema.name, record.key);
    ASSERT_TRUE(got.has_value());
    EXPECT_TRUE(SameRecord(*got, record)) << Show(*got);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const std::string field = "v" + std::to_string(i);
    const auto hits = trial.Search({.collection = schema.name,
                                    .field = field,
                                    .vectors = {all.vectors.at(field)},
                                    .exact = true});
    EXPECT_EQ(hits.at(0).size(), i == 0 ? 2u : 1u) << "hits in " << field;
  }
  if (count > 1) {
    const auto unnamed = trial.store().Search(
        Trial::Context(), {.collection = schema.name, .vectors = {FloatVector({1, 1})}});
    EXPECT_EQ(unnamed.code(), Code::kInvalidArgument) << "which of several vectors is searched?";
  }
  const auto output = trial.Query(
      {.collection = schema.name, .limit = 1, .output = {.all_scalars = false, .fields = {"v0"}}});
  ASSERT_EQ(output.size(), 1u);
  EXPECT_EQ(output[0].vectors.size(), 1u);
}

void BadVectorsAreRefused(Trial& trial) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  const auto refused = [&](const char* what, const Record& bad) {
    const auto written = trial.store().Upsert(
        Trial::Context(),
        {.collection = schema.name, .records = {PlainRecord(StringKey("good")), bad}});
    EXPECT_EQ(written.code(), Code::kInvalidArgument) << what << ": " << ErrorOf(written);
    if (!written.ok()) {
      EXPECT_NE(written.error().message.find("row 1 (id \"bad\")"), std::string::npos)
          << written.error().message;
    }
    EXPECT_EQ(trial.Count({.collection = schema.name}), 0u) << what;
  };
  refused("NaN", PlainRecord(StringKey("bad"), {1, kNan, 3, 4}));
  refused("infinity", PlainRecord(StringKey("bad"), {1, 2, -kInfinity, 4}));
  refused("too short", PlainRecord(StringKey("bad"), {1, 2, 3}));
  refused("too long", PlainRecord(StringKey("bad"), {1, 2, 3, 4, 5}));
  refused("empty", PlainRecord(StringKey("bad"), {}));
  auto unknown = PlainRecord(StringKey("bad"));
  unknown.vectors["w"] = FloatVector({1, 2, 3, 4});
  refused("unknown name", unknown);
  auto other_type = PlainRecord(StringKey("bad"));
  other_type.vectors["v"].type = DataType::kInt8Vector;
  refused("other type", other_type);
}

void ZeroVectorsWithCosine(Trial& trial) {
  if (!trial.Claims(Metric::kCosine)) {
    return;
  }
  auto schema = trial.Plain();
  schema.vectors[0].metric = Metric::kCosine;
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {PlainRecord(StringKey("good"))});
  const auto zero = PlainRecord(StringKey("zero"), {0, -0.0f, 0, 0});
  const auto written =
      trial.store().Upsert(Trial::Context(), {.collection = schema.name, .records = {zero}});
  const auto searched = trial.store().Search(
      Trial::Context(),
      {.collection = schema.name, .vectors = {FloatVector({0, 0, 0, 0})}, .exact = true});
  if (!trial.capabilities().zero_vector_with_cosine) {
    EXPECT_EQ(written.code(), Code::kInvalidArgument) << ErrorOf(written);
    EXPECT_EQ(searched.code(), Code::kInvalidArgument) << ErrorOf(searched);
    return;
  }
  ASSERT_TRUE(written.ok()) << ErrorOf(written);
  ASSERT_TRUE(searched.ok()) << ErrorOf(searched);
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  ASSERT_EQ(hits.at(0).size(), 2u);
  EXPECT_NEAR(hits.at(0)[1].distance, 1, 1e-6);
}

void LargestDimension(Trial& trial) {
  auto schema = trial.Plain();
  const uint32_t dimension = trial.capabilities().max_dimension;
  schema.vectors[0].dimension = dimension;
  ASSERT_TRUE(trial.Create(schema));
  SeededRandom random(11);
  std::vector<Record> rows(3);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<float> values(dimension);
    for (auto& value : values) {
      value = static_cast<float>(random.NextDouble() - 0.5);
    }
    rows[i].key = StringKey(std::to_string(i));
    rows[i].vectors["v"] = Vector::Floats(values);
  }
  trial.Upsert(schema.name, rows);
  const auto got = trial.Get(schema.name, rows[1].key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, rows[1]));
  const auto hits =
      trial.Search({.collection = schema.name, .vectors = {rows[1].vectors.at("v")}, .top_k = 1});
  ASSERT_EQ(hits.at(0).size(), 1u);
  EXPECT_EQ(hits.at(0)[0].record.key, rows[1].key);
}

}  // namespace

Checks VectorChecks() {
  Checks checks = {{"FloatBitsSurvive", FloatBitsSurvive},
                   {"NegativeZeroSurvives", NegativeZeroSurvives},
                   {"SparseEntriesAreSorted", SparseEntriesAreSorted},
                   {"SeveralVectors", SeveralVectors},
                   {"BadVectorsAreRefused", BadVectorsAreRefused},
                   {"ZeroVectorsWithCosine", ZeroVectorsWithCosine},
                   {"LargestDimension", LargestDimension}};
  for (const DataType type :
       {DataType::kFloatVector, DataType::kFloat16Vector, DataType::kBFloat16Vector,
        DataType::kInt8Vector, DataType::kBinaryVector, DataType::kSparseVector}) {
    checks.push_back({"RoundTrip_" + std::string(DataTypeName(type)),
                      [type](Trial& trial) { VectorTypeRoundTrip(trial, type); }});
  }
  return checks;
}

}  // namespace roost::conformance
