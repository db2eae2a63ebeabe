#pragma once

// The insides of the store, shared by its source files.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "adapters/weaviate/weaviate_adopter.h"
#include "adapters/weaviate/weaviate_codec.h"
#include "adapters/weaviate/weaviate_format.h"
#include "adapters/weaviate/weaviate_names.h"
#include "adapters/weaviate/weaviate_store.h"
#include "adapters/weaviate/weaviate_table.h"
#include "store/key_locks.h"

namespace roost {

class WeaviateStore final : public VectorStore {
 public:
  WeaviateStore(WeaviateOptions options, std::unique_ptr<WeaviateClient> client,
                const std::string& version, Clock& clock);

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
  Adoption* adoption() override { return &adopter_; }

 private:
  /// What a call has in hand.
  struct Session {
    const RequestContext& context;
    const WeaviateTable& table;
  };
  template <typename T>
  using Body = std::function<Result<T>(const Session&)>;
  /// An object as a read gives it.
  struct Row {
    ObjectId id;
    Record record;
    double distance = 0;  ///< as the server computes it, if it was asked to
    double score = 0;
  };
  /// Takes rows of a read one after the other; false: enough.
  using Take = std::function<bool(Row&&)>;

  /// Runs `body` with the collection's schema: read anew if `fresh` or too old, and once more
  /// when the body fails with one that turns out to be out of date. `body` changes nothing when it
  /// says kInvalidArgument.
  template <typename T>
  Result<T> With(const RequestContext& outer, std::chrono::milliseconds timeout,
                 const std::string& collection, bool fresh, const Body<T>& body);
  Result<WeaviateTablePtr> FetchTable(const RequestContext& context, const std::string& collection);
  /// Nothing where it has to be fetched.
  WeaviateTablePtr CachedTable(const std::string& collection);

  // weaviate_rows.cc
  Result<std::vector<Row>> Run(const Session& session, const std::string& tenant,
                               weaviate::v1::SearchRequest& request);
  /// Objects from `first` to `last` in the order of their UUIDs, `page` at a time.
  Status ReadRange(const Session& session, const std::string& tenant, ObjectId first, ObjectId last,
                   const Wanted& wanted, uint64_t page, const Take& take);
  /// The objects that exist among these, which are sorted and unique; never misses one.
  Result<std::vector<Row>> Find(const Session& session, const std::string& tenant,
                                std::span<const ObjectId> ids, const Wanted& wanted);
  Result<std::vector<Row>> FindOneByOne(const Session& session, const std::string& tenant,
                                        std::span<const ObjectId> ids, const Wanted& wanted);
  /// Objects that a reply of `bytes` (0: options_.reply_bytes) takes.
  uint64_t RowsPerReply(const WeaviateTable& table, const Wanted& wanted, uint64_t bytes = 0) const;
  /// Those that can hold records, sorted: the one asked for, all of the collection, or "" where it
  /// has none.
  Result<std::vector<std::string>> TenantsOf(const Session& session,
                                             const std::optional<std::string>& tenant);
  Result<std::string> TenantOf(const Session& session, const std::string& name);

  // weaviate_read.cc
  /// The records of one tenant that match, in no order, with what the filter looks at; nothing
  /// where they are more than a reply holds or the filter cannot be told to Weaviate: then all have
  /// to be read.
  Result<std::optional<std::vector<Row>>> Match(const Session& session, const std::string& tenant,
                                                const Filter& filter);
  /// Reads the rows once more, with all that is wanted of them; without those that have gone or no
  /// longer match.
  Status Complete(const Session& session, const std::string& tenant, const Filter& filter,
                  const Wanted& wanted, std::vector<Row>& rows);
  /// One tenant's records that match, by rising key, without the first `skip`, which is lowered.
  Status QueryTenant(const Session& session, const QueryRequest& request, const std::string& tenant,
                     uint64_t& skip, QueryResult& result);
  Result<uint64_t> CountMatches(const Session& session, const std::string& tenant,
                                const Filter& filter);
  Result<GetResult> GetRows(const Session& session, const GetRequest& request);
  Result<QueryResult> QueryRows(const Session& session, const QueryRequest& request);
  Result<uint64_t> CountRows(const Session& session, const CountRequest& request);

  // weaviate_scan.cc
  struct KeyRange {
    std::optional<Key> after;
    std::optional<Key> until;
  };
  /// One tenant's records of the range that match, in key order. `take` takes no more than `limit`.
  Status ScanKeys(const Session& session, const std::string& tenant, const KeyRange& range,
                  const Filter* filter, const Wanted& wanted, uint64_t limit, const Take& take);
  Result<ScanPage> ScanRows(const Session& session, const ScanRequest& request);

  // weaviate_write.cc
  Result<KeyLocks::Hold> Lock(const Session& session, std::span<const RecordKey> keys);
  /// Writes the rows; those that failed are added to `errors` under their numbers.
  Status WriteRows(const Session& session, const std::vector<const Record*>& rows,
                   const std::vector<size_t>& numbers, std::vector<RowError>& errors);
  Status WriteBatch(const Session& session, std::span<const Record* const> rows,
                    std::span<const size_t> numbers, std::vector<RowError>& errors);
  /// A row that the server says it did not write: tried again alone, then taken out.
  std::optional<Error> Settle(const Session& session, const Record& row,
                              const std::string& message);
  Result<WriteResult> UpsertRows(const Session& session, const WriteRequest& request);
  Result<WriteResult> InsertRows(const Session& session, const WriteRequest& request);
  Result<DeleteResult> DeleteRows(const Session& session, const DeleteRequest& request);
  Result<uint64_t> DeleteIds(const Session& session, const std::string& tenant,
                             std::span<const ObjectId> ids);

  // weaviate_search.cc
  struct Nearest;
  /// Objects of buckets from the first up to the second, not included; nothing: of all.
  using Piece = std::optional<std::pair<int64_t, int64_t>>;
  Result<SearchResult> SearchRows(const Session& session, const SearchRequest& request);
  Result<std::vector<Hit>> SearchOne(const Session& session, const Nearest& nearest,
                                     const std::vector<std::string>& tenants);
  /// How a search is split so that each part is exact, if that is asked for.
  Result<std::vector<Piece>> PiecesOf(const Session& session, const Nearest& nearest,
                                      const std::string& tenant);
  weaviate::v1::SearchRequest Ask(const Session& session, const Nearest& nearest,
                                  const WeaviateFilter& narrowed, const Piece& piece,
                                  uint64_t limit) const;
  Result<std::vector<Hit>> SearchPiece(const Session& session, const Nearest& nearest,
                                       const std::string& tenant, const Piece& piece);
  /// By reading every record: what the index cannot answer.
  Result<std::vector<Hit>> SearchEverything(const Session& session, const Nearest& nearest,
                                            const std::string& tenant);

  const WeaviateOptions options_;
  Clock& clock_;
  Capabilities capabilities_;
  std::unique_ptr<WeaviateClient> client_;
  SystemRandom random_;
  WeaviateAdopter adopter_{options_, capabilities_, *client_, random_};
  KeyLocks key_locks_;

  struct Known {
    WeaviateTablePtr table;
    SteadyTime fetched;
  };
  std::mutex mutex_;
  std::map<std::string, Known> known_;
  std::map<std::string, std::string> tenant_names_;  ///< of those whose names are hashes
};

template <typename T>
Result<T> WeaviateStore::With(const RequestContext& outer, std::chrono::milliseconds timeout,
                              const std::string& collection, bool fresh, const Body<T>& body) {
  const RequestContext context = outer.WithTimeout(timeout);
  TRY(context.CheckAlive("calling Weaviate"));
  if (WeaviateTablePtr table = fresh ? nullptr : CachedTable(collection)) {
    auto result = body({context, *table});
    const bool doubtful =
        !result.ok() &&
        (result.code() == Code::kInvalidArgument || result.code() == Code::kNotFound ||
         result.code() == Code::kFailedPrecondition || result.code() == Code::kInternal);
    if (!doubtful) {
      return result;
    }
    const WeaviateTablePtr now = TRY(FetchTable(context, collection));
    return now->id == table->id ? std::move(result) : body({context, *now});
  }
  const WeaviateTablePtr table = TRY(FetchTable(context, collection));
  return body({context, *table});
}

}  // namespace roost
