// The numbers that a store claims: each tried at its end.

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/random.h"
#include "store/conformance/trial.h"
#include "store/vector_math.h"

namespace roost::conformance {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void MostVectorsOfARecord(Trial& trial) {
  const uint32_t most = trial.capabilities().max_vectors_per_record;
  auto schema = trial.Plain();
  schema.vectors.clear();
  Record record;
  record.key = StringKey("a");
  for (uint32_t i = 0; i < most; ++i) {
    const std::string name = "v" + std::to_string(i);
    schema.vectors.push_back({.name = name, .dimension = 4, .metric = trial.AnyMetric()});
    record.vectors[name] = FloatVector({static_cast<float>(i + 1), 1, 2, 3});
  }
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {record});
  const auto got = trial.Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, record)) << Show(*got);
  for (const auto& field : schema.vectors) {
    const auto hits = trial.Search({.collection = schema.name,
                                    .field = field.name,
                                    .vectors = {record.vectors.at(field.name)}});
    EXPECT_EQ(Keys(hits.at(0)), (std::vector<std::string>{"\"a\""})) << field.name;
  }
}

std::vector<Record> RandomRows(size_t count, uint32_t dimension) {
  SeededRandom random(21);
  std::vector<Record> rows(count);
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> values(dimension);
    for (auto& value : values) {
      value = static_cast<float>(random.NextDouble() - 0.5);
    }
    rows[i].key = IntegerKey(static_cast<int64_t>(i));
    rows[i].vectors["v"] = Vector::Floats(values);
  }
  return rows;
}

/// At the limit an index may serve the search, above it must be as good as exact.
void LargestIndexedDimension(Trial& trial) {
  const auto& capabilities = trial.capabilities();
  std::vector<uint32_t> dimensions = {capabilities.max_indexed_dimension};
  if (capabilities.max_indexed_dimension < capabilities.max_dimension) {
    dimensions.push_back(capabilities.max_indexed_dimension + 1);
  }
  constexpr size_t kTop = 5;
  for (const uint32_t dimension : dimensions) {
    auto schema = trial.Plain(std::to_string(dimension));
    schema.key_type = KeyType::kInt64;
    schema.vectors[0].dimension = dimension;
    ASSERT_TRUE(trial.Create(schema));
    const auto rows = RandomRows(30, dimension);
    trial.Upsert(schema.name, rows);
    const Vector& query = rows[17].vectors.at("v");
    std::vector<std::pair<double, RecordKey>> nearest;
    nearest.reserve(rows.size());
    for (const auto& row : rows) {
      nearest.emplace_back(ReferenceDistance(schema.vectors[0].metric, query, row.vectors.at("v")),
                           row.key);
    }
    std::sort(nearest.begin(), nearest.end());
    const auto hits =
        trial.Search({.collection = schema.name, .vectors = {query}, .top_k = kTop, .ef = 100});
    ASSERT_EQ(hits.at(0).size(), kTop) << dimension;
    EXPECT_EQ(hits.at(0)[0].record.key, rows[17].key) << dimension;
    for (size_t rank = 0; dimension != dimensions[0] && rank < kTop; ++rank) {
      EXPECT_EQ(hits.at(0)[rank].record.key, nearest[rank].second) << dimension << ", " << rank;
    }
  }
}

void LargestTopK(Trial& trial) {
  const uint32_t most = trial.capabilities().max_top_k;
  auto schema = trial.Plain();
  if (schema.vectors[0].metric != Metric::kL2) {
    return;
  }
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].index = "FLAT";
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> rows;
  rows.reserve(most + 20);
  for (int64_t i = 0; i < int64_t{most} + 20; ++i) {
    rows.push_back(PlainRecord(IntegerKey(i), {static_cast<float>(i), 1, 2, 3}));
  }
  trial.Upsert(schema.name, std::move(rows));
  const auto hits = trial
                        .Search({.collection = schema.name,
                                 .vectors = {FloatVector({0, 1, 2, 3})},
                                 .top_k = most,
                                 .output = {.all_scalars = false}})
                        .at(0);
  ASSERT_EQ(hits.size(), most);
  for (size_t i = 0; i < hits.size(); ++i) {
    ASSERT_EQ(hits[i].record.key, IntegerKey(static_cast<int64_t>(i)));
  }
}

void LikedBatchIsWrittenInOneCall(Trial& trial) {
  constexpr size_t kText = 60'000;
  const auto& capabilities = trial.capabilities();
  auto schema = trial.Plain();
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].index = "FLAT";
  schema.fields = {{.name = "s", .type = DataType::kVarChar}};
  ASSERT_TRUE(trial.Create(schema));
  SeededRandom random(22);
  std::vector<Record> rows;
  const size_t heavy =
      std::min<size_t>(capabilities.write_batch_bytes / kText, capabilities.write_batch_rows);
  for (size_t i = 0; i < capabilities.write_batch_rows; ++i) {
    rows.push_back(PlainRecord(IntegerKey(static_cast<int64_t>(i))));
    rows.back().fields["s"] = random.Hex(i < heavy ? kText / 2 : 1);  // two letters a byte
  }
  trial.Upsert(schema.name, rows);
  const auto all = trial.ScanAll(schema.name);
  ASSERT_EQ(all.size(), rows.size());
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_TRUE(SameRecord(all[i], rows[i])) << Show(all[i]);
  }
}

/// Whether reads that may lag show the record.
bool LagsNoMore(Trial& trial, const std::string& collection, const RecordKey& key) {
  const auto is_there = [&](const std::vector<std::string>& keys) {
    return std::find(keys.begin(), keys.end(), ToString(key)) != keys.end();
  };
  const auto hits = trial.Search({.collection = collection,
                                  .vectors = {FloatVector({1, 2, 3, 4})},
                                  .top_k = 100,
                                  .consistency = Consistency::kEventual});
  const auto records =
      trial.Query({.collection = collection, .consistency = Consistency::kEventual});
  const auto got = trial.store().Get(
      Trial::Context(),
      {.collection = collection, .keys = {key}, .consistency = Consistency::kEventual});
  EXPECT_TRUE(got.ok()) << ErrorOf(got);
  return is_there(Keys(hits.at(0))) && is_there(Keys(records)) && got.ok() &&
         got->records.at(0).has_value();
}

void EventualReadsCatchUp(Trial& trial) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  const milliseconds visibility = trial.capabilities().visibility;
  for (int round = 0; round < 5; ++round) {
    const RecordKey key = StringKey(std::to_string(round));
    trial.Upsert(schema.name, {PlainRecord(key)});
    const auto acknowledged = steady_clock::now();
    while (true) {
      // Only what is asked after that time must show it.
      const auto waited = steady_clock::now() - acknowledged;
      if (LagsNoMore(trial, schema.name, key)) {
        break;
      }
      ASSERT_LE(waited, visibility) << "asked " << waited / milliseconds(1)
                                    << " ms after the write, an eventual read does not show it";
      std::this_thread::sleep_for(milliseconds(10));  // between two looks
    }
  }
}

}  // namespace

Checks LimitChecks() {
  return {{"MostVectorsOfARecord", MostVectorsOfARecord},
          {"LargestIndexedDimension", LargestIndexedDimension},
          {"LargestTopK", LargestTopK},
          {"LikedBatchIsWrittenInOneCall", LikedBatchIsWrittenInOneCall},
          {"EventualReadsCatchUp", EventualReadsCatchUp}};
}

}  // namespace roost::conformance
