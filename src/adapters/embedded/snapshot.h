#pragma once

#include <string>

#include "adapters/embedded/core.h"
#include "base/context.h"

namespace roost::embedded {

/// Makes `folder` a store of its own that holds what readers see now. Rows in memory become segment
/// files there, so its log is empty. Writes and merges go on. On error the folder is removed.
/// kAlreadyExists when it exists; kDataLoss when a collection is quarantined.
Status WriteSnapshot(Core& core, const RequestContext& context, const std::string& folder);

}  // namespace roost::embedded
