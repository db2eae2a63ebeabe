#pragma once

#include <memory>

#include "adapters/embedded/core.h"
#include "adapters/embedded/embedded_store.h"

namespace roost::embedded {

/// Opens (or makes) the folder and brings the core to the state of the last acknowledged write:
/// manifest, segments, then the log behind them. Ready for writes on return. What was found goes
/// into `stats`. Errors as OpenEmbeddedStore.
Status Recover(Core& core, EmbeddedStats& stats);

}  // namespace roost::embedded
