#include <algorithm>
#include <ostream>

#include <gtest/gtest.h>

#include "store/conformance/conformance.h"
#include "store/conformance/defective_store.h"

namespace roost::conformance {
namespace {

std::vector<Defect> AllDefects() {
  auto all = WriteDefects();
  for (const auto& group : {ReadDefects(), SearchDefects(), LimitDefects()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

ConformanceTarget TargetWith(std::function<void(DefectiveStore&)> plant) {
  return {.name = "Defective",
          .make =
              [plant] {
                auto store = std::make_unique<DefectiveStore>(MakeFakeStore());
                plant(*store);
                return store;
              },
          .prefix = "d_",
          .shared = false};
}

TEST(ConformanceSuite, FindsEveryPlantedDefect) {
  for (const auto& defect : AllDefects()) {
    for (const auto& check : defect.found_by) {
      EXPECT_FALSE(RunConformanceTest(check, TargetWith(defect.plant)).empty())
          << check << " does not notice: " << defect.name;
    }
  }
}

TEST(ConformanceSuite, AcceptsAStoreWithoutDefects) {
  const auto names = ConformanceTestNames();
  for (const auto& defect : AllDefects()) {
    ASSERT_FALSE(defect.found_by.empty()) << defect.name;
    for (const auto& check : defect.found_by) {
      ASSERT_NE(std::find(names.begin(), names.end(), check), names.end())
          << check << " is no check of the suite";
    }
  }
  const std::vector<std::string> tried = {"DeleteForgets", "ExactSearch", "ScanPages",
                                          "TenantsAreIsolated", "FilterLogicAndNulls"};
  for (const auto& check : tried) {
    const auto failures = RunConformanceTest(check, TargetWith([](DefectiveStore&) {}));
    EXPECT_TRUE(failures.empty()) << check << ": " << failures.front();
  }
}

}  // namespace
}  // namespace roost::conformance
