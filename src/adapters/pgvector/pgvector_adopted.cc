#include "adapters/pgvector/pgvector_adopted.h"

#include <utility>

namespace roost {
namespace {

using Role = PgColumn::Role;

/// How one part of the collection lies in the table.
struct Place {
  const PgColumn* column = nullptr;  ///< of PgTable::columns
  std::string read;
  std::string write;  ///< empty: never
};

struct KeyColumn {
  std::string name;  ///< quoted
  std::string type;  ///< PostgreSQL's
  std::string base;
  bool by_bytes = false;
};

std::string Number(size_t parameter) { return "$" + std::to_string(parameter); }

constexpr std::string_view kUuid =
    "'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'";

bool IsUuid(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) {
      return false;
    }
  }
  return text.size() == 36;
}

/// The table as others made it; fences stand in a table beside it.
class AdoptedLayout final : public PgLayout {
 public:
  AdoptedLayout(const PgTable& table, KeyColumn key, const std::vector<Place>& places,
                std::string fences)
      : table_(table), key_(std::move(key)), fences_(std::move(fences)) {
    ours = false;
    live = "true";
    order = "t.\"_order\"";
    same_key = SameKey("t.\"_native\"");
    const std::string own = "f." + key_.name;
    const bool text = table.schema.key_type == KeyType::kVarChar;
    const std::string bytes = own + "::text COLLATE \"C\"";
    source = "(SELECT ''::text COLLATE \"C\" AS \"_tenant\", NULL::json AS \"_dynamic\", " +
             (text ? bytes : own) + " AS \"_key\", " + own + " AS \"_native\", " +
             (text && key_.base != "uuid" && !key_.by_bytes ? bytes : own) + " AS \"_order\"";
    for (const Place& place : places) {
      source += ", " + place.read + " AS " + place.column->name;
      if (!place.write.empty()) {
        names_ += ", " + place.column->stored;
        values_ += ", " + place.write;
        assignments_ += (assignments_.empty() ? "" : ", ") + place.column->stored + " = EXCLUDED." +
                        place.column->stored;
      }
    }
    source += " FROM " + table.name + " AS f)";
  }

  std::string Beyond(const RecordKey& key, std::string_view sign, PgParams& params) const override {
    const std::string compared = " " + std::string(sign) + " ";
    if (const auto* integer = std::get_if<int64_t>(&key.key)) {
      return "t.\"_order\"" + compared + Number(params.Int64(*integer));
    }
    const auto& text = std::get<std::string>(key.key);
    if (key_.base != "uuid") {
      return "t.\"_order\"" + compared + Number(params.Text(text));
    }
    // Any text may bound a range; uuids stand in the order of their texts.
    return IsUuid(text) ? "t.\"_order\"" + compared + Number(params.Text(text)) + "::uuid"
                        : "t.\"_key\"" + compared + Number(params.Text(text));
  }

  Status CheckKey(const RecordKey& key) const override {
    if (key_.base == "uuid" && !IsUuid(std::get<std::string>(key.key))) {
      return InvalidArgument("key " + ToString(key) + " is no uuid in lower case, which column " +
                             key_.name + " of " + table_.name + " takes");
    }
    const int64_t limit = key_.base == "int2" ? INT16_MAX : key_.base == "int4" ? INT32_MAX : 0;
    const auto* integer = std::get_if<int64_t>(&key.key);
    if (integer != nullptr && limit > 0 && (*integer > limit || *integer < -limit - 1)) {
      return InvalidArgument("key " + ToString(key) + " is out of the range of column " +
                             key_.name + " (" + key_.type + ") of " + table_.name);
    }
    return {};
  }

  std::vector<PgStatement> Upsert(std::string rows, std::optional<int64_t> fence) const override {
    std::vector<PgStatement> statements;
    if (fence) {
      statements.push_back(WithRows(ClaimRows(""), rows, fence));
    }
    const std::string stored = assignments_.empty() ? "NOTHING" : "UPDATE SET " + assignments_;
    statements.push_back(WithRows(Put(fence) + " ON CONFLICT (" + key_.name + ") DO " + stored,
                                  std::move(rows), fence));
    return statements;
  }

  std::vector<PgStatement> Insert(std::string rows, std::optional<int64_t> fence) const override {
    std::vector<PgStatement> statements;
    if (fence) {
      statements.push_back(
          WithRows(ClaimRows(" WHERE NOT EXISTS (SELECT 1 FROM " + table_.name + " AS f WHERE " +
                             "f." + key_.name + " = " + KeyValue() + ")"),
                   rows, fence));
    }
    const std::string written = table_.schema.key_type == KeyType::kInt64 ? "::bigint" : "::text";
    statements.push_back(WithRows(Put(fence) + " ON CONFLICT (" + key_.name +
                                      ") DO NOTHING RETURNING ''::text, f." + key_.name + written,
                                  std::move(rows), fence));
    return statements;
  }

  std::string Newer() const override {
    return "SELECT ''::text, x.\"_key\" FROM " + fences_ + " AS x JOIN " + WantedKeys(table_) +
           " ON x.\"_key\" = k.b WHERE k.a = '' AND x.\"_fence\" > $3";
  }

  std::vector<PgStatement> Delete(PgParams params, const std::string& matching,
                                  std::optional<int64_t> fence) const override {
    std::vector<PgStatement> statements;
    const std::string own = SameKey("f." + key_.name);
    std::string condition = own;
    PgParams keys;
    if (!matching.empty()) {
      // Held first, so that what is judged then is what is deleted.
      PgStatement& lock = statements.emplace_back();
      lock.sql = "SELECT 1 FROM " + table_.name + " AS f WHERE EXISTS (SELECT 1 FROM " +
                 WantedKeys(table_) + " WHERE " + own + ") ORDER BY f." + key_.name + " FOR UPDATE";
      for (size_t i = 0; i < 2; ++i) {
        lock.params.Raw(params.params()[i].type, params.params()[i].bytes);
      }
      condition += " AND EXISTS (SELECT 1 FROM " + source + " t WHERE " + same_key + " AND " +
                   matching + ")";
    }
    if (fence) {
      const std::string number = Number(params.Int64(*fence));
      const std::string only = matching.empty()
                                   ? ""
                                   : " WHERE EXISTS (SELECT 1 FROM " + source + " t WHERE " +
                                         same_key + " AND " + matching + ")";
      PgStatement& claim = statements.emplace_back();
      claim.sql = Claim("SELECT k.b, " + number + " FROM " + WantedKeys(table_) + only);
      claim.params = params;
      condition += " AND EXISTS (SELECT 1 FROM " + fences_ +
                   " AS x WHERE x.\"_key\" = k.b AND x.\"_fence\" = " + number + ")";
    }
    PgStatement& gone = statements.emplace_back();
    gone.sql = "WITH gone AS (DELETE FROM " + table_.name + " AS f USING " + WantedKeys(table_) +
               " WHERE " + condition + " RETURNING 1) SELECT count(*) FROM gone";
    gone.params = std::move(params);
    return statements;
  }

  std::string DropTombstones() const override {
    return "DELETE FROM " + fences_ + " WHERE \"_fence\" < $1";
  }

  std::string ExpireTombstones(uint64_t limit) const override {
    const std::string old = "\"_at\" < now() - make_interval(secs => $1)";
    return "DELETE FROM " + fences_ + " WHERE " + old + " AND ctid = ANY (ARRAY(SELECT ctid FROM " +
           fences_ + " WHERE " + old + " LIMIT " + std::to_string(limit) + "))";
  }

  const std::string& fences() const { return fences_; }

 private:
  /// Not only texts that are uuids may be asked for.
  std::string SameKey(const std::string& own) const {
    return own + " = " +
           (key_.base == "uuid" ? "(CASE WHEN k.b ~ " + std::string(kUuid) + " THEN k.b::uuid END)"
                                : std::string("k.b"));
  }

  std::string KeyValue() const { return key_.base == "uuid" ? "r.\"_key\"::uuid" : "r.\"_key\""; }

  std::string Claim(const std::string& rows) const {
    return "INSERT INTO " + fences_ + " AS x (\"_key\", \"_fence\") " + rows +
           " ON CONFLICT (\"_key\") DO UPDATE SET \"_fence\" = EXCLUDED.\"_fence\", \"_at\" = "
           "now() "
           "WHERE x.\"_fence\" <= EXCLUDED.\"_fence\"";
  }
  /// From then on the transaction holds the rows of `fences` that carry this fence.
  std::string ClaimRows(const std::string& only) const {
    return Claim("SELECT r.\"_key\", $2 FROM unnest($1::" + table_.row_type + "[]) AS r" + only);
  }

  std::string Put(std::optional<int64_t> fence) const {
    return "INSERT INTO " + table_.name + " AS f (" + key_.name + names_ +
           ") OVERRIDING SYSTEM VALUE SELECT " + KeyValue() + values_ +
           " FROM unnest($1::" + table_.row_type + "[]) AS r" +
           (fence ? " WHERE EXISTS (SELECT 1 FROM " + fences_ +
                        " AS x WHERE x.\"_key\" = r.\"_key\" AND x.\"_fence\" = $2)"
                  : std::string());
  }

  static PgStatement WithRows(std::string sql, std::string rows, std::optional<int64_t> fence) {
    PgStatement statement;
    statement.sql = std::move(sql);
    statement.params.Raw(0, std::move(rows));
    if (fence) {
      statement.params.Int64(*fence);
    }
    return statement;
  }

  const PgTable& table_;
  const KeyColumn key_;
  const std::string fences_;
  std::string names_;
  std::string values_;
  std::string assignments_;
};

std::string FencesOf(std::string_view pg_schema, int64_t id) {
  return PgQuoteName(pg_schema) + "." + PgQuoteName("roost_fences_" + std::to_string(id));
}

Error Changed(const CollectionSchema& collection, const PgForeignTable& foreign,
              const std::string& what) {
  return FailedPrecondition("table " + foreign.plain() + " is not any more what collection \"" +
                            collection.name + "\" was adopted from: " + what +
                            "; drop the collection (the table stays) and adopt the table again");
}

/// The column as it is read now, when that still is what the schema says.
Result<PgReading> StillRead(const CollectionSchema& collection, const PgForeignTable& foreign,
                            const std::string& column, const std::string& name) {
  const PgForeignColumn* found = foreign.Find(column);
  if (found == nullptr) {
    return Changed(collection, foreign, "column \"" + column + "\" is gone");
  }
  PgReading reading = ReadingOf(*found, name);
  const FieldSchema* field = collection.FindField(name);
  const VectorFieldSchema* vector = collection.FindVector(name);
  const bool same = field != nullptr ? reading.field && reading.field->type == field->type &&
                                           reading.field->element_type == field->element_type
                                     : reading.vector && reading.vector->type == vector->type &&
                                           reading.vector->dimension == vector->dimension;
  if (!same) {
    return Changed(collection, foreign, "column \"" + column + "\" is " + found->type + " now");
  }
  return reading;
}

PgColumn Column(Role role, const std::string& name, std::string type, const std::string& stored,
                size_t member) {
  PgColumn column;
  column.role = role;
  column.name = ColumnName(name);
  column.type = std::move(type);
  column.stored = PgQuoteName(stored);
  column.member = member;
  return column;
}

}  // namespace

std::vector<std::string> PgAdopted::ToTexts() const {
  std::vector<std::string> texts = {schema, table, key};
  texts.insert(texts.end(), fields.begin(), fields.end());
  texts.insert(texts.end(), vectors.begin(), vectors.end());
  return texts;
}

Result<PgAdopted> PgAdopted::FromTexts(const CollectionSchema& collection,
                                       const std::vector<std::string>& texts) {
  if (texts.size() != 3 + collection.fields.size() + collection.vectors.size()) {
    return DataLoss("what roost_collections keeps of the adopted collection \"" + collection.name +
                    "\" is damaged; drop it (the table stays) and adopt the table again");
  }
  PgAdopted adopted{
      .schema = texts[0], .table = texts[1], .key = texts[2], .fields = {}, .vectors = {}};
  const auto vectors = texts.begin() + 3 + static_cast<std::ptrdiff_t>(collection.fields.size());
  adopted.fields.assign(texts.begin() + 3, vectors);
  adopted.vectors.assign(vectors, texts.end());
  return adopted;
}

Result<std::shared_ptr<PgTable>> MakeAdoptedTable(CollectionSchema collection,
                                                  std::string_view pg_schema, int64_t id,
                                                  const PgAdopted& adopted,
                                                  const PgForeignTable& foreign) {
  auto table = std::make_shared<PgTable>(std::move(collection), id);
  const CollectionSchema& schema = table->schema;
  table->plain_name = "roost_" + Slug(schema.name).substr(0, 36) + "_" + std::to_string(id);
  table->name = foreign.quoted();
  table->row_type = PgQuoteName(pg_schema) + "." + PgQuoteName(table->plain_name);
  const PgForeignColumn* key = foreign.Find(adopted.key);
  if (const std::string why = WhyNotAdoptable(foreign); !why.empty()) {
    return Changed(schema, foreign, why);
  }
  if (key == nullptr || !key->in_key || KeyTypeOf(*key) != schema.key_type) {
    return Changed(schema, foreign, "column \"" + adopted.key + "\" is not its primary key now");
  }
  const bool integers = schema.key_type == KeyType::kInt64;
  table->columns.push_back(
      Column(Role::kKey, "_key", integers ? "bigint" : "text COLLATE \"C\"", key->name, 0));
  std::vector<PgReading> readings;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    const FieldSchema& field = schema.fields[i];
    PgReading reading = TRY(StillRead(schema, foreign, adopted.fields[i], field.name));
    readings.push_back(std::move(reading));
    table->columns.push_back(
        Column(Role::kField, field.name, FieldType(field), adopted.fields[i], i));
    table->columns.back().raw_json = readings.back().raw_json;
  }
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    const VectorFieldSchema& vector = schema.vectors[i];
    PgReading reading = TRY(StillRead(schema, foreign, adopted.vectors[i], vector.name));
    readings.push_back(std::move(reading));
    table->columns.push_back(
        Column(Role::kVector, vector.name, VectorType(vector), adopted.vectors[i], i));
  }
  std::vector<Place> places;
  for (size_t i = 0; i < readings.size(); ++i) {
    places.push_back({.column = &table->columns[i + 1],
                      .read = std::move(readings[i].read),
                      .write = std::move(readings[i].write)});
  }
  table->layout = std::make_unique<AdoptedLayout>(*table,
                                                  KeyColumn{.name = PgQuoteName(key->name),
                                                            .type = key->type,
                                                            .base = key->base,
                                                            .by_bytes = key->by_bytes},
                                                  places, FencesOf(pg_schema, id));
  return table;
}

std::string DropBeside(std::string_view pg_schema, int64_t id, const std::string& row_type) {
  return "DROP TABLE IF EXISTS " + FencesOf(pg_schema, id) + "; DROP TYPE IF EXISTS " + row_type;
}

std::string CreateBeside(const PgTable& table) {
  std::string type = "CREATE TYPE " + table.row_type + " AS (";
  for (size_t i = 0; i < table.columns.size(); ++i) {
    type += (i == 0 ? "" : ", ") + table.columns[i].name + " " + table.columns[i].type;
  }
  const std::string& fences = static_cast<const AdoptedLayout&>(*table.layout).fences();
  return type + "); CREATE TABLE " + fences + " (\"_key\" " + table.columns[0].type +
         " PRIMARY KEY, \"_fence\" bigint NOT NULL, \"_at\" timestamptz NOT NULL DEFAULT now()); "
         "CREATE INDEX ON " +
         fences + " (\"_at\")";
}

}  // namespace roost
