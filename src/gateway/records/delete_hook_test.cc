#include "gateway/records/delete_hook.h"

#include <atomic>

#include "gateway/records/record_testing.h"
#include "store/store_testing.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DeleteHookTest : public RecordTest {
 protected:
  // A hook that takes everything, or nothing, and keeps the bodies.
  DeleteHook::Send Receiver() {
    return [this](const RequestContext&, const std::string& body) -> Status {
      const std::lock_guard lock(mutex_);
      if (!takes_) {
        return Unavailable("away");
      }
      bodies_.push_back(body);
      return {};
    };
  }
  std::vector<std::string> Bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  void Take(bool takes) {
    const std::lock_guard lock(mutex_);
    takes_ = takes;
  }
  size_t Waiting() {
    auto pending = service_->PendingPaths(context_, "records", 100);
    EXPECT_TRUE(pending.ok());
    return pending->size();
  }
  void Delete(std::vector<std::string> ids, std::vector<std::string> paths = {}) {
    const auto deleted = service_->DeleteRecords(
        context_, acme_, {.ids = std::move(ids), .record_type = {}, .s3_paths = std::move(paths)});
    ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  }

  std::mutex mutex_;
  bool takes_ = true;
  std::vector<std::string> bodies_;
};

TEST_F(DeleteHookTest, ObjectsOfDeletedRecordsAreHandedOver) {
  Put("Misc", {Make("a", {{"s3_path", "s3://x/a"}}), Make("b")});
  DeleteHook hook({.url = "http://hook"}, Receiver(), *service_, *metrics_);
  service_->OnPendingPaths([&] { hook.Notify(); });
  Delete({"a", "b", "none"}, {"", "s3://x/b", "s3://x/\"none\""});
  ASSERT_TRUE(Await([&] { return Waiting() == 0; }));
  std::string all;
  for (const std::string& body : Bodies()) {
    all += body;
  }
  EXPECT_THAT(all, HasSubstr(R"("tenant":"acme","unique_id":"a","record_type":"Misc")"));
  EXPECT_THAT(all, HasSubstr(R"("s3_paths":["s3://x/a"])"));
  EXPECT_THAT(all, HasSubstr(R"("s3_paths":["s3://x/b"])"));
  // An absent record's object too: a caller that tries again after a crash must not lose it.
  EXPECT_THAT(all, HasSubstr(R"("s3_paths":["s3://x/\"none\""])"));
  EXPECT_THAT(metrics_->Render(), HasSubstr("roost_delete_hook_records_total 3"));
}

TEST_F(DeleteHookTest, WhatWasNotTakenIsTriedAgainAlsoByAnotherProcess) {
  Put("Misc", {Make("a", {{"s3_path", "s3://x/a"}})});
  Delete({"a"});
  Take(false);
  {
    std::atomic<int> calls = 0;
    DeleteHook hook(
        {.retry_after = std::chrono::milliseconds(1)},
        [&](const RequestContext&, const std::string&) -> Status {
          ++calls;
          return Unavailable("away");
        },
        *service_, *metrics_);
    ASSERT_TRUE(Await([&] { return calls > 3; }));
    EXPECT_EQ(Waiting(), 1u);
  }
  Take(true);
  DeleteHook next({}, Receiver(), *service_, *metrics_);
  ASSERT_TRUE(Await([&] { return Waiting() == 0; }));
  EXPECT_EQ(Bodies().size(), 1u);
}

TEST_F(DeleteHookTest, RecordsThatAreMadeAnewStillHandTheirOldObjectOver) {
  Put("Misc", {Make("a", {{"s3_path", "s3://x/old"}}), Make("b", {{"s3_path", "s3://x/b"}})});
  Delete({"a", "b"});
  Put("Misc", {Make("a", {{"s3_path", "s3://x/new"}}), Make("b", {{"s3_path", "s3://x/b"}})});
  auto pending = service_->PendingPaths(context_, "records", 100);
  ASSERT_EQ(pending->size(), 1u) << "b points to its object again";
  EXPECT_THAT(PendingPathsOf(pending->front()), ElementsAre("s3://x/old"));
  DeleteHook hook({}, Receiver(), *service_, *metrics_);
  ASSERT_TRUE(Await([&] { return Waiting() == 0; }));
  EXPECT_EQ(TextOf(*Find("a"), "s3_path"), "s3://x/new");
}

TEST_F(DeleteHookTest, PurgeKeepsWhatIsNotHandedOver) {
  Put("Misc", {Make("a", {{"s3_path", "s3://x/a"}}), Make("b")});
  Delete({"a", "b"});
  clock_.Advance(std::chrono::hours(1));
  const int64_t before = ToUnixMicros(clock_.WallNow()) - 60'000'000;
  EXPECT_EQ(*service_->PurgeDeleted(context_, "records", before), 1u);
  EXPECT_EQ(Waiting(), 1u);
}

}  // namespace
}  // namespace roost
