#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "net/pg_connection.h"

namespace roost {

struct PgPoolOptions {
  size_t max_connections = 16;
  std::chrono::milliseconds max_lifetime{30 * 60'000};  ///< then a session is renewed
  /// A session idle for longer is asked "SELECT 1" before it is handed out.
  std::chrono::milliseconds check_after{30'000};
};

/// A bounded set of sessions to one database. Thread safe; outlives its leases.
class PgPool {
 public:
  /// Called once for each new session before it is handed out.
  using Greet = std::function<Status(const RequestContext&, PgConnection&)>;

  struct Stats {
    size_t open = 0;
    size_t idle = 0;
    size_t waiting = 0;  ///< calls that wait for a session
  };

  /// A session for the time of one call; goes back when destroyed, or is closed when unusable.
  class Lease {
   public:
    Lease(PgPool* pool, std::unique_ptr<PgConnection> connection, SteadyTime opened)
        : pool_(pool), connection_(std::move(connection)), opened_(opened) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    PgConnection& operator*() const { return *connection_; }
    PgConnection* operator->() const { return connection_.get(); }

   private:
    PgPool* pool_;
    std::unique_ptr<PgConnection> connection_;
    SteadyTime opened_;
  };

  /// `clock` outlives the pool.
  PgPool(PgOptions options, PgPoolOptions pool_options, Clock& clock, Greet greet = {});
  ~PgPool();
  PgPool(const PgPool&) = delete;
  PgPool& operator=(const PgPool&) = delete;

  /// Waits for a free session until the context's end. Sessions that died while idle are replaced.
  Result<Lease> Acquire(const RequestContext& context);
  /// Closes every idle session, e.g. after the server changed underneath.
  void CloseIdle();
  Stats stats() const;

 private:
  struct Idle {
    std::unique_ptr<PgConnection> connection;
    SteadyTime opened;
    SteadyTime since;
  };

  Status WaitForSlot(const RequestContext& context, std::unique_lock<std::mutex>& lock);
  bool Fit(const RequestContext& context, Idle& idle) const;
  Result<std::unique_ptr<PgConnection>> Open(const RequestContext& context) const;
  void GiveBack(std::unique_ptr<PgConnection> connection, SteadyTime opened);
  void FreeSlot();

  const PgOptions options_;
  const PgPoolOptions pool_options_;
  Clock& clock_;
  const Greet greet_;

  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<Idle> idle_;
  size_t open_ = 0;  ///< leased, being opened, or idle
  size_t waiting_ = 0;
};

}  // namespace roost
