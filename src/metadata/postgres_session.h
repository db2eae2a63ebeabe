#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "metadata/control_statements.h"
#include "net/pg_connection.h"

namespace roost {

/// `options` with what sessions of a control store need: the isolation that the statements are made
/// for, and an end by the server soon after the client has vanished.
PgOptions ControlSessions(PgOptions options);

/// Sees to it that the session's commits are durable when they are confirmed. kFailedPrecondition
/// when the server is too old or its database does not hold UTF-8.
Status PrepareControlSession(const RequestContext& context, PgConnection& session);

/// Connects and prepares.
Result<std::unique_ptr<PgConnection>> OpenControlSession(const RequestContext& context,
                                                         const PgOptions& options);

/// With the values copied.
PgStatement ToPostgres(const ControlStatement& statement);
PgParams ToPostgres(std::span<const ControlValue> values);

/// `text` with "?" for every byte that is not part of UTF-8 as PostgreSQL keeps it: no "\0",
/// nothing overlong, no surrogates.
std::string CleanText(std::string_view text);

}  // namespace roost
