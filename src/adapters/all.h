#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/preparation.h"
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

/// What the store behind a known address must have before ConnectStore, which makes what is
/// missing, finds anything there. Compared with what is there; changes nothing. Errors as
/// ConnectStore's.
Result<std::vector<PreparationStep>> LookBeforeConnecting(const RequestContext& context,
                                                          const std::string& address);

/// Whether Roost makes aliases in the store behind a known address.
bool HasAliases(std::string_view address);

/// What belongs to the store itself beside the wanted collection: templates of indexes, aliases.
/// Compared with what is there; changes nothing. `clock` and `metrics` outlive the steps.
Result<std::vector<PreparationStep>> LookBesideCollection(const RequestContext& context,
                                                          const std::string& address,
                                                          const PreparationRequest& request,
                                                          Clock& clock, Metrics& metrics);

}  // namespace roost
