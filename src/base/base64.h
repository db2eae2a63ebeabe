#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

/// RFC 4648 with padding.
void AppendBase64(std::string& out, std::string_view bytes);
std::string EncodeBase64(std::string_view bytes);

/// kInvalidArgument names the character that does not belong.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace roost
