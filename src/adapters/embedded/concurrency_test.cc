// Readers, writers, flushes and merges at the same time.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/group_commit.h"
#include "adapters/embedded/test_support.h"

namespace roost::embedded {
namespace {

constexpr int kRows = 24;

/// A store in memory with its threads running and segments so small that they work all the time.
struct BusyStore {
  BusyStore() {
    EmbeddedOptions options = TinyOptions();
    options.background = true;
    options.idle_merge_after = std::chrono::milliseconds(0);
    options.group_commit_window = std::chrono::microseconds(200);
    store = disk.MustOpen(options);
    CollectionSchema schema{.name = "things"};
    schema.fields = {{.name = "version", .type = DataType::kInt64},
                     {.name = "body", .type = DataType::kText}};
    schema.vectors = {{.name = "v", .dimension = 4, .metric = Metric::kL2}};
    EXPECT_TRUE(Create(*store, schema).ok());
  }

  TestDisk disk;
  std::unique_ptr<EmbeddedStore> store;
};

Record Row(int number, int64_t version) {
  Record record{.key = KeyOf("k" + std::to_string(number))};
  record.fields["version"] = version;
  record.fields["body"] = std::string("word");
  record.vectors["v"] = Vector::Floats(
      std::vector<float>{static_cast<float>(number), static_cast<float>(version), 0, 1});
  return record;
}

/// All rows of one version, written as one batch.
std::vector<Record> Generation(int64_t version) {
  std::vector<Record> records;
  for (int i = 0; i < kRows; ++i) {
    records.push_back(Row(i, version));
  }
  return records;
}

/// A reader must see one batch whole: every row, all of one version.
template <typename Rows, typename VersionOf>
testing::AssertionResult IsOneGeneration(const Rows& rows, VersionOf version_of) {
  if (rows.size() != kRows) {
    return testing::AssertionFailure() << rows.size() << " rows instead of " << kRows;
  }
  for (const auto& row : rows) {
    if (version_of(row) != version_of(rows[0])) {
      return testing::AssertionFailure()
             << "versions " << version_of(rows[0]) << " and " << version_of(row);
    }
  }
  return testing::AssertionSuccess();
}

int64_t VersionOf(const Record& record) { return std::get<int64_t>(record.fields.at("version")); }

/// Reads in every way until told to stop; each answer must be of one generation, never older than
/// the one before.
void ReadUntil(EmbeddedStore& store, const std::atomic<bool>& stop, int& reads) {
  int64_t last = 0;
  const auto check = [&](int64_t version) {
    EXPECT_GE(version, last) << "time went backwards";
    last = version;
    ++reads;
  };
  while (!stop.load() && !testing::Test::HasFailure()) {
    const auto page = store.Scan({}, {.collection = "things", .limit = 1'000});
    ROOST_ASSERT_OK(page);
    ASSERT_TRUE(IsOneGeneration(page->records, VersionOf)) << "scan";
    check(VersionOf(page->records[0]));
    SearchRequest search{.collection = "things", .top_k = 1'000};
    search.vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})};
    const auto near = store.Search({}, search);
    ROOST_ASSERT_OK(near);
    ASSERT_TRUE(IsOneGeneration(near->hits[0], [](const Hit& h) { return VersionOf(h.record); }))
        << "search";
    check(VersionOf(near->hits[0][0].record));
    search = {.collection = "things", .texts = {"word"}, .top_k = 1'000};
    const auto words = store.Search({}, search);
    ROOST_ASSERT_OK(words);
    ASSERT_TRUE(IsOneGeneration(words->hits[0], [](const Hit& h) { return VersionOf(h.record); }))
        << "keyword search";
    check(VersionOf(words->hits[0][0].record));
    EXPECT_EQ(store.Count({}, {.collection = "things"}).value(), static_cast<uint64_t>(kRows));
  }
}

TEST(EmbeddedConcurrency, AReaderSeesOneBatchWholeWhileWritersAndMergesGoOn) {
  BusyStore busy;
  ROOST_ASSERT_OK(Put(*busy.store, "things", Generation(1)));
  std::atomic<bool> stop = false;
  std::vector<int> reads(3, 0);
  {
    std::vector<std::jthread> readers;
    for (int& count : reads) {
      readers.emplace_back([&] { ReadUntil(*busy.store, stop, count); });
    }
    for (int64_t version = 2; version <= 150 && !HasFailure(); ++version) {
      const Status put = Put(*busy.store, "things", Generation(version));
      EXPECT_TRUE(put.ok()) << put.error().ToString();
    }
    stop = true;
  }
  for (const int count : reads) {
    EXPECT_GT(count, 0);
  }
  ROOST_ASSERT_OK(busy.store->WaitIdle({}));
  EXPECT_LT(busy.store->stats().segments, 20u) << "merges went on";
  const auto page = busy.store->Scan({}, {.collection = "things", .limit = 1'000});
  ASSERT_TRUE(IsOneGeneration(page->records, VersionOf));
  EXPECT_EQ(VersionOf(page->records[0]), 150);
}

TEST(EmbeddedConcurrency, WritersOfTheirOwnKeysLoseNothing) {
  BusyStore busy;
  constexpr int kWriters = 4;
  constexpr int kTurns = 60;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (int turn = 0; turn < kTurns; ++turn) {
          const int number = w * 1'000 + turn;
          EXPECT_TRUE(Put(*busy.store, "things", {Row(number, 1), Row(w * 1'000, turn)}).ok());
          if (turn % 3 == 0) {
            EXPECT_TRUE(Erase(*busy.store, "things", {Row(number, 1).key}).ok());
          }
          const auto read =
              busy.store->Get({}, {.collection = "things", .keys = {Row(number, 1).key}});
          ASSERT_TRUE(read.ok());
          EXPECT_EQ(read->records[0].has_value(), turn % 3 != 0) << "own writes are seen at once";
        }
      });
    }
    std::jthread compactor([&] {
      for (int i = 0; i < 10; ++i) {
        const Status compacted = busy.store->Compact({}, "things");
        EXPECT_TRUE(compacted.ok()) << compacted.error().ToString();
      }
    });
  }
  EXPECT_EQ(busy.store->Count({}, {.collection = "things"}).value(),
            static_cast<uint64_t>(kWriters * (kTurns - kTurns / 3 + 1)));
  const Records before = ReadAllRecords(*busy.store, "things", 50);
  SeededRandom random(1);
  busy.disk.PowerCut(busy.store, random);
  busy.store = busy.disk.MustOpen();
  EXPECT_TRUE(SameRecords(ReadAllRecords(*busy.store, "things", 50), before));
}

TEST(EmbeddedConcurrency, SnapshotsAreConsistentWhileWritersGoOn) {
  BusyStore busy;
  ROOST_ASSERT_OK(Put(*busy.store, "things", Generation(1)));
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int64_t version = 2; !stop.load(); ++version) {
      EXPECT_TRUE(Put(*busy.store, "things", Generation(version)).ok());
    }
  });
  for (int i = 0; i < 6; ++i) {
    const std::string folder = "copy" + std::to_string(i);
    const Status made = busy.store->Snapshot({}, folder);
    EXPECT_TRUE(made.ok()) << made.error().ToString();
    const auto copy = busy.disk.MustOpen(TinyOptions(folder));
    const auto page = copy->Scan({}, {.collection = "things", .limit = 1'000});
    EXPECT_TRUE(page.ok() && IsOneGeneration(page->records, VersionOf));
  }
  stop = true;
}

TEST(EmbeddedConcurrency, DropsAndCreatesBesideReadersAndWriters) {
  BusyStore busy;
  const CollectionSchema schema = busy.store->DescribeCollection({}, "things")->schema;
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    while (!stop.load()) {
      const Status put = Put(*busy.store, "things", Generation(1));
      EXPECT_TRUE(put.ok() || put.code() == Code::kNotFound) << put.error().ToString();
    }
  });
  std::jthread reader([&] {
    while (!stop.load()) {
      const auto page = busy.store->Scan({}, {.collection = "things", .limit = 1'000});
      EXPECT_TRUE(page.ok() || page.code() == Code::kNotFound);
      EXPECT_TRUE(!page.ok() || page->records.empty() || page->records.size() == kRows);
    }
  });
  for (int i = 0; i < 15; ++i) {
    ROOST_ASSERT_OK(busy.store->DropCollection({}, {.collection = "things"}));
    ROOST_ASSERT_OK(Create(*busy.store, schema));
  }
  stop = true;
}

TEST(EmbeddedConcurrency, WritersThatComeDuringASyncShareTheNextOne) {
  constexpr int kWriters = 16;
  TestDisk disk;
  HookedFiles files(disk.files());
  auto opened = OpenEmbeddedStore(TinyOptions(), files, disk.clock(), disk.metrics());
  ROOST_ASSERT_OK(opened);
  EmbeddedStore& store = **opened;
  ROOST_ASSERT_OK(Create(store, TestSchema()));
  std::atomic<int> writes = 0;
  std::atomic<int> syncs = 0;
  files.before_write = [&] { ++writes; };
  // The disk is so slow that all writers come while it syncs for the first.
  files.before_sync = [&] {
    ++syncs;
    while (writes.load() < kWriters) {
      std::this_thread::yield();
    }
  };
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&store, w] {
        EXPECT_TRUE(Put(store, "things", {TestRecord(std::to_string(w), 1)}).ok());
      });
    }
  }
  EXPECT_LE(syncs.load(), 2) << "for " << kWriters << " writes";
  EXPECT_EQ(store.Count({}, {.collection = "things"}).value(), static_cast<uint64_t>(kWriters));
}

TEST(GroupCommit, WritersThatArriveDuringASyncShareTheNextOne) {
  std::atomic<uint64_t> applied{0};
  std::atomic<int> syncs{0};
  std::atomic<bool> open{false};
  GroupCommit commit({.window = std::chrono::seconds(10)}, [&]() -> Result<uint64_t> {
    ++syncs;
    const uint64_t target = applied.load();
    open.wait(false);
    return target;
  });
  applied = 1;
  commit.Enter();
  std::jthread first([&] { EXPECT_TRUE(commit.Wait({}, 1, 10).ok()); });
  while (syncs.load() == 0) {
    std::this_thread::yield();
  }
  for (int i = 0; i < 8; ++i) {
    commit.Enter();
  }
  applied = 9;
  std::vector<std::jthread> others;
  for (uint64_t lsn = 2; lsn <= 9; ++lsn) {
    others.emplace_back([&, lsn] { EXPECT_TRUE(commit.Wait({}, lsn, 10).ok()); });
  }
  open = true;
  open.notify_all();
  others.clear();
  EXPECT_EQ(syncs.load(), 2);
  EXPECT_EQ(commit.durable(), 9u);
}

TEST(GroupCommit, AfterAFailedSyncNobodyIsToldSuccess) {
  int syncs = 0;
  GroupCommit commit({}, [&]() -> Result<uint64_t> {
    return ++syncs == 1 ? Result<uint64_t>(Unavailable("disk")) : Result<uint64_t>(99);
  });
  commit.Enter();
  const Status failed = commit.Wait({}, 1, 1);
  ASSERT_EQ(failed.code(), Code::kUnavailable);
  EXPECT_TRUE(failed.error().outcome_unknown);
  commit.Enter();
  EXPECT_FALSE(commit.Wait({}, 2, 1).ok());
  EXPECT_EQ(syncs, 1);
}

TEST(GroupCommit, AWaiterGoesAtItsDeadlineAndDoesNotKnow) {
  std::atomic<bool> syncing{false};
  std::atomic<bool> open{false};
  GroupCommit commit({}, [&]() -> Result<uint64_t> {
    syncing = true;
    open.wait(false);
    return 2;
  });
  commit.Enter();
  std::jthread leader([&] { EXPECT_TRUE(commit.Wait({}, 1, 1).ok()); });
  while (!syncing.load()) {
    std::this_thread::yield();
  }
  commit.Enter();
  RequestContext context;
  context.deadline = Deadline::After(std::chrono::milliseconds(5));
  const Status waited = commit.Wait(context, 2, 1);
  open = true;
  open.notify_all();
  EXPECT_EQ(waited.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(waited.error().outcome_unknown);
}

}  // namespace
}  // namespace roost::embedded
