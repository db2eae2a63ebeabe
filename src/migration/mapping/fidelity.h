#pragma once

#include <string>
#include <vector>

#include "migration/mapping/record_mapper.h"
#include "store/capabilities.h"
#include "store/fidelity.h"

namespace roost {

/// One row a field, then those of the whole collection, for a store with the capabilities `to`.
std::vector<FidelityRow> ReportFidelity(const RecordMapper& mapper, const Capabilities& to);

/// What the store does otherwise with single values and requests: longer keys than it takes, fewer
/// hits, later reads.
std::vector<std::string> ReportLimits(const CollectionSchema& schema, const Capabilities& from,
                                      const Capabilities& to);

}  // namespace roost
