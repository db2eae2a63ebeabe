#pragma once

#include <string>
#include <vector>

#include "adapters/pgvector/pgvector_store.h"
#include "base/context.h"
#include "store/preparation.h"

namespace roost {

/// What a database must have before OpenPgVectorStore works, which makes what is missing: the
/// extension and the table of collections. Compared with what is there; nothing is changed. Errors
/// are those of OpenPgVectorStore.
Result<std::vector<PreparationStep>> LookAtPgVector(const RequestContext& context,
                                                    const PgVectorOptions& options);

}  // namespace roost
