#pragma once

// The insides of the store, shared by its source files.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/pgvector/pgvector_catalogue.h"
#include "adapters/pgvector/pgvector_codec.h"
#include "adapters/pgvector/pgvector_store.h"
#include "adapters/pgvector/pgvector_table.h"
#include "net/pg_pool.h"
#include "telemetry/metrics.h"

namespace roost {

/// How the options say the server is reached. kInvalidArgument.
Result<PgOptions> PgConnectOptions(const PgVectorOptions& options);

class PgStore final : public PgVectorStore, private Adoption {
 public:
  PgStore(PgVectorOptions options, PgOptions connect, PgServer server, Clock& clock,
          Metrics& metrics);
  ~PgStore() override;

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
  Status BuildIndexes(const RequestContext& context, const std::string& collection) override;
  Result<uint64_t> DropTombstones(const RequestContext& context, const std::string& collection,
                                  uint64_t below) override;
  Adoption* adoption() override { return this; }

 private:
  // pgvector_adoption.cc
  Result<std::vector<ForeignCollection>> ListForeign(const RequestContext& context) override;
  Result<AdoptionPlan> PlanAdoption(const RequestContext& context,
                                    const AdoptionQuery& query) override;
  /// `count`: also looks at all rows.
  Result<PgAdoptionPlan> PlanTable(const RequestContext& context, PgConnection& connection,
                                   const AdoptionQuery& query, bool count);
  Status Adopt(const RequestContext& context, PgConnection& connection,
               const CreateCollectionRequest& request);

  /// What a call has in hand.
  struct Session {
    const RequestContext& context;
    PgConnection& connection;
    const PgTable& table;
  };
  template <typename T>
  using Body = std::function<Result<T>(const Session&)>;

  /// Runs `body` with a session and the collection's table; again when the table was remembered
  /// wrongly, and when the server gave up for a conflict with another transaction. `body` judges
  /// its input by the table's schema and changes nothing when it says kInvalidArgument.
  template <typename T>
  Result<T> With(const RequestContext& outer, std::chrono::milliseconds timeout,
                 const std::string& collection, const Body<T>& body);

  /// Makes later statements of the transaction end soon after the caller's deadline, so that none
  /// of them lands later than Capabilities::zombie_horizon.
  static PgStatement LimitTime(const RequestContext& context);
  static PgStatement Setting(std::string name, std::string value);
  /// One transaction within that time; what the last statement gave.
  static Result<PgResult> RunLimited(const Session& session, std::vector<PgStatement> statements);

  // pgvector_write.cc
  Result<WriteResult> UpsertRows(const Session& session, const WriteRequest& request);
  Result<WriteResult> InsertRows(const Session& session, const WriteRequest& request);
  Result<DeleteResult> DeleteRows(const Session& session, const DeleteRequest& request);
  Result<std::string> EncodeRows(const Session& session, std::vector<const Record*>& rows,
                                 std::optional<int64_t> fence) const;

  // pgvector_read.cc
  /// The condition for live records of the tenant that the filter matches, over alias `t`.
  Result<std::string> Where(const Session& session, const std::optional<std::string>& tenant,
                            const FilterPtr& filter, PgParams& params);
  /// For a filter that SQL cannot say: the keys it matches, found here.
  Result<std::vector<RecordKey>> MatchHere(const Session& session,
                                           const std::optional<std::string>& tenant,
                                           const Filter& filter);

  // pgvector_search.cc
  struct NearestQuery;
  Result<SearchResult> SearchVectors(const Session& session, const SearchRequest& request,
                                     const VectorFieldSchema& field);
  Result<SearchResult> SearchTexts(const Session& session, const SearchRequest& request);
  /// pgvector_keywords.cc. Best first, those before the offset included.
  Result<std::vector<Hit>> SearchText(const Session& session, const SearchRequest& request,
                                      const std::string& text);
  Result<std::vector<PgResult>> RunNearest(const Session& session, const NearestQuery& query,
                                           std::span<const size_t> which, bool exact);

  // pgvector_index.cc
  struct Upkeep {
    int64_t rows = 0;
    SteadyTime build_not_before{};
    SteadyTime expire_not_before{};
  };
  void StartIndexer();
  void WatchIndexes(std::stop_token stop);
  /// One look at a table. True when its indexes should be built now.
  Result<bool> KeepUp(const RequestContext& context, const PgTable& table, Upkeep& last);
  Result<uint64_t> ExpireTombstones(const RequestContext& context, PgConnection& connection,
                                    const PgTable& table);
  Status CheckIndexes(const RequestContext& context, PgConnection& connection, const PgTable& table,
                      uint64_t min_rows);
  Result<bool> LookAtIndexes(const RequestContext& context, PgConnection& connection,
                             const PgTable& table);
  Status BuildIndex(const RequestContext& context, PgConnection& connection, const PgTable& table,
                    size_t vector);

  const PgVectorOptions options_;
  const PgOptions connect_;
  const PgServer server_;
  Clock& clock_;
  Capabilities capabilities_;
  Gauge& connections_;
  PgPool pool_;
  PgCatalogue catalogue_;
  std::jthread indexer_;  // last: it uses everything above
};

template <typename T>
Result<T> PgStore::With(const RequestContext& outer, std::chrono::milliseconds timeout,
                        const std::string& collection, const Body<T>& body) {
  constexpr int kMaxAttempts = 4;
  const RequestContext context = outer.WithTimeout(timeout);
  auto lease = TRY(pool_.Acquire(context));
  int64_t gone = -1;
  for (int attempt = 1;; ++attempt) {
    const PgCatalogue::TablePtr table = TRY(catalogue_.Find(context, *lease, collection));
    if (table->id == gone) {
      return DataLoss("table " + table->name + " of collection \"" + collection + "\" in " +
                      lease->name() + " is gone; drop the collection and load it again");
    }
    Result<T> result = body(Session{context, *lease, *table});
    if (result.ok() || attempt == kMaxAttempts || !lease->usable()) {
      return result;
    }
    if (result.code() == Code::kNotFound) {
      gone = table->id;
      catalogue_.Forget(collection);
    } else if (result.code() == Code::kInvalidArgument || result.code() == Code::kInternal ||
               result.code() == Code::kUnimplemented) {
      // Judged by a schema that another process may have replaced since, or a table that others
      // have changed. PostgreSQL has these codes for a type that is gone and a plan that is stale.
      if (result.error().outcome_unknown || TRY(catalogue_.IsCurrent(context, *lease, *table))) {
        return result;
      }
      catalogue_.Forget(collection);
    } else if (result.code() != Code::kAborted || result.error().outcome_unknown) {
      return result;
    }
  }
}

}  // namespace roost
