#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/filter.h"

namespace roost {

/// What the names and functions in a filter stand for. Messages have no position; the parser adds
/// it.

/// Key, tenant, declared field, or member of the dynamic field.
Result<Operand> ResolveFilterName(const CollectionSchema& schema, const std::string& name);
/// Adds `["member"]` or `[3]`.
Status AddFilterPathStep(Operand& operand, const Value& step);

struct FilterFunction {
  enum class Kind : uint8_t { kContains, kContainsAll, kContainsAny, kArrayLength, kTextMatch };
  std::string_view name;
  Kind kind = Kind::kContains;
};
/// By its name in lower or UPPER case; null where there is none.
const FilterFunction* FindFilterFunction(std::string_view name);
std::string UnknownFilterFunction(std::string_view name);
/// Every function but array_length.
Result<FilterPtr> MakeFilterCall(const FilterFunction& function, Operand left, Value argument);
Result<Operand> MakeArrayLength(Operand operand);

/// Parameters are booleans, numbers, strings and lists of these.
Status CheckFilterParameter(const Value& value);
/// About how much memory a copy of the value takes.
size_t FilterParameterBytes(const Value& value);

}  // namespace roost
