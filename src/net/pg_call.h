#pragma once

// The insides of PgConnection, shared by its source files.

#include <optional>
#include <string>
#include <string_view>

#include <libpq-fe.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/pg_connection.h"

namespace roost {

/// One call in progress: until when it may wait and what became of that.
struct PgConnection::Call {
  struct Waker {
    int wake;
    void operator()() const { eventfd_write(wake, 1); }
  };

  Call(const RequestContext& request, PgEffect its_effect, std::string_view what, int wake)
      : context(request), effect(its_effect), doing(what), limit(request.deadline) {
    eventfd_t stale = 0;
    eventfd_read(wake, &stale);
    on_stop.emplace(request.stop, Waker{wake});
  }

  const RequestContext& context;
  PgEffect effect;
  std::string_view doing;
  Deadline limit;
  bool flushed = false;      ///< the server may have all it needs to carry it out
  bool interrupted = false;  ///< cancelled; `why` says by what
  Error why;
  std::optional<std::stop_callback<Waker>> on_stop;
};

/// What a result in a pipeline belongs to.
struct PgConnection::Step {
  enum class Kind : uint8_t { kPrepare, kExecute, kDeallocate };
  Kind kind = Kind::kExecute;
  std::string sql;
  std::string name;
};

}  // namespace roost
