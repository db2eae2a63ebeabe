#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "adapters/milvus/milvus_condition.h"
#include "adapters/milvus/milvus_layout.h"
#include "store/filter.h"

namespace roost {

/// What a comparison is about, and how Milvus compares it.
struct MilvusTarget {
  enum class Kind : uint8_t { kInt, kFloat, kDouble, kText, kBool, kJson, kNone };
  Kind kind = Kind::kNone;               ///< kNone: Milvus cannot compare it as we do
  std::string text;                      ///< as an expression
  const MilvusColumn* column = nullptr;  ///< of the field whose null it shares; null: none
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
  bool only_equal = false;  ///< Milvus has no order for it
};

MilvusTarget TargetOf(const Operand& operand, const MilvusLayout& layout);
/// The members of a JSON field or of the dynamic field; empty where Milvus cannot go the path as
/// we do.
std::string JsonPathText(const Operand& operand, const MilvusLayout& layout);

/// The field has a value.
MilvusCondition Present(const MilvusColumn* column, const MilvusLayout& layout);
/// The condition for records whose field has a value. Without one Milvus holds a zero, false or
/// "", for which the condition `holds` or not.
MilvusCondition ForPresent(std::string text, bool holds, const MilvusTarget& target,
                           const MilvusLayout& layout);

/// The comparison with a literal; never kNe.
MilvusCondition CompareTarget(const MilvusTarget& target, Comparison comparison,
                              const Value& literal, const MilvusLayout& layout);

/// A value as Milvus' literal, for the type of a field or of an array's elements; nothing where no
/// stored value equals it.
std::optional<std::string> MilvusLiteral(DataType type, const Value& value);

}  // namespace roost
