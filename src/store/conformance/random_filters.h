#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "store/capabilities.h"
#include "store/types.h"

namespace roost::conformance {

/// A schema with a field of every claimed type, VARCHAR keys, the vector "v" of four dimensions,
/// and tenants and dynamic fields where claimed.
CollectionSchema FilterSchema(const Capabilities& capabilities, std::string name, Metric metric);

/// Makes records of FilterSchema and filters over them, from small pools of values, so that filters
/// match often, with nulls, unlike JSON and edge values between them.
class FilterGenerator {
 public:
  FilterGenerator(const CollectionSchema& schema, Random& random)
      : schema_(schema), random_(random) {}

  Record NextRecord(size_t number);
  /// A filter's text with conditions nested up to `depth`.
  std::string NextFilter(int depth);

 private:
  bool Chance(uint64_t percent) { return random_.Below(100) < percent; }
  std::string_view Pick(std::initializer_list<std::string_view> from);
  Value NextValue(DataType type);
  std::string NextJson(int depth);
  std::string Condition();
  std::string FieldCondition(const FieldSchema& field);
  std::string NumberCondition(const std::string& name, DataType type);
  std::string StringCondition(const std::string& name);
  std::string JsonCondition(const std::string& path);
  std::string ArrayCondition(const FieldSchema& field);
  std::string KeyCondition();
  std::string JsonName(const std::string& field);
  std::string Literal(DataType type);
  std::string AnyLiteral();
  std::string List(DataType type);
  std::string AnyList();
  std::string Comparison();
  std::string NumberTerm(DataType type);

  const CollectionSchema& schema_;
  Random& random_;
};

}  // namespace roost::conformance
