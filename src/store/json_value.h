#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "store/types.h"

namespace roost {

using JsonPath = std::vector<std::variant<std::string, int64_t>>;

/// Reading of canonical JSON (base/json.h). Text that is not canonical reads as null where it
/// breaks; nothing here fails or crashes.

/// As a Value: null, bool, integers that fit int64, other numbers as double, string, Array, and
/// Json for objects.
Value JsonToValue(std::string_view json);
/// What is at `path` (array positions from 0); null where there is nothing.
Value JsonAt(std::string_view json, const JsonPath& path);
/// The members of an object, names unescaped, values as canonical JSON; none for anything else.
std::vector<std::pair<std::string, std::string>> JsonMembers(std::string_view json);

/// Appends the value as JSON. Precondition: doubles are finite.
void AppendJsonValue(std::string& out, const Value& value);
/// A canonical object of these members, in any order, names unique; empty text for none.
std::string JsonObject(std::vector<std::pair<std::string, std::string>> members);

}  // namespace roost
