// The suite that every store passes, against a real server.

#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/opensearch/opensearch_testing.h"
#include "store/conformance/conformance.h"

namespace roost {
namespace {

const bool kRegistered = [] {
  RegisterConformanceTests({.name = "OpenSearch",
                            .make = [] { return OpenStore(SharedServer()); },
                            .prefix = "os" + std::to_string(getpid()) + "_",
                            .shared = true,
                            .documented = true});
  return true;
}();

}  // namespace
}  // namespace roost
