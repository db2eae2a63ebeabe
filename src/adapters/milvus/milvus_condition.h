#pragma once

#include <optional>
#include <string>

#include "adapters/milvus/milvus_layout.h"
#include "store/filter.h"

namespace roost {

/// A piece of a filter in Milvus' language.
struct MilvusCondition {
  enum class Kind : uint8_t { kAlways, kNever, kText };
  Kind kind = Kind::kAlways;
  std::string text;   ///< kText
  bool exact = true;  ///< else it holds at least where the filter does

  static MilvusCondition Always() { return {}; }
  static MilvusCondition Never() { return {.kind = Kind::kNever, .text = {}}; }
  static MilvusCondition Text(std::string text) {
    return {.kind = Kind::kText, .text = std::move(text)};
  }
  /// What can be said of a filter that Milvus does not have.
  static MilvusCondition Unknown() { return {.kind = Kind::kAlways, .text = {}, .exact = false}; }
};

/// The filter's condition, for a filter without children. kNe is the caller's (not kEq). One that
/// is not exact is wider than the filter and must not be negated.
MilvusCondition TranslateLeaf(const Filter& filter, const MilvusLayout& layout);

/// The first text after all that begin with `prefix`, in byte order; nothing where there is none.
std::optional<std::string> AfterPrefix(std::string_view prefix);

}  // namespace roost
