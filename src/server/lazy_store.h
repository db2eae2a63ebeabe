#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/vector_store.h"

namespace roost {

/// Connects to a store; called again after a failure.
using StoreFactory = std::function<Result<std::unique_ptr<VectorStore>>()>;

/// A store that need not be there when the process starts: the first call has it connected, and
/// while that fails every call is kUnavailable with the reason; it is tried again `retry_after`
/// after the last failure. Calls wait for a connect until their deadline or stop, it goes on
/// without them; the destructor waits for it. Until connected, capabilities() are `declared`: a
/// write that was prepared by them may be the one that connects, so what it relies on must hold for
/// every version. Thread safe.
std::unique_ptr<VectorStore> MakeLazyStore(std::string name, Capabilities declared,
                                           StoreFactory connect,
                                           std::chrono::milliseconds retry_after, Clock& clock);

}  // namespace roost
