// Power cuts at every operation of a scripted workload: what was acknowledged is there, what was
// deleted stays away, and a call that was under way happened whole or not at all.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/test_workload.h"

namespace roost::embedded {
namespace {

/// How far a run came before the power went.
struct Outcome {
  Model before;  ///< all that was acknowledged
  Model after;   ///< the same with the call that was under way; equal where there was none
  bool snapshot = false;
  std::string step = "none";
};

Outcome RunUntilPowerCut(TestDisk& disk, int64_t operations) {
  Outcome outcome;
  disk.files().SetFaults({.power_off_after = operations});
  auto store = disk.Open();
  if (!store.ok()) {
    outcome.step = "open";
    return outcome;
  }
  for (const Step& step : ScriptedWorkload()) {
    step.apply(outcome.after);
    if (!step.run(**store).ok()) {
      outcome.step = step.name;
      return outcome;
    }
    outcome.before = outcome.after;
    outcome.snapshot = outcome.snapshot || step.name == "snapshot";
  }
  outcome.step = "close";
  return outcome;
}

uint64_t OperationsOfWorkload() {
  TestDisk disk;
  const Outcome outcome = RunUntilPowerCut(disk, 1'000'000);
  EXPECT_EQ(outcome.step, "close");
  EXPECT_TRUE(outcome.snapshot);
  return disk.files().operations();
}

/// Opens after a crash and compares; leaves what is there in `model`.
void ExpectAcknowledged(TestDisk& disk, const Outcome& outcome, Model& model) {
  const auto store = disk.MustOpen();
  ASSERT_NE(store, nullptr);
  model = ReadModel(*store);
  const auto before = SameModel(model, outcome.before);
  if (!before) {
    EXPECT_TRUE(SameModel(model, outcome.after)) << before.message();
  }
}

/// The store works on: a write, a flush, a merge, another start.
void ExpectUsable(TestDisk& disk, Model model) {
  auto store = disk.MustOpen();
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(SameModel(ReadModel(*store), model)) << "a second start must find the same";
  if (model.contains("things")) {
    const Record record = TestRecord("k7", 77);
    ROOST_ASSERT_OK(Put(*store, "things", {record}));
    model["things"].insert_or_assign(record.key, record);
    ROOST_ASSERT_OK(store->Compact({}, "things"));
  }
  ROOST_ASSERT_OK(store->Verify({}));
  store.reset();
  store = disk.MustOpen();
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(SameModel(ReadModel(*store), model)) << "after a compaction";
}

void ExpectSnapshotIsWholeOrNone(TestDisk& disk, const Outcome& outcome) {
  const auto manifest = disk.files().Exists(std::string(kSnapshotFolder) + "/MANIFEST");
  ASSERT_TRUE(manifest.ok());
  if (outcome.snapshot || manifest.value()) {
    const auto copy = disk.MustOpen(TinyOptions(kSnapshotFolder));
    ASSERT_NE(copy, nullptr);
    EXPECT_TRUE(SameModel(ReadModel(*copy), SnapshotModel()));
  }
}

TEST(EmbeddedCrash, APowerCutAtAnyOperationLosesNothingAcknowledged) {
  const uint64_t operations = OperationsOfWorkload();
  ASSERT_GT(operations, 150u);
  for (uint64_t n = 0; n < operations; ++n) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
      TestDisk disk;
      const Outcome outcome = RunUntilPowerCut(disk, static_cast<int64_t>(n));
      SCOPED_TRACE("operation " + std::to_string(n) + " seed " + std::to_string(seed) + " in " +
                   outcome.step);
      SeededRandom random(n * 7 + seed);
      disk.files().Crash(random);
      Model model;
      ExpectAcknowledged(disk, outcome, model);
      ExpectSnapshotIsWholeOrNone(disk, outcome);
      if (seed == 0) {
        ExpectUsable(disk, model);
      }
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST(EmbeddedCrash, PowerCutsDuringRecoveryLoseNothingAcknowledged) {
  const uint64_t operations = OperationsOfWorkload();
  for (uint64_t n = 20; n < operations; n += 9) {
    for (int64_t again = 0; again < 8; ++again) {
      TestDisk disk;
      const Outcome outcome = RunUntilPowerCut(disk, static_cast<int64_t>(n));
      SCOPED_TRACE("operation " + std::to_string(n) + ", then " + std::to_string(again) + " in " +
                   outcome.step);
      SeededRandom random(n * 31 + static_cast<uint64_t>(again));
      disk.files().Crash(random);
      for (int64_t cut = again; cut >= 0; cut -= 3) {
        disk.files().SetFaults({.power_off_after = cut});
        static_cast<void>(disk.Open());
        disk.files().Crash(random);
      }
      Model model;
      ExpectAcknowledged(disk, outcome, model);
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST(EmbeddedCrash, AKillAtAnyOperationLosesNothingAcknowledged) {
  const uint64_t operations = OperationsOfWorkload();
  for (uint64_t n = 0; n < operations; n += 3) {
    TestDisk disk;
    const Outcome outcome = RunUntilPowerCut(disk, static_cast<int64_t>(n));
    SCOPED_TRACE("operation " + std::to_string(n) + " in " + outcome.step);
    LosesNothing random;
    disk.files().Crash(random);
    Model model;
    ExpectAcknowledged(disk, outcome, model);
    if (HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace roost::embedded
