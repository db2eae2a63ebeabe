#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace roost {

/// RFC 3339 ("2025-01-31T12:00:00.5Z", "…+02:00"; also a blank for the T, and a date alone:
/// midnight UTC) as microseconds since 1970-01-01 UTC. More than six digits of a second are cut.
/// Nothing for other text and for dates that do not exist.
std::optional<int64_t> ParseTimestamp(std::string_view text);
/// "2025-01-31T12:00:00Z", with a fraction of three or six digits where there is one.
std::string FormatTimestamp(int64_t micros);

/// The UUID in lower case; nothing for text that is not 8-4-4-4-12 hex digits.
std::optional<std::string> NormalizeUuid(std::string_view text);

/// Strict UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);
/// Bytes before the first that is not part of strict UTF-8; all of them where there is none.
size_t Utf8Prefix(std::string_view text);
/// The code point that starts at `position` and the position after it. Precondition: IsUtf8(text),
/// position < text.size().
char32_t NextCodePoint(std::string_view text, size_t& position);

}  // namespace roost
