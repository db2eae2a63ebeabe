#pragma once

// What this folder's tests with a real server share.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_store.h"
#include "net/pg_connection.h"
#include "pgvector_peer.h"
#include "store/store_testing.h"

namespace roost {

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

/// The table of a collection, as SQL names it.
inline std::string TableOf(PgConnection& session, const std::string& collection) {
  PgParams params;
  params.Text(collection);
  auto row = session.Run(Soon(), "SELECT table_name FROM roost_collections WHERE name = $1",
                         std::move(params));
  return row.ok() && row->rows() == 1 ? PgQuoteName(row->Text(0, 0)) : "(no table)";
}

}  // namespace roost
