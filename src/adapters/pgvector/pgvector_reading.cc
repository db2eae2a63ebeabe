// How columns of others' tables are read: one row of a table for each type that has one of ours,
// PostgreSQL's text for all other ones.

#include <algorithm>
#include <array>

#include "adapters/pgvector/pgvector_foreign.h"
#include "adapters/pgvector/pgvector_table.h"

namespace roost {
namespace {

constexpr int32_t kHeader = 4;  // of a length in a type's modifier

struct PlainType {
  std::string_view base;
  DataType type;
};
constexpr std::array kPlain = {
    PlainType{"bool", DataType::kBool},    PlainType{"int2", DataType::kInt16},
    PlainType{"int4", DataType::kInt32},   PlainType{"int8", DataType::kInt64},
    PlainType{"float4", DataType::kFloat}, PlainType{"float8", DataType::kDouble},
    PlainType{"text", DataType::kVarChar}, PlainType{"varchar", DataType::kVarChar},
    PlainType{"uuid", DataType::kUuid},
};

std::optional<DataType> PlainTypeOf(const std::string& base) {
  for (const PlainType& row : kPlain) {
    if (row.base == base) {
      return row.type;
    }
  }
  return std::nullopt;
}

/// The column, the value, and what is known so far.
struct Rule {
  const PgForeignColumn& column;
  std::string own;   // f."column"
  std::string ours;  // r."field"
  PgReading reading;

  FieldSchema& Is(DataType type) {
    reading.field->type = type;
    return *reading.field;
  }
  void Says(Fidelity fidelity, const std::string& remark) {
    reading.fidelity = std::max(reading.fidelity, fidelity);
    reading.remark += (reading.remark.empty() ? "" : "; ") + remark;
  }
  void Doubt(std::string condition, std::string text) {
    reading.doubts.emplace_back(std::move(condition), std::move(text));
  }
};

void Finite(Rule& rule) {
  const std::string finite = "abs(" + rule.own + ") < 'Infinity'::" + rule.column.base;
  rule.reading.read = "CASE WHEN " + finite + " THEN " + rule.own + " END";
  rule.Doubt("NOT (" + finite + ")", "NaN or infinite: read as null");
}

void Text(Rule& rule) {
  rule.reading.read = rule.own + "::text COLLATE \"C\"";
  rule.Doubt("octet_length(" + rule.own + "::text) > 65535",
             "longer than 65,535 bytes: read whole, but no store takes such a record in a move");
}

/// Any type without one of ours: PostgreSQL's text of it, which it takes back.
void AsText(Rule& rule) {
  rule.Is(DataType::kVarChar);
  Text(rule);
  rule.reading.write = rule.ours + "::" + rule.column.base_type;
  rule.Says(Fidelity::kShadow, "as PostgreSQL's text of it; filters compare that text");
}

void Number(Rule& rule) {
  const int32_t modifier = rule.column.modifier - kHeader;
  const int32_t precision = modifier >= 0 ? (modifier >> 16) & 0xFFFF : 1000;
  const int32_t scale = modifier >= 0 ? ((modifier & 0x7FF) ^ 1024) - 1024 : 1000;
  const std::string real = rule.own + " <> 'NaN'";
  if (scale <= 0 && precision - scale <= 18) {
    rule.Is(DataType::kInt64);
    rule.reading.read = "CASE WHEN " + real + " THEN " + rule.own + "::bigint END";
  } else if (precision <= 15 && scale >= 0 && scale <= precision) {
    rule.Is(DataType::kDouble);
    rule.reading.read = "CASE WHEN " + real + " THEN " + rule.own + "::float8 END";
    rule.Says(Fidelity::kExact,
              "15 digits or fewer come back as they are; a written number is "
              "rounded to the column's, as PostgreSQL does");
  } else {
    AsText(rule);
    return;
  }
  rule.reading.write = rule.ours + "::numeric";
  rule.Doubt(rule.own + " = 'NaN'", "NaN: read as null");
}

void Time(Rule& rule, bool zoned) {
  const std::string zone = zoned ? "+00" : "";
  const std::string within = rule.own + " >= '0001-01-01 00:00:00" + zone + "' AND " + rule.own +
                             " < '10000-01-01 00:00:00" + zone + "'";
  rule.Is(DataType::kTimestamp);
  rule.reading.read =
      "CASE WHEN " + within + " THEN (extract(epoch FROM " + rule.own + ") * 1000000)::bigint END";
  // Days and microseconds apart: intervals are multiplied in doubles.
  rule.reading.write =
      "('epoch'::timestamp + (" + rule.ours + " / 86400000000) * interval '1 day' + (" + rule.ours +
      " % 86400000000) * interval '1 microsecond')" + (zoned ? " AT TIME ZONE 'UTC'" : "");
  rule.Doubt("NOT (" + within + ")", "infinite or not within the years 1 to 9999: read as null");
  if (!zoned) {
    rule.Says(Fidelity::kExact, "taken for UTC");
  }
}

void JsonText(Rule& rule) {
  rule.Is(DataType::kJson);
  rule.reading.raw_json = true;
  rule.reading.read = rule.own + "::json";
  rule.reading.write = rule.ours + "::" + rule.column.base;
  rule.Says(rule.column.base == "json" ? Fidelity::kApproximated : Fidelity::kExact,
            rule.column.base == "json"
                ? "read in canonical form: of members with one name the last, no white space, "
                  "numbers as doubles where they do not fit 64 bits"
                : "numbers are doubles where they do not fit 64 bits; JSON's null is null");
}

void List(Rule& rule, DataType element) {
  FieldSchema& field = rule.Is(DataType::kArray);
  field.element_type = element;
  const bool real = element == DataType::kFloat || element == DataType::kDouble;
  const std::string good =
      real ? "abs(u.e) < 'Infinity'::" + rule.column.element : std::string("u.e IS NOT NULL");
  const std::string elements =
      element == DataType::kVarChar ? "u.e::text COLLATE \"C\"" : std::string("u.e");
  const std::string cast = element == DataType::kVarChar ? "text" : rule.column.element;
  const std::string one = "COALESCE(array_ndims(" + rule.own + "), 1) = 1";
  rule.reading.read = "CASE WHEN " + rule.own + " IS NOT NULL AND " + one + " THEN ARRAY(SELECT " +
                      elements + " FROM unnest(" + rule.own +
                      ") WITH ORDINALITY AS u (e, n) WHERE " + good + " ORDER BY u.n)::" + cast +
                      "[]" + (element == DataType::kVarChar ? " COLLATE \"C\"" : "") + " END";
  rule.reading.write = rule.ours;
  rule.Doubt("NOT " + one, "of several dimensions: read as null");
  rule.Doubt(
      "EXISTS (SELECT 1 FROM unnest(" + rule.own + ") AS u (e) WHERE (" + good + ") IS NOT TRUE)",
      "with nulls, NaN or infinities inside: read without these");
  rule.Doubt("cardinality(" + rule.own + ") > 4096",
             "of more than 4,096 elements: read whole, but no store takes such a record in a move");
}

Metric MetricOf(const PgForeignColumn& column, bool& known) {
  known = true;
  for (const std::string& name : column.operators) {
    if (name.ends_with("_cosine_ops")) {
      return Metric::kCosine;
    }
    if (name.ends_with("_l2_ops")) {
      return Metric::kL2;
    }
    if (name.ends_with("_ip_ops")) {
      return Metric::kInnerProduct;
    }
  }
  known = false;
  return Metric::kCosine;
}

void Floats(Rule& rule, const std::string& name) {
  VectorFieldSchema vector;
  vector.name = name;
  vector.type = rule.column.base == "vector" ? DataType::kFloatVector : DataType::kFloat16Vector;
  if (rule.column.modifier < 1) {
    rule.reading.field.reset();
    rule.reading.fidelity = Fidelity::kImpossible;
    rule.reading.remark = "its dimension is not declared; run ALTER TABLE … ALTER COLUMN … TYPE " +
                          rule.column.base + "(N)";
    return;
  }
  vector.dimension = static_cast<uint32_t>(rule.column.modifier);
  vector.nullable = !rule.column.not_null;
  bool known = false;
  vector.metric = MetricOf(rule.column, known);
  vector.index = rule.column.hnsw ? "HNSW" : "FLAT";
  rule.reading.field.reset();
  rule.reading.vector = vector;
  rule.reading.read = rule.own;
  rule.reading.write = rule.ours;
  if (!known) {
    rule.Says(Fidelity::kExact, "no index tells its metric");
  }
}

void Apply(Rule& rule, const std::string& name) {
  const std::string& base = rule.column.base;
  rule.reading.read = rule.own;
  rule.reading.write = rule.ours;
  if (base == "vector" || base == "halfvec") {
    return Floats(rule, name);
  }
  if (base == "sparsevec" || base == "tsvector" || base == "tsquery" || rule.column.pseudo) {
    rule.reading.field.reset();
    rule.reading.fidelity = Fidelity::kImpossible;
    rule.reading.remark = "not read; Roost's writes leave it as it is";
    return;
  }
  if (const auto element = PlainTypeOf(rule.column.element)) {
    return List(rule, *element);
  }
  if (const auto type = PlainTypeOf(base)) {
    FieldSchema& field = rule.Is(*type);
    if (*type == DataType::kFloat || *type == DataType::kDouble) {
      Finite(rule);
    } else if (*type == DataType::kVarChar) {
      Text(rule);
      const int32_t length = rule.column.modifier - kHeader;
      field.max_length = length > 0 && length < 16'384 ? static_cast<uint32_t>(length) * 4 : 65'535;
    }
    return;
  }
  if (base == "bpchar") {
    rule.Is(DataType::kVarChar);
    Text(rule);
    rule.Says(Fidelity::kApproximated,
              "without the blanks at its end, with which PostgreSQL fills "
              "it up");
  } else if (base == "numeric") {
    Number(rule);
  } else if (base == "timestamptz" || base == "timestamp") {
    Time(rule, base == "timestamptz");
  } else if (base == "json" || base == "jsonb") {
    JsonText(rule);
  } else {
    AsText(rule);
  }
}

}  // namespace

PgReading ReadingOf(const PgForeignColumn& column, const std::string& name) {
  Rule rule{.column = column,
            .own = "f." + PgQuoteName(column.name),
            .ours = "r." + ColumnName(name),
            .reading = {}};
  rule.reading.field.emplace();
  rule.reading.field->name = name;
  Apply(rule, name);
  if (rule.reading.field) {
    rule.reading.field->nullable = !column.not_null || column.filled();
  }
  if (column.generated || (column.identity && !column.in_key)) {
    rule.reading.write.clear();
    rule.Says(Fidelity::kApproximated, "PostgreSQL computes it: what a write gives is not kept");
  } else if (column.not_null && !column.default_text.empty() && !column.in_key &&
             !rule.reading.write.empty()) {
    rule.reading.write = "COALESCE(" + rule.reading.write + ", " + column.default_text + ")";
    rule.Says(Fidelity::kExact, "a write without it gets " + column.default_text);
  }
  return rule.reading;
}

}  // namespace roost
