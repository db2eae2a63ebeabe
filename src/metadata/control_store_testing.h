#pragma once

// What this folder's tests with a real PostgreSQL share.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "metadata/control_store.h"
#include "net/pg_connection.h"
#include "pgvector_peer.h"

namespace roost {

inline RequestContext Soon() {
  return RequestContext{.deadline = Deadline::After(std::chrono::seconds(60))};
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

/// A session beside the store's own, to look and to get in its way.
inline std::unique_ptr<PgConnection> OpenSession(const std::string& uri) {
  auto options = ParsePgUri(uri);
  EXPECT_TRUE(options.ok());
  auto session = PgConnection::Connect(Soon(), *options);
  EXPECT_TRUE(session.ok()) << session.error().ToString();
  return session.ok() ? *std::move(session) : nullptr;
}

/// A number that a query gives; -1 when it fails.
inline int64_t Ask(PgConnection& session, const std::string& sql) {
  const auto result = session.Run(Soon(), sql, {}, PgEffect::kWrite);
  EXPECT_TRUE(result.ok()) << sql << ": " << result.error().ToString();
  return result.ok() && result->rows() > 0 && result->columns() > 0 ? result->Int(0, 0) : -1;
}

inline void Tell(PgConnection& session, const std::string& sql) {
  const Status status = session.Script(Soon(), sql, PgEffect::kWrite);
  EXPECT_TRUE(status.ok()) << sql << ": " << status.error().ToString();
}

/// An empty database on a test's server, dropped at the end.
class FreshDatabase {
 public:
  explicit FreshDatabase(PgVectorPeer& peer) : server_(peer.uri()) {
    static std::atomic<int> next{0};
    name_ = "control_" + std::to_string(getpid()) + "_" + std::to_string(next++);
    Tell(*OpenSession(server_), "CREATE DATABASE " + name_);
  }
  ~FreshDatabase() { Tell(*OpenSession(server_), "DROP DATABASE " + name_ + " WITH (FORCE)"); }
  FreshDatabase(const FreshDatabase&) = delete;
  FreshDatabase& operator=(const FreshDatabase&) = delete;

  std::string uri() const { return server_.substr(0, server_.rfind('/') + 1) + name_; }
  const std::string& name() const { return name_; }

 private:
  const std::string server_;
  std::string name_;
};

inline ControlTransaction PutSetting(const std::string& key, const std::string& value) {
  ControlTransaction t;
  t.put_settings = {{.key = key, .value = value}};
  return t;
}

}  // namespace roost
