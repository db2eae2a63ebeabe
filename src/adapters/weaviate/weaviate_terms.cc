#include "adapters/weaviate/weaviate_terms.h"

#include <cmath>
#include <utility>

#include "adapters/weaviate/weaviate_codec.h"
#include "store/scalar_text.h"

namespace roost::weaviate_terms {

Bound All(bool exact) { return {.kind = Kind::kAll, .native = {}, .exact = exact}; }
Bound None() { return {.kind = Kind::kNone, .native = {}, .exact = true}; }
Bound Constant(bool value) { return value ? All(true) : None(); }

Native On(std::string_view property, Native::Operator op) {
  Native native;
  native.set_operator_(op);
  native.mutable_target()->set_property(std::string(property));
  return native;
}

Bound Some(Native native, bool exact) {
  return {.kind = Kind::kSome, .native = std::move(native), .exact = exact};
}

Bound Join(std::vector<Bound> parts, bool all) {
  Native joined;
  joined.set_operator_(all ? Native::OPERATOR_AND : Native::OPERATOR_OR);
  const Kind neutral = all ? Kind::kAll : Kind::kNone;
  bool exact = true;
  for (Bound& part : parts) {
    exact = exact && part.exact;
    if (part.kind == neutral) {
      continue;
    }
    if (part.kind != Kind::kSome) {
      // One that decides for all the others.
      return {.kind = part.kind, .native = {}, .exact = part.exact};
    }
    *joined.add_filters() = std::move(part.native);
  }
  if (joined.filters_size() == 0) {
    return {.kind = neutral, .native = {}, .exact = exact};
  }
  if (joined.filters_size() == 1) {
    Native only = joined.filters(0);
    return Some(std::move(only), exact);
  }
  return Some(std::move(joined), exact);
}

Native::Operator OperatorOf(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEq:
      return Native::OPERATOR_EQUAL;
    case Comparison::kNe:
      return Native::OPERATOR_NOT_EQUAL;
    case Comparison::kLt:
      return Native::OPERATOR_LESS_THAN;
    case Comparison::kLe:
      return Native::OPERATOR_LESS_THAN_EQUAL;
    case Comparison::kGt:
      return Native::OPERATOR_GREATER_THAN;
    case Comparison::kGe:
      return Native::OPERATOR_GREATER_THAN_EQUAL;
  }
  return Native::OPERATOR_UNSPECIFIED;
}

bool IsBelow(Comparison comparison) {
  return comparison == Comparison::kLt || comparison == Comparison::kLe;
}

bool IsIntegerType(DataType type) { return type >= DataType::kInt8 && type <= DataType::kInt64; }
bool IsTextType(DataType type) { return type == DataType::kVarChar || type == DataType::kText; }

/// Whether a field of the type may hold values that IsOdd().
bool MayBeOdd(DataType type) {
  return !(type == DataType::kBool || type == DataType::kUuid ||
           (IsIntegerType(type) && type != DataType::kInt64));
}

Bound NullState(const std::string& property, bool null, bool exact) {
  Native native = On(property, Native::OPERATOR_IS_NULL);
  native.set_value_boolean(null);
  return Some(std::move(native), exact);
}

Bound OrOdd(Bound bound, const Property& property) {
  if (!property.array && !MayBeOdd(property.type)) {
    return bound;
  }
  if (bound.kind == Kind::kAll) {
    return bound;
  }
  Native odd = On(kOddProperty, Native::OPERATOR_EQUAL);
  odd.set_value_text(property.name);
  std::vector<Bound> parts;
  parts.push_back(std::move(bound));
  parts.push_back(Some(std::move(odd), false));
  return Join(std::move(parts), false);
}

/// The values that Weaviate's index holds exactly are those within ±2^53.
Bound CompareInteger(const Property& property, Comparison comparison, const Value& literal) {
  const bool below = IsBelow(comparison);
  double bound = 0;
  bool whole = true;
  if (const auto* integer = std::get_if<int64_t>(&literal)) {
    if (*integer >= -kExactInteger && *integer <= kExactInteger) {
      Native native = On(property.name, OperatorOf(comparison));
      native.set_value_int(*integer);
      return Some(std::move(native), true);
    }
    bound = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&literal); number && std::isfinite(*number)) {
    bound = *number;
    whole = std::trunc(*number) == *number;
  } else {
    return All();
  }
  const bool equality = comparison == Comparison::kEq || comparison == Comparison::kNe;
  const auto limit = static_cast<double>(kExactInteger);
  if (equality && (!whole || std::fabs(bound) > limit)) {
    return comparison == Comparison::kEq ? None() : All();
  }
  if (std::fabs(bound) > limit) {
    return below == (bound > 0) ? NullState(property.name, false, true) : None();
  }
  if (!whole) {
    comparison = below ? Comparison::kLe : Comparison::kGe;
    bound = below ? std::floor(bound) : std::ceil(bound);
  }
  Native native = On(property.name, OperatorOf(comparison));
  native.set_value_int(static_cast<int64_t>(bound));
  return Some(std::move(native), true);
}

Bound CompareNumber(const Property& property, Comparison comparison, const Value& literal) {
  double number = 0;
  bool exact = true;
  if (const auto* integer = std::get_if<int64_t>(&literal)) {
    number = static_cast<double>(*integer);
    exact = *integer >= -kExactInteger && *integer <= kExactInteger;
  } else if (const auto* floating = std::get_if<double>(&literal)) {
    number = *floating;
  } else {
    return All();
  }
  if (!std::isfinite(number)) {
    return All();
  }
  if (!exact) {
    if (comparison == Comparison::kNe || comparison == Comparison::kEq) {
      return All();
    }
    comparison = IsBelow(comparison) ? Comparison::kLe : Comparison::kGe;
  }
  Native native = On(property.name, OperatorOf(comparison));
  native.set_value_number(number == 0 ? 0.0 : number);  // not -0.0
  return Some(std::move(native), exact);
}

Bound CompareTime(const Property& property, Comparison comparison, const Value& literal) {
  const auto* micros = std::get_if<int64_t>(&literal);
  if (micros == nullptr) {
    return All();
  }
  if (*micros < kMinIndexedTime || *micros > kMaxIndexedTime) {
    if (comparison == Comparison::kEq) {
      return None();
    }
    if (comparison == Comparison::kNe) {
      return All();
    }
    return IsBelow(comparison) == (*micros > 0) ? NullState(property.name, false, true) : None();
  }
  Native native = On(property.name, OperatorOf(comparison));
  native.set_value_text(FormatTimestamp(*micros));
  return Some(std::move(native), true);
}

Bound CompareText(const Property& property, Comparison comparison, const Value& literal) {
  const auto* text = std::get_if<std::string>(&literal);
  const bool equality = comparison == Comparison::kEq || comparison == Comparison::kNe;
  if (text == nullptr || (!equality && property.type == DataType::kUuid)) {
    return All();
  }
  if (IsOdd(*text, property.type)) {
    // The index holds the trimmed text, of objects that are taken in any case.
    return comparison == Comparison::kEq ? None() : All();
  }
  if (IsBelow(comparison)) {
    // Weaviate finds nothing below a text where the index holds "": the empty key ends its cursor.
    return NullState(property.name, false, false);
  }
  Native native = On(property.name, OperatorOf(comparison));
  native.set_value_text(*text);
  return Some(std::move(native), true);
}

size_t FillList(Native& native, DataType type, const std::vector<Value>& values) {
  size_t lost = 0;
  for (const Value& value : values) {
    const auto* integer = std::get_if<int64_t>(&value);
    const auto* number = std::get_if<double>(&value);
    const auto* text = std::get_if<std::string>(&value);
    const auto* boolean = std::get_if<bool>(&value);
    if (IsTextType(type) || type == DataType::kUuid) {
      if (text == nullptr || IsOdd(value, type)) {
        ++lost;
      } else {
        native.mutable_value_text_array()->add_values(*text);
      }
    } else if (type == DataType::kTimestamp) {
      if (integer == nullptr || *integer < kMinIndexedTime || *integer > kMaxIndexedTime) {
        ++lost;
      } else {
        native.mutable_value_text_array()->add_values(FormatTimestamp(*integer));
      }
    } else if (type == DataType::kBool) {
      if (boolean == nullptr) {
        ++lost;
      } else {
        native.mutable_value_boolean_array()->add_values(*boolean);
      }
    } else if (IsIntegerType(type)) {
      const double as_number = integer ? static_cast<double>(*integer) : number ? *number : 0.5;
      if (std::trunc(as_number) != as_number ||
          std::fabs(as_number) > static_cast<double>(kExactInteger)) {
        ++lost;
      } else {
        native.mutable_value_int_array()->add_values(static_cast<int64_t>(as_number));
      }
    } else {
      if (integer == nullptr && number == nullptr) {
        ++lost;
      } else {
        const double as_number = integer ? static_cast<double>(*integer) : *number;
        native.mutable_value_number_array()->add_values(as_number == 0 ? 0.0 : as_number);
      }
    }
  }
  return lost;
}

}  // namespace roost::weaviate_terms
