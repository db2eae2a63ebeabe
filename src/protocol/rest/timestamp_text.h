#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace roost::rest {

/// Microseconds since 1970 UTC of RFC 3339 text with a zone: "2024-05-01T12:00:00.5+02:00". Digits
/// beyond microseconds are cut. kInvalidArgument otherwise.
Result<int64_t> ParseRfc3339(std::string_view text);

}  // namespace roost::rest
