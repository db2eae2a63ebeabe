#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/vector_store.h"

namespace roost {

/// What the suite needs to try a store.
struct ConformanceTarget {
  std::string name;                                    ///< of the test suite, e.g. "Embedded"
  std::function<std::unique_ptr<VectorStore>()> make;  ///< a connected store, one a test
  /// Collections get this prefix, so that runs on one server do not meet.
  std::string prefix;
  /// A second `make()` while the first store lives reaches the same collections, as with a server.
  bool shared = false;
  /// docs/stores.md has a column about it, which one more test compares with what it claims.
  bool documented = false;
};

/// Registers every conformance test for the target with GoogleTest. Call before RUN_ALL_TESTS, e.g.
/// from a static initialiser of the adapter's conformance test. What capabilities() does not claim
/// is tested for a clear refusal (kUnimplemented or kInvalidArgument) instead.
void RegisterConformanceTests(ConformanceTarget target);

/// The suite's tests by name, to run one on purpose against a store that is known to be wrong.
std::vector<std::string> ConformanceTestNames();
/// Runs one test without GoogleTest's bookkeeping; what it found wrong, empty when it passed.
/// Precondition: the name is one of ConformanceTestNames().
std::vector<std::string> RunConformanceTest(const std::string& test,
                                            const ConformanceTarget& target);

}  // namespace roost
