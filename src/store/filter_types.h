#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/filter.h"

namespace roost {

/// What can be compared with what. Messages have no position; the parser adds it.

/// `left ⟨comparison⟩ right`, turned so that a literal stands right, folded when both are literals.
Result<FilterPtr> MakeComparison(Operand left, Comparison comparison, Operand right);
/// `left in values`.
Result<FilterPtr> MakeIn(Operand left, Array values);
/// `left like pattern`.
Result<FilterPtr> MakeLike(Operand left, std::string pattern);
/// `left is null`.
Result<FilterPtr> MakeIsNull(Operand left);
/// `exists left`.
Result<FilterPtr> MakeExists(Operand left);
/// array_contains_all and _any; json_contains_… mean the same.
Result<FilterPtr> MakeArrayContains(FilterOp op, Operand left, Array values);
Result<FilterPtr> MakeTextMatch(Operand left, std::string query);
/// `left ⟨op⟩ right`, folded when both are literals.
Result<Operand> MakeArithmetic(Operand left, char op, Operand right);
/// A boolean where a condition is expected: a BOOL field, true, false.
Result<FilterPtr> MakeTruth(const Operand& operand);

FilterPtr MakeConstant(bool value);
FilterPtr MakeNot(FilterPtr child);

/// "field "price" is FLOAT", "the value is a string".
std::string DescribeOperand(const Operand& operand);

}  // namespace roost
