#pragma once

#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "net/pg_connection.h"

namespace roost {

/// A schema file's text with the few words of SQLite's that PostgreSQL calls otherwise.
std::string ToPostgresSql(std::string_view sqlite);

/// Brings the schema to this program's version, each file in a transaction with the number that
/// says so. Several may call it at once on one database: they take turns. kFailedPrecondition,
/// nothing changed, when the schema's version is newer.
Status PreparePostgresSchema(const RequestContext& context, PgConnection& connection);

}  // namespace roost
