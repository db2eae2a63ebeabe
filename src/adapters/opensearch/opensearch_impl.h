#pragma once

// The insides of the store, shared by its source files.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/opensearch/opensearch_client.h"
#include "adapters/opensearch/opensearch_codec.h"
#include "adapters/opensearch/opensearch_index.h"
#include "adapters/opensearch/opensearch_refresh.h"
#include "adapters/opensearch/opensearch_reply.h"
#include "adapters/opensearch/opensearch_store.h"
#include "base/random.h"

namespace roost {

class OsStore final : public OpenSearchStore {
 public:
  OsStore(OpenSearchOptions options, StoreAddress address, Clock& clock, Metrics& metrics);
  ~OsStore() override;

  /// Asks the server what it is. Before anything else.
  Status Greet(const RequestContext& context);

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
  Result<uint64_t> DropTombstones(const RequestContext& context, const std::string& collection,
                                  uint64_t below) override;

 private:
  /// What a call has in hand.
  struct Session {
    const RequestContext& context;
    const OsIndex& index;
    const CollectionSchema& schema() const { return index.schema; }
  };
  template <typename T>
  using Body = std::function<Result<T>(const Session&)>;

  /// Runs `body` with the collection's index; again when the index was remembered wrongly. `body`
  /// judges its input by the schema and changes nothing when it says kInvalidArgument.
  template <typename T>
  Result<T> With(const RequestContext& outer, std::chrono::milliseconds timeout,
                 const std::string& collection, const Body<T>& body);

  // opensearch_bulk.cc
  /// One action on one document.
  struct Action {
    enum class Where : uint8_t {
      kNotNewer,   ///< nothing or a version up to `version`, which it then has
      kNothing,    ///< no version is known, not even of something deleted; it then has `version`
      kNoRecord,   ///< nothing or something deleted
      kUnchanged,  ///< what seq_no and primary_term say; it then has the next version
    };
    std::string id;
    std::string source;  ///< empty: delete
    Where where = Where::kNotNewer;
    int64_t version = 0;  ///< see opensearch_version.h
    int64_t seq_no = -1;
    int64_t primary_term = -1;
  };
  static void AppendAction(std::string& out, const Action& action);
  /// Sends them in pieces; those that the server was too busy for again. One item an action. An
  /// error where it is not certain what became of them.
  Result<std::vector<OsItem>> Bulk(const Session& session, std::span<const Action> actions);
  Result<std::vector<OsItem>> SendBulk(const Session& session, std::span<const Action* const> part);
  /// Gives documents that were just written the version of their fence, unless a newer one came.
  Status RaiseFences(const Session& session, std::vector<Action> written, uint64_t fence);

  // opensearch_write.cc and opensearch_delete.cc
  Result<WriteResult> UpsertRows(const Session& session, const WriteRequest& request);
  Result<WriteResult> InsertRows(const Session& session, const WriteRequest& request);
  Result<DeleteResult> DeleteRows(const Session& session, const DeleteRequest& request);
  struct Deletion;
  Status DeleteDirectly(const Session& session, std::vector<Deletion>& rows, DeleteResult& result);
  Status DeleteChecked(const Session& session, const DeleteRequest& request,
                       std::vector<Deletion>& rows, DeleteResult& result);
  int64_t NowMs() const;

  // opensearch_read.cc
  struct Found {
    std::string reply;  ///< the documents point into it
    std::vector<OsDocument> documents;
  };
  /// Realtime, in the order asked. `source`: "true", "false" or a list of properties.
  Result<Found> MultiGet(const Session& session, std::span<const std::string> ids,
                         const std::string& source);
  /// After it searches see what was acknowledged before.
  Status Refresh(const Session& session);
  Result<Found> RunSearch(const Session& session, const std::string& body);
  /// The query for live records of the tenant that the filter matches.
  Result<std::string> Where(const Session& session, const std::optional<std::string>& tenant,
                            const FilterPtr& filter);
  /// For a filter that the query language cannot say: the orders (as JSON) of the records it
  /// matches among those of the query, found here.
  Result<std::vector<std::string>> MatchHere(const Session& session, const Filter& filter,
                                             const std::string& wider);
  /// Calls `take` with each document in key order, strictly after `after`, until it says false.
  Status Walk(const Session& session, const std::string& query, std::optional<std::string> after,
              uint64_t page_rows, const std::string& source,
              const std::function<Result<bool>(const OsDocument&)>& take);
  /// Sets `after` to the order of the last of so many documents; false where there are fewer.
  Result<bool> Skip(const Session& session, const std::string& query, uint64_t rows,
                    std::optional<std::string>& after);
  /// Rows of about page_bytes.
  uint64_t PageRows(const CollectionSchema& schema, bool vectors) const;

  // opensearch_search.cc
  Result<SearchResult> SearchVectors(const Session& session, const SearchRequest& request,
                                     const VectorFieldSchema& field);
  Result<std::vector<Hit>> Rank(const Session& session, const SearchRequest& request,
                                const VectorFieldSchema& field, const Vector& query,
                                const std::vector<OsDocument>& documents);
  struct Answers {
    std::string reply;
    std::vector<std::vector<OsDocument>> documents;
  };
  Result<Answers> RunSearches(const Session& session, std::span<const std::string> bodies);
  Result<SearchResult> SearchTexts(const Session& session, const SearchRequest& request);

  // opensearch_upkeep.cc
  void WatchTombstones(std::stop_token stop);
  Result<uint64_t> DeleteTombstones(const Session& session, const std::string& condition);

  const OpenSearchOptions options_;
  Clock& clock_;
  SystemRandom random_;
  Capabilities capabilities_;
  OsClient client_;
  OsCatalogue catalogue_;
  OsRefresher refresher_;
  std::jthread upkeep_;  // last: it uses everything above
};

template <typename T>
Result<T> OsStore::With(const RequestContext& outer, std::chrono::milliseconds timeout,
                        const std::string& collection, const Body<T>& body) {
  constexpr int kMaxAttempts = 4;
  const RequestContext context = outer.WithTimeout(timeout);
  TRY(context.CheckAlive("calling " + client_.name()));
  for (int attempt = 1;; ++attempt) {
    const OsCatalogue::IndexPtr index = TRY(catalogue_.Find(context, collection));
    Result<T> result = body(Session{context, *index});
    if (result.ok() || attempt == kMaxAttempts) {
      return result;
    }
    if (result.code() == Code::kNotFound) {
      catalogue_.Forget(collection);
    } else if (result.code() == Code::kInvalidArgument ||
               result.code() == Code::kFailedPrecondition) {
      // Judged by a schema that another process may have replaced since.
      if (result.error().outcome_unknown || TRY(catalogue_.IsCurrent(context, *index))) {
        return result;
      }
      catalogue_.Forget(collection);
    } else {
      return result;
    }
  }
}

}  // namespace roost
