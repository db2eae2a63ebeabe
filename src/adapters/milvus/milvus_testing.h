#pragma once

// What this folder's tests with a real server share.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/milvus/milvus_store.h"
#include "base/clock.h"
#include "milvus_peer.h"

namespace roost {

inline SystemClock& TestClock() {
  static SystemClock clock;
  return clock;
}

inline Metrics& TestMetrics() {
  static const std::unique_ptr<Metrics> metrics = MakeMetrics();
  return *metrics;
}

inline RequestContext Within(std::chrono::milliseconds time) {
  RequestContext context;
  context.deadline = Deadline::After(time);
  return context;
}

inline RequestContext Soon() { return Within(std::chrono::seconds(60)); }

/// The options for a server of tests/peers.
inline MilvusOptions OptionsFor(const MilvusPeer& peer, const std::string& sign_in = "",
                                const std::string& more = "") {
  MilvusOptions options;
  options.uri = "milvus://" + sign_in + "127.0.0.1:" + std::to_string(peer.port()) + more;
  return options;
}

/// The server that the tests of one binary share. Its clock ticks more often than a default one's,
/// where each strong read waits for 0.2 s; the suite makes some 1,500 of them.
inline MilvusPeer& QuickMilvus() {
  static const std::unique_ptr<MilvusPeer> peer = [] {
    auto launched =
        MilvusPeer::Launch({.data_folder = {}, .settings = {"proxy.timeTickInterval=20"}});
    if (!launched.ok()) {
      FailWithoutPeer(launched.error());
    }
    return *std::move(launched);
  }();
  return *peer;
}

inline MilvusOptions SharedServer() { return OptionsFor(QuickMilvus()); }

inline std::unique_ptr<VectorStore> OpenStore(const MilvusOptions& options) {
  auto store = OpenMilvusStore(options, TestClock(), TestMetrics());
  EXPECT_TRUE(store.ok()) << store.error().ToString();
  return store.ok() ? *std::move(store) : nullptr;
}

/// A name no other test has.
inline std::string FreshName() {
  static std::atomic<int> next{0};
  return "t" + std::to_string(getpid()) + "_" + std::to_string(next++);
}

/// Waits for what another thread or process does; false after a minute.
inline bool Await(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::After(std::chrono::seconds(60));
  while (!deadline.Passed()) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return condition();
}

/// VARCHAR keys, one integer field "n", a float vector "v" with L2.
inline CollectionSchema PlainSchema(uint32_t dimension = 4) {
  CollectionSchema schema;
  schema.name = FreshName();
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  schema.vectors = {{.name = "v", .dimension = dimension, .metric = Metric::kL2}};
  return schema;
}

inline Record PlainRow(std::string key, int64_t n, std::vector<float> v = {1, 2, 3, 4}) {
  Record record;
  record.key.key = std::move(key);
  record.fields["n"] = n;
  record.vectors["v"] = Vector::Floats(v);
  return record;
}

inline RecordKey KeyOf(std::string key, std::string tenant = "") {
  return {.tenant = std::move(tenant), .key = std::move(key)};
}

}  // namespace roost
