#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct OpenSearchOptions {
  /// "opensearch://user:password@host:9200,host2:9200?tls=true&verify=false&…"; README.md lists the
  /// options, which come before those given here.
  std::string uri = "opensearch://127.0.0.1:9200";
  /// Of the indexes' names: lower case. Two of them make two Roosts on one cluster.
  std::string index_prefix = "roost-";
  uint32_t shards = 1;  ///< of a new collection
  int replicas = -1;    ///< of a new collection; -1: one as soon as there is a second node
  std::string engine = "lucene";  ///< of HNSW vectors: lucene or faiss

  size_t max_connections = 16;  ///< calls at a time; more wait until their deadline
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{30'000};   ///< at most, whatever the caller allows
  std::chrono::milliseconds bulk_timeout{120'000};  ///< writes, scans, counts

  uint32_t ef_search = 64;          ///< where a search names none; at least top_k
  uint32_t bulk_rows = 2'000;       ///< of one bulk call
  uint64_t bulk_bytes = 8u << 20;   ///< of one bulk call; the server takes 100 MB at most
  uint64_t page_bytes = 16u << 20;  ///< of one page of records read, about
  int max_resends = 8;              ///< of rows the server was too busy for
  std::chrono::milliseconds resend_delay{50};  ///< before the first; doubles
  /// How long a deleted record's fence is remembered: longer than the longest move takes, so that
  /// no late write of it brings the record back.
  std::chrono::milliseconds tombstone_lifetime{std::chrono::hours(7 * 24)};
  std::chrono::milliseconds tombstone_check_interval{std::chrono::hours(1)};
  /// Matches of a filter that the query language cannot say (README.md).
  uint64_t max_filtered_keys = 500'000;
};

/// Collections as indexes of an OpenSearch cluster with the k-NN plugin. README.md tells what is
/// kept how.
class OpenSearchStore : public VectorStore {
 public:
  /// Forgets deletes with a fence lower than `below` and returns how many they were. Only call it
  /// when no write with a lower fence can be on its way any more.
  virtual Result<uint64_t> DropTombstones(const RequestContext& context,
                                          const std::string& collection, uint64_t below) = 0;
};

/// What a server of the version ("2.19.1"; empty: the oldest that is accepted) can do.
Capabilities OpenSearchCapabilities(const std::string& version);

/// Connects and checks that a server of the right kind answers. Errors name the store, say what to
/// do and never show a secret: kUnavailable, kUnauthenticated, kPermissionDenied, kInvalidArgument
/// (the address), kFailedPrecondition (another kind of server, too old, no k-NN plugin). `clock`
/// and `metrics` outlive the store.
Result<std::unique_ptr<OpenSearchStore>> OpenOpenSearchStore(const OpenSearchOptions& options,
                                                             Clock& clock, Metrics& metrics);

}  // namespace roost
