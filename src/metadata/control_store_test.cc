// What every control store promises, tried on SQLite and on a real PostgreSQL.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "metadata/control_store_testing.h"

namespace roost {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

struct Limits {
  size_t max_queued = 8'192;
  size_t max_group = 512;
  uint64_t sequence_block = 1 << 20;
};

enum class Kind : uint8_t { kSqlite, kPostgres, kSharedPostgres };

class ControlStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  ControlStoreTest() {
    if (GetParam() == Kind::kSqlite) {
      static std::atomic<int> counter{0};
      folder_ = ::testing::TempDir() + "/control." + std::to_string(::getpid()) + "." +
                std::to_string(counter++);
      std::filesystem::create_directories(folder_);
    } else {
      database_ = std::make_unique<FreshDatabase>(SharedPgVectorPeer());
    }
  }
  ~ControlStoreTest() override {
    store_.reset();
    if (!folder_.empty()) {
      std::filesystem::remove_all(folder_);
    }
    Failpoints::Clear();
  }

  ControlStore& Open(const Limits& limits = {}) {
    store_.reset();
    auto opened = GetParam() == Kind::kSqlite
                      ? OpenSqliteControlStore({.path = folder_ + "/control.db",
                                                .max_queued = limits.max_queued,
                                                .max_group = limits.max_group,
                                                .sequence_block = limits.sequence_block},
                                               *metrics_)
                      : OpenPostgresControlStore({.uri = database_->uri(),
                                                  .exclusive = GetParam() == Kind::kPostgres,
                                                  .max_queued = limits.max_queued,
                                                  .max_group = limits.max_group,
                                                  .sequence_block = limits.sequence_block},
                                                 *metrics_);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    store_ = std::move(opened).value();
    return *store_;
  }

  std::string folder_;
  std::unique_ptr<FreshDatabase> database_;
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<ControlStore> store_;
  RequestContext context_;
};

std::string NameOf(const ::testing::TestParamInfo<Kind>& test) {
  constexpr std::string_view kNames[] = {"Sqlite", "Postgres", "SharedPostgres"};
  return std::string(kNames[static_cast<size_t>(test.param)]);
}

INSTANTIATE_TEST_SUITE_P(AllStores, ControlStoreTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres, Kind::kSharedPostgres),
                         NameOf);

LedgerRecord Row(const std::string& key, uint64_t stamp) {
  return {.migration = "m",
          .key = key,
          .stamp = stamp,
          .done = stamp + 1,
          .inflight = {7, 9},
          .dirty = true,
          .claim = 3};
}

std::vector<std::string> LedgerKeys(ControlStore& store, const std::string& migration) {
  std::vector<std::string> keys;
  EXPECT_TRUE(
      store.VisitLedger(migration, [&](LedgerRecord row) { keys.push_back(row.key); }).ok());
  return keys;
}

uint64_t PayloadBytes(ControlStore& store) {
  uint64_t bytes = 0;
  EXPECT_TRUE(store.VisitPayloads("m", [&](PayloadSize size) { bytes += size.bytes; }).ok());
  return bytes;
}

TEST_P(ControlStoreTest, EveryKindOfRowSurvivesReopening) {
  const std::string key("k\0\xff", 3);
  ControlTransaction t;
  t.put_migrations = {{.id = "m",
                       .collection = "c",
                       .state = "COPY",
                       .document = "{}",
                       .created_micros = 5,
                       .changed_micros = 6}};
  t.put_routes = {{.collection = "c", .store = "a", .epoch = 4}};
  t.put_mappings = {{.store = "b", .collection = "d", .source = "s", .mapping = "m"},
                    {.store = "b", .collection = "c", .source = "s", .mapping = "m"}};
  t.put_chunks = {
      {.migration = "m", .number = 0, .hi = key, .window = 12, .records = 3},
      {.migration = "m", .number = 1, .lo = key, .reconcile = true, .state = ChunkState::kClosed}};
  t.put_ledger = {Row(key, 10)};
  t.put_payloads = {{.migration = "m", .key = key, .stamp = 10, .payload = "x"},
                    {.migration = "m", .key = key, .stamp = 11, .payload = ""}};
  t.put_verifications = {{.migration = "m",
                          .pass = 2,
                          .chunk = 1,
                          .records_a = 1,
                          .records_b = 2,
                          .digest_a = key,
                          .digest_b = "",
                          .missing = 3,
                          .extra = 4,
                          .different = 5,
                          .sample = "s"}};
  t.put_dead_letters = {
      {.migration = "m", .key = key, .error = "e", .attempts = 8, .since_micros = 9}};
  t.put_settings = {{.key = "a_b", .value = "v"}, {.key = "aXb", .value = "w"}};
  t.create_databases = {{.name = "shop", .created_micros = 1}};
  ASSERT_TRUE(Open().Commit(context_, t).ok());

  ControlStore& store = Open();
  auto migrations = store.ListMigrations().value();
  ASSERT_THAT(migrations, SizeIs(1));
  EXPECT_EQ(migrations[0].state, "COPY");
  EXPECT_TRUE(migrations[0].active);
  EXPECT_EQ(store.ListRoutes().value().at(0).epoch, 4u);
  auto mappings = store.ListMappings().value();
  ASSERT_THAT(mappings, SizeIs(2));
  EXPECT_EQ(mappings[1].collection, "d");
  EXPECT_EQ(mappings[1].store + mappings[1].source + mappings[1].mapping, "bsm");
  auto chunks = store.ListChunks("m").value();
  ASSERT_THAT(chunks, SizeIs(2));
  EXPECT_FALSE(chunks[0].lo.has_value());
  EXPECT_EQ(chunks[0].hi, key);
  EXPECT_EQ(chunks[0].window, 12u);
  EXPECT_EQ(chunks[1].state, ChunkState::kClosed);
  EXPECT_TRUE(chunks[1].reconcile);
  EXPECT_FALSE(chunks[1].window.has_value());
  std::vector<LedgerRecord> rows;
  ASSERT_TRUE(store.VisitLedger("m", [&](LedgerRecord row) { rows.push_back(row); }).ok());
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].key, key);
  EXPECT_THAT(rows[0].inflight, ElementsAre(7, 9));
  EXPECT_EQ(rows[0].claim, 3u);
  EXPECT_EQ(store.ListPayloads("m", key).value().at(1).stamp, 11u);
  EXPECT_EQ(PayloadBytes(store), 1u);
  EXPECT_EQ(store.ListVerifications("m", 2).value().at(0).digest_a, key);
  EXPECT_EQ(store.ListDeadLetters("m", 10).value().at(0).error, "e");
  EXPECT_EQ(store.CountDeadLetters("m").value(), 1u);
  EXPECT_EQ(store.GetSetting("a_b").value(), "v");
  EXPECT_THAT(store.ListSettings("a_").value(), SizeIs(1));  // '_' is no wildcard
  EXPECT_THAT(store.ListDatabases().value(), SizeIs(2));
}

TEST_P(ControlStoreTest, DeletesAndErasuresTouchOnlyWhatTheyName) {
  ControlStore& store = Open();
  ControlTransaction t;
  t.put_ledger = {Row("a", 1), Row("b", 2), Row("c", 3)};
  LedgerRecord other = Row("a", 1);
  other.migration = "n";
  t.put_ledger.push_back(other);
  for (uint64_t stamp = 1; stamp <= 4; ++stamp) {
    t.put_payloads.push_back({.migration = "m", .key = "a", .stamp = stamp, .payload = "p"});
  }
  ASSERT_TRUE(store.Commit(context_, t).ok());
  ControlTransaction deletion;
  deletion.delete_ledger = {{.migration = "m", .key = "b"}};
  deletion.delete_payloads = {{.migration = "m", .key = "a", .first_stamp = 2, .last_stamp = 3}};
  ASSERT_TRUE(store.Commit(context_, deletion).ok());
  EXPECT_THAT(LedgerKeys(store, "m"), ElementsAre("a", "c"));
  auto payloads = store.ListPayloads("m", "a").value();
  ASSERT_THAT(payloads, SizeIs(2));
  EXPECT_EQ(payloads[0].stamp, 1u);
  EXPECT_EQ(payloads[1].stamp, 4u);
  ControlTransaction erasure;
  erasure.erase = {{.migration = "m", .ledger = true, .payloads = true}};
  ASSERT_TRUE(store.Commit(context_, erasure).ok());
  EXPECT_THAT(LedgerKeys(store, "m"), SizeIs(0));
  EXPECT_THAT(LedgerKeys(store, "n"), ElementsAre("a"));
  EXPECT_EQ(PayloadBytes(store), 0u);
}

TEST_P(ControlStoreTest, SequenceNeverRepeatsOverThreadsAndRestarts) {
  std::mutex mutex;
  std::set<uint64_t> seen;
  uint64_t highest = 0;
  for (int run = 0; run < 3; ++run) {
    ControlStore& store = Open({.sequence_block = 7});
    const uint64_t before = highest;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        uint64_t last = 0;
        for (int n = 0; n < 50; ++n) {
          const uint64_t count = 1 + n % 3;
          const uint64_t first = store.NextSeq(count).value();
          EXPECT_GT(first, last);
          last = first;
          std::lock_guard lock(mutex);
          for (uint64_t k = 0; k < count; ++k) {
            EXPECT_TRUE(seen.insert(first + k).second);
            EXPECT_GT(first + k, before);
            highest = std::max(highest, first + k);
          }
        }
      });
    }
  }
}

TEST_P(ControlStoreTest, OneBadTransactionDoesNotHarmItsGroup) {
  ControlStore& store = Open();
  std::atomic<int> fine{0};
  std::atomic<int> refused{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        ControlTransaction t;
        t.put_settings = {{.key = std::to_string(i) + "/" + std::to_string(n), .value = "v"}};
        if (n % 2 == 1) {
          t.create_databases = {{.name = "default"}};
        }
        const Status status = store.Commit(context_, t);
        (status.ok() ? fine : refused)++;
        EXPECT_EQ(status.code(), n % 2 == 1 ? Code::kAlreadyExists : Code::kOk);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(fine, 80);
  EXPECT_EQ(refused, 80);
  EXPECT_THAT(store.ListSettings("").value(), SizeIs(80));
}

TEST_P(ControlStoreTest, LaterCommitsRunInTheOrderOfTheCalls) {
  ControlStore& store = Open();
  for (int n = 0; n < 500; ++n) {
    ControlTransaction t;
    t.put_settings = {{.key = "k", .value = std::to_string(n)}};
    store.CommitLater(std::move(t), nullptr);
  }
  ASSERT_TRUE(store.Commit(context_, {}).ok());
  EXPECT_EQ(store.GetSetting("k").value(), "499");
}

TEST_P(ControlStoreTest, DestructorFinishesWhatWasAccepted) {
  for (int n = 0; n < 100; ++n) {
    ControlTransaction t;
    t.put_settings = {{.key = std::to_string(n), .value = "v"}};
    (n == 0 ? Open() : *store_).CommitLater(std::move(t), nullptr);
  }
  EXPECT_THAT(Open().ListSettings("").value(), SizeIs(100));
}

TEST_P(ControlStoreTest, OneActiveMigrationACollection) {
  ControlStore& store = Open();
  ControlTransaction t;
  t.put_migrations = {{.id = "m1", .collection = "c"}};
  ASSERT_TRUE(store.Commit(context_, t).ok());
  t.put_migrations = {{.id = "m2", .collection = "c"}};
  EXPECT_EQ(store.Commit(context_, t).code(), Code::kAlreadyExists);
  t.put_migrations = {{.id = "m1", .collection = "c", .active = false},
                      {.id = "m2", .collection = "c"}};
  EXPECT_TRUE(store.Commit(context_, t).ok());
}

TEST_P(ControlStoreTest, CommitHonoursTheDeadlineAndSaysThatTheOutcomeIsUnknown) {
  ControlStore& store = Open();
  ASSERT_TRUE(Failpoints::Set("metadata.commit.before=sleep:300").ok());
  ControlTransaction t;
  t.put_settings = {{.key = "k", .value = "v"}};
  const RequestContext hurried = context_.WithTimeout(std::chrono::milliseconds(20));
  const Status status = store.Commit(hurried, t);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(status.error().outcome_unknown);
  Failpoints::Clear();
}

TEST_P(ControlStoreTest, AFailedCommitChangesNothingAndTheNextOneWorks) {
  ControlStore& store = Open();
  ASSERT_TRUE(Failpoints::Set("metadata.commit.before=error*1").ok());
  ControlTransaction t;
  t.put_settings = {{.key = "k", .value = "v"}};
  EXPECT_EQ(store.Commit(context_, t).code(), Code::kUnavailable);
  EXPECT_FALSE(store.GetSetting("k").value().has_value());
  EXPECT_TRUE(store.Commit(context_, t).ok());
  EXPECT_TRUE(store.CheckHealth().ok());
}

TEST_P(ControlStoreTest, TooManyWaitingTransactionsAreRefusedAtOnce) {
  ControlStore& store = Open({.max_queued = 4, .max_group = 1});
  ASSERT_TRUE(Failpoints::Set("metadata.commit.before=sleep:200").ok());
  std::atomic<int> refused{0};
  for (int n = 0; n < 20; ++n) {
    store.CommitLater(
        {}, [&](Status status) { refused += status.code() == Code::kResourceExhausted ? 1 : 0; });
  }
  EXPECT_GE(refused, 15);
  Failpoints::Clear();
}

TEST_P(ControlStoreTest, NamesAreSortedByTheirBytes) {
  ControlStore& store = Open();
  ControlTransaction t;
  for (const char* key : {"b", "B", "\u00e4", "a", "_", "Z"}) {
    t.put_settings.push_back({.key = key, .value = "v"});
    t.put_routes.push_back({.collection = key, .store = "s"});
  }
  ASSERT_TRUE(store.Commit(context_, t).ok());
  std::vector<std::string> keys;
  const std::vector<SettingRow> settings = store.ListSettings("").value();
  for (const SettingRow& row : settings) {
    keys.push_back(row.key);
  }
  EXPECT_THAT(keys, ElementsAre("B", "Z", "_", "a", "b", "\u00e4"));
  EXPECT_EQ(store.ListRoutes().value().at(0).collection, "B");
}

TEST_P(ControlStoreTest, ALedgerOfManyPagesIsVisitedOnceAndInOrder) {
  ControlStore& store = Open();
  constexpr uint64_t kRows = 10'001;  // A page holds 10,000.
  ControlTransaction t;
  for (uint64_t n = 0; n < kRows; ++n) {
    t.put_ledger.push_back({.migration = "m", .key = std::to_string(1'000'000 + n), .stamp = n});
    t.put_payloads.push_back({.migration = "m",
                              .key = std::to_string(1'000'000 + n / 3),
                              .stamp = 1 + n % 3,
                              .payload = "x"});
  }
  ASSERT_TRUE(store.Commit(context_, std::move(t)).ok());
  const std::vector<std::string> keys = LedgerKeys(store, "m");
  ASSERT_THAT(keys, SizeIs(kRows));
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), kRows);
  EXPECT_EQ(PayloadBytes(store), kRows);
}

TEST_P(ControlStoreTest, TextsForPeopleMayHoldAnyBytes) {
  ControlStore& store = Open();
  ControlTransaction t;
  t.put_dead_letters = {{.migration = "m", .key = "k", .error = std::string("a\0b\xff\u00e4", 6)}};
  ASSERT_TRUE(store.Commit(context_, t).ok());
  const std::string error = store.ListDeadLetters("m", 1).value().at(0).error;
  EXPECT_EQ(error.front(), 'a');
  EXPECT_EQ(error.substr(error.size() - 2), "\u00e4");
}

TEST_P(ControlStoreTest, ATransactionWithADemandKeepsItsPlaceAndHoldsWhollyOrNotAtAll) {
  ControlStore& store = Open();
  std::atomic<int> refused{0};
  for (int n = 0; n < 60; ++n) {
    ControlTransaction t = PutSetting("k", std::to_string(n));
    if (n % 20 == 19) {
      t.drop_databases = {"nowhere"};
    } else if (n % 20 == 10) {
      t.create_databases = {{.name = "d" + std::to_string(n)}};
    }
    store.CommitLater(std::move(t), [&](const Status& status) {
      refused += status.code() == Code::kNotFound ? 1 : 0;
    });
  }
  ASSERT_TRUE(store.Commit(context_, {}).ok());
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(store.GetSetting("k").value(), "58");
  EXPECT_THAT(store.ListDatabases().value(), SizeIs(4));
}

}  // namespace
}  // namespace roost
