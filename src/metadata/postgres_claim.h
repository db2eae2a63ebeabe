#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/context.h"
#include "base/result.h"
#include "net/pg_connection.h"

namespace roost {

/// Who writes to a control store in PostgreSQL. For one thread.
///
/// The writing session holds an advisory lock, which the server gives up only when that session has
/// ended and with it its last transaction. So whoever holds the lock knows that no earlier
/// transaction of this writer can come any more. The row in table `gateway` outlives the session:
/// it says whose the store is and counts the writer's commits.
class PostgresClaim {
 public:
  struct Options {
    std::string id;
    bool exclusive = true;
    std::chrono::milliseconds lease{10'000};
  };

  explicit PostgresClaim(Options options) : options_(std::move(options)) {}

  /// The first session of this process. kFailedPrecondition when another gateway holds the store;
  /// waits for the lease of one that vanished.
  Status Take(const RequestContext& context, PgConnection& session);
  /// A later session, after the one before was lost: ends that one at the server. Fails for good,
  /// kFailedPrecondition, when the store was taken over meanwhile.
  Status TakeAgain(const RequestContext& context, PgConnection& session);
  /// Forgets the row, so that the next owner need not wait.
  void Release(const RequestContext& context, PgConnection& session);

  /// Of the newest commit that the server knew of at the last Take or TakeAgain.
  uint64_t commits() const { return commits_; }
  /// To be run inside each transaction.
  PgStatement CountCommit(uint64_t number) const;

 private:
  struct Owner {
    bool known = false;
    std::string id;
    std::string name;
    uint64_t commits = 0;
  };

  Status FindKeys(const RequestContext& context, PgConnection& session);
  Result<bool> TryLock(const RequestContext& context, PgConnection& session);
  void Unlock(const RequestContext& context, PgConnection& session);
  Result<int64_t> Holder(const RequestContext& context, PgConnection& session);
  Result<Owner> ReadOwner(const RequestContext& context, PgConnection& session);
  Status WriteRow(const RequestContext& context, PgConnection& session);
  Status AwaitLock(const RequestContext& context, PgConnection& session, int64_t dead_session);
  Error InUse(const PgConnection& session, const Owner& owner) const;

  const Options options_;
  int64_t store_key_ = 0;   ///< lock of the whole store: one owner, or many that share it
  int64_t writer_key_ = 0;  ///< lock of this writer; of the store's owner when exclusive
  int64_t session_ = 0;     ///< the server's process id of the session that holds the locks
  uint64_t commits_ = 0;
};

}  // namespace roost
