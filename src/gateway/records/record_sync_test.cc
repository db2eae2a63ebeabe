#include <atomic>
#include <map>
#include <thread>

#include "gateway/records/record_testing.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RecordSyncTest : public RecordTest {
 protected:
  using RecordTest::RecordTest;

  SyncPage Sync(const SyncRequest& request) {
    auto page = service_->SyncByLastModified(context_, acme_, request);
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    return page.ok() ? *std::move(page) : SyncPage{};
  }
  // The moment from which a device asks that knows everything written so far.
  int64_t Now() {
    clock_.Advance(std::chrono::seconds(60));
    return *Sync({.limit = 1}).next_since;
  }
  int64_t ToMicros() const { return ToUnixMicros(clock_.WallNow()); }
};

TEST_F(RecordSyncTest, OtherDevicesChangesAndDeletionsAreTold) {
  Put("Note", {Make("a"), Make("b"), Make("c")}, "phone");
  const int64_t since = Now();
  EXPECT_THAT(Sync({.since = since, .device_id = "desk"}).records, IsEmpty());
  clock_.Advance(std::chrono::seconds(60));
  Put("Note", {Make("a"), Make("d")}, "phone");
  ASSERT_TRUE(service_
                  ->DeleteRecords(context_, acme_,
                                  {.ids = {"b"}, .origin = {.device = {}, .device_id = "phone"}})
                  .ok());
  const SyncPage desk = Sync({.since = since, .device_id = "desk"});
  EXPECT_THAT(Ids(desk.records), ElementsAre("a", "b", "d"));
  EXPECT_FALSE(IsDeletion(desk.records[0]));
  EXPECT_TRUE(IsDeletion(desk.records[1]));
  EXPECT_TRUE(desk.records[1].vectors.empty());
  EXPECT_EQ(TextOf(desk.records[1], "record_type"), "Note");
  EXPECT_THAT(Sync({.since = since, .device_id = "phone"}).records, IsEmpty());
  // A device that begins anew is told what it wrote itself too.
  EXPECT_THAT(Ids(Sync({.device_id = "phone"}).records), ElementsAre("a", "b", "c", "d"));
}

TEST_F(RecordSyncTest, WhatOthersChangedBeneathAMergeIsTold) {
  Put("Note", {Make("n", {{"title", "one"}})}, "phone");
  const int64_t since = Now();
  clock_.Advance(std::chrono::seconds(60));
  const auto update = [&](const char* property, const char* value, const char* device) {
    RecordUpdate change{.unique_id = "n"};
    change.properties.fields = {{property, value}};
    change.origin.device_id = device;
    ASSERT_TRUE(service_->UpdateRecord(context_, acme_, change).ok());
  };
  update("title", "two", "phone");
  update("summary", "by desk", "desk");  // over the phone's change, which the desk does not know
  EXPECT_THAT(Ids(Sync({.since = since, .device_id = "desk"}).records), ElementsAre("n"));
  update("summary", "again", "desk");
  EXPECT_THAT(Ids(Sync({.since = since, .device_id = "desk"}).records), ElementsAre("n"));
  EXPECT_THAT(Ids(Sync({.since = since, .device_id = "phone"}).records), ElementsAre("n"));
  // From where the phone's change is known on, the desk's own are no news for it.
  const int64_t later = Now();
  clock_.Advance(std::chrono::seconds(60));
  update("summary", "third", "desk");
  EXPECT_THAT(Sync({.since = later, .device_id = "desk"}).records, IsEmpty());
  EXPECT_THAT(Ids(Sync({.since = later, .device_id = "phone"}).records), ElementsAre("n"));
}

TEST_F(RecordSyncTest, PagesByOffsetHaveNoGapsWhileRecordsChange) {
  std::vector<Record> many;
  for (int i = 0; i < 30; ++i) {
    many.push_back(Make("r" + std::to_string(100 + i)));
  }
  Put("Misc", many, "phone");
  std::set<std::string> told;
  SyncRequest request{.since = 1, .device_id = "desk", .limit = 7};
  for (;;) {
    const SyncPage page = Sync(request);
    for (const std::string& id : Ids(page.records)) {
      told.insert(id);
    }
    EXPECT_EQ(page.next_since.has_value(), request.offset == 0);
    // Everything told moves on in time: by another device, by this one, by deletion.
    Put("Misc", {Make("r100"), Make("r103"), Make("r110")}, "phone");
    Put("Misc", {Make("r101"), Make("r108")}, "desk");
    ASSERT_TRUE(service_->DeleteRecords(context_, acme_, {.ids = {"r102", "r109"}}).ok());
    if (!page.has_more) {
      break;
    }
    request.offset = page.next_offset;
  }
  // r108 was changed by this device before its page came: that is no news.
  for (int i = 0; i < 30; ++i) {
    const std::string id = "r" + std::to_string(100 + i);
    EXPECT_EQ(told.contains(id), id != "r108") << id;
  }
}

TEST_F(RecordSyncTest, CursorsCarryWhereTheNextSyncBegins) {
  Put("Misc", {Make("a"), Make("b"), Make("c"), Make("d"), Make("e")}, "phone");
  const SyncPage first = Sync({.since = 1, .limit = 2});
  ASSERT_TRUE(first.has_more);
  clock_.Advance(std::chrono::hours(1));
  const SyncPage second = Sync({.since = 1, .limit = 2, .cursor = first.next_cursor});
  EXPECT_THAT(Ids(second.records), ElementsAre("c", "d"));
  EXPECT_EQ(second.next_since, first.next_since);
  EXPECT_EQ(second.next_offset, 4u);
  const SyncPage last = Sync({.since = 1, .limit = 2, .cursor = second.next_cursor});
  EXPECT_THAT(Ids(last.records), ElementsAre("e"));
  EXPECT_FALSE(last.has_more);
  EXPECT_EQ(last.next_since, first.next_since);
  for (const char* bad : {"x", "!!!!", "YQ==", "MTox", "MTox:"}) {
    EXPECT_EQ(service_->SyncByLastModified(context_, acme_, {.cursor = bad}).code(),
              Code::kInvalidArgument)
        << bad;
  }
  EXPECT_EQ(service_
                ->SyncByLastModified(context_, acme_,
                                     {.limit = 2, .offset = 2, .cursor = first.next_cursor})
                .code(),
            Code::kInvalidArgument);
  EXPECT_EQ(service_->SyncByLastModified(context_, acme_, {.limit = 0}).code(),
            Code::kInvalidArgument);
}

TEST_F(RecordSyncTest, PurgedDeletionsRefuseSyncsThatNeedThem) {
  Put("Misc", {Make("a"), Make("b")}, "phone");
  const int64_t since = Now();
  ASSERT_TRUE(service_->DeleteRecords(context_, acme_, {.ids = {"a"}}).ok());
  EXPECT_EQ(service_->PurgeDeleted(context_, "records", ToMicros()).code(), Code::kInvalidArgument);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(*service_->PurgeDeleted(context_, "records", ToMicros() - 1'800'000'000), 1u);
  EXPECT_EQ(*gateway_->Count(context_, {.collection = "records"}), 1u);
  const auto old = service_->SyncByLastModified(context_, acme_, {.since = since});
  EXPECT_EQ(old.code(), Code::kOutOfRange);
  EXPECT_THAT(old.error().message, HasSubstr("sync from the beginning"));
  EXPECT_THAT(Ids(Sync({}).records), ElementsAre("b"));
  EXPECT_THAT(Sync({.since = ToMicros() - 1'000'000'000}).records, IsEmpty());
}

// A write that has its stamp and has not reached the store yet, while a device syncs.
class HeldWrite : public RecordSyncTest {
 protected:
  using RecordSyncTest::RecordSyncTest;

  // What the device is told by the sync after the one that could not see it.
  std::vector<Record> TellAfterwards() {
    std::atomic<bool> held = false;
    std::atomic<bool> release = false;
    store_.on_call = [&](StoreCall call) {
      if (call == StoreCall::kUpsert && !held.exchange(true)) {
        held.notify_all();
        release.wait(false);
      }
    };
    std::jthread writer([&] { Put("Misc", {Make("slow")}, "phone"); });
    held.wait(false);
    clock_.Advance(std::chrono::seconds(3));
    const SyncPage first = Sync({.since = 1, .device_id = "desk"});
    EXPECT_THAT(first.records, IsEmpty());
    release = true;
    release.notify_all();
    writer.join();
    store_.on_call = nullptr;
    return Sync({.since = first.next_since, .device_id = "desk"}).records;
  }
};

TEST_F(HeldWrite, IsToldByTheNextSync) { EXPECT_THAT(Ids(TellAfterwards()), ElementsAre("slow")); }

class HeldWriteWithoutOverlap : public HeldWrite {
 protected:
  static RecordServiceOptions Options() {
    RecordServiceOptions options;
    options.late_writes = options.clock_skew = std::chrono::milliseconds(0);
    options.write_timeout = std::chrono::milliseconds(1'000);
    return options;
  }
  HeldWriteWithoutOverlap() : HeldWrite(Options()) {}
};

// Shows what the overlap is for: a write slower than it allows for is passed over. (Its timeout
// ends such a write; the store of this test does not honour it.)
TEST_F(HeldWriteWithoutOverlap, WouldBeMissed) { EXPECT_THAT(TellAfterwards(), IsEmpty()); }

// Devices that follow writers end with what the store holds.
class FollowingDevice : public RecordSyncTest {
 protected:
  // Applies what it is told, page by page; returns where the next sync begins.
  int64_t Follow(int64_t since, std::map<std::string, std::string>& known) {
    SyncRequest request{.since = since, .device_id = "follower", .limit = 5};
    for (;;) {
      const SyncPage page = Sync(request);
      for (const Record& record : page.records) {
        const std::string id = std::get<std::string>(record.key.key);
        if (IsDeletion(record)) {
          known.erase(id);
        } else {
          known[id] = TextOf(record, "title");
        }
      }
      if (!page.has_more) {
        return *page.next_since;
      }
      request.cursor = page.next_cursor;
    }
  }

  void WriteALot(int writer) {
    const std::string device = "writer" + std::to_string(writer);
    SeededRandom random(static_cast<uint64_t>(writer));
    for (int i = 0; i < 300; ++i) {
      const std::string id = "r" + std::to_string(random.Below(40));
      const std::string title = device + " " + std::to_string(i);
      clock_.Advance(std::chrono::milliseconds(random.Below(900)));
      switch (random.Below(4)) {
        case 0:
          EXPECT_TRUE(
              service_
                  ->DeleteRecords(context_, acme_,
                                  {.ids = {id}, .origin = {.device = {}, .device_id = device}})
                  .ok());
          break;
        case 1: {
          RecordUpdate change{.unique_id = id};
          change.properties.fields = {{"title", title}};
          change.origin.device_id = device;
          const auto updated = service_->UpdateRecord(context_, acme_, change);
          EXPECT_TRUE(updated.ok() || updated.code() == Code::kNotFound);
          break;
        }
        default:
          Put("Note", {Make(id, {{"title", title}})}, device);
      }
    }
  }
};

TEST_F(FollowingDevice, MissesNothingWhileOthersWrite) {
  std::map<std::string, std::string> known;
  int64_t since = 1;
  std::atomic<int> writing = 3;
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 3; ++writer) {
      writers.emplace_back([&, writer] {
        WriteALot(writer);
        --writing;
      });
    }
    while (writing > 0) {
      since = Follow(since, known);
    }
  }
  since = Follow(since, known);
  std::map<std::string, std::string> stored;
  const auto found = service_->QueryByFilter(context_, acme_, {.top_k = 100});
  ASSERT_TRUE(found.ok());
  for (const Record& record : found->records) {
    stored[std::get<std::string>(record.key.key)] = TextOf(record, "title");
  }
  EXPECT_FALSE(stored.empty());
  EXPECT_EQ(known, stored);
}

TEST_F(RecordSyncTest, MergesOfOneRecordAreNeverLost) {
  Put("Misc", {Make("n")});
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([&, writer] {
        for (int i = 0; i < 25; ++i) {
          RecordUpdate change{.unique_id = "n"};
          change.properties.dynamic = "{\"w" + std::to_string(writer * 100 + i) + "\": 1}";
          EXPECT_TRUE(service_->UpdateRecord(context_, acme_, change).ok());
        }
      });
    }
  }
  const std::string dynamic = Find("n")->dynamic;
  EXPECT_EQ(std::count(dynamic.begin(), dynamic.end(), 'w'), 100);
}

}  // namespace
}  // namespace roost
