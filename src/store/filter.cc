#include "store/filter.h"

#include <algorithm>

namespace roost {
namespace {

bool SameOperand(const Operand& a, const Operand& b) {
  return a.kind == b.kind && SameValue(a.literal, b.literal) && a.name == b.name &&
         a.type == b.type && a.element_type == b.element_type && a.path == b.path &&
         a.arithmetic == b.arithmetic &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                    SameOperand);
}

}  // namespace

bool SameFilter(const Filter& a, const Filter& b) {
  return a.op == b.op && a.comparison == b.comparison && SameOperand(a.left, b.left) &&
         SameOperand(a.right, b.right) && a.pattern == b.pattern &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    SameValue) &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                    [](const FilterPtr& x, const FilterPtr& y) { return SameFilter(*x, *y); });
}

FilterPtr AndFilters(FilterPtr a, FilterPtr b) {
  if (a == nullptr || b == nullptr) {
    return a == nullptr ? b : a;
  }
  auto both = std::make_shared<Filter>();
  both->op = FilterOp::kAnd;
  both->children = {std::move(a), std::move(b)};
  return both;
}

FilterPtr TenantFilter(std::string tenant) {
  auto filter = std::make_shared<Filter>();
  filter->op = FilterOp::kCompare;
  filter->left.kind = Operand::Kind::kTenant;
  filter->left.type = DataType::kVarChar;
  filter->right.literal = std::move(tenant);
  return filter;
}

}  // namespace roost
