// Upkeep: HNSW indexes, built after the rows are there because inserting into one is many times
// slower, and old tombstones.

#include <map>

#include "adapters/pgvector/pgvector_impl.h"
#include "base/log.h"

namespace roost {
namespace {

/// After a build failed, it is not tried again for so long.
constexpr std::chrono::seconds kRetryBuild{60};
/// A collection that grows faster than this between two looks is still being filled.
constexpr double kQuietGrowth = 0.1;
/// Tombstones forgotten in one transaction.
constexpr uint64_t kExpireAtOnce = 10'000;
constexpr std::string_view kBuildLock = "7453926";

PgOptions ForBuilding(PgOptions connect, const PgVectorOptions& options, int workers) {
  connect.settings.emplace_back("statement_timeout", "0");
  connect.settings.emplace_back("lock_timeout", "0");
  connect.settings.emplace_back("maintenance_work_mem",
                                std::to_string(options.index_build_memory >> 10) + "kB");
  connect.settings.emplace_back("max_parallel_maintenance_workers", std::to_string(workers));
  return connect;
}

}  // namespace

Result<bool> PgStore::LookAtIndexes(const RequestContext& context, PgConnection& connection,
                                    const PgTable& table) {
  PgParams params;
  params.Text(table.name);
  auto rows = TRY(connection.Run(
      context,
      "SELECT a.attname::text, o.opcname::text FROM pg_index i JOIN pg_opclass o ON o.oid = "
      "i.indclass[0] JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m "
      "ON m.oid = c.relam AND m.amname = 'hnsw' JOIN pg_attribute a ON a.attrelid = i.indrelid AND "
      "a.attnum = i.indkey[0] WHERE i.indisvalid AND i.indpred IS NULL AND i.indrelid = "
      "to_regclass($1)",
      std::move(params)));
  bool all = true;
  for (size_t i = 0; i < table.schema.vectors.size(); ++i) {
    bool indexed = false;
    for (size_t row = 0; row < rows.rows(); ++row) {
      indexed = indexed || (PgQuoteName(rows.Bytes(row, 0)) == table.VectorColumn(i).stored &&
                            rows.Bytes(row, 1) == OperatorClass(table.schema.vectors[i]));
    }
    table.indexed[i] = indexed;
    all = all && (indexed || !WhyNotIndexable(table.schema.vectors[i]).empty());
  }
  table.indexed[table.schema.vectors.size()] = true;  // has been looked at
  return all;
}

Status PgStore::BuildIndex(const RequestContext& context, PgConnection& connection,
                           const PgTable& table, size_t vector) {
  // What an interrupted build left behind is in the way and of no use.
  const std::string name =
      PgQuoteName(options_.schema) + "." + PgQuoteName(IndexName(table, vector));
  TRY(connection.Script(context, "DROP INDEX IF EXISTS " + name, PgEffect::kWrite));
  TRY(connection.Script(context, CreateIndex(table, vector), PgEffect::kWrite));
  LogInfo("built an HNSW index",
          {{"collection", table.schema.name}, {"vector", table.schema.vectors[vector].name}});
  return {};
}

Status PgStore::CheckIndexes(const RequestContext& context, PgConnection& connection,
                             const PgTable& table, uint64_t min_rows) {
  if (TRY(LookAtIndexes(context, connection, table))) {
    return {};
  }
  const std::string lock =
      "(" + std::string(kBuildLock) + ", " + std::to_string(table.id % 2'000'000'000) + ")";
  // Another process may be at it; whoever waits here sees its index afterwards.
  const bool wait = min_rows == 0;
  auto locked = TRY(
      connection.Run(context, wait ? "SELECT true FROM (SELECT pg_advisory_lock" + lock + ") AS l"
                                   : "SELECT pg_try_advisory_lock" + lock));
  if (locked.Int(0, 0) == 0) {
    return {};
  }
  Status built;
  if (!TRY(LookAtIndexes(context, connection, table))) {
    for (size_t i = 0; i < table.schema.vectors.size() && built.ok(); ++i) {
      if (!table.indexed[i] && WhyNotIndexable(table.schema.vectors[i]).empty()) {
        built = BuildIndex(context, connection, table, i);
      }
    }
  }
  if (connection.usable()) {
    TRY(connection.Run(context, "SELECT pg_advisory_unlock" + lock));
    TRY(LookAtIndexes(context, connection, table));
  }
  return built;
}

Status PgStore::BuildIndexes(const RequestContext& context, const std::string& collection) {
  for (int workers = options_.index_build_workers;; workers = 0) {
    auto connection = TRY(PgConnection::Connect(context, ForBuilding(connect_, options_, workers)));
    const auto table = TRY(catalogue_.Find(context, *connection, collection));
    if (!table->layout->ours) {
      return FailedPrecondition("collection \"" + collection +
                                "\" was adopted: Roost adds no index "
                                "to " +
                                table->name + "; let its owner run CREATE INDEX there");
    }
    Status built = CheckIndexes(context, *connection, *table, 0);
    // A parallel build needs shared memory, of which containers have little.
    if (built.ok() || built.code() != Code::kResourceExhausted || workers == 0) {
      return built;
    }
  }
}

void PgStore::StartIndexer() {
  indexer_ = std::jthread([this](std::stop_token stop) { WatchIndexes(stop); });
}

void PgStore::WatchIndexes(std::stop_token stop) {
  std::map<int64_t, Upkeep> upkeep;
  while (clock_.SleepFor(options_.index_check_interval, stop)) {
    RequestContext context;
    context.stop = stop;
    for (const auto& table : catalogue_.Known()) {
      if (stop.stop_requested()) {
        return;
      }
      Upkeep& last = upkeep[table->id];
      auto wanted = KeepUp(context.WithTimeout(options_.call_timeout), *table, last);
      if (wanted.code() == Code::kNotFound) {
        catalogue_.Forget(table->schema.name);  // dropped by another process
      }
      if (!wanted.ok()) {
        continue;
      }
      if (!*wanted || clock_.Now() < last.build_not_before) {
        continue;
      }
      const Status built = BuildIndexes(context, table->schema.name);
      if (!built.ok() && !stop.stop_requested()) {
        last.build_not_before = clock_.Now() + kRetryBuild;
        LogWarning("an HNSW index could not be built; searches compare with all records until then",
                   {{"collection", table->schema.name}, {"error", built.error()}});
      }
    }
  }
}

Result<bool> PgStore::KeepUp(const RequestContext& context, const PgTable& table, Upkeep& last) {
  auto lease = TRY(pool_.Acquire(context));
  connections_.Set(static_cast<double>(pool_.stats().open));
  if (clock_.Now() >= last.expire_not_before) {
    const uint64_t expired = TRY(ExpireTombstones(context, *lease, table));
    if (expired < kExpireAtOnce) {
      last.expire_not_before = clock_.Now() + options_.tombstone_lifetime / 100;
    }
  }
  const bool all = TRY(LookAtIndexes(context, *lease, table));
  if (all || !options_.build_indexes || !table.layout->ours) {
    return false;
  }
  PgParams params;
  params.Text(table.name);
  auto count = TRY(lease->Run(context,
                              "SELECT GREATEST(c.reltuples::bigint, "
                              "pg_stat_get_live_tuples(c.oid)) FROM pg_class c WHERE c.oid = "
                              "to_regclass($1)",
                              std::move(params)));
  if (count.rows() == 0) {
    return false;
  }
  const int64_t rows = count.Int(0, 0);
  const bool quiet =
      static_cast<double>(rows - last.rows) <= kQuietGrowth * static_cast<double>(rows);
  last.rows = rows;
  return quiet && rows >= static_cast<int64_t>(options_.index_min_rows);
}

Result<uint64_t> PgStore::ExpireTombstones(const RequestContext& context, PgConnection& connection,
                                           const PgTable& table) {
  PgParams params;
  params.Double(std::chrono::duration<double>(options_.tombstone_lifetime).count());
  auto gone = TRY(connection.Run(context, table.layout->ExpireTombstones(kExpireAtOnce),
                                 std::move(params), PgEffect::kWrite));
  return gone.affected();
}

}  // namespace roost
