// The collection that a table of others would be, and what is to be said of it.

#include "adapters/pgvector/pgvector_adopted.h"

namespace roost {
namespace {

std::string TypeName(const PgReading& reading) {
  if (reading.vector) {
    return std::string(DataTypeName(reading.vector->type)) + "(" +
           std::to_string(reading.vector->dimension) + "), " +
           std::string(MetricName(reading.vector->metric));
  }
  if (!reading.field) {
    return "-";
  }
  const std::string name(DataTypeName(reading.field->type));
  return reading.field->type == DataType::kArray
             ? name + " of " + std::string(DataTypeName(reading.field->element_type))
             : name;
}

void PlanKey(const PgForeignTable& foreign, const PgForeignColumn& key, PgAdoptionPlan& out) {
  CollectionSchema& schema = out.plan.schema;
  schema.key_type = *KeyTypeOf(key);
  schema.key_field = RoostName(key.name, {});
  out.adopted.key = key.name;
  FidelityRow row{.what = "key", .from = key.name + " " + key.type, .to = {}, .remark = {}};
  row.to = schema.key_field + (schema.key_type == KeyType::kInt64 ? " INT64" : " VARCHAR");
  if (key.base == "uuid") {
    row.remark = "as text in lower case; other texts are refused in writes";
  }
  out.plan.rows.push_back(std::move(row));
  if (schema.key_type == KeyType::kVarChar && key.base != "uuid") {
    out.doubts.emplace_back("f." + PgQuoteName(key.name) + " = ''",
                            "with an empty key: they can be read but not written or moved");
    if (!key.by_bytes) {
      out.plan.notes.push_back(
          "Roost orders keys by bytes, column \"" + key.name +
          "\" by its language: each page of a scan sorts the table, unless there is an index: "
          "CREATE INDEX CONCURRENTLY ON " +
          foreign.quoted() + " ((" + PgQuoteName(key.name) + (key.base == "text" ? "" : "::text") +
          ") COLLATE \"C\")");
    }
  }
  if (key.counted()) {
    out.plan.notes.push_back(
        "the application's new rows get \"" + key.name +
        "\" from a counter that records written through Roost do not move: give those keys which "
        "the counter will not reach, or set it (setval)");
  }
}

void PlanColumn(const PgForeignColumn& column, const AdoptionQuery& query,
                std::vector<std::string>& taken, PgAdoptionPlan& out) {
  const std::string name = RoostName(column.name, taken);
  PgReading reading = ReadingOf(column, name);
  FidelityRow row{.what = column.name,
                  .from = column.type,
                  .to = {},
                  .fidelity = reading.fidelity,
                  .remark = reading.remark};
  if (reading.vector) {
    if (column.operators.empty()) {
      reading.vector->metric = query.metric.value_or(Metric::kCosine);
      row.remark += query.metric ? "; as asked for" : "; COSINE is taken, say --metric for another";
    }
    if (reading.vector->metric == Metric::kCosine) {
      const std::string norm = column.base == "vector" ? "vector_norm" : "l2_norm";
      out.doubts.emplace_back(norm + "(f." + PgQuoteName(column.name) + ") = 0",
                              "\"" + column.name +
                                  "\" is zero, which has no cosine: read as it is, "
                                  "but no store takes such a record in a move");
    }
    out.plan.schema.vectors.push_back(*reading.vector);
    out.adopted.vectors.push_back(column.name);
  } else if (reading.field) {
    out.plan.schema.fields.push_back(*reading.field);
    out.adopted.fields.push_back(column.name);
  }
  row.to = (name == column.name || (!reading.field && !reading.vector) ? "" : name + " ") +
           TypeName(reading);
  if (reading.field || reading.vector) {
    taken.push_back(name);
  }
  for (auto& [condition, said] : reading.doubts) {
    out.doubts.emplace_back(std::move(condition), "\"" + column.name + "\" is " + said);
  }
  out.plan.rows.push_back(std::move(row));
}

}  // namespace

PgAdoptionPlan PlanPgAdoption(const PgForeignTable& foreign, const AdoptionQuery& query) {
  PgAdoptionPlan out;
  out.adopted.schema = foreign.schema;
  out.adopted.table = foreign.name;
  out.plan.schema.name = query.name.empty() ? RoostName(foreign.name, {}) : query.name;
  for (const PgForeignColumn& column : foreign.columns) {
    if (column.in_key) {
      PlanKey(foreign, column, out);
    }
  }
  std::vector<std::string> taken = {out.plan.schema.key_field};
  for (const PgForeignColumn& column : foreign.columns) {
    if (!column.in_key) {
      PlanColumn(column, query, taken, out);
    }
  }
  out.plan.rows.push_back({.what = "conditional writes",
                           .from = "-",
                           .to = "a table beside it",
                           .fidelity = Fidelity::kShadow,
                           .remark = "fences of moves stand in a table of Roost's; what the "
                                     "application writes has none"});
  out.plan.rows.push_back({.what = "keyword search",
                           .from = "-",
                           .to = "-",
                           .fidelity = Fidelity::kImpossible,
                           .remark = "texts are VARCHAR: they filter, but no keyword search finds "
                                     "them"});
  return out;
}

}  // namespace roost
