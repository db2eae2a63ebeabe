#pragma once

// The insides of the store, shared by its source files.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/milvus/milvus_catalogue.h"
#include "adapters/milvus/milvus_codec.h"
#include "adapters/milvus/milvus_error.h"
#include "adapters/milvus/milvus_filter.h"
#include "adapters/milvus/milvus_layout.h"
#include "adapters/milvus/milvus_store.h"
#include "base/random.h"
#include "net/grpc_client.h"
#include "store/key_locks.h"

namespace roost {

/// What the server is and how to reach it.
struct MilvusServer {
  std::string name;      ///< for messages: "Milvus at host:19530"
  std::string database;  ///< empty: the server's default
  std::string version;
  std::unique_ptr<GrpcClient> client;
};

/// Connects, signs in and reads the version, as OpenMilvusStore says. `options` takes on what its
/// address gives. The rest outlives the server.
Result<MilvusServer> ConnectMilvusServer(MilvusOptions& options, Clock& clock, Random& random,
                                         Metrics& metrics);

class MilvusStore final : public VectorStore {
 public:
  MilvusStore(MilvusOptions options, MilvusServer server, std::unique_ptr<Random> random,
              Clock& clock);

  const Capabilities& capabilities() const override { return capabilities_; }
  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override;
  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override;
  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override;
  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override;
  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override;
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override;
  Result<DeleteResult> Delete(const RequestContext& context, const DeleteRequest& request) override;
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override;
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override;
  Result<SearchResult> Search(const RequestContext& context, const SearchRequest& request) override;
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override;
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override;
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override;
  Status CheckHealth(const RequestContext& context) override;

 private:
  /// What a call has in hand.
  struct Session {
    const RequestContext& context;
    const MilvusLayout& layout;
  };
  template <typename T>
  using Body = std::function<Result<T>(const Session&)>;

  /// Runs `body` with the collection's layout; again when the layout was remembered wrongly, and
  /// when the collection had to be loaded first. `body` may run twice only because it is a read or
  /// writes the same again.
  template <typename T>
  Result<T> With(const RequestContext& outer, std::chrono::milliseconds timeout,
                 const std::string& collection, const Body<T>& body);

  // milvus_store.cc
  Status CreateIndexes(const RequestContext& context, const MilvusLayout& layout);
  Status CreateIndex(const RequestContext& context, const MilvusLayout& layout, size_t vector);
  Status Load(const RequestContext& context, const MilvusLayout& layout);
  Status DropPhysical(const RequestContext& context, const MilvusLayout& layout);
  struct IndexState {
    uint64_t indexed = 0;
    uint64_t pending = 0;
    bool ready = true;
  };
  Result<IndexState> LookAtIndex(const RequestContext& context, const MilvusLayout& layout,
                                 size_t vector);

  // milvus_write.cc
  struct PendingRow {
    size_t row = 0;
    const Record* record = nullptr;
  };
  struct Failure {
    size_t row = 0;
    Error error;
  };
  /// The rows that were not written; an error when none was and the call as a whole failed.
  Result<std::vector<Failure>> WriteRows(const Session& session, std::span<const PendingRow> rows);
  Status SendRows(const Session& session, std::span<const PendingRow> rows);
  /// Halves a refused batch until the bad rows are alone.
  void WritePieces(const Session& session, std::span<const PendingRow> rows, Error first,
                   std::vector<Failure>& failures);
  Result<std::vector<RecordKey>> KeysThere(const Session& session,
                                           std::span<const RecordKey* const> keys);
  Result<WriteResult> InsertRows(const Session& session, const WriteRequest& request);
  Result<WriteResult> UpsertRows(const Session& session, const WriteRequest& request);
  Result<DeleteResult> DeleteRows(const Session& session, const DeleteRequest& request);
  /// Adds to `deleted` how many of the first keys it has deleted, also when it fails.
  Status DeleteKeys(const Session& session, std::span<const RecordKey> keys, size_t& deleted);

  // milvus_read.cc
  /// Up to when a read must have caught up with writes.
  struct ReadPoint {
    Consistency consistency = Consistency::kStrong;
    uint64_t timestamp = 0;  ///< Milvus' own; 0: of the moment the call arrives
  };
  /// For several calls that shall wait once: all of them see what was written before this.
  Result<ReadPoint> SharedPoint(const RequestContext& context, Consistency consistency);

  struct Page {
    std::vector<Record> records;  ///< by stored key
    size_t asked = 0;             ///< fewer than wanted where messages would be too large
  };
  Result<Page> FetchPage(const Session& session, const std::string& filter,
                         std::span<const MilvusColumn* const> columns, size_t limit,
                         const ReadPoint& point);
  /// Records with one of the keys that also meet `filter`, in no order.
  Result<std::vector<Record>> FetchKeys(const Session& session,
                                        std::span<const RecordKey* const> keys,
                                        const std::string& filter,
                                        std::span<const MilvusColumn* const> columns,
                                        const ReadPoint& point);
  struct Range {
    std::optional<RecordKey> after;
    std::optional<RecordKey> until;
    std::string filter;
  };
  /// Gives the records to `visit` in key order until it says no or none is left.
  Status ForEach(const Session& session, Range range, std::span<const MilvusColumn* const> columns,
                 size_t page_rows, const ReadPoint& point,
                 const std::function<bool(Record&&)>& visit);
  size_t PageRows(const MilvusLayout& layout, std::span<const MilvusColumn* const> columns) const;
  /// Filter and tenant together, in Milvus' language.
  Result<MilvusFilter> Translate(const Session& session, const std::optional<std::string>& tenant,
                                 const FilterPtr& filter) const;
  Result<QueryResult> QueryRows(const Session& session, const QueryRequest& request);
  Result<uint64_t> CountRows(const Session& session, const CountRequest& request);
  Result<uint64_t> CountThere(const Session& session, const std::string& filter,
                              Consistency consistency);
  Result<ScanPage> ScanRows(const Session& session, const ScanRequest& request);
  Error TooManyToJudge() const;

  // milvus_search.cc
  struct Nearest;
  Result<SearchResult> SearchVectors(const Session& session, const SearchRequest& request,
                                     const VectorFieldSchema& field);
  struct Found {
    std::vector<std::optional<Record>> records;  ///< of all queries, one after the other
    std::vector<size_t> hits;                    ///< how many each query has of them
  };
  Result<Found> SearchRows(const Session& session, const Nearest& nearest,
                           std::span<const size_t> which);
  /// One search for some of the queries; their hits and whether that was all there is.
  Status SearchOnce(const Session& session, Nearest& nearest, std::span<const size_t> which);
  /// Compares the queries with every record, here.
  Status SearchHere(const Session& session, Nearest& nearest, std::span<const size_t> which);

  const MilvusOptions options_;
  const MilvusServer server_;
  const std::unique_ptr<Random> random_;
  Clock& clock_;
  Capabilities capabilities_;
  MilvusCatalogue catalogue_;
  KeyLocks locks_;
};

}  // namespace roost
