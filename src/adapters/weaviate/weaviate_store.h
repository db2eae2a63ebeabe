#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct WeaviateOptions {
  /// "weaviate://host:8080,host2:8080?grpc_port=50051&api_key=…&tls=true" (README.md).
  std::string uri = "weaviate://127.0.0.1:8080";

  /// To one host, for data; each carries any number of calls at once.
  size_t connections_per_host = 1;
  size_t max_calls = 1'024;  ///< in progress; above: kResourceExhausted
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{30'000};   ///< at most, whatever the caller allows
  std::chrono::milliseconds bulk_timeout{120'000};  ///< writes, scans, counts, schema changes
  /// How long a collection's schema is trusted for reads. Writes always look.
  std::chrono::milliseconds schema_lifetime{1'000};

  size_t batch_rows = 1'000;            ///< objects of one batch
  uint64_t batch_bytes = 8u << 20;      ///< and their size
  uint64_t reply_bytes = 32u << 20;     ///< a page of objects is made to stay below this
  size_t max_reply_bytes = 256u << 20;  ///< larger replies are refused
  /// The server's QUERY_MAXIMUM_RESULTS: one reply has no more objects.
  uint32_t max_results = 10'000;
  /// Records that one exact search of an HNSW index compares; below 40,000. Larger collections are
  /// searched in several pieces.
  uint64_t exact_piece = 30'000;
};

/// What a server of the version can do ("1.27.0").
Capabilities WeaviateCapabilities(const std::string& version);

/// Connects and checks the version. Errors name the server, say what to do and never show the key:
/// kUnavailable, kUnauthenticated, kInvalidArgument (address), kFailedPrecondition (not Weaviate,
/// too old). `clock` and `metrics` outlive the store.
Result<std::unique_ptr<VectorStore>> OpenWeaviateStore(const WeaviateOptions& options, Clock& clock,
                                                       Metrics& metrics);

}  // namespace roost
