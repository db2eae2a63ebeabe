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

#include "adapters/weaviate/weaviate_store.h"
#include "base/clock.h"
#include "weaviate_peer.h"

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

/// The address of a peer, with more options ("&api_key=…").
inline std::string AddressOf(const WeaviatePeer& peer, const std::string& more = "") {
  return "weaviate://127.0.0.1:" + std::to_string(peer.port()) +
         "?grpc_port=" + std::to_string(peer.grpc_port()) + more;
}

inline WeaviateOptions SharedServer() {
  WeaviateOptions options;
  options.uri = AddressOf(SharedWeaviatePeer());
  return options;
}

inline std::unique_ptr<VectorStore> OpenStore(const WeaviateOptions& options) {
  auto store = OpenWeaviateStore(options, TestClock(), TestMetrics());
  EXPECT_TRUE(store.ok()) << store.error().ToString();
  return store.ok() ? *std::move(store) : nullptr;
}

/// A name no other test has.
inline std::string FreshName() {
  static std::atomic<int> next{0};
  return "t" + std::to_string(getpid()) + "_" + std::to_string(next++);
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

}  // namespace roost
