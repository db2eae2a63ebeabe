#include "adapters/pgvector/pgvector_filter.h"

#include <algorithm>

#include "adapters/pgvector/pgvector_operand.h"

namespace roost {
namespace {

bool IsLiteral(const Operand& operand) { return operand.kind == Operand::Kind::kLiteral; }

std::string Print(const Filter& filter, OperandPrinter& printer);

std::string Join(const std::vector<FilterPtr>& children, std::string_view word,
                 std::string_view none, OperandPrinter& printer) {
  std::string sql;
  for (const FilterPtr& child : children) {
    sql += sql.empty() ? "(" : word;
    sql += Print(*child, printer);
  }
  return sql.empty() ? std::string(none) : sql + ")";
}

std::string Compare(const Filter& filter, OperandPrinter& printer) {
  const bool negated = filter.comparison == Comparison::kNe;
  const Comparison comparison = negated ? Comparison::kEq : filter.comparison;
  const std::string condition =
      IsLiteral(filter.right)
          ? printer.CompareLiteral(filter.left, comparison, filter.right.literal)
          : printer.CompareOperands(filter.left, comparison, filter.right);
  return negated ? "NOT " + condition : condition;
}

std::string Print(const Filter& filter, OperandPrinter& printer) {
  switch (filter.op) {
    case FilterOp::kTrue:
      return "true";
    case FilterOp::kFalse:
      return "false";
    case FilterOp::kAnd:
      return Join(filter.children, " AND ", "true", printer);
    case FilterOp::kOr:
      return Join(filter.children, " OR ", "false", printer);
    case FilterOp::kNot:
      return "(NOT " + Print(*filter.children.at(0), printer) + ")";
    case FilterOp::kCompare:
      return "(" + Compare(filter, printer) + ")";
    case FilterOp::kIn:
      return printer.In(filter.left, filter.values);
    case FilterOp::kLike:
      return printer.Like(filter.left, filter.pattern);
    case FilterOp::kIsNull:
      return printer.IsNull(filter.left);
    case FilterOp::kExists:
      return "(NOT " + printer.IsNull(filter.left) + ")";
    case FilterOp::kArrayContainsAll:
      return printer.Contains(filter.left, filter.values, true);
    case FilterOp::kArrayContainsAny:
      return printer.Contains(filter.left, filter.values, false);
    case FilterOp::kTextMatch:
      return printer.TextMatch(filter.left, std::get<std::string>(filter.values.at(0)));
  }
  return "false";
}

Status CheckOperand(const Operand& operand, const PgTable& table) {
  const bool named =
      operand.kind == Operand::Kind::kField || operand.kind == Operand::Kind::kArrayElement ||
      operand.kind == Operand::Kind::kArrayLength || operand.kind == Operand::Kind::kJsonPath;
  if (named && !operand.name.empty()) {
    const PgColumn* column = table.FindField(operand.name);
    if (column == nullptr) {
      return InvalidArgument("the filter names field \"" + operand.name +
                             "\", which collection \"" + table.schema.name + "\" does not have");
    }
    const FieldSchema& field = table.field(*column);
    const bool whole = operand.kind == Operand::Kind::kField;
    const bool fits = operand.kind == Operand::Kind::kJsonPath ? field.type == DataType::kJson
                      : whole                                  ? field.type == operand.type
                              : field.type == DataType::kArray || field.type == DataType::kJson;
    if (!fits) {
      return InvalidArgument("the filter takes field \"" + operand.name + "\" for " +
                             std::string(DataTypeName(operand.type)) + "; it is " +
                             std::string(DataTypeName(field.type)));
    }
  }
  if (operand.kind == Operand::Kind::kArithmetic && operand.children.size() != 2) {
    return InvalidArgument("the filter's arithmetic does not have two operands");
  }
  for (const Operand& child : operand.children) {
    TRY(CheckOperand(child, table));
  }
  return {};
}

bool ReadsRawJson(const Operand& operand, const PgTable& table) {
  const PgColumn* column = operand.name.empty() ? nullptr : table.FindField(operand.name);
  return (column != nullptr && column->raw_json) ||
         std::any_of(operand.children.begin(), operand.children.end(),
                     [&table](const Operand& child) { return ReadsRawJson(child, table); });
}

}  // namespace

Status CheckFilter(const Filter& filter, const PgTable& table) {
  TRY(CheckOperand(filter.left, table));
  TRY(CheckOperand(filter.right, table));
  for (const FilterPtr& child : filter.children) {
    TRY(CheckFilter(*child, table));
  }
  return {};
}

bool CanPrint(const Filter& filter, const PgTable& table) {
  const auto can = [&table](const Operand& operand) {
    return OperandPrinter::CanPrint(operand) && !ReadsRawJson(operand, table);
  };
  switch (filter.op) {
    case FilterOp::kTrue:
    case FilterOp::kFalse:
      return true;
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNot:
      return std::all_of(filter.children.begin(), filter.children.end(),
                         [&table](const FilterPtr& child) { return CanPrint(*child, table); });
    case FilterOp::kCompare: {
      if (IsLiteral(filter.left) || !can(filter.left)) {
        return false;
      }
      if (IsLiteral(filter.right)) {
        return true;
      }
      return OperandPrinter::KindOf(filter.left) != SqlKind::kJson &&
             OperandPrinter::KindOf(filter.right) != SqlKind::kJson && can(filter.right);
    }
    default:
      return !IsLiteral(filter.left) && can(filter.left);
  }
}

std::string PrintSql(const Filter& filter, const PgTable& table, PgParams& params) {
  OperandPrinter printer(table, params);
  return Print(filter, printer);
}

std::string PrintWider(const Filter& filter, const PgTable& table, PgParams& params) {
  if (CanPrint(filter, table)) {
    return PrintSql(filter, table, params);
  }
  std::string sql = "true";
  if (filter.op == FilterOp::kAnd) {
    for (const FilterPtr& child : filter.children) {
      if (CanPrint(*child, table)) {
        sql += " AND " + PrintSql(*child, table, params);
      }
    }
  }
  return sql;
}

bool NamesKeys(const Filter& filter) {
  const auto names = [](const FilterPtr& child) { return NamesKeys(*child); };
  switch (filter.op) {
    case FilterOp::kAnd:
      return std::any_of(filter.children.begin(), filter.children.end(), names);
    case FilterOp::kOr:
      return !filter.children.empty() &&
             std::all_of(filter.children.begin(), filter.children.end(), names);
    case FilterOp::kCompare:
      return filter.left.kind == Operand::Kind::kKey && filter.comparison != Comparison::kNe &&
             IsLiteral(filter.right);
    case FilterOp::kIn:
      return filter.left.kind == Operand::Kind::kKey;
    default:
      return false;
  }
}

}  // namespace roost
