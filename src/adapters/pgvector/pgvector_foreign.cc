#include "adapters/pgvector/pgvector_foreign.h"

#include <algorithm>
#include <cctype>

namespace roost {
namespace {

Result<int64_t> FindTable(const RequestContext& context, PgConnection& connection,
                          PgForeignTable& table) {
  PgParams params;
  params.Text(table.schema);
  params.Text(table.name);
  auto row = TRY(connection.Run(
      context,
      "SELECT c.oid::bigint, c.relkind::text, has_table_privilege(c.oid, 'SELECT'), c.relkind = "
      "'r' AND EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid), EXISTS (SELECT 1 "
      "FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate) FROM "
      "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname "
      "= $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
      std::move(params)));
  if (row.rows() == 0) {
    return NotFound("there is no table " + table.plain() + " in " + connection.name() +
                    " that this role may see");
  }
  table.kind = row.Text(0, 1);
  table.readable = row.Int(0, 2) != 0;
  table.has_children = row.Int(0, 3) != 0;
  table.deferrable_key = row.Int(0, 4) != 0;
  return row.Int(0, 0);
}

Status FindColumns(const RequestContext& context, PgConnection& connection, int64_t oid,
                   PgForeignTable& table) {
  PgParams params;
  params.Int64(oid);
  auto rows = TRY(connection.Run(
      context,
      "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), b.typname::text, "
      "format_type(b.oid, -1), e.typname::text, pg_get_expr(d.adbin, d.adrelid), CASE WHEN "
      "t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, b.typtype NOT IN ('b', 'e', 'r', "
      "'m'), a.attnotnull OR t.typnotnull, a.attgenerated <> '', a.attidentity <> '', "
      "COALESCE(l.collisdeterministic, true), COALESCE(l.collname IN ('C', 'POSIX', 'ucs_basic') "
      "OR (l.collname = 'default' AND (SELECT s.datcollate IN ('C', 'POSIX') AND s.datlocprovider "
      "= 'c' FROM pg_database s WHERE s.datname = current_database())), false), EXISTS (SELECT 1 "
      "FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = "
      "ANY(i.indkey)) FROM pg_attribute a JOIN pg_type t ON t.oid = "
      "a.atttypid JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE "
      "t.oid END LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' LEFT JOIN "
      "pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum LEFT JOIN pg_collation l ON "
      "l.oid = a.attcollation WHERE a.attrelid = $1::bigint AND a.attnum > 0 AND NOT "
      "a.attisdropped "
      "ORDER BY a.attnum",
      std::move(params)));
  for (size_t i = 0; i < rows.rows(); ++i) {
    PgForeignColumn& column = table.columns.emplace_back();
    column.name = rows.Text(i, 0);
    column.type = rows.Text(i, 1);
    column.base = rows.Text(i, 2);
    column.base_type = rows.Text(i, 3);
    column.element = rows.Text(i, 4);
    column.default_text = rows.Text(i, 5);
    column.modifier = static_cast<int32_t>(rows.Int(i, 6));
    column.pseudo = rows.Int(i, 7) != 0;
    column.not_null = rows.Int(i, 8) != 0;
    column.generated = rows.Int(i, 9) != 0;
    column.identity = rows.Int(i, 10) != 0;
    column.deterministic = rows.Int(i, 11) != 0;
    column.by_bytes = rows.Int(i, 12) != 0;
    column.in_key = rows.Int(i, 13) != 0;
  }
  return {};
}

Status FindIndexes(const RequestContext& context, PgConnection& connection, int64_t oid,
                   PgForeignTable& table) {
  PgParams params;
  params.Int64(oid);
  auto rows = TRY(connection.Run(
      context,
      "SELECT a.attname::text, o.opcname::text, m.amname = 'hnsw' FROM pg_index i JOIN pg_opclass "
      "o "
      "ON o.oid = i.indclass[0] JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = "
      "c.relam AND m.amname IN ('hnsw', 'ivfflat') JOIN pg_attribute a ON a.attrelid = i.indrelid "
      "AND a.attnum = i.indkey[0] WHERE i.indisvalid AND i.indpred IS NULL AND i.indrelid = "
      "$1::bigint ORDER BY m.amname, i.indexrelid",
      std::move(params)));
  for (size_t i = 0; i < rows.rows(); ++i) {
    for (PgForeignColumn& column : table.columns) {
      if (column.name == rows.Bytes(i, 0)) {
        column.operators.push_back(rows.Text(i, 1));
        column.hnsw = column.hnsw || rows.Int(i, 2) != 0;
      }
    }
  }
  return {};
}

std::string WhyNoKey(const PgForeignTable& table, const PgForeignColumn& key) {
  if (!KeyTypeOf(key)) {
    return "the primary key \"" + key.name + "\" is " + key.type +
           "; keys are integers, text, varchar or uuid: give the table such a key, or a generated "
           "column of one of these types as primary key";
  }
  if (!key.deterministic) {
    return "the primary key \"" + key.name +
           "\" has a collation for which different texts are equal; keys are compared by bytes: "
           "give the column a deterministic collation";
  }
  if (table.deferrable_key) {
    return "the primary key is deferrable, so that no upsert can rely on it; make it NOT "
           "DEFERRABLE";
  }
  return {};
}

}  // namespace

const PgForeignColumn* PgForeignTable::Find(const std::string& column) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const PgForeignColumn& c) { return c.name == column; });
  return found == columns.end() ? nullptr : &*found;
}

Result<PgForeignTable> LookAtPgTable(const RequestContext& context, PgConnection& connection,
                                     const std::string& schema, const std::string& name) {
  PgForeignTable table;
  table.schema = schema;
  table.name = name;
  const int64_t oid = TRY(FindTable(context, connection, table));
  TRY(FindColumns(context, connection, oid, table));
  TRY(FindIndexes(context, connection, oid, table));
  return table;
}

std::string WhyNotAdoptable(const PgForeignTable& table) {
  if (!table.readable) {
    return "this role may not read it; GRANT SELECT on it (and INSERT, UPDATE, DELETE to write)";
  }
  if (table.kind != "r" && table.kind != "p") {
    return "it is a view or a table of another server; adopt the table behind it";
  }
  if (table.has_children) {
    return "other tables inherit from it, and its primary key does not hold for their rows; adopt "
           "these one by one, or use declarative partitions";
  }
  const PgForeignColumn* key = nullptr;
  size_t vectors = 0;
  for (const PgForeignColumn& column : table.columns) {
    if (column.in_key && key != nullptr) {
      return "its primary key has several columns; a key of one is needed: add a generated column "
             "that joins them and make that the primary key";
    }
    key = column.in_key ? &column : key;
    const PgReading reading = ReadingOf(column, "x");
    vectors += reading.vector ? 1 : 0;
    if (!column.in_key && !reading.field && !reading.vector && column.not_null &&
        !column.filled()) {
      return "column \"" + column.name + "\" (" + column.type +
             ") cannot be read, yet every row must have it; give it a default or allow nulls";
    }
  }
  if (key == nullptr) {
    return "it has no primary key, by which records would be found again; run ALTER TABLE " +
           table.quoted() +
           " ADD PRIMARY KEY (…), or ADD COLUMN id bigint GENERATED ALWAYS AS "
           "IDENTITY PRIMARY KEY";
  }
  if (std::string why = WhyNoKey(table, *key); !why.empty()) {
    return why;
  }
  if (vectors == 0) {
    return "it has no column of type vector or halfvec whose dimension is declared; declare it "
           "(ALTER TABLE … ALTER COLUMN … TYPE vector(N))";
  }
  return {};
}

std::optional<KeyType> KeyTypeOf(const PgForeignColumn& column) {
  if (column.base == "int2" || column.base == "int4" || column.base == "int8") {
    return KeyType::kInt64;
  }
  if (column.base == "text" || column.base == "varchar" || column.base == "uuid") {
    return KeyType::kVarChar;
  }
  return std::nullopt;
}

std::string RoostName(const std::string& name, const std::vector<std::string>& taken) {
  std::string plain;
  for (const char c : name.substr(0, 200)) {
    const bool good = static_cast<unsigned char>(c) < 0x80 &&
                      (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_');
    plain += good ? c : '_';
  }
  if (plain.empty() || plain[0] == '_' || std::isdigit(static_cast<unsigned char>(plain[0])) != 0) {
    plain = "f" + plain;
  }
  std::string free = plain;
  for (int n = 2; std::find(taken.begin(), taken.end(), free) != taken.end(); ++n) {
    free = plain + "_" + std::to_string(n);
  }
  return free;
}

}  // namespace roost
