#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/store_address.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct MilvusOptions {
  /// "milvus://user:password@host:19530,host2:19530/database?tls=true"; README.md lists what may
  /// follow. The settings below can be given there, too: "&connections=4".
  std::string uri;
  size_t connections = 1;  ///< to each host; each carries any number of calls
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds call_timeout{30'000};  ///< of calls without an earlier deadline
  std::chrono::milliseconds bulk_timeout{60'000};  ///< of Upsert, Insert, Delete, Scan, Count
  uint32_t shards = 1;                             ///< of new collections
  uint32_t replicas = 1;                           ///< of new collections, when loaded
  uint32_t ef_search = 64;                         ///< of HNSW, at least
  uint32_t batch_rows = 5'000;                     ///< in one message
  uint64_t batch_bytes = 16u << 20;                ///< in one message, either way
  /// Records that one call may judge here, because Milvus cannot say its filter (README.md).
  uint64_t max_judged_records = 10'000'000;
};

/// The release of a server: "v2.3.5" and "2.4.0-rc.1" are read; anything else is 0.0.0.
struct MilvusVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const MilvusVersion&) const = default;
};
MilvusVersion ParseMilvusVersion(std::string_view text);

/// What a server of that version can do; `version` as it was given. What follows from no server at
/// hand (text empty) is what every server that OpenMilvusStore accepts can do.
Capabilities MilvusCapabilities(std::string_view version);

/// What may stand in a Milvus address.
StoreAddressRules MilvusAddressRules();

/// Connects, signs in and reads the version (2.3 or later). Errors name the server's address, say
/// what to do and never show a secret: kInvalidArgument (address, TLS files), kUnavailable,
/// kUnauthenticated, kPermissionDenied, kNotFound (database), kFailedPrecondition (too old, not a
/// Milvus). `clock` and `metrics` outlive the store.
Result<std::unique_ptr<VectorStore>> OpenMilvusStore(const MilvusOptions& options, Clock& clock,
                                                     Metrics& metrics);

}  // namespace roost
