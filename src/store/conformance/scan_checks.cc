#include <atomic>
#include <map>
#include <thread>

#include "base/random.h"
#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Numbered(Trial& trial) {
  auto schema = trial.Plain();
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].index = "FLAT";
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  return schema;
}

Record Row(int64_t key, int64_t n) {
  auto record = PlainRecord(IntegerKey(key));
  record.fields["n"] = n;
  return record;
}

std::vector<Record> Rows(int64_t count, int64_t step) {
  std::vector<Record> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(Row(i * step, i));
  }
  return rows;
}

void ScanPages(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Rows(100, 1));
  for (const uint32_t limit : {1u, 7u, 10u, 99u, 100u, 101u, 100'000u}) {
    const auto all = trial.ScanAll(schema.name, limit);
    ASSERT_EQ(all.size(), 100u) << limit;
    for (int64_t i = 0; i < 100; ++i) {
      ASSERT_EQ(all[static_cast<size_t>(i)].key, IntegerKey(i)) << limit;
      ASSERT_EQ(all[static_cast<size_t>(i)].vectors.size(), 1u);
    }
  }
  const auto bare =
      trial.store().Scan(Trial::Context(), {.collection = schema.name, .vectors = false});
  ASSERT_TRUE(bare.ok()) << ErrorOf(bare);
  EXPECT_TRUE(bare->records.at(0).vectors.empty());
  EXPECT_EQ(bare->records.at(0).fields.size(), 1u);
}

void ScanBounds(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Rows(50, 2));  // 0, 2, … 98
  const auto scan = [&](std::optional<int64_t> after, std::optional<int64_t> until,
                        uint32_t limit) {
    ScanRequest request{.collection = schema.name, .limit = limit};
    if (after) {
      request.after = IntegerKey(*after);
    }
    if (until) {
      request.until = IntegerKey(*until);
    }
    const auto page = trial.store().Scan(Trial::Context(), request);
    EXPECT_TRUE(page.ok()) << ErrorOf(page);
    return page.ok() ? *page : ScanPage{};
  };
  EXPECT_EQ(Keys(scan(10, 16, 100).records), (std::vector<std::string>{"12", "14", "16"}));
  EXPECT_EQ(Keys(scan(11, 15, 100).records), (std::vector<std::string>{"12", "14"}));
  EXPECT_EQ(Keys(scan(std::nullopt, 2, 100).records), (std::vector<std::string>{"0", "2"}));
  EXPECT_EQ(Keys(scan(96, std::nullopt, 100).records), (std::vector<std::string>{"98"}));
  EXPECT_TRUE(scan(98, std::nullopt, 100).records.empty());
  EXPECT_TRUE(scan(98, std::nullopt, 100).done);
  EXPECT_TRUE(scan(20, 20, 100).records.empty());
  EXPECT_TRUE(scan(20, 20, 100).done);
  EXPECT_TRUE(scan(10, 16, 100).done);
  EXPECT_FALSE(scan(10, 16, 2).done);
  EXPECT_EQ(scan(10, 16, 2).records.size(), 2u);
}

void ScanSeesAcknowledgedWrites(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  for (int64_t i = 0; i < 30; ++i) {
    trial.Upsert(schema.name, {Row(i, i), Row(1'000, i)});
    const auto page =
        trial.store().Scan(Trial::Context(), {.collection = schema.name, .barrier = true});
    ASSERT_TRUE(page.ok()) << ErrorOf(page);
    ASSERT_EQ(page->records.size(), static_cast<size_t>(i) + 2);
    ASSERT_EQ(std::get<int64_t>(page->records.back().fields.at("n")), i);
  }
  trial.Delete(schema.name, {IntegerKey(1'000)});
  EXPECT_EQ(trial.ScanAll(schema.name).size(), 30u);
}

/// Writes to keys between the stable ones until stopped.
void Disturb(Trial& trial, const std::string& collection, const std::atomic<bool>& stop) {
  SeededRandom random(4);
  while (!stop.load()) {
    std::vector<Record> rows;
    std::vector<RecordKey> keys;
    for (int i = 0; i < 20; ++i) {
      rows.push_back(Row(static_cast<int64_t>(random.Below(2'000)) * 2 + 1, 0));
      keys.push_back(IntegerKey(static_cast<int64_t>(random.Below(2'000)) * 2 + 1));
    }
    static_cast<void>(
        trial.store().Upsert(Trial::Context(), {.collection = collection, .records = rows}));
    static_cast<void>(
        trial.store().Delete(Trial::Context(), {.collection = collection, .keys = keys}));
  }
}

void ScanWhileOthersWrite(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Rows(2'000, 2));  // even keys stay
  std::atomic<bool> stop = false;
  std::thread writer([&] { Disturb(trial, schema.name, stop); });
  for (int round = 0; round < 3; ++round) {
    std::map<int64_t, int> seen;
    std::optional<RecordKey> last;
    for (const auto& record : trial.ScanAll(schema.name, 50)) {
      ++seen[std::get<int64_t>(record.key.key)];
      EXPECT_TRUE(!last || *last < record.key) << "out of order at " << ToString(record.key);
      last = record.key;
    }
    for (int64_t i = 0; i < 2'000; ++i) {
      EXPECT_EQ(seen[i * 2], 1) << "record " << i * 2 << " in round " << round;
    }
  }
  stop = true;
  writer.join();
}

void ScanOfUpdatedRecords(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Rows(500, 1));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int64_t i = 0; !stop.load(); i = (i + 37) % 500) {
      static_cast<void>(trial.store().Upsert(
          Trial::Context(), {.collection = schema.name, .records = {Row(i, i + 1'000)}}));
    }
  });
  for (int round = 0; round < 3; ++round) {
    const auto all = trial.ScanAll(schema.name, 25);
    EXPECT_EQ(all.size(), 500u) << "records that are only updated are on exactly one page";
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].key, IntegerKey(static_cast<int64_t>(i)));
      const int64_t n = std::get<int64_t>(all[i].fields.at("n"));
      EXPECT_EQ(n % 1'000, static_cast<int64_t>(i)) << "half a record";
    }
  }
  stop = true;
  writer.join();
}

}  // namespace

Checks ScanChecks() {
  return {{"ScanPages", ScanPages},
          {"ScanBounds", ScanBounds},
          {"ScanSeesAcknowledgedWrites", ScanSeesAcknowledgedWrites},
          {"ScanWhileOthersWrite", ScanWhileOthersWrite},
          {"ScanOfUpdatedRecords", ScanOfUpdatedRecords}};
}

}  // namespace roost::conformance
