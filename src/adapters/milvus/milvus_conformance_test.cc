// The suite that every store passes, against a real server.

#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include "adapters/milvus/milvus_testing.h"
#include "store/conformance/conformance.h"

namespace roost {
namespace {

std::unique_ptr<VectorStore> Open() {
  auto store = OpenMilvusStore(OptionsFor(QuickMilvus()), TestClock(), TestMetrics());
  if (!store.ok()) {
    std::cerr << store.error().ToString() << "\n";
    std::exit(1);
  }
  return *std::move(store);
}

const bool kRegistered = [] {
  RegisterConformanceTests({.name = "Milvus",
                            .make = Open,
                            .prefix = "c" + std::to_string(getpid()) + "_",
                            .shared = true,
                            .documented = true});
  return true;
}();

}  // namespace
}  // namespace roost
