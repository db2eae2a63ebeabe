// What others made: the list of their tables, and what one would be as a collection.

#include <algorithm>

#include "adapters/pgvector/pgvector_impl.h"
#include "base/log.h"
#include "store/validate.h"

namespace roost {
namespace {

/// Tables that one list looks at.
constexpr size_t kMaxListed = 1'000;

struct TableName {
  std::string schema;
  std::string name;
};

/// Those with a column of vectors that are none of Roost's.
Result<std::vector<TableName>> TablesWithVectors(const RequestContext& context,
                                                 PgConnection& connection,
                                                 const std::string& roost_schema) {
  PgParams params;
  params.Text(roost_schema);
  auto rows = TRY(connection.Run(
      context,
      "SELECT DISTINCT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON "
      "n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
      "a.attisdropped JOIN pg_type t ON t.oid = a.atttypid WHERE t.typname IN ('vector', "
      "'halfvec') "
      "AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname NOT IN "
      "('pg_catalog', 'information_schema') AND NOT EXISTS (SELECT 1 FROM pg_attribute o WHERE "
      "o.attrelid = c.oid AND o.attname = '_fence') AND NOT (n.nspname = $1 AND c.relname LIKE "
      "'roost\\_fences\\_%') ORDER BY 1, 2 LIMIT " +
          std::to_string(kMaxListed),
      std::move(params)));
  std::vector<TableName> names;
  for (size_t i = 0; i < rows.rows(); ++i) {
    names.push_back({.schema = rows.Text(i, 0), .name = rows.Text(i, 1)});
  }
  return names;
}

/// "items" where the session's search path finds it, or "shop.items".
Result<TableName> Resolve(const RequestContext& context, PgConnection& connection,
                          const std::string& wanted) {
  PgParams params;
  params.Text(wanted);
  auto rows = TRY(connection.Run(
      context,
      "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = "
      "c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (n.nspname || '.' || "
      "c.relname = $1 OR (c.relname = $1 AND pg_table_is_visible(c.oid))) ORDER BY n.nspname || "
      "'.' "
      "|| c.relname = $1 DESC LIMIT 1",
      std::move(params)));
  if (rows.rows() == 0) {
    return NotFound("there is no table \"" + wanted + "\" in " + connection.name() +
                    "; name it SCHEMA.TABLE, as the list of foreign collections does");
  }
  return TableName{.schema = rows.Text(0, 0), .name = rows.Text(0, 1)};
}

/// How many rows each doubt is true of, as notes.
Result<std::vector<std::string>> CountDoubts(const RequestContext& context,
                                             PgConnection& connection,
                                             const PgForeignTable& foreign,
                                             const PgAdoptionPlan& found) {
  std::string sql = "SELECT count(*)";
  for (const auto& [condition, said] : found.doubts) {
    sql += ", count(*) FILTER (WHERE " + condition + ")";
  }
  auto row = TRY(connection.Run(context, sql + " FROM " + foreign.quoted() + " AS f"));
  std::vector<std::string> notes = {std::to_string(row.Int(0, 0)) + " rows were looked at"};
  for (size_t i = 0; i < found.doubts.size(); ++i) {
    if (const int64_t rows = row.Int(0, i + 1); rows > 0) {
      notes.push_back(std::to_string(rows) + (rows == 1 ? " row: " : " rows: ") +
                      found.doubts[i].second);
    }
  }
  return notes;
}

}  // namespace

Result<std::vector<ForeignCollection>> PgStore::ListForeign(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  auto lease = TRY(pool_.Acquire(context));
  std::vector<ForeignCollection> list;
  const auto names = TRY(TablesWithVectors(context, *lease, options_.schema));
  for (const TableName& name : names) {
    auto foreign = LookAtPgTable(context, *lease, name.schema, name.name);
    if (foreign.code() == Code::kNotFound) {
      continue;  // dropped meanwhile
    }
    if (!foreign.ok()) {
      return foreign.error();
    }
    std::string adopted = TRY(catalogue_.AdoptedAs(context, *lease, name.schema, name.name));
    list.push_back({.name = foreign->plain(),
                    .adopted_as = std::move(adopted),
                    .obstacle = WhyNotAdoptable(*foreign)});
  }
  return list;
}

Result<PgAdoptionPlan> PgStore::PlanTable(const RequestContext& context, PgConnection& connection,
                                          const AdoptionQuery& query, bool count) {
  const TableName name = TRY(Resolve(context, connection, query.foreign));
  const std::string known = TRY(catalogue_.AdoptedAs(context, connection, name.schema, name.name));
  if (!known.empty()) {
    return AlreadyExists("table " + name.schema + "." + name.name + " is collection \"" + known +
                         "\" already");
  }
  const PgForeignTable foreign = TRY(LookAtPgTable(context, connection, name.schema, name.name));
  if (const std::string why = WhyNotAdoptable(foreign); !why.empty()) {
    return FailedPrecondition("table " + foreign.plain() + " cannot be adopted: " + why);
  }
  PgAdoptionPlan found = PlanPgAdoption(foreign, query);
  TRY(ValidateSchema(found.plan.schema, capabilities_));
  if (count) {
    // The plan is worth telling also where a huge table is not read through in time.
    auto notes = CountDoubts(context, connection, foreign, found);
    if (!notes.ok()) {
      notes = std::vector<std::string>{"the rows themselves were not looked at: " +
                                       notes.error().message};
    }
    found.plan.notes.insert(found.plan.notes.end(), notes->begin(), notes->end());
  }
  return found;
}

Result<AdoptionPlan> PgStore::PlanAdoption(const RequestContext& outer,
                                           const AdoptionQuery& query) {
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  auto lease = TRY(pool_.Acquire(context));
  PgAdoptionPlan found = TRY(PlanTable(context, *lease, query, true));
  return std::move(found.plan);
}

Status PgStore::Adopt(const RequestContext& context, PgConnection& connection,
                      const CreateCollectionRequest& request) {
  AdoptionQuery query{.foreign = request.adopt, .name = request.schema.name, .metric = {}};
  PgAdoptionPlan found = TRY(PlanTable(context, connection, query, false));
  // Where nothing on the server tells the metric, the request does.
  for (size_t i = 0; i < found.plan.schema.vectors.size() && i < request.schema.vectors.size();
       ++i) {
    found.plan.schema.vectors[i].metric = request.schema.vectors[i].metric;
  }
  if (found.plan.schema != request.schema) {
    return Aborted("table " + found.adopted.schema + "." + found.adopted.table +
                   " has changed since the adoption was planned; plan it again");
  }
  return catalogue_.Adopt(context, connection, request.schema, found.adopted);
}

}  // namespace roost
