#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Numbered(Trial& trial) {
  auto schema = trial.Plain();
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  return schema;
}

/// The vector repeats n, so that a mixture of two writes shows.
Record Row(const std::string& key, int64_t n) {
  const auto f = static_cast<float>(n + 1);
  auto record = PlainRecord(StringKey(key), {f, f, f, f});
  record.fields["n"] = n;
  return record;
}

void ConcurrentUpsertsOfTheSameKeys(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  constexpr int kThreads = 8;
  constexpr int kRounds = 20;
  constexpr int kKeys = 25;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        std::vector<Record> rows;
        for (int i = 0; i < kKeys; ++i) {
          // Half of the threads go backwards: row locks taken in any order must not deadlock.
          const int key = thread % 2 == 0 ? i : kKeys - 1 - i;
          rows.push_back(Row("k" + std::to_string(key), thread * 1'000 + round));
        }
        const auto written =
            trial.store().Upsert(Trial::Context(), {.collection = schema.name, .records = rows});
        failed += written.ok() && written->errors.empty() ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failed.load(), 0);
  const auto all = trial.ScanAll(schema.name);
  EXPECT_EQ(all.size(), static_cast<size_t>(kKeys)) << "one record a key";
  for (const auto& record : all) {
    const int64_t n = std::get<int64_t>(record.fields.at("n"));
    EXPECT_EQ(n % 1'000, kRounds - 1) << "the last value of some thread, not " << n;
    EXPECT_TRUE(SameRecord(record, Row(std::get<std::string>(record.key.key), n)))
        << "a mixture of two writes: " << Show(record);
  }
  EXPECT_EQ(trial.Count({.collection = schema.name}), static_cast<uint64_t>(kKeys));
  const auto hits = trial.Search({.collection = schema.name,
                                  .vectors = {FloatVector({1, 1, 1, 1})},
                                  .top_k = 100,
                                  .exact = true});
  EXPECT_EQ(hits.at(0).size(), static_cast<size_t>(kKeys));
}

void ConcurrentInsertsHaveOneWinner(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  constexpr int kThreads = 8;
  constexpr int kKeys = 50;
  std::atomic<uint64_t> written = 0;
  std::atomic<uint64_t> refused = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kKeys; ++i) {
        const auto result = trial.store().Insert(
            Trial::Context(),
            {.collection = schema.name, .records = {Row("k" + std::to_string(i), thread)}});
        if (result.ok()) {
          written += result->written;
          refused += result->errors.size();
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(written.load(), static_cast<uint64_t>(kKeys));
  EXPECT_EQ(refused.load(), static_cast<uint64_t>(kKeys * (kThreads - 1)));
  EXPECT_EQ(trial.ScanAll(schema.name).size(), static_cast<size_t>(kKeys));
}

/// Writes with one store and reads with another (or the same) from another thread.
void ExpectStrongReads(Trial& trial, VectorStore& writer, VectorStore& reader,
                       const CollectionSchema& schema) {
  for (int64_t i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i % 5);
    const auto written =
        writer.Upsert(Trial::Context(), {.collection = schema.name, .records = {Row(key, i)}});
    ASSERT_TRUE(written.ok()) << ErrorOf(written);
    std::thread other([&] {
      const auto filter = trial.Parse("n == " + std::to_string(i), schema);
      const auto got =
          reader.Get(Trial::Context(), {.collection = schema.name, .keys = {StringKey(key)}});
      EXPECT_TRUE(got.ok() && got->records.at(0) && SameRecord(*got->records[0], Row(key, i)))
          << "get " << i;
      const auto queried =
          reader.Query(Trial::Context(), {.collection = schema.name, .filter = filter});
      EXPECT_TRUE(queried.ok() && queried->records.size() == 1) << "query " << i;
      const auto count =
          reader.Count(Trial::Context(), {.collection = schema.name, .filter = filter});
      EXPECT_TRUE(count.ok() && *count == 1) << "count " << i;
      const auto hits = reader.Search(
          Trial::Context(),
          {.collection = schema.name, .vectors = {FloatVector({1, 1, 1, 1})}, .filter = filter});
      EXPECT_TRUE(hits.ok() && hits->hits.at(0).size() == 1) << "search " << i;
    });
    other.join();
  }
  const auto deleted = writer.Delete(
      Trial::Context(), {.collection = schema.name, .keys = {StringKey("k0"), StringKey("k1")}});
  ASSERT_TRUE(deleted.ok()) << ErrorOf(deleted);
  const auto hits = reader.Search(
      Trial::Context(), {.collection = schema.name, .vectors = {FloatVector({1, 1, 1, 1})}});
  ASSERT_TRUE(hits.ok()) << ErrorOf(hits);
  EXPECT_EQ(hits->hits.at(0).size(), 3u) << "search after a delete";
}

void StrongReadsFromAnotherThread(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  ExpectStrongReads(trial, trial.store(), trial.store(), schema);
}

void StrongReadsFromASecondConnection(Trial& trial) {
  if (!trial.target().shared) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto second = trial.target().make();
  ASSERT_NE(second, nullptr);
  ExpectStrongReads(trial, trial.store(), *second, schema);
  auto changed = schema;
  ASSERT_TRUE(second->DropCollection(Trial::Context(), {.collection = schema.name}).ok());
  changed.vectors[0].dimension = 2;
  ASSERT_TRUE(second->CreateCollection(Trial::Context(), {.schema = changed}).ok());
  const auto written = trial.store().Upsert(
      Trial::Context(),
      {.collection = schema.name, .records = {PlainRecord(StringKey("a"), {1, 2})}});
  EXPECT_TRUE(written.ok()) << "a schema that another connection changed: " << ErrorOf(written);
}

void SearchesWhileOthersWrite(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> stable;
  for (int i = 0; i < 200; ++i) {
    stable.push_back(Row("stable" + std::to_string(i), i));
  }
  trial.Upsert(schema.name, stable);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop.load(); i = (i + 1) % 50) {
      const std::string key = "moving" + std::to_string(i);
      static_cast<void>(trial.store().Upsert(
          Trial::Context(), {.collection = schema.name, .records = {Row(key, 10'000)}}));
      static_cast<void>(trial.store().Delete(
          Trial::Context(), {.collection = schema.name, .keys = {StringKey(key)}}));
    }
  });
  for (int i = 0; i < 30; ++i) {
    const auto hits = trial.Search({.collection = schema.name,
                                    .vectors = {FloatVector({1, 1, 1, 1})},
                                    .top_k = 200,
                                    .filter = trial.Parse("n < 10000", schema),
                                    .exact = true});
    std::set<std::string> keys;
    for (const auto& hit : hits.at(0)) {
      keys.insert(ToString(hit.record.key));
    }
    EXPECT_EQ(keys.size(), 200u);
  }
  stop = true;
  writer.join();
}

}  // namespace

Checks ConcurrencyChecks() {
  return {{"ConcurrentUpsertsOfTheSameKeys", ConcurrentUpsertsOfTheSameKeys},
          {"ConcurrentInsertsHaveOneWinner", ConcurrentInsertsHaveOneWinner},
          {"StrongReadsFromAnotherThread", StrongReadsFromAnotherThread},
          {"StrongReadsFromASecondConnection", StrongReadsFromASecondConnection},
          {"SearchesWhileOthersWrite", SearchesWhileOthersWrite}};
}

}  // namespace roost::conformance
