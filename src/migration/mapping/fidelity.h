#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "migration/mapping/record_mapper.h"
#include "store/capabilities.h"

namespace roost {

/// How well a store keeps something of a collection.
enum class Fidelity : uint8_t {
  kExact,         ///< as it is, in a type of the store's own
  kShadow,        ///< as it is, by help of another type or field
  kApproximated,  ///< the values as they are; what is computed of them may differ
  kImpossible,    ///< not at all
};
/// "exact", "exact by shadow field", "approximated", "impossible".
std::string_view FidelityName(Fidelity fidelity);

/// What becomes of one field, or of something else that the collection has.
struct FidelityRow {
  std::string what;  ///< the field's name, or "key", "tenants", "nulls", "dynamic fields", …
  std::string from;  ///< type of the field
  std::string to;    ///< name and type on the store, by the mapping
  Fidelity fidelity = Fidelity::kExact;
  std::string remark;  ///< what is done otherwise and what can be done about it; may be empty
};

/// One row a field, then those of the whole collection, for a store with the capabilities `to`.
std::vector<FidelityRow> ReportFidelity(const RecordMapper& mapper, const Capabilities& to);

/// What the store does otherwise with single values and requests: longer keys than it takes, fewer
/// hits, later reads.
std::vector<std::string> ReportLimits(const CollectionSchema& schema, const Capabilities& from,
                                      const Capabilities& to);

}  // namespace roost
