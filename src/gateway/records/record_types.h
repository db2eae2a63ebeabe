#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/records/record_kinds.h"
#include "store/vector_store.h"

namespace roost {

struct RecordServiceOptions {
  /// Of one write to the store. Together with the next two it is how far `next_since` of a sync
  /// stays behind the clock: no write with an older stamp can land any more.
  std::chrono::milliseconds write_timeout{15'000};
  std::chrono::milliseconds late_writes{10'000};  ///< that ended without an answer
  std::chrono::milliseconds clock_skew{2'000};    ///< between gateways
  uint32_t batch_rows = 500;                      ///< written, or deleted, at a time
  uint32_t max_ids = 10'000;                      ///< of one request
  uint32_t max_limit = 10'000;                    ///< of records one request gives back
  uint32_t max_connected = 10'000;                ///< connected records of one request
  uint32_t max_keyword_candidates = 10'000;       ///< ranked here, where the store cannot
  std::chrono::milliseconds kinds_ttl{5'000};     ///< for changes through other gateways

  std::chrono::milliseconds overlap() const { return write_timeout + late_writes + clock_skew; }
};

/// Whose records: one collection, one tenant.
struct RecordScope {
  std::string collection;
  std::string tenant;
};

/// Who writes.
struct RecordOrigin {
  std::string device;
  std::string device_id;
  std::string long_job_id;
};

/// What is known of a collection of records. Immutable.
struct RecordLayout {
  std::shared_ptr<const CollectionSchema> schema;
  std::shared_ptr<const RecordKinds> kinds;
};

struct RecordCollectionSpec {
  std::string collection;
  uint32_t dimension = 768;
  Metric metric = Metric::kCosine;
  std::string store;                 ///< empty: the default store
  std::optional<RecordKinds> kinds;  ///< none: those in force, or the default ones
};

/// Records as applications write them: `key.key` is the unique id, `fields` and `dynamic` are the
/// properties, `vectors` holds "vector" or nothing. The tenant is set by the service.
struct RecordBatch {
  std::string type;  ///< name of their kind
  std::vector<Record> records;
  RecordOrigin origin;
  bool check_only = false;  ///< look for mistakes and change nothing
};

struct RecordUpdate {
  std::string unique_id;
  std::optional<Vector> vector;
  Record properties;  ///< `fields` and `dynamic`: null removes, others replace
  RecordOrigin origin;
};

struct RecordDeletion {
  std::vector<std::string> ids;
  std::string record_type;            ///< not empty: refused when a record is of another kind
  std::vector<std::string> s3_paths;  ///< none, or one an id; empty texts stand for none
  RecordOrigin origin;
};

/// How near is near enough, and how thoroughly to look.
struct SimilaritySetting {
  std::optional<Metric> metric;  ///< refused unless it is the collection's
  std::optional<double> min_score;
  std::optional<double> max_distance;
  uint32_t ef = 0;
  bool exact = false;
};

struct VectorQuery {
  Vector query_vector;
  uint32_t top_k = 10;
  SimilaritySetting similarity;
  FilterPtr filter;
  bool include_vector = false;
};

struct KeywordQuery {
  std::string keyword;
  uint32_t top_k = 10;
  FilterPtr filter;
  bool include_metadata = true;
};

struct FilterQuery {
  FilterPtr filter;
  uint32_t top_k = 10;
  bool get_connected_results = false;
  bool include_vector = false;
};

/// `from` holds the id of `to` in its property.
struct RecordLink {
  std::string from;
  std::string property;
  std::string to;
  auto operator<=>(const RecordLink&) const = default;
};

struct ConnectedRecords {
  std::vector<Record> records;    ///< what the filter found, by unique id
  std::vector<Record> connected;  ///< what they refer to and what refers to them, by unique id
  std::vector<RecordLink> links;
  bool complete = true;  ///< false: there are more connected ones than are given
};

struct SyncRequest {
  /// Microseconds since 1970 UTC. None: from the beginning, everything.
  std::optional<int64_t> since;
  std::string device_id;  ///< with `since`, changes by this device are left out; empty: none are
  uint32_t limit = 100;   ///< positions looked at
  uint64_t offset = 0;
  std::string cursor;  ///< of the page before; not beside an offset
  bool include_vector = true;
};

struct SyncPage {
  std::vector<Record> records;  ///< as they are now, by unique id; deleted ones with only their ids
  uint64_t next_offset = 0;
  std::string next_cursor;  ///< empty: this was the last page
  bool has_more = false;
  /// Where the next sync begins. Only on the first page and those reached by its cursor.
  std::optional<int64_t> next_since;
};

}  // namespace roost
