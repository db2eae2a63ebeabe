#pragma once

// What this folder's tests with a real server share.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapters/weaviate/weaviate_store.h"
#include "store/store_testing.h"
#include "weaviate_peer.h"

namespace roost {

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

}  // namespace roost
