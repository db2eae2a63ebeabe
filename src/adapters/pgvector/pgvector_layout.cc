#include "adapters/pgvector/pgvector_layout.h"

#include "adapters/pgvector/pgvector_table.h"

namespace roost {
namespace {

using Role = PgColumn::Role;

std::string Number(size_t parameter) { return "$" + std::to_string(parameter); }

bool IsPayload(const PgColumn& column) {
  return column.role != Role::kTenant && column.role != Role::kKey && column.role != Role::kFence &&
         column.role != Role::kDeleted && column.role != Role::kBuried;
}

/// One table holds records, fences and tombstones (README.md, "Tables").
class OwnLayout final : public PgLayout {
 public:
  explicit OwnLayout(const PgTable& table) : table_(table) {
    source = table.name;
    live = "NOT t.\"_deleted\"";
    order = "t.\"_tenant\", t.\"_key\"";
    same_key = "t.\"_tenant\" = k.a AND t.\"_key\" = k.b";
  }

  /// "(tenant, key) > ($n, $m)", so that PostgreSQL walks the primary key from there.
  std::string Beyond(const RecordKey& key, std::string_view sign, PgParams& params) const override {
    const std::string tenant = Number(params.Text(key.tenant));
    const auto* integer = std::get_if<int64_t>(&key.key);
    const std::string own = Number(
        integer != nullptr ? params.Int64(*integer) : params.Text(std::get<std::string>(key.key)));
    return "(" + order + ") " + std::string(sign) + " (" + tenant + ", " + own + ")";
  }

  std::vector<PgStatement> Upsert(std::string rows, std::optional<int64_t> fence) const override {
    std::string sql = Put();
    if (fence) {
      sql += " WHERE t.\"_fence\" IS NULL OR t.\"_fence\" <= EXCLUDED.\"_fence\"";
    }
    return WithRows(std::move(sql), std::move(rows));
  }

  std::vector<PgStatement> Insert(std::string rows, std::optional<int64_t>) const override {
    return WithRows(Put() +
                        " WHERE t.\"_deleted\" AND (t.\"_fence\" IS NULL OR EXCLUDED.\"_fence\" IS "
                        "NULL OR t.\"_fence\" <= EXCLUDED.\"_fence\") RETURNING t.\"_tenant\", "
                        "t.\"_key\"",
                    std::move(rows));
  }

  std::string Newer() const override {
    return "SELECT t.\"_tenant\", t.\"_key\" FROM " + table_.name + " t JOIN " +
           WantedKeys(table_) + " ON " + same_key + " WHERE t.\"_fence\" > $3";
  }

  std::vector<PgStatement> Delete(PgParams params, const std::string& matching,
                                  std::optional<int64_t> fence) const override {
    std::vector<PgStatement> statements(1);
    const std::string condition = matching.empty() ? live : matching;
    const std::string wanted = WantedKeys(table_);
    const std::string& name = table_.name;
    const std::string bury = "SET " + Bury();
    if (!fence) {
      // A record that was written with a fence leaves it behind, against older writes on their way.
      statements[0].sql = "WITH buried AS (UPDATE " + name + " t " + bury + " FROM " + wanted +
                          " WHERE " + same_key + " AND t.\"_fence\" IS NOT NULL AND " + condition +
                          " RETURNING 1), gone AS (DELETE FROM " + name + " t USING " + wanted +
                          " WHERE " + same_key + " AND t.\"_fence\" IS NULL AND " + condition +
                          " RETURNING 1) SELECT (SELECT count(*) FROM buried) + (SELECT count(*) "
                          "FROM gone)";
      statements[0].params = std::move(params);
      return statements;
    }
    const std::string number = Number(params.Int64(*fence));
    const std::string older = "(t.\"_fence\" IS NULL OR t.\"_fence\" <= " + number + ")";
    const std::string bury_at = bury + ", \"_fence\" = " + number;
    if (!matching.empty()) {
      statements[0].sql = "WITH gone AS (UPDATE " + name + " t " + bury_at + " FROM " + wanted +
                          " WHERE " + same_key + " AND " + older + " AND " + matching +
                          " RETURNING 1) SELECT count(*) FROM gone";
    } else {
      // A tombstone also where nothing was: an older write may still be on its way.
      statements[0].sql =
          "WITH before AS (SELECT t.\"_tenant\" AS a, t.\"_key\" AS b FROM " + name + " t JOIN " +
          wanted + " ON " + same_key + " WHERE " + live + "), gone AS (INSERT INTO " + name +
          " AS t (\"_tenant\", \"_key\", \"_deleted\", \"_buried\", \"_fence\") SELECT k.a, k.b, "
          "true, now(), " +
          number + " FROM " + wanted + " ON CONFLICT (\"_tenant\", \"_key\") DO UPDATE " + bury_at +
          " WHERE " + older +
          " RETURNING t.\"_tenant\" AS a, t.\"_key\" AS b) "
          "SELECT count(*) FROM gone JOIN before USING (a, b)";
    }
    statements[0].params = std::move(params);
    return statements;
  }

  std::string DropTombstones() const override {
    return "DELETE FROM " + table_.name + " WHERE \"_deleted\" AND \"_fence\" < $1";
  }

  std::string ExpireTombstones(uint64_t limit) const override {
    // Asked again outside, because a write may bring the record back in between.
    return "DELETE FROM " + table_.name +
           " WHERE \"_deleted\" AND ctid = ANY (ARRAY(SELECT ctid FROM " + table_.name +
           " WHERE \"_deleted\" AND \"_buried\" < now() - make_interval(secs => $1) LIMIT " +
           std::to_string(limit) + "))";
  }

 private:
  static std::vector<PgStatement> WithRows(std::string sql, std::string rows) {
    std::vector<PgStatement> statements(1);
    statements[0].sql = std::move(sql);
    statements[0].params.Raw(0, std::move(rows));
    return statements;
  }

  std::string Put() const {
    std::vector<const PgColumn*> all;
    std::string assignments;
    for (const PgColumn& column : table_.columns) {
      all.push_back(&column);
      if (column.role != Role::kTenant && column.role != Role::kKey) {
        assignments += assignments.empty() ? "" : ", ";
        // A write without a fence leaves the one that is there.
        assignments += column.role == Role::kFence
                           ? "\"_fence\" = COALESCE(EXCLUDED.\"_fence\", t.\"_fence\")"
                           : column.name + " = EXCLUDED." + column.name;
      }
    }
    return "INSERT INTO " + table_.name + " AS t (" + ColumnList(all, "") + ") SELECT " +
           ColumnList(all, "r") + " FROM unnest($1::" + table_.name +
           "[]) AS r ON CONFLICT (\"_tenant\", \"_key\") DO UPDATE SET " + assignments;
  }

  /// The assignments of an UPDATE that makes the row a tombstone, but for its fence.
  std::string Bury() const {
    std::string assignments = "\"_deleted\" = true, \"_buried\" = now()";
    for (const PgColumn& column : table_.columns) {
      if (IsPayload(column)) {
        assignments += ", " + column.name + " = NULL";
      }
    }
    return assignments;
  }

  const PgTable& table_;
};

}  // namespace

std::unique_ptr<PgLayout> MakeOwnLayout(const PgTable& table) {
  return std::make_unique<OwnLayout>(table);
}

std::string WantedKeys(const PgTable& table, size_t first) {
  return "unnest(" + Number(first) + "::text[], " + Number(first + 1) +
         "::" + std::string(table.key_array()) + ") AS k (a, b)";
}

}  // namespace roost
