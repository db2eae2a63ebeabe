#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metadata/commit_queue.h"
#include "metadata/control_store.h"
#include "metadata/postgres_claim.h"
#include "net/pg_connection.h"

namespace roost {

/// The one session that writes to a control store, and what becomes of its commits when it is lost.
/// One thread calls it, but for CheckHeld.
class PostgresWriter {
 public:
  using Job = CommitQueue::Job;

  /// `session` holds the claim.
  PostgresWriter(const PostgresControlOptions& options, PgOptions sessions, PostgresClaim claim,
                 std::unique_ptr<PgConnection> session);
  /// Gives the claim back.
  ~PostgresWriter();

  /// Carries the jobs out, in order, in as few commits as possible, and fills in their statuses.
  void CarryOut(std::span<Job> jobs);
  /// Sees to it that the session stands, and renews the lease.
  void KeepAlive();
  /// Thread safe.
  Status CheckHeld() const;

 private:
  /// One try at the server, with the number that its transaction must store (CountCommit).
  using Attempt = std::function<Status(const RequestContext&, uint64_t number)>;

  void CarryRun(std::span<Job> run);
  void Reserve(std::span<Job> jobs);
  Status Commit(const Attempt& attempt, std::chrono::milliseconds more = {});
  Status CommitPlain(std::span<Job> run);
  Status CommitOne(const Job& job);
  bool Fenced() const;
  Status Connect();
  Status Reconnect();
  void Extend(SteadyTime sent);
  void Fence(const Error& error);
  RequestContext Call(std::chrono::milliseconds more = {}) const;

  const PostgresControlOptions options_;
  const PgOptions sessions_;
  PostgresClaim claim_;
  std::unique_ptr<PgConnection> session_;
  uint64_t confirmed_ = 0;  ///< number of the newest commit that is known to have landed
  std::optional<SteadyTime> away_since_;
  SteadyTime next_connect_{};
  Error last_failure_;

  std::atomic<int64_t> held_until_;  ///< SteadyTime's count; the greatest: forever
  mutable std::mutex mutex_;
  std::optional<Error> fenced_;  ///< under mutex_: why nothing may be done any more
};

}  // namespace roost
