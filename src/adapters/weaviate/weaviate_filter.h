#pragma once

// Filters in Weaviate's language.

#include <memory>
#include <string>

#include "adapters/weaviate/weaviate_table.h"
#include "store/filter.h"

namespace weaviate::v1 {
class Filters;
}  // namespace weaviate::v1

namespace roost {

/// What Weaviate may narrow a read by: every record that the filter matches passes it, others may.
struct WeaviateFilter {
  enum class Kind : uint8_t {
    kAll,   ///< every record passes
    kNone,  ///< no record does
    kSome,  ///< `native` says which
  };
  Kind kind = Kind::kAll;
  std::shared_ptr<const weaviate::v1::Filters> native;
  /// No record passes that the filter does not match, so nothing is left to judge.
  bool exact = false;
};

/// Of the records of one tenant (empty where there are none). Null matches all.
WeaviateFilter NarrowBy(const Filter* filter, const WeaviateTable& table,
                        const std::string& tenant);

}  // namespace roost
