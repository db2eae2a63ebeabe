#include "adapters/milvus/milvus_condition.h"

#include <limits>
#include <vector>

#include "adapters/milvus/milvus_compare.h"
#include "adapters/milvus/milvus_key.h"

namespace roost {
namespace {

using Condition = MilvusCondition;
using Role = MilvusColumn::Role;
using Target = MilvusTarget;

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
/// Longer lists against JSON become conditions joined by `or`; beyond this they are judged here.
constexpr size_t kMaxJsonList = 100;

std::string JoinTexts(const std::vector<std::string>& texts, std::string_view between) {
  std::string all;
  for (const auto& text : texts) {
    all += (all.empty() ? "" : std::string(between)) + text;
  }
  return all;
}

Condition AnyOf(const std::vector<Condition>& conditions) {
  std::vector<std::string> texts;
  for (const auto& condition : conditions) {
    if (condition.kind == Condition::Kind::kAlways) {
      return condition;
    }
    if (condition.kind == Condition::Kind::kText) {
      texts.push_back(condition.text);
    }
  }
  return texts.empty()       ? Condition::Never()
         : texts.size() == 1 ? Condition::Text(texts[0])
                             : Condition::Text("(" + JoinTexts(texts, " or ") + ")");
}

Condition In(const Filter& filter, const Target& target, const MilvusLayout& layout) {
  const std::string lowest = std::to_string(kLowest);
  const bool listed = target.kind == Target::Kind::kInt || target.kind == Target::Kind::kText ||
                      target.kind == Target::Kind::kFloat || target.kind == Target::Kind::kDouble;
  if (!listed || target.only_equal) {
    if (filter.values.size() > kMaxJsonList) {
      return Condition::Unknown();
    }
    std::vector<Condition> each;
    for (const Value& value : filter.values) {
      each.push_back(CompareTarget(target, Comparison::kEq, value, layout));
    }
    return AnyOf(each);
  }
  const DataType type = filter.left.kind == Operand::Kind::kField ? filter.left.type
                        : target.kind == Target::Kind::kInt       ? DataType::kInt64
                                                                  : DataType::kVarChar;
  std::vector<std::string> literals;
  std::vector<Condition> conditions;
  bool holds = false;
  for (const Value& value : filter.values) {
    const auto literal = MilvusLiteral(type, value);
    if (literal == lowest) {
      conditions.push_back(CompareTarget(target, Comparison::kEq, value, layout));
    } else if (literal) {
      literals.push_back(*literal);
      holds =
          holds || *literal == "0" || *literal == "0.0" || *literal == "-0.0" || *literal == "\"\"";
    }
  }
  if (!literals.empty()) {
    conditions.push_back(
        ForPresent(target.text + " in [" + JoinTexts(literals, ",") + "]", holds, target, layout));
  }
  return AnyOf(conditions);
}

Condition Contains(const Filter& filter, bool all, const MilvusLayout& layout) {
  if (filter.left.kind != Operand::Kind::kField) {
    return Condition::Unknown();
  }
  const MilvusColumn* column = layout.FindField(filter.left.name);
  std::vector<std::string> literals;
  for (const Value& value : filter.values) {
    const auto literal = MilvusLiteral(filter.left.element_type, value);
    if (literal == std::to_string(kLowest)) {
      return Condition::Unknown();
    }
    if (literal) {
      literals.push_back(*literal);
    } else if (all) {
      return Condition::Never();
    }
  }
  if (literals.empty()) {
    return all ? Present(column, layout) : Condition::Never();
  }
  // Without a value the array is empty and contains nothing.
  std::vector<std::string> each;
  for (const auto& literal : literals) {
    each.push_back("array_contains(" + column->name + ", " + literal + ")");
  }
  return Condition::Text("(" + JoinTexts(each, all ? " and " : " or ") + ")");
}

/// A pattern's text before its first wildcard, and what follows it.
struct Pattern {
  std::string prefix;
  std::string_view rest;
};

Pattern SplitPattern(std::string_view pattern) {
  Pattern split;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%' || pattern[i] == '_') {
      split.rest = pattern.substr(i);
      break;
    }
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
    }
    split.prefix += pattern[i];
  }
  return split;
}

Condition Like(const Filter& filter, const Target& target, const MilvusLayout& layout) {
  if (target.kind != Target::Kind::kText) {
    return Condition::Unknown();
  }
  const Pattern pattern = SplitPattern(filter.pattern);
  if (pattern.rest.empty()) {
    return CompareTarget(target, Comparison::kEq, Value(pattern.prefix), layout);
  }
  // A range, not Milvus' `like`: 2.3 knows only some patterns.
  Condition condition = Present(target.column, layout);
  if (!pattern.prefix.empty()) {
    condition = CompareTarget(target, Comparison::kGe, Value(pattern.prefix), layout);
    if (const auto after = AfterPrefix(pattern.prefix)) {
      condition.text =
          "(" + condition.text + " and " + target.text + " < " + MilvusString(*after) + ")";
    }
  }
  condition.exact = pattern.rest.find_first_not_of('%') == std::string_view::npos;
  return condition;
}

Condition IsNull(const Operand& operand, const MilvusLayout& layout) {
  const bool whole_json =
      operand.kind == Operand::Kind::kJsonPath && !operand.name.empty() && operand.path.empty();
  const bool length =
      operand.kind == Operand::Kind::kArrayLength && operand.type != DataType::kJson;
  switch (operand.kind) {
    case Operand::Kind::kKey:
    case Operand::Kind::kTenant:
      return Condition::Never();
    default:
      break;
  }
  if (operand.kind != Operand::Kind::kField && !whole_json && !length) {
    return Condition::Unknown();
  }
  const MilvusColumn* column = layout.FindField(operand.name);
  if (!layout.Nullable(*column)) {
    return Condition::Never();
  }
  return Condition::Text("array_contains(" + layout.Find(Role::kNulls)->name + ", " +
                         std::to_string(layout.NullNumber(*column)) + ")");
}

Condition Exists(const Operand& operand, const MilvusLayout& layout) {
  if (operand.kind == Operand::Kind::kJsonPath && !operand.name.empty() && operand.path.empty()) {
    return Present(layout.FindField(operand.name), layout);
  }
  const std::string path =
      operand.kind == Operand::Kind::kJsonPath ? JsonPathText(operand, layout) : "";
  if (path.empty()) {
    return Condition::Unknown();
  }
  // Also where the member is null. `exists` binds weaker than `and`.
  Condition wider = Condition::Text("(exists " + path + ")");
  wider.exact = false;
  return wider;
}

}  // namespace

std::optional<std::string> AfterPrefix(std::string_view prefix) {
  std::string after(prefix);
  while (!after.empty()) {
    // The last character, plus one: UTF-8 sorts by code points.
    size_t start = after.size() - 1;
    while (start > 0 && (static_cast<unsigned char>(after[start]) & 0xC0) == 0x80) {
      --start;
    }
    const auto lead = static_cast<unsigned char>(after[start]);
    const size_t size = after.size() - start;
    char32_t code = size == 1   ? lead
                    : size == 2 ? lead & 0x1Fu
                    : size == 3 ? lead & 0x0Fu
                                : lead & 0x07u;
    for (size_t i = start + 1; i < after.size(); ++i) {
      code = code << 6 | (static_cast<unsigned char>(after[i]) & 0x3Fu);
    }
    after.resize(start);
    code = code == 0xD7FF ? 0xE000 : code + 1;
    if (code > 0x10FFFF) {
      continue;
    }
    if (code < 0x80) {
      after += static_cast<char>(code);
    } else if (code < 0x800) {
      after += static_cast<char>(0xC0 | code >> 6);
    } else if (code < 0x10000) {
      after += static_cast<char>(0xE0 | code >> 12);
    } else {
      after += static_cast<char>(0xF0 | code >> 18);
      after += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    }
    if (code >= 0x800) {
      after += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80) {
      after += static_cast<char>(0x80 | (code & 0x3F));
    }
    return after;
  }
  return std::nullopt;
}

MilvusCondition TranslateLeaf(const Filter& filter, const MilvusLayout& layout) {
  switch (filter.op) {
    case FilterOp::kTrue:
      return Condition::Always();
    case FilterOp::kFalse:
      return Condition::Never();
    case FilterOp::kCompare:
      if (filter.right.kind != Operand::Kind::kLiteral) {
        return Condition::Unknown();
      }
      return CompareTarget(TargetOf(filter.left, layout), filter.comparison, filter.right.literal,
                           layout);
    case FilterOp::kIn:
      return In(filter, TargetOf(filter.left, layout), layout);
    case FilterOp::kLike:
      return Like(filter, TargetOf(filter.left, layout), layout);
    case FilterOp::kIsNull:
      return IsNull(filter.left, layout);
    case FilterOp::kExists:
      return Exists(filter.left, layout);
    case FilterOp::kArrayContainsAll:
    case FilterOp::kArrayContainsAny:
      return Contains(filter, filter.op == FilterOp::kArrayContainsAll, layout);
    default:
      return Condition::Unknown();
  }
}

}  // namespace roost
