// The suite that every store passes, against a real server.

#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/pgvector/pgvector_store.h"
#include "base/clock.h"
#include "pgvector_peer.h"
#include "store/conformance/conformance.h"

namespace roost {
namespace {

SystemClock& TheClock() {
  static SystemClock clock;
  return clock;
}

Metrics& TheMetrics() {
  static const std::unique_ptr<Metrics> metrics = MakeMetrics();
  return *metrics;
}

std::unique_ptr<VectorStore> Open(bool indexed) {
  PgVectorOptions options;
  options.uri = SharedPgVectorPeer().uri();
  options.build_indexes = indexed;
  auto store = OpenPgVectorStore(options, TheClock(), TheMetrics());
  if (!store.ok()) {
    std::cerr << store.error().ToString() << "\n";
    std::exit(1);
  }
  return *std::move(store);
}

const bool kRegistered = [] {
  RegisterConformanceTests({.name = "PgVector",
                            .make = [] { return Open(true); },
                            .prefix = "pg" + std::to_string(getpid()) + "_",
                            .shared = true,
                            .documented = true});
  return true;
}();

}  // namespace
}  // namespace roost
