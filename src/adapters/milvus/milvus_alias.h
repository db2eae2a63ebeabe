#pragma once

#include <vector>

#include "adapters/milvus/milvus_store.h"
#include "base/context.h"
#include "store/preparation.h"

namespace roost {

/// What belongs to a Milvus beside the collections: the alias by which other clients read the
/// collection, where one is asked for. Compared with what is there; nothing is changed. `clock` and
/// `metrics` outlive the steps.
Result<std::vector<PreparationStep>> LookBesideMilvus(const RequestContext& context,
                                                      const MilvusOptions& options,
                                                      const PreparationRequest& request,
                                                      Clock& clock, Metrics& metrics);

}  // namespace roost
