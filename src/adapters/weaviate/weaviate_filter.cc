#include "adapters/weaviate/weaviate_filter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adapters/weaviate/weaviate_codec.h"
#include "adapters/weaviate/weaviate_names.h"
#include "adapters/weaviate/weaviate_terms.h"
#include "store/filter_evaluate.h"
#include "store/tokenizer.h"

namespace roost {

using namespace weaviate_terms;

namespace {

/// A list longer than this becomes a range, or nothing.
constexpr size_t kMaxList = 2'000;
/// Deeper trees than this are not sent.
constexpr int kMaxDepth = 30;

/// What is true of a value exactly when the comparison is not.
Comparison Inverse(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEq:
      return Comparison::kNe;
    case Comparison::kNe:
      return Comparison::kEq;
    case Comparison::kLt:
      return Comparison::kGe;
    case Comparison::kLe:
      return Comparison::kGt;
    case Comparison::kGt:
      return Comparison::kLe;
    case Comparison::kGe:
      return Comparison::kLt;
  }
  return comparison;
}

class Narrower {
 public:
  Narrower(const WeaviateTable& table, const std::string& tenant)
      : table_(table), tenant_(tenant) {}

  /// Of the filter, or of its opposite.
  Bound Narrow(const Filter& filter, bool wanted, int depth);

 private:
  std::optional<Property> Find(const Operand& operand) const;

  Bound Compare(const Filter& filter, bool wanted) const;
  Bound CompareKey(Comparison comparison, const Value& literal) const;
  Bound CompareField(const Property& property, Comparison comparison, const Value& literal,
                     bool wanted) const;
  Bound In(const Filter& filter, bool wanted) const;
  Bound KeyIn(const std::vector<Value>& values) const;
  Bound Like(const Filter& filter, bool wanted) const;
  Bound IsNull(const Filter& filter, bool wanted) const;
  Bound Contains(const Filter& filter, bool wanted) const;
  Bound TextMatch(const Filter& filter, bool wanted) const;

  const WeaviateTable& table_;
  const std::string& tenant_;
};

std::optional<Property> Narrower::Find(const Operand& operand) const {
  if (operand.kind != Operand::Kind::kField) {
    return std::nullopt;
  }
  const auto index = table_.FindField(operand.name);
  if (!index || !HasProperty(table_.field(*index))) {
    return std::nullopt;
  }
  const FieldSchema& field = table_.field(*index);
  const bool array = field.type == DataType::kArray;
  return Property{.name = table_.properties[*index],
                  .type = array ? field.element_type : field.type,
                  .array = array};
}

Bound Narrower::Narrow(const Filter& filter, bool wanted, int depth) {
  if (depth > kMaxDepth) {
    return All();
  }
  switch (filter.op) {
    case FilterOp::kTrue:
      return Constant(wanted);
    case FilterOp::kFalse:
      return Constant(!wanted);
    case FilterOp::kNot:
      return Narrow(*filter.children[0], !wanted, depth + 1);
    case FilterOp::kAnd:
    case FilterOp::kOr: {
      std::vector<Bound> parts;
      for (const FilterPtr& child : filter.children) {
        parts.push_back(Narrow(*child, wanted, depth + 1));
      }
      return Join(std::move(parts), (filter.op == FilterOp::kAnd) == wanted);
    }
    case FilterOp::kCompare:
      return Compare(filter, wanted);
    case FilterOp::kIn:
      return In(filter, wanted);
    case FilterOp::kLike:
      return Like(filter, wanted);
    case FilterOp::kIsNull:
      return IsNull(filter, wanted);
    case FilterOp::kArrayContainsAll:
    case FilterOp::kArrayContainsAny:
      return Contains(filter, wanted);
    case FilterOp::kTextMatch:
      return TextMatch(filter, wanted);
    case FilterOp::kExists:
      return All();
  }
  return All();
}

Bound Narrower::Compare(const Filter& filter, bool wanted) const {
  if (filter.right.kind != Operand::Kind::kLiteral) {
    return All();
  }
  const Value& literal = filter.right.literal;
  if (filter.left.kind == Operand::Kind::kTenant) {
    return Constant(CompareValues(Value(tenant_), filter.comparison, literal) == wanted);
  }
  if (filter.left.kind == Operand::Kind::kKey) {
    // A key is never null, so the opposite is the inverse comparison.
    const bool unlike =
        std::holds_alternative<int64_t>(literal) != (table_.schema.key_type == KeyType::kInt64) ||
        std::holds_alternative<double>(literal);
    return unlike ? All()
                  : CompareKey(wanted ? filter.comparison : Inverse(filter.comparison), literal);
  }
  const auto property = Find(filter.left);
  if (!property || property->array) {
    return All();
  }
  // `a != b` is `not (a == b)`.
  if (filter.comparison == Comparison::kNe) {
    return CompareField(*property, Comparison::kEq, literal, !wanted);
  }
  return CompareField(*property, filter.comparison, literal, wanted);
}

Bound Narrower::CompareKey(Comparison comparison, const Value& literal) const {
  const bool integers = table_.schema.key_type == KeyType::kInt64;
  const Key key = integers ? Key(std::get<int64_t>(literal)) : Key(std::get<std::string>(literal));
  const bool equality = comparison == Comparison::kEq || comparison == Comparison::kNe;
  const auto [first, last] = equality ? std::pair(ObjectIdOf(key), ObjectIdOf(key)) : GroupOf(key);
  if (!integers && !equality) {
    // The whole group, from either end.
    comparison = IsBelow(comparison) ? Comparison::kLe : Comparison::kGe;
  }
  Native native = On("_id", OperatorOf(comparison));
  native.set_value_text((IsBelow(comparison) ? last : first).ToString());
  return Some(std::move(native), integers || equality);
}

Bound Narrower::CompareField(const Property& property, Comparison comparison, const Value& literal,
                             bool wanted) const {
  const Comparison meant = wanted ? comparison : Inverse(comparison);
  Bound bound;
  if (property.type == DataType::kBool) {
    const auto* boolean = std::get_if<bool>(&literal);
    if (boolean == nullptr || (comparison != Comparison::kEq)) {
      return Constant(!wanted);  // false for every value
    }
    Native native = On(property.name, OperatorOf(meant));
    native.set_value_boolean(*boolean);
    return Some(std::move(native), true);
  }
  if (IsIntegerType(property.type)) {
    bound = CompareInteger(property, meant, literal);
  } else if (property.type == DataType::kTimestamp) {
    bound = CompareTime(property, meant, literal);
  } else if (IsTextType(property.type) || property.type == DataType::kUuid) {
    bound = CompareText(property, meant, literal);
  } else {
    bound = CompareNumber(property, meant, literal);
  }
  if (!wanted && meant != Comparison::kNe && bound.kind != Kind::kAll) {
    // The opposite of an order is true of nulls. NOT_EQUAL takes them by itself.
    std::vector<Bound> parts;
    parts.push_back(std::move(bound));
    parts.push_back(NullState(property.name, true, !IsTextType(property.type)));
    bound = Join(std::move(parts), false);
  }
  return OrOdd(std::move(bound), property);
}

Bound Narrower::KeyIn(const std::vector<Value>& values) const {
  const bool integers = table_.schema.key_type == KeyType::kInt64;
  Native native = On("_id", Native::OPERATOR_CONTAINS_ANY);
  for (const Value& value : values) {
    if (const auto* integer = std::get_if<int64_t>(&value); integer && integers) {
      native.mutable_value_text_array()->add_values(ObjectIdOf(Key(*integer)).ToString());
    } else if (const auto* text = std::get_if<std::string>(&value); text && !integers) {
      native.mutable_value_text_array()->add_values(ObjectIdOf(Key(*text)).ToString());
    } else if (std::holds_alternative<double>(value) && integers) {
      return All();  // 5.0 is the key 5
    }
  }
  return native.has_value_text_array() ? Some(std::move(native), true) : None();
}

Bound Narrower::In(const Filter& filter, bool wanted) const {
  if (filter.left.kind == Operand::Kind::kTenant) {
    const bool found = std::any_of(
        filter.values.begin(), filter.values.end(),
        [&](const Value& value) { return CompareValues(Value(tenant_), Comparison::kEq, value); });
    return Constant(found == wanted);
  }
  if (!wanted || filter.values.size() > kMaxList) {
    return All();
  }
  if (filter.left.kind == Operand::Kind::kKey) {
    return KeyIn(filter.values);
  }
  const auto property = Find(filter.left);
  if (!property || property->array) {
    return All();
  }
  Native native = On(property->name, Native::OPERATOR_CONTAINS_ANY);
  const size_t lost = FillList(native, property->type, filter.values);
  const bool any = lost < filter.values.size();
  return OrOdd(any ? Some(std::move(native), true) : None(), *property);
}

Bound Narrower::Like(const Filter& filter, bool wanted) const {
  // What the matching texts begin with.
  std::string prefix;
  bool open = false;
  for (size_t i = 0; i < filter.pattern.size() && !open; ++i) {
    const char c = filter.pattern[i];
    if (c == '%' || c == '_') {
      open = true;
    } else if (c == '\\' && i + 1 < filter.pattern.size()) {
      prefix += filter.pattern[++i];
    } else {
      prefix += c;
    }
  }
  if (!wanted || prefix.empty()) {
    return All();
  }
  if (filter.left.kind == Operand::Kind::kKey && table_.schema.key_type == KeyType::kVarChar) {
    const auto [first, last] = PrefixRange(prefix);
    Native from = On("_id", Native::OPERATOR_GREATER_THAN_EQUAL);
    from.set_value_text(first.ToString());
    Native to = On("_id", Native::OPERATOR_LESS_THAN_EQUAL);
    to.set_value_text(last.ToString());
    std::vector<Bound> parts;
    parts.push_back(Some(std::move(from), false));
    parts.push_back(Some(std::move(to), false));
    return Join(std::move(parts), true);
  }
  const auto property = Find(filter.left);
  if (!property || property->array || !IsTextType(property->type) ||
      IsOdd(Value(prefix), property->type)) {
    return All();
  }
  Bound bound = CompareText(*property, Comparison::kGe, Value(prefix));
  bound.exact = false;
  return OrOdd(std::move(bound), *property);
}

Bound Narrower::IsNull(const Filter& filter, bool wanted) const {
  if (filter.left.kind == Operand::Kind::kKey || filter.left.kind == Operand::Kind::kTenant) {
    return Constant(!wanted);
  }
  const auto property = Find(filter.left);
  if (!property) {
    return All();
  }
  // "" and [] are null to Weaviate: too many where nulls are wanted, too few otherwise.
  const bool sure = !property->array && !IsTextType(property->type);
  Bound bound = NullState(property->name, wanted, sure);
  return wanted || sure ? std::move(bound) : OrOdd(std::move(bound), *property);
}

Bound Narrower::Contains(const Filter& filter, bool wanted) const {
  const auto property = Find(filter.left);
  if (!wanted || !property || !property->array || filter.values.empty() ||
      filter.values.size() > kMaxList) {
    return All();
  }
  const bool all = filter.op == FilterOp::kArrayContainsAll;
  Native native =
      On(property->name, all ? Native::OPERATOR_CONTAINS_ALL : Native::OPERATOR_CONTAINS_ANY);
  const size_t lost = FillList(native, property->type, filter.values);
  const bool possible = all ? lost == 0 : lost < filter.values.size();
  return OrOdd(possible ? Some(std::move(native), true) : None(), *property);
}

Bound Narrower::TextMatch(const Filter& filter, bool wanted) const {
  const auto index = table_.FindField(filter.left.name);
  if (!index || table_.words[*index].empty() || filter.values.empty() ||
      !std::holds_alternative<std::string>(filter.values[0])) {
    return All();
  }
  const auto words = Tokenize(std::get<std::string>(filter.values[0]));
  if (words.empty()) {
    return Constant(!wanted);
  }
  if (!wanted || words.size() > kMaxList) {
    return All();
  }
  Native native = On(table_.words[*index], Native::OPERATOR_CONTAINS_ANY);
  for (const std::string& word : words) {
    native.mutable_value_text_array()->add_values(word);
  }
  return Some(std::move(native), true);
}

}  // namespace

WeaviateFilter NarrowBy(const Filter* filter, const WeaviateTable& table,
                        const std::string& tenant) {
  if (filter == nullptr) {
    return {.kind = Kind::kAll, .native = nullptr, .exact = true};
  }
  Bound bound = Narrower(table, tenant).Narrow(*filter, true, 0);
  WeaviateFilter narrowed{.kind = bound.kind, .native = nullptr, .exact = bound.exact};
  if (bound.kind == Kind::kSome) {
    narrowed.native = std::make_shared<const Native>(std::move(bound.native));
  }
  return narrowed;
}

}  // namespace roost
