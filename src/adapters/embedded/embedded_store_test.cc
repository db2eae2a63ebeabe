#include "adapters/embedded/embedded_store.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "adapters/embedded/test_support.h"

namespace roost::embedded {
namespace {

std::vector<Record> Batch(int from, int to, uint64_t seed) {
  std::vector<Record> records;
  for (int i = from; i < to; ++i) {
    records.push_back(TestRecord("k" + std::to_string(i), seed));
  }
  return records;
}

Records AsMap(const std::vector<Record>& records) {
  Records map;
  for (const Record& record : records) {
    map.insert_or_assign(record.key, record);
  }
  return map;
}

TEST(EmbeddedStore, WritesSurviveAReopening) {
  TestDisk disk;
  const auto records = Batch(0, 100, 1);
  {
    const auto store = disk.MustOpen();
    ROOST_ASSERT_OK(Create(*store, TestSchema()));
    ROOST_ASSERT_OK(Put(*store, "things", records));
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(records)));
  }
  const auto store = disk.MustOpen();
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(records)));
  EXPECT_EQ(store->stats().wal_records_replayed, 0u) << "closing seals what is in memory";
  EXPECT_EQ(store->DescribeCollection({}, "things")->schema, TestSchema());
}

TEST(EmbeddedStore, WritesSurviveAKillWithoutClosing) {
  TestDisk disk;
  const auto records = Batch(0, 5, 1);
  auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", records));
  SeededRandom random(1);
  disk.files().Crash(random);
  const auto again = disk.MustOpen();
  EXPECT_EQ(again->stats().wal_records_replayed, 1u);
  EXPECT_TRUE(SameRecords(ReadAllRecords(*again, "things"), AsMap(records)));
}

TEST(EmbeddedStore, ExactSearchTellsApartWhatFloat32CannotTell) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  for (const char* index : {"FLAT", "HNSW"}) {
    CollectionSchema schema{.name = std::string("near_") + index};
    schema.vectors = {{.name = "v", .dimension = 2, .metric = Metric::kL2, .index = index}};
    ROOST_ASSERT_OK(Create(*store, schema));
    Record near{.key = {.tenant = {}, .key = "b"}, .fields = {}, .vectors = {}, .dynamic = {}};
    near.vectors["v"] = Vector::Floats(std::vector{1.0f, 0.0f});
    Record far{.key = {.tenant = {}, .key = "a"}, .fields = {}, .vectors = {}, .dynamic = {}};
    far.vectors["v"] = Vector::Floats(std::vector{1.0f, 1e-4f});  // 1 + 1e-8 is 1 in float32
    ROOST_ASSERT_OK(Put(*store, schema.name, {near, far}));
    SearchRequest request{.collection = schema.name, .exact = true};
    request.vectors = {Vector::Floats(std::vector{0.0f, 0.0f})};
    const auto found = store->Search({}, request);
    ROOST_ASSERT_OK(found);
    ASSERT_EQ(found->hits[0].size(), 2u);
    EXPECT_EQ(found->hits[0][0].record.key.key, Key("b")) << "not by key: it is nearer";
    EXPECT_EQ(found->hits[0][0].distance, 1.0);
    EXPECT_GT(found->hits[0][1].distance, 1.0);
  }
}

TEST(EmbeddedStore, ASecondOpenerIsRefused) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  const auto second = disk.Open();
  EXPECT_EQ(second.code(), Code::kFailedPrecondition);
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
}

TEST(EmbeddedStore, MergesKeepRecordsAndDropDeadRows) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  Records model;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto records = Batch(static_cast<int>(seed) * 3, static_cast<int>(seed) * 3 + 20, seed);
    ROOST_ASSERT_OK(Put(*store, "things", records));
    for (const Record& record : records) {
      model.insert_or_assign(record.key, record);
    }
    ROOST_ASSERT_OK(Erase(*store, "things", {KeyOf("k" + std::to_string(seed * 2))}));
    model.erase(KeyOf("k" + std::to_string(seed * 2)));
    ROOST_ASSERT_OK(store->WaitIdle({}));
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), model)) << seed;
  }
  ROOST_ASSERT_OK(store->Compact({}, "things"));
  EXPECT_EQ(store->stats().segments, 1u);
  EXPECT_EQ(disk.Names("seg-", ".dat").size(), 1u) << "old files must be gone";
  EXPECT_EQ(disk.Names("seg-", ".del").size(), 0u);
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), model));
  EXPECT_EQ(store->stats().records, model.size());
}

TEST(EmbeddedStore, AReaderKeepsItsStateWhileSegmentsAreMergedAway) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 50, 1)));
  ROOST_ASSERT_OK(store->WaitIdle({}));
  const auto first = store->Scan({}, {.collection = "things", .limit = 10});
  ROOST_ASSERT_OK(store->Compact({}, "things"));
  const auto rest =
      store->Scan({}, {.collection = "things", .after = first->records.back().key, .limit = 100});
  EXPECT_EQ(first->records.size() + rest->records.size(), 50u);
}

TEST(EmbeddedStore, OldLogFilesGoOnceTheirWritesAreInSegments) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Create(*store, TestSchema("quiet")));
  ROOST_ASSERT_OK(Put(*store, "quiet", Batch(0, 1, 1)));
  for (int round = 0; round < 40; ++round) {
    ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 40, static_cast<uint64_t>(round))));
    ROOST_ASSERT_OK(store->WaitIdle({}));
  }
  EXPECT_LE(disk.Names("wal-").size(), 5u)
      << "a collection with one old write must not hold the log";
  SeededRandom random(3);
  disk.files().Crash(random);
  const auto again = disk.MustOpen();
  EXPECT_TRUE(SameRecords(ReadAllRecords(*again, "things"), AsMap(Batch(0, 40, 39))));
  EXPECT_TRUE(SameRecords(ReadAllRecords(*again, "quiet"), AsMap(Batch(0, 1, 1))));
}

TEST(EmbeddedStore, AFullDiskRefusesWritesButNotReadsAndDeletesAndRecovers) {
  TestDisk disk;
  EmbeddedOptions options = TinyOptions();
  options.min_free_disk_bytes = 2'000;
  const auto store = disk.MustOpen(options);
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 10, 1)));
  disk.files().SetFaults({.free_bytes = 1'500});
  disk.clock().Advance(std::chrono::seconds(1));  // Free space is looked at now and then.
  EXPECT_EQ(Put(*store, "things", Batch(10, 11, 1)).code(), Code::kResourceExhausted);
  EXPECT_EQ(Put(*store, "things", Batch(0, 1, 2)).code(), Code::kResourceExhausted);
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 10, 1))));
  ROOST_ASSERT_OK(Erase(*store, "things", {KeyOf("k3")}));
  auto left = AsMap(Batch(0, 10, 1));
  left.erase(KeyOf("k3"));
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), left));
  disk.files().SetFaults({});
  ROOST_ASSERT_OK(Put(*store, "things", Batch(10, 11, 1)));
  left.merge(AsMap(Batch(10, 11, 1)));
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), left));
}

TEST(EmbeddedStore, ADiskThatFillsDuringAFlushLosesNothing) {
  for (int64_t room = 0; room < 6'000; room += 150) {
    TestDisk disk;
    auto store = disk.MustOpen();
    ROOST_ASSERT_OK(Create(*store, TestSchema()));
    ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 14, 1)));
    disk.files().SetFaults({.free_bytes = room, .short_writes = true});
    const Status flushed = store->WaitIdle({});
    EXPECT_TRUE(flushed.ok() || flushed.code() == Code::kResourceExhausted);
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 14, 1))));
    disk.files().SetFaults({});
    ROOST_ASSERT_OK(store->WaitIdle({}));
    ROOST_ASSERT_OK(Put(*store, "things", Batch(14, 15, 1)));
    store.reset();
    store = disk.MustOpen();
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 15, 1)))) << room;
  }
}

TEST(EmbeddedStore, AfterAFailedSyncItIsReadOnlyAndNothingUnprovenIsShown) {
  TestDisk disk;
  auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 5, 1)));
  disk.files().SetFaults({.fail_sync_after = 0});
  const auto failed = store->Upsert({}, {.collection = "things", .records = Batch(5, 6, 1)});
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.error().outcome_unknown);
  EXPECT_EQ(failed.code(), Code::kUnavailable);
  disk.files().SetFaults({});
  EXPECT_EQ(Put(*store, "things", Batch(6, 7, 1)).code(), Code::kUnavailable);
  EXPECT_EQ(Erase(*store, "things", {KeyOf("k1")}).code(), Code::kUnavailable);
  EXPECT_EQ(Create(*store, TestSchema("more")).code(), Code::kUnavailable);
  EXPECT_FALSE(store->CheckHealth({}).ok());
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 5, 1))));
  store.reset();
  SeededRandom random(5);
  disk.files().Crash(random);
  store = disk.MustOpen();
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 5, 1))));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(6, 7, 1)));
}

TEST(EmbeddedStore, ADamagedCollectionIsQuarantinedAndOthersServe) {
  TestDisk disk;
  {
    const auto store = disk.MustOpen();
    ROOST_ASSERT_OK(Create(*store, TestSchema("good")));
    ROOST_ASSERT_OK(Put(*store, "good", Batch(0, 30, 1)));
    ROOST_ASSERT_OK(store->Compact({}, "good"));
    ROOST_ASSERT_OK(Create(*store, TestSchema("bad")));
    ROOST_ASSERT_OK(Put(*store, "bad", Batch(0, 30, 2)));
    ROOST_ASSERT_OK(store->Compact({}, "bad"));
  }
  const auto segments = disk.Names("seg-", ".dat");
  ASSERT_EQ(segments.size(), 2u);
  const std::string path = "db/" + segments[1];
  const uint64_t size = disk.files().ReadAll(path)->size();
  for (uint64_t byte = 0; byte < size; byte += 13) {
    ROOST_ASSERT_OK(disk.files().FlipBit(path, byte * 8 + 3));
    const auto store = disk.MustOpen();
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "good"), AsMap(Batch(0, 30, 1))));
    const Status verified = store->Verify({});
    const auto page = store->Scan({}, {.collection = "bad", .limit = 100});
    if (page.ok()) {  // Only padding between sections is not under a checksum.
      EXPECT_TRUE(verified.ok());
      EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "bad"), AsMap(Batch(0, 30, 2)))) << byte;
    } else {
      EXPECT_EQ(page.code(), Code::kDataLoss);
      EXPECT_NE(page.error().message.find(segments[1]), std::string::npos) << page.error().message;
      EXPECT_EQ(Put(*store, "bad", Batch(0, 1, 3)).code(), Code::kDataLoss);
      EXPECT_EQ(store->Get({}, {.collection = "bad", .keys = {KeyOf("k1")}}).code(),
                Code::kDataLoss);
    }
    ROOST_ASSERT_OK(disk.files().FlipBit(path, byte * 8 + 3));
  }
  ROOST_ASSERT_OK(disk.files().FlipBit(path, 800 * 8));
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(store->DropCollection({}, {.collection = "bad"}));
  ROOST_ASSERT_OK(Create(*store, TestSchema("bad")));
  EXPECT_TRUE(ReadAllRecords(*store, "bad").empty());
}

TEST(EmbeddedStore, ADamagedIndexFileIsBuiltAgain) {
  TestDisk disk;
  {
    const auto store = disk.MustOpen();
    ROOST_ASSERT_OK(Create(*store, TestSchema()));
    ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 60, 1)));
    ROOST_ASSERT_OK(store->Compact({}, "things"));
  }
  const auto indexes = disk.Names("seg-", ".idx");
  ASSERT_EQ(indexes.size(), 2u) << "a graph and a keyword index";
  for (const std::string& name : indexes) {
    ROOST_ASSERT_OK(disk.files().FlipBit("db/" + name, 200));
  }
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(store->WaitIdle({}));
  SearchRequest search{.collection = "things", .field = "body", .texts = {"red"}, .top_k = 100};
  const auto found = store->Search({}, search);
  ROOST_ASSERT_OK(found);
  size_t with_word = 0;
  for (const Record& record : Batch(0, 60, 1)) {
    const auto body = record.fields.find("body");
    with_word += body != record.fields.end() &&
                 std::get<std::string>(body->second).find("red") != std::string::npos;
  }
  EXPECT_EQ(found->hits[0].size(), with_word);
}

TEST(EmbeddedStore, ADamagedManifestIsRefused) {
  TestDisk disk;
  {
    const auto store = disk.MustOpen();
    ROOST_ASSERT_OK(Create(*store, TestSchema()));
  }
  const uint64_t size = disk.files().ReadAll("db/MANIFEST")->size();
  for (uint64_t byte = 0; byte < size; ++byte) {
    ROOST_ASSERT_OK(disk.files().FlipBit("db/MANIFEST", byte * 8 + byte % 8));
    const auto store = disk.Open();
    ASSERT_EQ(store.code(), Code::kDataLoss) << byte;
    EXPECT_NE(store.error().message.find("db/MANIFEST"), std::string::npos);
    ROOST_ASSERT_OK(disk.files().FlipBit("db/MANIFEST", byte * 8 + byte % 8));
  }
  ROOST_ASSERT_OK(disk.files().Remove("db/MANIFEST"));
  ROOST_ASSERT_OK(disk.files().WriteAtomically("db/seg-00000009.dat", "x"));
  EXPECT_EQ(disk.Open().code(), Code::kDataLoss) << "a folder with segments is not a new one";
}

TEST(EmbeddedStore, SnapshotIsAStoreOfItsOwn) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 40, 1)));
  ROOST_ASSERT_OK(store->WaitIdle({}));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(35, 45, 2)));
  ROOST_ASSERT_OK(Erase(*store, "things", {KeyOf("k1"), KeyOf("k44")}));
  const Records before = ReadAllRecords(*store, "things");
  ROOST_ASSERT_OK(store->Snapshot({}, "copy"));
  EXPECT_EQ(store->Snapshot({}, "copy").code(), Code::kAlreadyExists);
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 60, 3)));
  ROOST_ASSERT_OK(store->Compact({}, "things"));
  const auto copy = disk.MustOpen(TinyOptions("copy"));
  EXPECT_TRUE(SameRecords(ReadAllRecords(*copy, "things"), before));
  ROOST_ASSERT_OK(Put(*copy, "things", Batch(0, 1, 9)));
  EXPECT_TRUE(SameRecords(ReadAllRecords(*store, "things"), AsMap(Batch(0, 60, 3))));
}

TEST(EmbeddedStore, TooMuchInMemoryIsRefusedUntilItIsSealed) {
  TestDisk disk;
  EmbeddedOptions options = TinyOptions();
  options.seal_rows = 1'000'000;
  options.max_mutable_bytes = 60'000;
  const auto store = disk.MustOpen(options);
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  Status status;
  int written = 0;
  for (; written < 10'000 && status.ok(); ++written) {
    status = Put(*store, "things", Batch(written, written + 1, 1));
  }
  ASSERT_EQ(status.code(), Code::kResourceExhausted);
  ROOST_ASSERT_OK(store->WaitIdle({}));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(written, written + 1, 1)));
}

TEST(EmbeddedStore, DroppedCollectionsLeaveNoFiles) {
  TestDisk disk;
  const auto store = disk.MustOpen();
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  ROOST_ASSERT_OK(Put(*store, "things", Batch(0, 40, 1)));
  ROOST_ASSERT_OK(store->WaitIdle({}));
  ASSERT_FALSE(disk.Names("seg-").empty());
  ROOST_ASSERT_OK(store->DropCollection({}, {.collection = "things"}));
  EXPECT_TRUE(disk.Names("seg-").empty());
  EXPECT_EQ(Put(*store, "things", Batch(0, 1, 1)).code(), Code::kNotFound);
  ROOST_ASSERT_OK(Create(*store, TestSchema()));
  EXPECT_TRUE(ReadAllRecords(*store, "things").empty());
}

}  // namespace
}  // namespace roost::embedded
