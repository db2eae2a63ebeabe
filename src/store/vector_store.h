#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "store/adoption.h"
#include "store/capabilities.h"
#include "store/filter.h"
#include "store/types.h"

namespace roost {

/// kStrong sees every write acknowledged before the call; kEventual may lag by the store's
/// visibility (Capabilities::visibility).
enum class Consistency : uint8_t { kStrong, kEventual };

/// Which parts of a record come back.
struct OutputFields {
  bool all_scalars = true;          ///< every scalar field and the dynamic ones
  std::vector<std::string> fields;  ///< else these (declared or dynamic names)
  bool vectors = false;             ///< all vectors too
};

struct CreateCollectionRequest {
  CollectionSchema schema;
  std::string adopt;  ///< not empty: what others made under this name (store/adoption.h)
};
struct DropCollectionRequest {
  std::string collection;
};
struct CollectionDescription {
  CollectionSchema schema;
  uint64_t estimated_count = 0;
  uint64_t bytes_on_disk = 0;  ///< 0 where the store does not tell
  bool index_ready = true;
};

/// Insert and Upsert. `records` of a multi-tenant collection each name their tenant.
struct WriteRequest {
  std::string collection;
  std::vector<Record> records;
  /// Where Capabilities::fenced_writes: a row whose stored or deleted version carries a higher
  /// fence is left as it is and counts as written. See migration/ledger.h.
  std::optional<uint64_t> fence;
};
struct RowError {
  size_t row = 0;
  Error error;
};
struct WriteResult {
  uint64_t written = 0;
  std::vector<RowError> errors;  ///< rows that were not written, by rising row
};

/// Deletes by key; absent keys are no error. With `filter`, only records that match it.
struct DeleteRequest {
  std::string collection;
  std::vector<RecordKey> keys;
  FilterPtr filter;
  std::optional<uint64_t> fence;
};
struct DeleteResult {
  uint64_t deleted = 0;  ///< records that were there; keys.size() where the store cannot tell
  std::vector<RowError> errors;
};

struct GetRequest {
  std::string collection;
  std::vector<RecordKey> keys;
  OutputFields output{.vectors = true};
  Consistency consistency = Consistency::kStrong;
};
/// One entry a key, in the order asked; empty where there is no such record.
struct GetResult {
  std::vector<std::optional<Record>> records;
};

/// Records that match, ordered by RecordKey.
struct QueryRequest {
  std::string collection;
  FilterPtr filter;                   ///< null: all
  std::optional<std::string> tenant;  ///< only this tenant
  uint64_t offset = 0;
  uint64_t limit = 100;
  OutputFields output;
  Consistency consistency = Consistency::kStrong;
};
struct QueryResult {
  std::vector<Record> records;
};

/// Nearest records to each of several queries. Either `vectors` (ANN over a vector field) or
/// `texts` (BM25 over a text field) is filled.
struct SearchRequest {
  std::string collection;
  std::string field;  ///< empty: the only vector field, or every text field
  std::vector<Vector> vectors;
  std::vector<std::string> texts;
  uint32_t top_k = 10;
  uint32_t offset = 0;
  FilterPtr filter;
  std::optional<std::string> tenant;
  std::optional<double> max_distance;  ///< only hits with distance ≤ this
  uint32_t ef = 0;                     ///< beam width of graph indexes; 0: max(64, top_k)
  bool exact = false;                  ///< compare with every record
  OutputFields output;
  Consistency consistency = Consistency::kStrong;
};
struct Hit {
  Record record;
  double distance = 0;
  double score = 0;
};
/// One list a query, best first; ties by RecordKey.
struct SearchResult {
  std::vector<std::vector<Hit>> hits;
};

/// Several searches with one query each, fused into one list.
struct HybridSearchRequest {
  enum class Fusion : uint8_t { kRrf, kWeighted };
  std::vector<SearchRequest> legs;  ///< same collection; each has exactly one query
  Fusion fusion = Fusion::kRrf;
  uint32_t rrf_k = 60;
  std::vector<double> weights;  ///< kWeighted: one a leg; over min-max normalised scores
  uint32_t top_k = 10;
  uint32_t offset = 0;
};

/// One page of all records in RecordKey order, strictly after `after` and up to `until`. A record
/// that exists during the whole scan is on exactly one page, whatever is written meanwhile.
struct ScanRequest {
  std::string collection;
  std::optional<std::string> tenant;
  std::optional<RecordKey> after;
  std::optional<RecordKey> until;
  uint32_t limit = 1'000;
  bool vectors = true;
  /// This page must show every write that was acknowledged before the call.
  bool barrier = true;
};
struct ScanPage {
  std::vector<Record> records;  ///< every field
  bool done = false;            ///< nothing follows
};

struct CountRequest {
  std::string collection;
  FilterPtr filter;
  std::optional<std::string> tenant;
};

/// A place that keeps collections of records and finds the nearest ones. Every store and everything
/// that changes how a store behaves (retries, metrics, routing) has this interface.
///
/// Thread safe. Calls block; they honour the context's deadline and stop and then return
/// kDeadlineExceeded or kCancelled. A write that fails with Error::outcome_unknown may still land,
/// at the latest Capabilities::zombie_horizon after the call. Writes are validated as a whole
/// before anything is changed (store/validate.h): kInvalidArgument names row and field. An
/// acknowledged write is durable. Common errors: kNotFound (collection), kAlreadyExists,
/// kInvalidArgument, kResourceExhausted (full; later), kUnavailable (store not reached),
/// kUnimplemented.
class VectorStore {
 public:
  virtual ~VectorStore() = default;

  virtual const Capabilities& capabilities() const = 0;

  virtual Status CreateCollection(const RequestContext&, const CreateCollectionRequest&) = 0;
  /// Absent is kNotFound.
  virtual Status DropCollection(const RequestContext&, const DropCollectionRequest&) = 0;
  virtual Result<CollectionDescription> DescribeCollection(const RequestContext&,
                                                           const std::string& collection) = 0;
  /// Sorted by name.
  virtual Result<std::vector<std::string>> ListCollections(const RequestContext&) = 0;

  /// A row whose key exists, or stood earlier in the batch, is an error kAlreadyExists of that row;
  /// the others are written.
  virtual Result<WriteResult> Insert(const RequestContext&, const WriteRequest&) = 0;
  /// Replaces whole records. The last of several rows with one key wins.
  virtual Result<WriteResult> Upsert(const RequestContext&, const WriteRequest&) = 0;
  virtual Result<DeleteResult> Delete(const RequestContext&, const DeleteRequest&) = 0;

  virtual Result<GetResult> Get(const RequestContext&, const GetRequest&) = 0;
  virtual Result<QueryResult> Query(const RequestContext&, const QueryRequest&) = 0;
  virtual Result<SearchResult> Search(const RequestContext&, const SearchRequest&) = 0;
  virtual Result<SearchResult> HybridSearch(const RequestContext&, const HybridSearchRequest&) = 0;
  virtual Result<ScanPage> Scan(const RequestContext&, const ScanRequest&) = 0;
  virtual Result<uint64_t> Count(const RequestContext&, const CountRequest&) = 0;

  virtual Status CheckHealth(const RequestContext&) = 0;
  virtual Adoption* adoption() { return nullptr; }  ///< of what others made; null: none here
};

}  // namespace roost
