// Filters of a collection as filters of the schema by which a store keeps it.
#include <utility>

#include "migration/mapping/record_mapper.h"

namespace roost {

Result<FilterPtr> RecordMapper::ToTarget(const FilterPtr& filter) const {
  return filter == nullptr ? Result<FilterPtr>(nullptr) : Translate(*filter);
}

Result<FilterPtr> RecordMapper::Translate(const Filter& filter) const {
  Filter out = filter;
  for (FilterPtr& child : out.children) {
    child = TRY(Translate(*child));
  }
  out.left = TRY(Translate(filter.left));
  out.right = TRY(Translate(filter.right));
  const Part* part =
      filter.left.kind == Operand::Kind::kField ? FindPart(filter.left.name) : nullptr;
  if (filter.op == FilterOp::kTextMatch && part != nullptr &&
      part->target_type != DataType::kText) {
    return Unimplemented("text_match: field \"" + part->source + "\" is kept as " +
                         std::string(DataTypeName(part->target_type)) + " by its mapping");
  }
  return FilterPtr(std::make_shared<const Filter>(std::move(out)));
}

Result<Operand> RecordMapper::Translate(const Operand& operand) const {
  Operand out = operand;
  for (Operand& child : out.children) {
    child = TRY(Translate(child));
  }
  const Part* part = operand.name.empty() ? nullptr : FindPart(operand.name);
  if (part == nullptr) {
    return out;
  }
  if (part->carry == Carry::kJsonText) {
    return Unimplemented("field \"" + part->source +
                         "\" is kept as the text of its JSON by its "
                         "mapping; filters do not reach inside");
  }
  out.name = part->target;
  if (operand.kind == Operand::Kind::kField) {
    out.type = part->target_type;
  }
  return out;
}

}  // namespace roost
