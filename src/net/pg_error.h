#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

/// What one of PostgreSQL's five-character SQLSTATEs means to us; kUnknown for those not in the
/// table.
Code PgErrorCode(std::string_view sqlstate);

/// "PostgreSQL: relation "x" does not exist (42P01)". `hint` may be empty.
Error PgError(std::string_view sqlstate, std::string_view message, std::string_view hint = {},
              std::string_view server = "PostgreSQL");

/// The error of a refused connection out of libpq's text, which holds the SQLSTATE when verbose.
/// `where` names host and port. The error says what to check.
Error PgConnectError(std::string_view where, std::string_view text);

}  // namespace roost
