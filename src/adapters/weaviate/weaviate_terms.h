#pragma once

// The smallest parts of a filter, in Weaviate's language. For weaviate_filter.cc.

#include <string>
#include <string_view>
#include <vector>

#include <v1/base.pb.h>

#include "adapters/weaviate/weaviate_filter.h"
#include "store/filter.h"

namespace roost::weaviate_terms {

using Kind = WeaviateFilter::Kind;
using Native = weaviate::v1::Filters;

/// What is known of a part of the filter; as WeaviateFilter.
struct Bound {
  Kind kind = Kind::kAll;
  Native native;
  bool exact = false;
};
Bound All(bool exact = false);
Bound None();
Bound Constant(bool value);
Bound Some(Native native, bool exact);
/// All of the parts, or any of them.
Bound Join(std::vector<Bound> parts, bool all);

/// A condition on a property, still without its value.
Native On(std::string_view property, Native::Operator op);
Native::Operator OperatorOf(Comparison comparison);
bool IsBelow(Comparison comparison);  ///< < and <=

/// A scalar field, or an array, that has a property.
struct Property {
  std::string name;
  DataType type;  ///< of the elements of an array
  bool array;
};
bool IsIntegerType(DataType type);
bool IsTextType(DataType type);

// Comparisons with a literal, of what the index holds: exact for objects whose value is not odd
// (weaviate_codec.h). `!=` takes nulls too.
Bound CompareInteger(const Property& property, Comparison comparison, const Value& literal);
Bound CompareNumber(const Property& property, Comparison comparison, const Value& literal);
Bound CompareTime(const Property& property, Comparison comparison, const Value& literal);
Bound CompareText(const Property& property, Comparison comparison, const Value& literal);

/// The values as one list of Weaviate's; how many were left out because the index holds no such.
size_t FillList(Native& native, DataType type, const std::vector<Value>& values);
/// To Weaviate, "" and [] are null too.
Bound NullState(const std::string& property, bool null, bool exact);
/// `bound` speaks of what the index holds: takes those objects too where that is not the value.
Bound OrOdd(Bound bound, const Property& property);

}  // namespace roost::weaviate_terms
