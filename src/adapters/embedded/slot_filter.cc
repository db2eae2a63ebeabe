#include "adapters/embedded/slot_filter.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/filter_evaluate.h"

namespace roost::embedded {

namespace {

/// Keeps of `within` the slots for which `holds` is true.
template <typename Holds>
Bitmap Select(const Bitmap& within, Holds holds) {
  Bitmap result = within;
  const auto words = result.words();
  for (size_t w = 0; w < words.size(); ++w) {
    uint64_t kept = 0;
    for (uint64_t left = words[w]; left != 0; left &= left - 1) {
      const int bit = std::countr_zero(left);
      kept |= static_cast<uint64_t>(holds(static_cast<uint32_t>(w * 64 + bit))) << bit;
    }
    words[w] = kept;
  }
  return result;
}

template <typename Get, typename Literal>
Bitmap CompareAll(const Bitmap& within, const Column& column, Comparison comparison, Get get,
                  const Literal& literal) {
  const auto select = [&](bool of_null, auto compare) {
    return Select(within, [&](uint32_t slot) {
      return column.IsNull(slot) ? of_null : compare(get(slot), literal);
    });
  };
  switch (comparison) {
    case Comparison::kEq:
      return select(false, std::equal_to<>());
    case Comparison::kNe:
      return select(true, [](const auto& a, const auto& b) { return !(a == b); });
    case Comparison::kLt:
      return select(false, std::less<>());
    case Comparison::kLe:
      return select(false, std::less_equal<>());
    case Comparison::kGt:
      return select(false, std::greater<>());
    default:
      return select(false, std::greater_equal<>());
  }
}

/// The column an operand names, with the type of what stands in it.
struct Source {
  size_t column = 0;
  DataType type = DataType::kVarChar;
};
std::optional<Source> SourceOf(const CollectionSchema& schema, const Operand& operand) {
  if (operand.kind == Operand::Kind::kKey) {
    return Source{Layout::kKey,
                  schema.key_type == KeyType::kInt64 ? DataType::kInt64 : DataType::kVarChar};
  }
  if (operand.kind == Operand::Kind::kTenant) {
    return Source{Layout::kTenant, DataType::kVarChar};
  }
  if (operand.kind != Operand::Kind::kField) {
    return std::nullopt;
  }
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (schema.fields[i].name == operand.name) {
      return Source{Layout::kFields + i, schema.fields[i].type};
    }
  }
  return std::nullopt;
}

bool IsText(DataType type) {
  return type == DataType::kVarChar || type == DataType::kText || type == DataType::kUuid;
}
bool IsFloating(DataType type) { return type == DataType::kFloat || type == DataType::kDouble; }
bool IsInteger(DataType type) {
  return IsFixed(type) && !IsFloating(type) && type != DataType::kBool;
}

/// The literal as a double that compares with doubles as the literal itself does.
std::optional<double> AsDouble(const Value& literal) {
  if (const auto* number = std::get_if<double>(&literal)) {
    return *number;
  }
  const auto* integer = std::get_if<int64_t>(&literal);
  constexpr int64_t kExact = int64_t{1} << 53;
  if (integer == nullptr || *integer > kExact || *integer < -kExact) {
    return std::nullopt;
  }
  return static_cast<double>(*integer);
}

/// A comparison that runs over a column; empty where it must be asked row by row.
std::optional<Bitmap> CompareColumn(const RowBlock& block, const Bitmap& within, Source source,
                                    Comparison comparison, const Value& literal) {
  const Column& column = block.columns[source.column];
  if (IsInteger(source.type) && std::holds_alternative<int64_t>(literal)) {
    return CompareAll(
        within, column, comparison, [&](uint32_t slot) { return column.values[slot]; },
        std::get<int64_t>(literal));
  }
  if (IsFloating(source.type)) {
    if (const auto number = AsDouble(literal)) {
      return CompareAll(
          within, column, comparison,
          [&](uint32_t slot) { return std::bit_cast<double>(column.values[slot]); }, *number);
    }
  }
  if (IsText(source.type) && std::holds_alternative<std::string>(literal)) {
    return CompareAll(
        within, column, comparison, [&](uint32_t slot) { return column.Bytes(slot); },
        std::string_view(std::get<std::string>(literal)));
  }
  return std::nullopt;
}

template <typename T, typename Key = T>
std::optional<std::unordered_set<Key>> AsSet(const std::vector<Value>& values) {
  std::unordered_set<Key> set;
  for (const Value& value : values) {
    const T* element = std::get_if<T>(&value);
    if (element == nullptr) {
      return std::nullopt;
    }
    set.insert(Key(*element));
  }
  return set;
}

std::optional<Bitmap> FindInColumn(const RowBlock& block, const Bitmap& within, Source source,
                                   const std::vector<Value>& values) {
  const Column& column = block.columns[source.column];
  if (IsInteger(source.type)) {
    if (const auto set = AsSet<int64_t>(values)) {
      return Select(within, [&](uint32_t slot) {
        return !column.IsNull(slot) && set->contains(column.values[slot]);
      });
    }
  } else if (IsText(source.type)) {
    if (const auto set = AsSet<std::string, std::string_view>(values)) {
      return Select(within, [&](uint32_t slot) {
        return !column.IsNull(slot) && set->contains(column.Bytes(slot));
      });
    }
  }
  return std::nullopt;
}

Comparison Mirror(Comparison comparison) {
  switch (comparison) {
    case Comparison::kLt:
      return Comparison::kGt;
    case Comparison::kLe:
      return Comparison::kGe;
    case Comparison::kGt:
      return Comparison::kLt;
    case Comparison::kGe:
      return Comparison::kLe;
    default:
      return comparison;
  }
}

/// The leaf over whole columns, where that is possible.
std::optional<Bitmap> RunOnColumn(const CollectionSchema& schema, const Filter& leaf,
                                  const RowBlock& block, const Bitmap& within) {
  const bool literal_left =
      leaf.op == FilterOp::kCompare && leaf.left.kind == Operand::Kind::kLiteral;
  const Operand& side = literal_left ? leaf.right : leaf.left;
  const auto source = SourceOf(schema, side);
  if (!source) {
    return std::nullopt;
  }
  switch (leaf.op) {
    case FilterOp::kCompare:
      if (literal_left) {
        return CompareColumn(block, within, *source, Mirror(leaf.comparison), leaf.left.literal);
      }
      if (leaf.right.kind == Operand::Kind::kLiteral) {
        return CompareColumn(block, within, *source, leaf.comparison, leaf.right.literal);
      }
      return std::nullopt;
    case FilterOp::kIn:
      return FindInColumn(block, within, *source, leaf.values);
    case FilterOp::kIsNull:
    case FilterOp::kExists: {
      const Column& column = block.columns[source->column];
      const bool wanted = leaf.op == FilterOp::kIsNull;
      return Select(within, [&](uint32_t slot) { return column.IsNull(slot) == wanted; });
    }
    case FilterOp::kLike: {
      if (!IsText(source->type)) {
        return std::nullopt;
      }
      const Column& column = block.columns[source->column];
      return Select(within, [&](uint32_t slot) {
        return !column.IsNull(slot) && LikeMatches(column.Bytes(slot), leaf.pattern);
      });
    }
    default:
      return std::nullopt;
  }
}

void AddFields(const CollectionSchema& schema, const Operand& operand, Selection& selection) {
  if (operand.name.empty() &&
      (operand.kind == Operand::Kind::kJsonPath || operand.kind == Operand::Kind::kArrayLength)) {
    selection.dynamic = true;
  }
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (!operand.name.empty() && schema.fields[i].name == operand.name) {
      selection.fields.push_back(i);
    }
  }
  for (const Operand& child : operand.children) {
    AddFields(schema, child, selection);
  }
}

Bitmap RunRowByRow(const CollectionSchema& schema, const Filter& leaf, const RowBlock& block,
                   const Bitmap& within) {
  Selection selection;
  AddFields(schema, leaf.left, selection);
  AddFields(schema, leaf.right, selection);
  return Select(within, [&](uint32_t slot) {
    return Matches(&leaf, ReadRecord(schema, block, slot, selection));
  });
}

}  // namespace

void SlotFilter::Restrict(const RowBlock& block, Bitmap& slots) const {
  if (filter_ != nullptr) {
    slots = Run(*filter_, block, slots);
  }
}

Bitmap SlotFilter::Run(const Filter& filter, const RowBlock& block, const Bitmap& within) const {
  switch (filter.op) {
    case FilterOp::kTrue:
      return within;
    case FilterOp::kFalse:
      return Bitmap(within.size());
    case FilterOp::kAnd: {
      Bitmap left = within;
      for (const FilterPtr& child : filter.children) {
        left = Run(*child, block, left);
      }
      return left;
    }
    case FilterOp::kOr: {
      Bitmap result(within.size());
      for (const FilterPtr& child : filter.children) {
        result.Or(Run(*child, block, within));
      }
      return result;
    }
    case FilterOp::kNot: {
      Bitmap result = Run(*filter.children.at(0), block, within);
      result.Invert();
      result.And(within);
      return result;
    }
    default: {
      auto result = RunOnColumn(schema_, filter, block, within);
      return result ? std::move(*result) : RunRowByRow(schema_, filter, block, within);
    }
  }
}

namespace {

/// The first slot of a block in key order whose tenant is `tenant` or greater.
uint32_t TenantBound(const RowBlock& block, std::string_view tenant) {
  uint32_t low = 0;
  for (uint32_t count = block.rows; count > 0;) {
    const uint32_t half = count / 2;
    if (block.columns[Layout::kTenant].Bytes(low + half) < tenant) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

}  // namespace

AllowedSlots AllowedRows(const RowBlock& block, uint64_t lsn,
                         const std::optional<std::string>& tenant, const SlotFilter& filter,
                         bool sorted) {
  if (!tenant && filter.matches_all() && block.ends->count() == 0) {
    return {.count = block.rows, .all = true};
  }
  AllowedSlots allowed{.bits = Bitmap(block.rows, true)};
  if (tenant && sorted) {
    const std::string next = *tenant + '\0';  // No tenant lies between the two.
    allowed.bits.Crop(TenantBound(block, *tenant), TenantBound(block, next));
  } else if (tenant) {
    const Column& column = block.columns[Layout::kTenant];
    allowed.bits =
        Select(allowed.bits, [&](uint32_t slot) { return column.Bytes(slot) == *tenant; });
  }
  block.ends->ClearDead(lsn, allowed.bits.words());
  filter.Restrict(block, allowed.bits);
  allowed.count = allowed.bits.Count();
  return allowed;
}

void RequireVector(const RowBlock& block, size_t vector_field, AllowedSlots& allowed) {
  const uint8_t* present = block.layout->matrices()[vector_field].row_bytes == 0
                               ? block.columns[block.layout->SparseColumn(vector_field)].present
                               : block.matrices[vector_field].present;
  if (present == nullptr) {
    return;
  }
  if (allowed.all) {
    if (std::find(present, present + block.rows, 0) == present + block.rows) {
      return;
    }
    allowed.bits = Bitmap(block.rows, true);
    allowed.all = false;
  }
  allowed.bits = Select(allowed.bits, [&](uint32_t slot) { return present[slot] != 0; });
  allowed.count = allowed.bits.Count();
}

}  // namespace roost::embedded
