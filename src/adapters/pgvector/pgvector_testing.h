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

#include "adapters/pgvector/pgvector_store.h"
#include "base/clock.h"
#include "net/pg_connection.h"
#include "pgvector_peer.h"

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

inline PgVectorOptions SharedServer() {
  PgVectorOptions options;
  options.uri = SharedPgVectorPeer().uri();
  options.build_indexes = false;
  return options;
}

inline std::unique_ptr<PgVectorStore> OpenStore(const PgVectorOptions& options) {
  auto store = OpenPgVectorStore(options, TestClock(), TestMetrics());
  EXPECT_TRUE(store.ok()) << store.error().ToString();
  return store.ok() ? *std::move(store) : nullptr;
}

/// A session beside the store's own, to look and to get in its way.
inline std::unique_ptr<PgConnection> OpenSession(const std::string& uri) {
  auto options = ParsePgUri(uri);
  EXPECT_TRUE(options.ok());
  auto session = PgConnection::Connect(Soon(), *options);
  EXPECT_TRUE(session.ok()) << session.error().ToString();
  return session.ok() ? *std::move(session) : nullptr;
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
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
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

/// The table of a collection, as SQL names it.
inline std::string TableOf(PgConnection& session, const std::string& collection) {
  PgParams params;
  params.Text(collection);
  auto row = session.Run(Soon(), "SELECT table_name FROM roost_collections WHERE name = $1",
                         std::move(params));
  return row.ok() && row->rows() == 1 ? PgQuoteName(row->Text(0, 0)) : "(no table)";
}

}  // namespace roost
