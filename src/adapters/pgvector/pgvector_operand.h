#pragma once

#include <optional>
#include <string>

#include "adapters/pgvector/pgvector_table.h"
#include "net/pg_codec.h"
#include "store/filter.h"

namespace roost {

/// How an operand of a filter compares in SQL.
enum class SqlKind : uint8_t { kInt, kDouble, kText, kBool, kArray, kJson };

/// Prints operands and comparisons of a filter; the pieces PrintSql is made of.
class OperandPrinter {
 public:
  OperandPrinter(const PgTable& table, PgParams& params) : table_(table), params_(params) {}

  static SqlKind KindOf(const Operand& operand);
  /// Whether `operand` alone can be said.
  static bool CanPrint(const Operand& operand);

  /// The value as SQL, null where there is none. Precondition: not a literal.
  std::string Print(const Operand& operand);
  /// A condition, never null. kNe is the caller's (not kEq).
  std::string CompareLiteral(const Operand& left, Comparison comparison, const Value& literal);
  std::string CompareOperands(const Operand& left, Comparison comparison, const Operand& right);
  std::string In(const Operand& left, const Array& values);
  std::string Contains(const Operand& array, const Array& values, bool all);
  std::string Like(const Operand& left, const std::string& pattern);
  std::string IsNull(const Operand& operand);
  std::string TextMatch(const Operand& left, const std::string& query);

 private:
  std::string JsonPath(const Operand& operand);
  std::string Arithmetic(const Operand& operand);
  std::string CompareInt(const std::string& left, Comparison comparison, const Value& literal);
  std::string CompareDouble(const std::string& left, Comparison comparison, const Value& literal);
  std::string CompareJson(const std::string& json, Comparison comparison, const Value& literal);
  std::string CompareJsonNumber(const std::string& json, Comparison comparison,
                                const Value& literal);
  /// An array of those values that an element of the type can equal; `left_out` counts the others.
  std::string ArrayOf(DataType element, const Array& values, size_t& left_out);
  std::string Int(int64_t value) { return Parameter(params_.Int64(value)); }
  std::string Double(double value) { return Parameter(params_.Double(value)); }
  std::string Text(std::string_view value) { return Parameter(params_.Text(value)); }
  static std::string Parameter(size_t number) { return "$" + std::to_string(number); }

  const PgTable& table_;
  PgParams& params_;
};

}  // namespace roost
