#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/opensearch/opensearch_tokens.h"
#include "store/filter.h"
#include "store/types.h"

namespace roost {

/// Conditions on one operand: the pieces OsPrintFilter is made of. Pure.

inline constexpr std::string_view kOsMatchAll = R"({"match_all":{}})";
inline constexpr std::string_view kOsMatchNone = R"({"match_none":{}})";

/// {"bool":{"must_not":[…]}}
std::string OsNot(const std::string& query);
/// {"term":{"property":value}}
std::string OsTerm(std::string_view property, std::string_view json);

/// Whether conditions on the operand can be said at all.
bool OsHasProperty(const Operand& operand);
/// Whether the operand's values are words of kOsTokens rather than a property of their own.
bool OsIsTokenised(const Operand& operand);

// Precondition of all: OsHasProperty(left).
/// kNe is the caller's (not kEq).
std::string OsCompare(const Operand& left, Comparison comparison, const Value& literal);
std::string OsIn(const Operand& left, const Array& values);
std::string OsContains(const Operand& array, const Array& values, bool all);
std::string OsLike(const Operand& left, const std::string& pattern);
std::string OsPresent(const Operand& left);
std::string OsTextMatch(const Operand& left, const std::string& query);

/// "ab%" begins with a text and has no other pattern in it: then the text.
std::optional<std::string> OsPrefixOf(std::string_view pattern);
/// Whether the pattern is small enough for the server.
bool OsCanLike(std::string_view pattern);
/// Whether literals in a condition are short enough to be compared with strings that are cut.
bool OsIsComparable(const Value& literal);

}  // namespace roost
