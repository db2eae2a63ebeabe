#include "adapters/pgvector/pgvector_table.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/hash.h"
#include "base/strings.h"

namespace roost {
namespace {

using Role = PgColumn::Role;

constexpr size_t kMaxNameBytes = 63;
constexpr std::array<std::string_view, 6> kSystemColumns = {"ctid", "xmin", "xmax",
                                                            "cmin", "cmax", "tableoid"};

std::string_view ScalarType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "boolean";
    case DataType::kInt8:
    case DataType::kInt16:
      return "smallint";
    case DataType::kInt32:
      return "integer";
    case DataType::kInt64:
    case DataType::kTimestamp:
      return "bigint";
    case DataType::kFloat:
      return "real";
    case DataType::kDouble:
      return "double precision";
    case DataType::kJson:
      return "json";
    case DataType::kUuid:
      return "uuid";
    default:
      return "text";
  }
}

}  // namespace

/// A field's name as a column's: itself, unless PostgreSQL would cut or refuse it. Names of our own
/// columns begin with "_", which fields' names never do.
std::string ColumnName(const std::string& field) {
  const bool system =
      std::find(kSystemColumns.begin(), kSystemColumns.end(), field) != kSystemColumns.end();
  if (!system && field.size() <= kMaxNameBytes) {
    return PgQuoteName(field);
  }
  return PgQuoteName("_field_" + field.substr(0, 36) + "_" +
                     Hash128(field).ToString().substr(0, 16));
}

std::string FieldType(const FieldSchema& field) {
  if (field.type == DataType::kArray) {
    std::string type(ScalarType(field.element_type));
    type += "[]";
    return field.element_type == DataType::kVarChar ? type + " COLLATE \"C\"" : type;
  }
  std::string type(ScalarType(field.type));
  return type == "text" ? type + " COLLATE \"C\"" : type;
}

std::string VectorType(const VectorFieldSchema& field) {
  const std::string dimension = "(" + std::to_string(field.dimension) + ")";
  switch (field.type) {
    case DataType::kFloat16Vector:
    case DataType::kInt8Vector:  // every int8 is a float16
      return "halfvec" + dimension;
    case DataType::kBinaryVector:
      return "bit" + dimension;
    case DataType::kSparseVector:
      return "bytea";
    default:  // every bfloat16 is a float32
      return "vector" + dimension;
  }
}

std::string_view OperatorClass(const VectorFieldSchema& field) {
  const bool half = field.type == DataType::kFloat16Vector || field.type == DataType::kInt8Vector;
  switch (field.metric) {
    case Metric::kL2:
      return half ? "halfvec_l2_ops" : "vector_l2_ops";
    case Metric::kCosine:
      return half ? "halfvec_cosine_ops" : "vector_cosine_ops";
    case Metric::kInnerProduct:
      return half ? "halfvec_ip_ops" : "vector_ip_ops";
    case Metric::kJaccard:
      return "bit_jaccard_ops";
    default:
      return "bit_hamming_ops";
  }
}

std::string Slug(std::string_view name) {
  std::string slug;
  for (const char c : name.substr(0, 40)) {
    slug += std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 0x80
                ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
                : '_';
  }
  return slug;
}

PgTable::PgTable(CollectionSchema collection, std::string_view pg_schema, int64_t catalogue_id)
    : schema(std::move(collection)),
      id(catalogue_id),
      plain_name("roost_" + Slug(schema.name).substr(0, 36) + "_" + std::to_string(id)),
      name(PgQuoteName(pg_schema) + "." + PgQuoteName(plain_name)),
      row_type(name),
      indexed(std::make_unique<std::atomic<bool>[]>(schema.vectors.size() + 1)) {
  const auto add = [this](Role role, std::string column, std::string type, size_t member) {
    columns.push_back({.role = role,
                       .name = std::move(column),
                       .type = std::move(type),
                       .stored = {},
                       .oid = 0,
                       .member = member});
    columns.back().stored = columns.back().name;
  };
  add(Role::kTenant, "\"_tenant\"", "text COLLATE \"C\" NOT NULL", 0);
  add(Role::kKey, "\"_key\"",
      schema.key_type == KeyType::kInt64 ? "bigint NOT NULL" : "text COLLATE \"C\" NOT NULL", 0);
  add(Role::kFence, "\"_fence\"", "bigint", 0);
  add(Role::kDeleted, "\"_deleted\"", "boolean NOT NULL", 0);
  add(Role::kBuried, "\"_buried\"", "timestamptz", 0);
  add(Role::kDynamic, "\"_dynamic\"", "json", 0);
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    add(Role::kField, ColumnName(schema.fields[i].name), FieldType(schema.fields[i]), i);
    if (schema.fields[i].type == DataType::kText) {
      add(Role::kWords, PgQuoteName("_words_" + std::to_string(i)), "tsvector", i);
    }
  }
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    add(Role::kVector, ColumnName(schema.vectors[i].name), VectorType(schema.vectors[i]), i);
    if (schema.vectors[i].type == DataType::kSparseVector) {
      add(Role::kParts, PgQuoteName("_parts_" + std::to_string(i)), "sparsevec[]", i);
    }
  }
  layout = MakeOwnLayout(*this);
}

PgTable::PgTable(CollectionSchema collection, int64_t catalogue_id)
    : schema(std::move(collection)),
      id(catalogue_id),
      indexed(std::make_unique<std::atomic<bool>[]>(schema.vectors.size() + 1)) {}

const PgColumn* PgTable::FindWords(size_t field_index) const {
  for (const PgColumn& column : columns) {
    if (column.role == Role::kWords && column.member == field_index) {
      return &column;
    }
  }
  return nullptr;
}

const PgColumn* PgTable::FindParts(size_t vector_index) const {
  for (const PgColumn& column : columns) {
    if (column.role == Role::kParts && column.member == vector_index) {
      return &column;
    }
  }
  return nullptr;
}

const PgColumn* PgTable::FindField(std::string_view wanted) const {
  for (const PgColumn& column : columns) {
    if (column.role == Role::kField && field(column).name == wanted) {
      return &column;
    }
  }
  return nullptr;
}

const PgColumn& PgTable::VectorColumn(size_t vector_index) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const PgColumn& column) {
    return column.role == Role::kVector && column.member == vector_index;
  });
  return *found;
}

std::vector<const PgColumn*> PgTable::Selected(const OutputFields& output) const {
  const auto named = [&](std::string_view wanted) {
    return std::find(output.fields.begin(), output.fields.end(), wanted) != output.fields.end();
  };
  std::vector<const PgColumn*> selected;
  for (const PgColumn& column : columns) {
    bool wanted = false;
    switch (column.role) {
      case Role::kTenant:
      case Role::kKey:
        wanted = true;
        break;
      case Role::kDynamic:
        wanted = schema.dynamic && (output.all_scalars || !output.fields.empty());
        break;
      case Role::kField:
        wanted = output.all_scalars || named(field(column).name);
        break;
      case Role::kVector:
        wanted = output.vectors || named(vector(column).name);
        break;
      default:
        break;
    }
    if (wanted) {
      selected.push_back(&column);
    }
  }
  return selected;
}

std::string PgTable::CreateTable() const {
  std::string sql = "CREATE TABLE " + name + " (";
  for (const PgColumn& column : columns) {
    sql += column.name + " " + column.type + ", ";
  }
  sql += "PRIMARY KEY (\"_tenant\", \"_key\")); CREATE INDEX ON " + name +
         " (\"_buried\") WHERE \"_deleted\"";  // empty but for tombstones
  for (const PgColumn& column : columns) {
    if (column.role == Role::kWords) {
      sql += "; CREATE INDEX ON " + name + " USING gin (" + column.name + ")";
    }
  }
  return sql;
}

std::string ColumnList(const std::vector<const PgColumn*>& columns, std::string_view alias) {
  std::string list;
  for (const PgColumn* column : columns) {
    list += list.empty() ? "" : ", ";
    if (!alias.empty()) {
      list += alias;
      list += '.';
    }
    list += column->name;
  }
  return list;
}

std::string WhyNotIndexable(const VectorFieldSchema& field) {
  if (field.index != "HNSW") {
    return "its schema says FLAT";
  }
  uint32_t limit = 2'000;
  switch (field.type) {
    case DataType::kSparseVector:
      return "sparse vectors are compared exactly";
    case DataType::kBinaryVector:
      limit = 64'000;
      break;
    case DataType::kFloat16Vector:
    case DataType::kInt8Vector:
      limit = 4'000;
      break;
    default:
      break;
  }
  return field.dimension > limit
             ? "pgvector indexes at most " + std::to_string(limit) + " dimensions of this type"
             : std::string();
}

std::string IndexName(const PgTable& table, size_t vector) {
  return table.plain_name + "_hnsw_" + std::to_string(vector);
}

std::string CreateIndex(const PgTable& table, size_t vector) {
  const VectorFieldSchema& field = table.schema.vectors[vector];
  const uint32_t m = std::clamp<uint32_t>(field.hnsw_m, 2, 100);
  const uint32_t ef = std::clamp<uint32_t>(field.hnsw_ef_construction, 2 * m, 1'000);
  return "CREATE INDEX CONCURRENTLY " + PgQuoteName(IndexName(table, vector)) + " ON " +
         table.name + " USING hnsw (" + table.VectorColumn(vector).name + " " +
         std::string(OperatorClass(field)) + ") WITH (m = " + std::to_string(m) +
         ", ef_construction = " + std::to_string(ef) + ")";
}

}  // namespace roost
