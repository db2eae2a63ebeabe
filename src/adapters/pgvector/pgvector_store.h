#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct PgVectorOptions {
  /// "postgresql://user:password@host:port,host2/database?sslmode=…"; empty: the next five.
  std::string uri;
  std::string host = "127.0.0.1";
  uint16_t port = 5432;
  std::string user = "postgres";
  std::string password;
  std::string database = "postgres";
  std::string schema = "public";  ///< where the tables are; made when absent

  size_t max_connections = 16;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{30'000};   ///< at most, whatever the caller allows
  std::chrono::milliseconds bulk_timeout{120'000};  ///< writes, scans, counts
  /// How long a cancelled call waits for the server to confirm it.
  std::chrono::milliseconds cancel_grace{500};

  uint32_t ef_search = 64;  ///< where a search names none; at least top_k, at most 1,000
  /// HNSW indexes are built, in the background and without blocking writes, once a collection has
  /// this many records; before that, search compares with all of them.
  uint64_t index_min_rows = 10'000;
  bool build_indexes = true;  ///< false: only BuildIndexes() does
  std::chrono::milliseconds index_check_interval{2'000};
  uint64_t index_build_memory = 256u << 20;  ///< maintenance_work_mem of a build
  int index_build_workers = 1;               ///< besides the session's own process
  /// How long a deleted record's fence is remembered: longer than the longest move takes, so that
  /// no late write of it brings the record back. Counted by the server's clock.
  std::chrono::milliseconds tombstone_lifetime{std::chrono::hours(7 * 24)};
  uint64_t max_filtered_keys = 1'000'000;  ///< matches of a filter that SQL cannot say (README.md)
};

/// Collections as tables of a PostgreSQL database with the pgvector extension. README.md tells what
/// is kept how.
class PgVectorStore : public VectorStore {
 public:
  /// Builds the HNSW indexes that the collection's schema asks for and that are not there, whatever
  /// its size, without blocking writes. Returns when they are ready.
  virtual Status BuildIndexes(const RequestContext& context, const std::string& collection) = 0;
  /// Forgets deletes with a fence lower than `below` and returns how many they were. Only call it
  /// when no write with a lower fence can be on its way any more.
  virtual Result<uint64_t> DropTombstones(const RequestContext& context,
                                          const std::string& collection, uint64_t below) = 0;
};

/// What every server that OpenPgVectorStore accepts can do; `version` stays empty.
Capabilities PgVectorCapabilities(const PgVectorOptions& options);

/// Connects, checks versions (PostgreSQL 15, pgvector 0.7) and makes the catalogue. Errors say what
/// is missing and never show the password: kUnavailable, kUnauthenticated, kPermissionDenied,
/// kFailedPrecondition (too old, extension missing, not UTF-8). `clock` and `metrics` outlive the
/// store.
Result<std::unique_ptr<PgVectorStore>> OpenPgVectorStore(const PgVectorOptions& options,
                                                         Clock& clock, Metrics& metrics);

}  // namespace roost
