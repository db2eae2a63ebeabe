#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct RemoteStoreOptions {
  size_t connections = 16;
};

/// What users may write as the address of a store.
inline constexpr std::string_view kAddressForms =
    "postgresql://USER@HOST:PORT/DATABASE, milvus://HOST:PORT, weaviate://HOST:PORT or "
    "opensearch://HOST:PORT";
bool KnowsAddress(std::string_view address);

/// What the store behind an address can do, as far as that is certain before anybody has connected:
/// what a move relies on (fenced writes, horizons) is. The address must be known.
Capabilities DeclaredCapabilities(std::string_view address);

/// Connects to the store behind an address. kInvalidArgument for an address that no adapter knows,
/// kUnavailable when nobody answers. No error repeats the address, which may hold a password.
Result<std::unique_ptr<VectorStore>> ConnectStore(const std::string& address,
                                                  const RemoteStoreOptions& options, Clock& clock,
                                                  Metrics& metrics);

}  // namespace roost
