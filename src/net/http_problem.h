#pragma once

#include <string_view>

#include "net/http_server.h"

namespace roost {

/// A problem+json reply whose HTTP status is more exact than the one of `error.code`: 413, 431,
/// 408.
HttpResponse ProblemWithStatus(int status, const Error& error, std::string_view request_id);

}  // namespace roost
