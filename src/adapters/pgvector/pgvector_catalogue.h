#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/pgvector/pgvector_adopted.h"
#include "adapters/pgvector/pgvector_table.h"
#include "base/context.h"
#include "base/result.h"
#include "net/pg_connection.h"

namespace roost {

/// What the server is, learned when connecting.
struct PgServer {
  std::string version;           ///< "PostgreSQL 17.2, pgvector 0.8.0"
  std::string extension_schema;  ///< where the types `vector`, … are
  bool iterative_scan = false;   ///< pgvector 0.8 and later
  uint32_t sparsevec_oid = 0;
};

/// What PreparePgServer would find.
struct PgPresence {
  bool extension = false;
  bool catalogue = false;
};
/// Changes nothing. kFailedPrecondition: the server is too old or has no pgvector to offer.
Result<PgPresence> LookAtPgServer(const RequestContext& context, PgConnection& connection,
                                  const std::string& schema);

/// Checks versions and encoding and makes, where absent, the extension, the schema and the table
/// `roost_collections`. Safe when several processes do it at once.
Result<PgServer> PreparePgServer(const RequestContext& context, PgConnection& connection,
                                 const std::string& schema);

/// The collections: rows of `roost_collections`, remembered once read. Thread safe. A table's name
/// is never used again, so that a statement with a remembered one that is gone fails with
/// kNotFound; then Forget() and ask again.
class PgCatalogue {
 public:
  using TablePtr = std::shared_ptr<const PgTable>;

  explicit PgCatalogue(std::string schema) : schema_(std::move(schema)) {}

  Result<TablePtr> Find(const RequestContext& context, PgConnection& connection,
                        const std::string& collection);
  void Forget(const std::string& collection);
  /// Whether the collection of that name still is the one that `table` holds. kFailedPrecondition
  /// and kDataLoss say what others did to it.
  Result<bool> IsCurrent(const RequestContext& context, PgConnection& connection,
                         const PgTable& table) const;
  /// Those read so far.
  std::vector<TablePtr> Known() const;

  Status Create(const RequestContext& context, PgConnection& connection,
                const CollectionSchema& schema);
  /// Takes the table in as the collection; nothing of it changes. `adopted` is what PlanPgAdoption
  /// gave for it. kAlreadyExists also when the table is a collection already.
  Status Adopt(const RequestContext& context, PgConnection& connection,
               const CollectionSchema& schema, const PgAdopted& adopted);
  /// The collection that the table is, or empty; kFailedPrecondition for tables that Roost made.
  Result<std::string> AdoptedAs(const RequestContext& context, PgConnection& connection,
                                const std::string& schema, const std::string& table) const;
  Status Drop(const RequestContext& context, PgConnection& connection,
              const std::string& collection);
  Result<std::vector<std::string>> List(const RequestContext& context,
                                        PgConnection& connection) const;

 private:
  Result<TablePtr> Load(const RequestContext& context, PgConnection& connection,
                        const std::string& collection) const;
  Result<std::shared_ptr<PgTable>> LoadAdopted(const RequestContext& context,
                                               PgConnection& connection, CollectionSchema schema,
                                               int64_t id) const;
  Result<int64_t> AddRow(const RequestContext& context, PgConnection& connection,
                         const CollectionSchema& schema, int64_t format) const;

  const std::string schema_;
  mutable std::mutex mutex_;
  std::map<std::string, TablePtr> known_;
};

}  // namespace roost
