#pragma once

// What this folder's tests with a real server share.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapters/milvus/milvus_store.h"
#include "milvus_peer.h"
#include "store/store_testing.h"

namespace roost {

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

}  // namespace roost
