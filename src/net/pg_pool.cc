#include "net/pg_pool.h"

#include <utility>

#include "base/executor.h"

namespace roost {

PgPool::Lease::~Lease() {
  if (connection_ != nullptr) {
    pool_->GiveBack(std::move(connection_), opened_);
  }
}

PgPool::PgPool(PgOptions options, PgPoolOptions pool_options, Clock& clock, Greet greet)
    : options_(std::move(options)),
      pool_options_(pool_options),
      clock_(clock),
      greet_(std::move(greet)) {}

PgPool::~PgPool() = default;

Status PgPool::WaitForSlot(const RequestContext& context, std::unique_lock<std::mutex>& lock) {
  const auto free = [this] { return !idle_.empty() || open_ < pool_options_.max_connections; };
  if (free()) {
    return {};
  }
  const BlockingSection blocking;
  ++waiting_;
  const auto until = context.deadline.infinite()
                         ? std::chrono::steady_clock::now() + std::chrono::hours(24)
                         : context.deadline.time;
  const bool got = freed_.wait_until(lock, context.stop, until, free);
  --waiting_;
  if (got) {
    return {};
  }
  if (context.stop.stop_requested()) {
    return Cancelled("the request was cancelled while waiting for a PostgreSQL connection");
  }
  return DeadlineExceeded("no PostgreSQL connection became free in time; all " +
                          std::to_string(pool_options_.max_connections) +
                          " are in use (raise the pool's size or lower the load)");
}

Result<PgPool::Lease> PgPool::Acquire(const RequestContext& context) {
  TRY(context.CheckAlive("waiting for a PostgreSQL connection"));
  while (true) {
    Idle idle;
    {
      std::unique_lock lock(mutex_);
      TRY(WaitForSlot(context, lock));
      if (idle_.empty()) {
        ++open_;
      } else {
        idle = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (idle.connection == nullptr) {
      break;
    }
    if (Fit(context, idle)) {
      return Lease(this, std::move(idle.connection), idle.opened);
    }
    idle.connection.reset();
    FreeSlot();
  }
  auto opened = Open(context);
  if (!opened.ok()) {
    FreeSlot();
    return opened.error();
  }
  return Lease(this, *std::move(opened), clock_.Now());
}

bool PgPool::Fit(const RequestContext& context, Idle& idle) const {
  const SteadyTime now = clock_.Now();
  if (now - idle.opened > pool_options_.max_lifetime || !idle.connection->LooksAlive()) {
    return false;
  }
  if (now - idle.since <= pool_options_.check_after) {
    return true;
  }
  return idle.connection->Run(context.WithTimeout(options_.connect_timeout), "SELECT 1").ok() &&
         idle.connection->usable();
}

Result<std::unique_ptr<PgConnection>> PgPool::Open(const RequestContext& context) const {
  auto connection = TRY(PgConnection::Connect(context, options_));
  if (greet_) {
    TRY(greet_(context, *connection));
  }
  return connection;
}

void PgPool::GiveBack(std::unique_ptr<PgConnection> connection, SteadyTime opened) {
  if (!connection->LooksAlive()) {
    connection.reset();
    FreeSlot();
    return;
  }
  const std::lock_guard lock(mutex_);
  idle_.push_back({.connection = std::move(connection), .opened = opened, .since = clock_.Now()});
  freed_.notify_one();
}

void PgPool::FreeSlot() {
  const std::lock_guard lock(mutex_);
  --open_;
  freed_.notify_one();
}

void PgPool::CloseIdle() {
  std::vector<Idle> closed;
  {
    const std::lock_guard lock(mutex_);
    closed.swap(idle_);
    open_ -= closed.size();
    freed_.notify_all();
  }
}

PgPool::Stats PgPool::stats() const {
  const std::lock_guard lock(mutex_);
  return {.open = open_, .idle = idle_.size(), .waiting = waiting_};
}

}  // namespace roost
