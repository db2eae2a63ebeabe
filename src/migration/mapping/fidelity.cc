#include "migration/mapping/fidelity.h"

#include <algorithm>

#include "base/strings.h"

namespace roost {
namespace {

std::string TypeOf(const FieldSchema& field) {
  std::string name(DataTypeName(field.type));
  return field.type == DataType::kArray
             ? name + " of " + std::string(DataTypeName(field.element_type))
             : name;
}

std::string TypeOf(const VectorFieldSchema& vector) {
  std::string name(DataTypeName(vector.type));
  return vector.type == DataType::kSparseVector
             ? name
             : name + "(" + std::to_string(vector.dimension) + ")";
}

/// Worse of both, with both remarks.
void Worsen(FidelityRow& row, Fidelity fidelity, const std::string& remark) {
  row.fidelity = std::max(row.fidelity, fidelity);
  row.remark += (row.remark.empty() || remark.empty() ? "" : "; ") + remark;
}

void JudgeType(FidelityRow& row, DataType type, const Capabilities& to) {
  if (!to.types.contains(type)) {
    Worsen(row, Fidelity::kImpossible,
           "the " + to.store + " store has no " + std::string(DataTypeName(type)) +
               (IsVector(type) ? "; a mapping can keep it as VARCHAR, without search" : ""));
    return;
  }
  const auto shadow = to.shadows.find(type);
  if (shadow != to.shadows.end()) {
    Worsen(row, Fidelity::kShadow, "kept as " + shadow->second);
  }
}

void JudgeVector(FidelityRow& row, const VectorFieldSchema& vector, const Capabilities& to) {
  JudgeType(row, vector.type, to);
  if (vector.dimension > to.max_dimension && vector.type != DataType::kSparseVector) {
    Worsen(row, Fidelity::kImpossible,
           "the " + to.store + " store takes " + std::to_string(to.max_dimension) +
               " dimensions at most");
  } else if (vector.dimension > to.max_indexed_dimension && vector.index != "FLAT") {
    Worsen(row, Fidelity::kExact,
           "above " + std::to_string(to.max_indexed_dimension) +
               " dimensions the target compares with every record, which is slower");
  }
  if (vector.type == DataType::kFloatVector && !to.metrics.contains(vector.metric)) {
    Worsen(row, Fidelity::kImpossible,
           "the " + to.store + " store has no metric " + std::string(MetricName(vector.metric)));
  }
}

void JudgeCarry(FidelityRow& row, Carry carry) {
  switch (carry) {
    case Carry::kSame:
      return;
    case Carry::kJsonText:
      return Worsen(row, Fidelity::kShadow, "the text of the JSON; filters do not reach inside");
    case Carry::kFloats:
      return Worsen(row, Fidelity::kShadow, "each element as float32");
    case Carry::kVectorText:
      return Worsen(row, Fidelity::kShadow, "the vector's bytes as base64; it cannot be searched");
  }
}

FidelityRow RowOf(const RecordMapper::Part& part, const CollectionSchema& schema,
                  const CollectionSchema& target, const Capabilities& to) {
  FidelityRow row{.what = part.source};
  const VectorFieldSchema* vector = schema.FindVector(part.source);
  row.from = vector != nullptr ? TypeOf(*vector) : TypeOf(*schema.FindField(part.source));
  JudgeCarry(row, part.carry);
  if (const VectorFieldSchema* kept = target.FindVector(part.target)) {
    row.to = kept->name + " " + TypeOf(*kept) + " " + kept->index;
    JudgeVector(row, *kept, to);
  } else {
    const FieldSchema& field = *target.FindField(part.target);
    row.to = field.name + " " + TypeOf(field);
    JudgeType(row, field.type, to);
    if (field.type == DataType::kArray) {
      JudgeType(row, field.element_type, to);
    }
    if (field.type == DataType::kText && to.keyword_search) {
      Worsen(row, Fidelity::kApproximated,
             "words are found alike; scores are the " + to.store + " store's");
    } else if (field.type == DataType::kText) {
      Worsen(row, Fidelity::kApproximated, "the target has no keyword search");
    }
  }
  return row;
}

std::vector<FidelityRow> CollectionRows(const CollectionSchema& schema,
                                        const CollectionSchema& target, const Capabilities& to) {
  std::vector<FidelityRow> rows;
  rows.push_back(
      {.what = "key " + Quoted(schema.key_field),
       .from = schema.key_type == KeyType::kInt64 ? "INT64" : "VARCHAR",
       .to = target.key_field + " " + (target.key_type == KeyType::kInt64 ? "INT64" : "VARCHAR")});
  if (schema.multi_tenant()) {
    rows.push_back({.what = "tenants", .from = schema.tenant_field, .to = target.tenant_field});
    if (!to.tenants) {
      Worsen(rows.back(), Fidelity::kImpossible, "the " + to.store + " store has no tenants");
    }
  }
  if (schema.dynamic) {
    rows.push_back({.what = "undeclared fields", .from = "JSON", .to = "JSON"});
    if (!to.dynamic_fields) {
      Worsen(rows.back(), Fidelity::kImpossible,
             "the " + to.store + " store has none; declare every field");
    }
  }
  const bool nulls = std::any_of(schema.fields.begin(), schema.fields.end(),
                                 [](const auto& field) { return field.nullable; }) ||
                     std::any_of(schema.vectors.begin(), schema.vectors.end(),
                                 [](const auto& vector) { return vector.nullable; });
  if (nulls) {
    rows.push_back({.what = "nulls", .from = "null", .to = "null"});
    if (!to.null_shadow.empty()) {
      Worsen(rows.back(), Fidelity::kShadow, "kept in " + to.null_shadow);
    }
  }
  if (target.vectors.size() > to.max_vectors_per_record) {
    rows.push_back({.what = "vectors",
                    .from = std::to_string(target.vectors.size()),
                    .to = std::to_string(to.max_vectors_per_record),
                    .fidelity = Fidelity::kImpossible,
                    .remark = "the " + to.store + " store takes at most " +
                              std::to_string(to.max_vectors_per_record) +
                              " a record; a mapping can keep the others as VARCHAR, without "
                              "search"});
  }
  return rows;
}

}  // namespace

std::vector<FidelityRow> ReportFidelity(const RecordMapper& mapper, const Capabilities& to) {
  std::vector<FidelityRow> rows;
  for (const RecordMapper::Part& part : mapper.parts()) {
    rows.push_back(RowOf(part, mapper.source(), mapper.target(), to));
  }
  for (FidelityRow& row : CollectionRows(mapper.source(), mapper.target(), to)) {
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::string> ReportLimits(const CollectionSchema& schema, const Capabilities& from,
                                      const Capabilities& to) {
  std::vector<std::string> notes;
  for (const VectorFieldSchema& field : schema.vectors) {
    if (field.metric == Metric::kCosine && from.zero_vector_with_cosine &&
        !to.zero_vector_with_cosine) {
      notes.push_back("field " + Quoted(field.name) +
                      ": the target takes no zero vectors with COSINE; records that have one "
                      "become dead letters");
    }
  }
  const bool strings = schema.key_type == KeyType::kVarChar ||
                       std::any_of(schema.fields.begin(), schema.fields.end(), [](const auto& f) {
                         return f.type == DataType::kVarChar || f.type == DataType::kText;
                       });
  if (strings && from.null_bytes_in_strings && !to.null_bytes_in_strings) {
    notes.emplace_back(
        "the target takes no zero bytes in strings; records that have some become dead letters");
  }
  if (schema.key_type == KeyType::kVarChar && to.max_key_bytes < from.max_key_bytes) {
    notes.push_back("keys longer than " + std::to_string(to.max_key_bytes) +
                    " bytes do not fit the target and become dead letters");
  }
  if (schema.key_type == KeyType::kInt64 &&
      (to.min_integer_key > from.min_integer_key || to.max_integer_key < from.max_integer_key)) {
    notes.push_back("keys below " + std::to_string(to.min_integer_key) + " or above " +
                    std::to_string(to.max_integer_key) +
                    " do not fit the target and become dead letters");
  }
  if (to.max_top_k < from.max_top_k) {
    notes.push_back("searches return at most " + std::to_string(to.max_top_k) +
                    " hits on the target, " + std::to_string(from.max_top_k) + " before");
  }
  if (to.visibility.count() > 0) {
    notes.push_back("on the target a write may show in searches up to " +
                    std::to_string(to.visibility.count()) + " ms late");
  }
  return notes;
}

}  // namespace roost
