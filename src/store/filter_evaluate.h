#pragma once

#include <string_view>

#include "store/filter.h"

namespace roost {

/// The reference meaning of filter.h, value by value.

/// False where either is null or the two are of unlike kinds, but kNe is always not kEq.
bool CompareValues(const Value& left, Comparison comparison, const Value& right);
/// Null where there is no finite result.
Value Calculate(const Value& left, char op, const Value& right);
/// The operand's value for the record.
Value Evaluate(const Operand& operand, const Record& record);
/// Whether `text` matches the pattern of `like`.
bool LikeMatches(std::string_view text, std::string_view pattern);

}  // namespace roost
