// Disks that are full, fail to write or fail to sync, at every operation of a scripted workload.

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/embedded/test_workload.h"

namespace roost::embedded {
namespace {

/// A store on a disk that fills up.
struct FullDisk {
  /// Before the nth write only `room` bytes are left.
  FullDisk(int64_t writes, int64_t room) : writes_left(writes) {
    files.before_write = [this, room] {
      ++writes_seen;
      if (writes_left-- == 0) {
        disk->SetFaults({.free_bytes = room, .short_writes = true});
      }
    };
  }
  Result<std::unique_ptr<EmbeddedStore>> Open() {
    return OpenEmbeddedStore(TinyOptions(), files, clock, *metrics);
  }

  std::unique_ptr<FakeFileSystem> disk = FakeFileSystem::Make();
  HookedFiles files{*disk};
  FakeClock clock;
  std::unique_ptr<Metrics> metrics = MakeMetrics();
  int64_t writes_seen = 0;
  int64_t writes_left;
};

/// Runs the workload; each step that the full disk refuses is run again once there is room.
void RunOnFullDisk(FullDisk& disk, EmbeddedStore& store, Model& model) {
  for (const Step& step : ScriptedWorkload()) {
    SCOPED_TRACE(step.name);
    const Status status = step.run(store);
    if (!status.ok()) {
      ASSERT_EQ(status.code(), Code::kResourceExhausted) << status.error().ToString();
      EXPECT_NE(status.error().message.find("make room"), std::string::npos);
      EXPECT_FALSE(status.error().outcome_unknown);
      EXPECT_TRUE(SameModel(ReadModel(store), model)) << "reads go on, nothing half-done shows";
      ROOST_ASSERT_OK(store.CheckHealth({}));
      disk.disk->SetFaults({});
      const Status again = step.run(store);
      ASSERT_TRUE(again.ok()) << again.error().ToString();
    }
    step.apply(model);
  }
}

int64_t WritesOfWorkload() {
  FullDisk disk(1'000'000, 0);
  const auto store = disk.Open();
  EXPECT_TRUE(store.ok());
  Model model;
  RunOnFullDisk(disk, **store, model);
  return disk.writes_seen;
}

TEST(EmbeddedFaults, ADiskThatIsFullAtAnyWriteLosesNothingAndTheStoreGoesOn) {
  const int64_t writes = WritesOfWorkload();
  ASSERT_GT(writes, 60);
  for (int64_t n = 0; n < writes; ++n) {
    SCOPED_TRACE("write " + std::to_string(n));
    FullDisk disk(n, n % 3 == 0 ? 0 : n % 3 * 40);
    auto store = disk.Open();
    if (!store.ok()) {
      ASSERT_EQ(store.code(), Code::kResourceExhausted) << store.error().ToString();
      disk.disk->SetFaults({});
      store = disk.Open();
    }
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    Model model;
    RunOnFullDisk(disk, **store, model);
    ASSERT_LT(disk.writes_left, 0);
    disk.disk->SetFaults({});
    EXPECT_TRUE(SameModel(ReadModel(**store), model));
    SeededRandom random(static_cast<uint64_t>(n));
    disk.disk->SetFaults({.power_off_after = 0});
    store.value().reset();
    disk.disk->Crash(random);
    store = disk.Open();
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    EXPECT_TRUE(SameModel(ReadModel(**store), model));
    if (HasFailure()) {
      return;
    }
  }
}

/// What a failing disk did to the workload.
struct Failed {
  Model before;  ///< all that was acknowledged
  Model after;   ///< with the step that failed
  bool read_only = false;
};

/// Runs the workload up to a step after which the store is read-only. Steps that fail otherwise
/// (files that can be made again) are run again.
void RunWithFault(EmbeddedStore& store, Failed& failed) {
  for (const Step& step : ScriptedWorkload()) {
    SCOPED_TRACE(step.name);
    step.apply(failed.after);
    const Status status = step.run(store);
    if (!status.ok() && !store.CheckHealth({}).ok()) {
      failed.read_only = true;
      return;
    }
    if (!status.ok()) {
      ASSERT_FALSE(status.error().outcome_unknown) << status.error().ToString();
      const Status again = step.run(store);
      ASSERT_TRUE(again.ok()) << again.error().ToString();
    }
    failed.before = failed.after;
  }
}

void ExpectReadOnly(EmbeddedStore& store, const Failed& failed) {
  const Model shown = ReadModel(store);
  const auto before = SameModel(shown, failed.before);
  if (!before) {
    EXPECT_TRUE(SameModel(shown, failed.after)) << before.message();
  }
  const Status refused[] = {Create(store, TestSchema("more")),
                            Put(store, "things", {TestRecord("new", 1)}),
                            Erase(store, "things", {KeyOf("k7")})};
  for (const Status& status : refused) {
    // The workload's first steps fail before there is a collection.
    if (status.code() != Code::kNotFound) {
      EXPECT_EQ(status.code(), Code::kUnavailable) << "no write may be taken";
      EXPECT_NE(status.error().message.find("restart"), std::string::npos)
          << status.error().message;
    }
  }
}

using MakeFault = FakeFileSystem::Faults (*)(int64_t n);

/// Runs the workload with the nth operation of a kind failing, for every n, until n is never met.
void ExpectNothingLost(MakeFault fault, bool& any_read_only) {
  bool met = true;
  for (int64_t n = 0; met; ++n) {
    ASSERT_LT(n, 2'000);
    SCOPED_TRACE("failure " + std::to_string(n));
    TestDisk disk;
    Failed failed;
    auto store = disk.MustOpen();
    ASSERT_NE(store, nullptr);
    disk.files().SetFaults(fault(n));
    RunWithFault(*store, failed);
    if (failed.read_only) {
      disk.files().SetFaults({});
      ExpectReadOnly(*store, failed);
    }
    met = failed.read_only || n < 40;
    any_read_only = any_read_only || failed.read_only;
    SeededRandom random(static_cast<uint64_t>(n));
    disk.PowerCut(store, random);
    store = disk.MustOpen();
    ASSERT_NE(store, nullptr);
    const Model model = ReadModel(*store);
    const auto before = SameModel(model, failed.before);
    if (!before) {
      EXPECT_TRUE(SameModel(model, failed.after)) << before.message();
    }
    ROOST_ASSERT_OK(store->CheckHealth({}));
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

TEST(EmbeddedFaults, AFailedSyncMakesTheStoreReadOnlyAndLosesNothing) {
  bool read_only = false;
  ExpectNothingLost([](int64_t n) { return FakeFileSystem::Faults{.fail_sync_after = n}; },
                    read_only);
  EXPECT_TRUE(read_only);
}

TEST(EmbeddedFaults, AFailedWriteLosesNothing) {
  bool read_only = false;
  ExpectNothingLost(
      [](int64_t n) {
        return FakeFileSystem::Faults{.fail_write_after = n, .short_writes = n % 2 == 0};
      },
      read_only);
  EXPECT_TRUE(read_only);
}

TEST(EmbeddedFaults, ASecondProcessIsRefusedAndToldWhoHoldsTheFolder) {
  const std::string folder = testing::TempDir() + "roost_embedded_lock_" + std::to_string(getpid());
  const auto files = MakePosixFileSystem();
  const auto metrics = MakeMetrics();
  SystemClock clock;
  {
    const auto store = OpenEmbeddedStore(TinyOptions(folder), *files, clock, *metrics);
    ROOST_ASSERT_OK(store);
    const std::string owner = std::to_string(getpid());
    const pid_t child = fork();
    if (child == 0) {
      const auto second = OpenEmbeddedStore(TinyOptions(folder), *files, clock, *metrics);
      const bool refused = second.code() == Code::kFailedPrecondition &&
                           second.error().message.find(folder) != std::string::npos &&
                           second.error().message.find(owner) != std::string::npos;
      _exit(refused ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    ROOST_ASSERT_OK(Create(**store, TestSchema()));  // The first is unharmed.
  }
  EXPECT_TRUE(files->RemoveAll(folder).ok());
}

}  // namespace
}  // namespace roost::embedded
