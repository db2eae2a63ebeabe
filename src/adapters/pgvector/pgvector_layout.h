#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/pg_codec.h"
#include "net/pg_connection.h"
#include "store/types.h"

namespace roost {

struct PgTable;

/// How the records of a collection lie in PostgreSQL: all the SQL in which collections that Roost
/// made and those that it adopted differ. Everything that reads stands over the alias `t`; wanted
/// keys over `k` with the columns a (tenant) and b (key). Immutable.
class PgLayout {
 public:
  virtual ~PgLayout() = default;

  std::string source;    ///< what `t` is: has PgTable::columns under their names
  std::string live;      ///< that `t` is a record and no tombstone
  std::string order;     ///< of keys, for ORDER BY
  std::string same_key;  ///< that `t` has the key `k`
  bool ours = true;      ///< Roost made the table: it builds indexes and has tenants there

  /// That `t` stands behind the key (">"), or not behind it ("<=").
  virtual std::string Beyond(const RecordKey& key, std::string_view sign,
                             PgParams& params) const = 0;
  /// kInvalidArgument for keys that would come back as others.
  virtual Status CheckKey(const RecordKey& /*key*/) const { return {}; }

  /// Replaces whole records. `rows`: an array of rows of PgTable::row_oid, each key once, by key.
  /// With a fence those that carry a higher one stay.
  virtual std::vector<PgStatement> Upsert(std::string rows, std::optional<int64_t> fence) const = 0;
  /// The last statement gives the (tenant, key) of those that were written: no record before.
  virtual std::vector<PgStatement> Insert(std::string rows, std::optional<int64_t> fence) const = 0;
  /// The (tenant, key) of those keys ($1, $2) that carry a higher fence than $3.
  virtual std::string Newer() const = 0;
  /// The last statement gives how many were deleted. `params` begins with the keys; `matching`,
  /// a condition over `t` that uses the rest, may be empty.
  virtual std::vector<PgStatement> Delete(PgParams params, const std::string& matching,
                                          std::optional<int64_t> fence) const = 0;
  /// Forgets deletes with a fence below $1.
  virtual std::string DropTombstones() const = 0;
  /// Forgets some deletes, at most `limit`, older than $1 seconds.
  virtual std::string ExpireTombstones(uint64_t limit) const = 0;
};

/// The layout of tables that Roost made. `table` outlives it.
std::unique_ptr<PgLayout> MakeOwnLayout(const PgTable& table);

/// "unnest($1::text[], $2::bigint[]) AS k (a, b)".
std::string WantedKeys(const PgTable& table, size_t first = 1);

}  // namespace roost
