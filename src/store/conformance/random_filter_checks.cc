#include <algorithm>
#include <cmath>

#include "store/conformance/random_filters.h"
#include "store/conformance/trial.h"
#include "store/fake_store.h"

namespace roost::conformance {
namespace {

constexpr size_t kRecords = 300;
constexpr int kFilters = 250;

/// The same records in the store and in the reference store.
struct Pair {
  CollectionSchema schema;
  std::unique_ptr<VectorStore> oracle;
};

Pair Fill(Trial& trial, Random& random) {
  Pair pair{.schema = FilterSchema(trial.capabilities(), trial.Name(), trial.AnyMetric()),
            .oracle = MakeFakeStore(trial.capabilities())};
  if (!trial.Create(pair.schema)) {
    return pair;
  }
  EXPECT_TRUE(pair.oracle->CreateCollection(Trial::Context(), {.schema = pair.schema}).ok());
  FilterGenerator generator(pair.schema, random);
  std::vector<Record> records;
  for (size_t i = 0; i < kRecords; ++i) {
    records.push_back(generator.NextRecord(i));
  }
  const WriteRequest request{.collection = pair.schema.name, .records = records};
  const auto written = pair.oracle->Upsert(Trial::Context(), request);
  EXPECT_TRUE(written.ok()) << ErrorOf(written);
  trial.Upsert(pair.schema.name, records);
  return pair;
}

/// Random filters that parse, each given to `try_one`; stops after a few that went wrong.
template <typename Try>
void ForFilters(Trial& trial, const Pair& pair, Random& random, Try try_one) {
  FilterGenerator generator(pair.schema, random);
  int tried = 0;
  int wrong = 0;
  for (int i = 0; tried < kFilters && wrong < 5; ++i) {
    ASSERT_LT(i, 20 * kFilters) << "the generator's filters do not parse";
    const std::string text = generator.NextFilter(3);
    const auto filter = ParseFilter(text, pair.schema);
    if (!filter.ok()) {
      continue;
    }
    ++tried;
    wrong += try_one(text, *filter) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
  static_cast<void>(trial);
}

void RandomFiltersInQueries(Trial& trial) {
  SeededRandom random(20'250'101);
  const auto pair = Fill(trial, random);
  ForFilters(trial, pair, random, [&](const std::string& text, const FilterPtr& filter) {
    const QueryRequest request{.collection = pair.schema.name, .filter = filter, .limit = kRecords};
    const auto expected = pair.oracle->Query(Trial::Context(), request);
    const auto found = trial.store().Query(Trial::Context(), request);
    if (!expected.ok() || !found.ok()) {
      ADD_FAILURE() << text << ": " << ErrorOf(found);
      return false;
    }
    EXPECT_EQ(Keys(found->records), Keys(expected->records)) << text;
    const auto count =
        trial.store().Count(Trial::Context(), {.collection = pair.schema.name, .filter = filter});
    EXPECT_TRUE(count.ok()) << text << ": " << ErrorOf(count);
    return Keys(found->records) == Keys(expected->records) && count.ok() &&
           *count == expected->records.size();
  });
}

void RandomFiltersInSearches(Trial& trial) {
  SeededRandom random(20'250'202);
  const auto pair = Fill(trial, random);
  ForFilters(trial, pair, random, [&](const std::string& text, const FilterPtr& filter) {
    const SearchRequest request{.collection = pair.schema.name,
                                .vectors = {FloatVector({0.5f, 0.4f, 0.3f, 0.2f})},
                                .top_k = 20,
                                .filter = filter,
                                .exact = true};
    const auto expected = pair.oracle->Search(Trial::Context(), request);
    const auto found = trial.store().Search(Trial::Context(), request);
    if (!expected.ok() || !found.ok() || found->hits.size() != 1) {
      ADD_FAILURE() << text << ": " << ErrorOf(found);
      return false;
    }
    const auto& right = expected->hits[0];
    const auto& hits = found->hits[0];
    bool same = Keys(hits) == Keys(right);
    for (size_t i = 0; same && i < hits.size(); ++i) {
      same = std::fabs(hits[i].distance - right[i].distance) < 1e-5;
    }
    EXPECT_TRUE(same) << text << ": " << hits.size() << " hits, the reference has " << right.size();
    return same;
  });
}

void RandomFiltersInDeletes(Trial& trial) {
  SeededRandom random(20'250'303);
  const auto pair = Fill(trial, random);
  FilterGenerator generator(pair.schema, random);
  std::vector<RecordKey> keys;
  for (const auto& record : trial.ScanAll(pair.schema.name)) {
    keys.push_back(record.key);
  }
  for (int tried = 0; tried < 20;) {
    const std::string text = generator.NextFilter(2) + " and id like \"a%\"";
    const auto filter = ParseFilter(text, pair.schema);
    if (!filter.ok()) {
      continue;
    }
    ++tried;
    const DeleteRequest request{.collection = pair.schema.name, .keys = keys, .filter = *filter};
    EXPECT_TRUE(pair.oracle->Delete(Trial::Context(), request).ok());
    trial.Delete(pair.schema.name, keys, *filter);
    const auto expected =
        pair.oracle->Query(Trial::Context(), {.collection = pair.schema.name, .limit = kRecords});
    ASSERT_TRUE(expected.ok());
    ASSERT_EQ(Keys(trial.ScanAll(pair.schema.name)), Keys(expected->records)) << text;
  }
}

}  // namespace

Checks RandomFilterChecks() {
  return {{"RandomFiltersInQueries", RandomFiltersInQueries},
          {"RandomFiltersInSearches", RandomFiltersInSearches},
          {"RandomFiltersInDeletes", RandomFiltersInDeletes}};
}

}  // namespace roost::conformance
