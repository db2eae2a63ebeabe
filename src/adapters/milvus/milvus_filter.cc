#include "adapters/milvus/milvus_filter.h"

#include <algorithm>

#include "adapters/milvus/milvus_condition.h"

namespace roost {
namespace {

using Condition = MilvusCondition;

Status CheckOperand(const Operand& operand, const MilvusLayout& layout) {
  const bool named =
      operand.kind == Operand::Kind::kField || operand.kind == Operand::Kind::kArrayElement ||
      operand.kind == Operand::Kind::kArrayLength || operand.kind == Operand::Kind::kJsonPath;
  if (named && !operand.name.empty()) {
    const FieldSchema* field = layout.schema.FindField(operand.name);
    if (field == nullptr) {
      return InvalidArgument("the filter names field \"" + operand.name +
                             "\", which collection \"" + layout.schema.name + "\" does not have");
    }
    const bool fits = operand.kind == Operand::Kind::kJsonPath ? field->type == DataType::kJson
                      : operand.kind == Operand::Kind::kField
                          ? field->type == operand.type
                          : field->type == DataType::kArray || field->type == DataType::kJson;
    if (!fits) {
      return InvalidArgument("the filter takes field \"" + operand.name + "\" for " +
                             std::string(DataTypeName(operand.type)) + "; it is " +
                             std::string(DataTypeName(field->type)));
    }
  }
  for (const Operand& child : operand.children) {
    TRY(CheckOperand(child, layout));
  }
  return {};
}

void AddNames(const Operand& operand, std::vector<std::string>& names) {
  switch (operand.kind) {
    case Operand::Kind::kField:
    case Operand::Kind::kJsonPath:
    case Operand::Kind::kArrayLength:
    case Operand::Kind::kArrayElement: {
      const std::string name = operand.name.empty() ? "$meta" : operand.name;
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
      break;
    }
    default:
      break;
  }
  for (const Operand& child : operand.children) {
    AddNames(child, names);
  }
}

void AddNames(const Filter& filter, std::vector<std::string>& names) {
  AddNames(filter.left, names);
  AddNames(filter.right, names);
  for (const FilterPtr& child : filter.children) {
    AddNames(*child, names);
  }
}

Condition Translate(const Filter& filter, bool negated, const MilvusLayout& layout);

/// All of the children hold, or any does. A child that can only be said wider makes the whole
/// wider.
Condition Combine(const Filter& filter, bool all, bool negated, const MilvusLayout& layout) {
  const auto decides = all ? Condition::Kind::kNever : Condition::Kind::kAlways;
  Condition result = all ? Condition::Always() : Condition::Never();
  size_t texts = 0;
  for (const FilterPtr& child : filter.children) {
    const Condition condition = Translate(*child, negated, layout);
    if (condition.kind == decides && condition.exact) {
      return condition;
    }
    result.exact = result.exact && condition.exact;
    if (condition.kind == Condition::Kind::kText) {
      result.text += (texts == 0 ? "" : all ? " and " : " or ") + condition.text;
      ++texts;
    } else if (condition.kind == decides) {
      result.kind = decides;  // `or` with a child of which nothing can be said
    }
  }
  if (result.kind == decides || texts == 0) {
    result.text.clear();
    return result;
  }
  result.kind = Condition::Kind::kText;
  if (texts > 1) {
    result.text = "(" + result.text + ")";
  }
  return result;
}

Condition Negate(Condition condition) {
  switch (condition.kind) {
    case Condition::Kind::kAlways:
      return Condition::Never();
    case Condition::Kind::kNever:
      return Condition::Always();
    case Condition::Kind::kText:
      return Condition::Text("not (" + condition.text + ")");
  }
  return condition;
}

Condition Translate(const Filter& filter, bool negated, const MilvusLayout& layout) {
  switch (filter.op) {
    case FilterOp::kNot:
      return Translate(*filter.children.at(0), !negated, layout);
    case FilterOp::kAnd:
    case FilterOp::kOr:
      return Combine(filter, (filter.op == FilterOp::kAnd) != negated, negated, layout);
    default:
      break;
  }
  Condition condition;
  bool reversed = negated;
  if (filter.op == FilterOp::kCompare && filter.comparison == Comparison::kNe) {
    Filter equal = filter;
    equal.comparison = Comparison::kEq;
    condition = TranslateLeaf(equal, layout);
    reversed = !negated;
  } else {
    condition = TranslateLeaf(filter, layout);
  }
  if (!reversed) {
    return condition;
  }
  return condition.exact ? Negate(std::move(condition)) : Condition::Unknown();
}

}  // namespace

Status CheckFilter(const Filter& filter, const MilvusLayout& layout) {
  TRY(CheckOperand(filter.left, layout));
  TRY(CheckOperand(filter.right, layout));
  for (const FilterPtr& child : filter.children) {
    TRY(CheckFilter(*child, layout));
  }
  return {};
}

MilvusFilter TranslateFilter(const Filter* filter, const MilvusLayout& layout) {
  MilvusFilter translated;
  if (filter == nullptr) {
    return translated;
  }
  const Condition condition = Translate(*filter, false, layout);
  translated.exact = condition.exact;
  translated.nothing = condition.kind == Condition::Kind::kNever;
  translated.text = condition.kind == Condition::Kind::kText ? condition.text : "";
  if (!translated.exact) {
    AddNames(*filter, translated.needed.fields);
  }
  return translated;
}

std::string AndTexts(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) {
    return a.empty() ? b : a;
  }
  return "(" + a + ") and (" + b + ")";
}

}  // namespace roost
