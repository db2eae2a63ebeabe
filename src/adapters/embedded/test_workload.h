#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/test_support.h"

namespace roost::embedded {

/// Collections with their records: what a store should hold.
using Model = std::map<std::string, Records>;

/// One call of the scripted workload and what it does to the model.
struct Step {
  std::string name;
  std::function<Status(EmbeddedStore&)> run;
  std::function<void(Model&)> apply;
};

/// Creates, upserts, inserts, deletes, flushes, merges, compacts, snapshots (to kSnapshotFolder)
/// and drops, so that with TinyOptions every kind of file is written, replaced and removed.
std::vector<Step> ScriptedWorkload();
inline constexpr char kSnapshotFolder[] = "copy";
/// What the snapshot of the workload holds.
Model SnapshotModel();

/// What the store holds. A collection whose scan fails is a test failure.
Model ReadModel(EmbeddedStore& store);
testing::AssertionResult SameModel(const Model& actual, const Model& expected);

/// A power cut that loses nothing: what a kill of the process leaves.
class LosesNothing final : public Random {
 public:
  uint64_t Next() override { return uint64_t{1} << 63; }  // The middle of each choice: keep all.
};

}  // namespace roost::embedded
