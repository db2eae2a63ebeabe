#include "adapters/opensearch/opensearch_filter.h"

#include <algorithm>

#include "adapters/opensearch/opensearch_operand.h"

namespace roost {
namespace {

using Kind = Operand::Kind;

constexpr size_t kMaxClauses = 900;   ///< the server's indices.query.bool.max_clause_count is 1,024
constexpr size_t kMaxDepth = 15;      ///< the server's limit is 20 and more
constexpr size_t kMaxTerms = 60'000;  ///< the server's index.max_terms_count is 65,536

std::string Print(const Filter& filter);

std::string Join(const std::vector<FilterPtr>& children, std::string_view occur) {
  std::string parts;
  for (const FilterPtr& child : children) {
    parts += (parts.empty() ? "" : ",") + Print(*child);
  }
  return R"({"bool":{")" + std::string(occur) + R"(":[)" + parts + "]" +
         (occur == "should" ? R"(,"minimum_should_match":1)" : "") + "}}";
}

std::string Print(const Filter& filter) {
  switch (filter.op) {
    case FilterOp::kTrue:
      return std::string(kOsMatchAll);
    case FilterOp::kFalse:
      return std::string(kOsMatchNone);
    case FilterOp::kAnd:
      return filter.children.empty() ? std::string(kOsMatchAll) : Join(filter.children, "filter");
    case FilterOp::kOr:
      return filter.children.empty() ? std::string(kOsMatchNone) : Join(filter.children, "should");
    case FilterOp::kNot:
      return OsNot(Print(*filter.children.at(0)));
    case FilterOp::kCompare:
      return filter.comparison == Comparison::kNe
                 ? OsNot(OsCompare(filter.left, Comparison::kEq, filter.right.literal))
                 : OsCompare(filter.left, filter.comparison, filter.right.literal);
    case FilterOp::kIn:
      return OsIn(filter.left, filter.values);
    case FilterOp::kLike:
      return OsLike(filter.left, filter.pattern);
    case FilterOp::kIsNull:
      return OsNot(OsPresent(filter.left));
    case FilterOp::kExists:
      return OsPresent(filter.left);
    case FilterOp::kArrayContainsAll:
      return OsContains(filter.left, filter.values, true);
    case FilterOp::kArrayContainsAny:
      return OsContains(filter.left, filter.values, false);
    case FilterOp::kTextMatch:
      return OsTextMatch(filter.left, std::get<std::string>(filter.values.at(0)));
  }
  return std::string(kOsMatchNone);
}

std::string CutName(const Operand& operand) { return operand.name.empty() ? "$" : operand.name; }

bool IsPrintableLeaf(const Filter& filter, const OsCutFields& cut) {
  if (!OsHasProperty(filter.left)) {
    return false;
  }
  switch (filter.op) {
    case FilterOp::kCompare:
      return filter.right.kind == Kind::kLiteral &&
             (filter.comparison == Comparison::kEq || filter.comparison == Comparison::kNe ||
              OsIsComparable(filter.right.literal));
    case FilterOp::kLike:
      if (filter.left.kind == Kind::kKey || filter.left.kind == Kind::kTenant) {
        return OsCanLike(filter.pattern);
      }
      return OsPrefixOf(filter.pattern)
                 ? filter.pattern.size() <= kOsComparableBytes
                 : OsCanLike(filter.pattern) && !cut.contains(CutName(filter.left));
    default:
      return true;
  }
}

/// How many clauses a filter is printed as; more than kMaxClauses also where it cannot be said.
size_t Clauses(const Filter& filter, const OsCutFields& cut, size_t depth) {
  constexpr size_t kTooMany = kMaxClauses + 1;
  if (depth > kMaxDepth) {
    return kTooMany;
  }
  switch (filter.op) {
    case FilterOp::kTrue:
    case FilterOp::kFalse:
      return 1;
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNot: {
      size_t sum = 1;
      for (const FilterPtr& child : filter.children) {
        sum += Clauses(*child, cut, depth + 1);
        if (sum > kMaxClauses) {
          return kTooMany;
        }
      }
      return sum;
    }
    case FilterOp::kArrayContainsAll:
      return IsPrintableLeaf(filter, cut) ? 1 + filter.values.size() : kTooMany;
    case FilterOp::kIn:
      // Floating values that are given as ranges are clauses each.
      if (filter.left.kind == Kind::kField &&
          (filter.left.type == DataType::kFloat || filter.left.type == DataType::kDouble)) {
        return IsPrintableLeaf(filter, cut) ? 1 + filter.values.size() : kTooMany;
      }
      return IsPrintableLeaf(filter, cut) ? 2 + filter.values.size() / kMaxTerms : kTooMany;
    default:
      return IsPrintableLeaf(filter, cut) ? 1 : kTooMany;
  }
}

Status CheckOperand(const Operand& operand, const CollectionSchema& schema) {
  const bool named = operand.kind == Kind::kField || operand.kind == Kind::kArrayElement ||
                     operand.kind == Kind::kArrayLength || operand.kind == Kind::kJsonPath;
  if (named && !operand.name.empty()) {
    const FieldSchema* field = schema.FindField(operand.name);
    if (field == nullptr) {
      return InvalidArgument("the filter names field \"" + operand.name +
                             "\", which collection \"" + schema.name + "\" does not have");
    }
    const bool fits = operand.kind == Kind::kJsonPath ? field->type == DataType::kJson
                      : operand.kind == Kind::kField
                          ? field->type == operand.type
                          : field->type == DataType::kArray || field->type == DataType::kJson;
    if (!fits) {
      return InvalidArgument("the filter takes field \"" + operand.name + "\" for " +
                             std::string(DataTypeName(operand.type)) + "; it is " +
                             std::string(DataTypeName(field->type)));
    }
  }
  if (operand.kind == Kind::kArithmetic && operand.children.size() != 2) {
    return InvalidArgument("the filter's arithmetic does not have two operands");
  }
  for (const Operand& child : operand.children) {
    TRY(CheckOperand(child, schema));
  }
  return {};
}

}  // namespace

Status OsCheckFilter(const Filter& filter, const CollectionSchema& schema) {
  TRY(CheckOperand(filter.left, schema));
  TRY(CheckOperand(filter.right, schema));
  for (const FilterPtr& child : filter.children) {
    TRY(OsCheckFilter(*child, schema));
  }
  return {};
}

OsCutFields OsFieldsThatMustBeWhole(const Filter& filter, const CollectionSchema& schema) {
  OsCutFields fields;
  if (filter.op == FilterOp::kLike && OsHasProperty(filter.left) &&
      filter.left.kind != Kind::kKey && filter.left.kind != Kind::kTenant &&
      !OsPrefixOf(filter.pattern)) {
    const FieldSchema* field = schema.FindField(filter.left.name);
    const bool short_enough = field != nullptr && field->type != DataType::kJson &&
                              field->max_length <= kOsMaxIndexedBytes;
    if (!short_enough) {
      fields.insert(CutName(filter.left));
    }
  }
  for (const FilterPtr& child : filter.children) {
    fields.merge(OsFieldsThatMustBeWhole(*child, schema));
  }
  return fields;
}

bool OsCanPrint(const Filter& filter, const OsCutFields& cut) {
  return Clauses(filter, cut, 0) <= kMaxClauses;
}

std::string OsPrintFilter(const Filter& filter, const CollectionSchema&) { return Print(filter); }

std::string OsPrintWider(const Filter& filter, const CollectionSchema& schema,
                         const OsCutFields& cut) {
  if (OsCanPrint(filter, cut)) {
    return OsPrintFilter(filter, schema);
  }
  std::string parts;
  if (filter.op == FilterOp::kAnd) {
    for (const FilterPtr& child : filter.children) {
      if (OsCanPrint(*child, cut)) {
        parts += (parts.empty() ? "" : ",") + OsPrintFilter(*child, schema);
      }
    }
  }
  return parts.empty() ? std::string(kOsMatchAll) : R"({"bool":{"filter":[)" + parts + "]}}";
}

std::string OsTerms(std::string_view property, const std::vector<std::string>& values) {
  std::string chunks;
  for (size_t begin = 0; begin < values.size(); begin += kMaxTerms) {
    chunks += (begin == 0 ? R"({"terms":{")" : R"(,{"terms":{")") + std::string(property) + "\":[";
    const size_t end = std::min(values.size(), begin + kMaxTerms);
    for (size_t i = begin; i < end; ++i) {
      chunks += (i == begin ? "" : ",") + values[i];
    }
    chunks += "]}}";
  }
  if (values.size() <= kMaxTerms) {
    return chunks;
  }
  return R"({"bool":{"should":[)" + chunks + R"(],"minimum_should_match":1}})";
}

}  // namespace roost
