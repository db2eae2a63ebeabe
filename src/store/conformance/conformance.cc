#include "store/conformance/conformance.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "store/conformance/claims.h"
#include "store/conformance/trial.h"

namespace roost {
namespace conformance {
namespace {

Checks AllChecks() {
  Checks all;
  for (const auto& group :
       {CollectionChecks, ScalarChecks, RowChecks, VectorChecks, WriteChecks, FenceChecks,
        ConcurrencyChecks, ReadChecks, TenantChecks, FilterChecks, RandomFilterChecks, MetricChecks,
        SearchChecks, LimitChecks, TextChecks, ScanChecks, ContextChecks}) {
    Checks checks = group();
    std::move(checks.begin(), checks.end(), std::back_inserter(all));
  }
  return all;
}

class ConformanceTest : public testing::Test {
 public:
  ConformanceTest(ConformanceTarget target, Check check)
      : target_(std::move(target)), check_(std::move(check)) {}

  void TestBody() override {
    Trial trial(target_, check_.name);
    check_.run(trial);
  }

 private:
  ConformanceTarget target_;
  Check check_;
};

/// That docs/stores.md is right about the store; tests run at the root of the tree. Leaves the
/// claims in the report of the run, where tools/stores_table.py finds them.
class DocumentedTest : public testing::Test {
 public:
  explicit DocumentedTest(ConformanceTarget target) : target_(std::move(target)) {}

  void TestBody() override {
    const auto store = target_.make();
    RecordProperty("claims", StoreClaimsJson(store->capabilities()));
    std::ifstream file("docs/stores.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    const Status same = CheckDocumented(page, store->capabilities());
    EXPECT_TRUE(same.ok()) << ErrorOf(same);
  }

 private:
  ConformanceTarget target_;
};

}  // namespace
}  // namespace conformance

void RegisterConformanceTests(ConformanceTarget target) {
  if (target.documented) {
    testing::RegisterTest((target.name + "Conformance").c_str(), "DocsSayWhatTheStoreClaims",
                          nullptr, nullptr, __FILE__, __LINE__, [target]() -> testing::Test* {
                            return new conformance::DocumentedTest(target);
                          });
  }
  for (const auto& check : conformance::AllChecks()) {
    testing::RegisterTest((target.name + "Conformance").c_str(), check.name.c_str(), nullptr,
                          nullptr, __FILE__, __LINE__, [target, check]() -> testing::Test* {
                            return new conformance::ConformanceTest(target, check);
                          });
  }
}

std::vector<std::string> ConformanceTestNames() {
  std::vector<std::string> names;
  for (const auto& check : conformance::AllChecks()) {
    names.push_back(check.name);
  }
  return names;
}

std::vector<std::string> RunConformanceTest(const std::string& test,
                                            const ConformanceTarget& target) {
  testing::TestPartResultArray results;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &results);
    for (const auto& check : conformance::AllChecks()) {
      if (check.name == test) {
        conformance::Trial trial(target, check.name);
        check.run(trial);
      }
    }
  }
  std::vector<std::string> failures;
  for (int i = 0; i < results.size(); ++i) {
    if (results.GetTestPartResult(i).failed()) {
      failures.emplace_back(results.GetTestPartResult(i).message());
    }
  }
  return failures;
}

}  // namespace roost
