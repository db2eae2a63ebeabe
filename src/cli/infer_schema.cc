#include "cli/infer_schema.h"

#include <algorithm>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace roost {

namespace {

namespace bj = boost::json;

// What was seen of one field.
struct Seen {
  uint64_t whole = 0;
  uint64_t fractions = 0;
  uint64_t texts = 0;
  uint64_t sentences = 0;  ///< of texts: with several words
  uint64_t flags = 0;
  uint64_t sparse = 0;
  uint64_t others = 0;  ///< objects, nested and mixed arrays
  uint64_t number_arrays = 0;
  uint64_t whole_arrays = 0;  ///< of number_arrays: with whole numbers only
  uint64_t text_arrays = 0;
  uint64_t flag_arrays = 0;
  size_t shortest = SIZE_MAX;  ///< of number_arrays
  size_t longest = 0;

  uint64_t values() const {
    return whole + fractions + texts + flags + sparse + others + number_arrays + text_arrays +
           flag_arrays;
  }
};

bool AllOf(const bj::array& array, bool (*is)(const bj::value&)) {
  return std::all_of(array.begin(), array.end(), is);
}

bool IsWhole(const bj::value& value) { return value.is_int64(); }
bool IsNumber(const bj::value& value) { return value.is_number(); }
bool IsText(const bj::value& value) { return value.is_string(); }
bool IsFlag(const bj::value& value) { return value.is_bool(); }

void LookAtArray(const bj::array& array, Seen& seen) {
  if (!array.empty() && AllOf(array, IsNumber)) {
    ++seen.number_arrays;
    seen.whole_arrays += AllOf(array, IsWhole) ? 1 : 0;
    seen.shortest = std::min(seen.shortest, array.size());
    seen.longest = std::max(seen.longest, array.size());
  } else if (!array.empty() && AllOf(array, IsText)) {
    ++seen.text_arrays;
  } else if (!array.empty() && AllOf(array, IsFlag)) {
    ++seen.flag_arrays;
  } else if (!array.empty()) {
    ++seen.others;
  }
}

void LookAt(const bj::value& value, Seen& seen) {
  switch (value.kind()) {
    case bj::kind::null:
      return;
    case bj::kind::bool_:
      ++seen.flags;
      return;
    case bj::kind::int64:
      ++seen.whole;
      return;
    case bj::kind::double_:
      ++seen.fractions;
      return;
    case bj::kind::string:
      ++seen.texts;
      seen.sentences += value.get_string().find(' ') != bj::string::npos ? 1 : 0;
      return;
    case bj::kind::array:
      return LookAtArray(value.get_array(), seen);
    case bj::kind::object: {
      const bj::object& object = value.get_object();
      const bool sparse =
          object.size() == 2 && object.contains("indices") && object.contains("values");
      ++(sparse ? seen.sparse : seen.others);
      return;
    }
    default:
      ++seen.others;
  }
}

DataType TypeOf(const Seen& seen) {
  const uint64_t all = seen.values();
  if (all == 0) {
    return DataType::kJson;
  }
  if (seen.flags == all) {
    return DataType::kBool;
  }
  if (seen.whole == all) {
    return DataType::kInt64;
  }
  if (seen.whole + seen.fractions == all) {
    return DataType::kDouble;
  }
  if (seen.texts == all) {
    return 2 * seen.sentences >= all ? DataType::kText : DataType::kVarChar;
  }
  if (seen.sparse == all) {
    return DataType::kSparseVector;
  }
  if (seen.number_arrays == all) {
    const bool vector = seen.whole_arrays < all && seen.shortest == seen.longest;
    return vector ? DataType::kFloatVector : DataType::kArray;
  }
  return seen.text_arrays == all || seen.flag_arrays == all ? DataType::kArray : DataType::kJson;
}

DataType ElementTypeOf(const Seen& seen) {
  if (seen.text_arrays > 0) {
    return DataType::kVarChar;
  }
  if (seen.flag_arrays > 0) {
    return DataType::kBool;
  }
  return seen.whole_arrays == seen.number_arrays ? DataType::kInt64 : DataType::kDouble;
}

// Fields in the order in which they were first seen.
class Fields {
 public:
  Status Look(const SourceRow& row) {
    bj::error_code error;
    const bj::value record = bj::parse(row.json, error);
    if (error || !record.is_object()) {
      return InvalidArgument(fmt::format("record {} is no JSON object", row.number));
    }
    for (const auto& [name, value] : record.get_object()) {
      LookAt(value, seen_[Place(std::string(name))].second);
    }
    return {};
  }

  const Seen* Find(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &seen_[found->second].second;
  }
  const std::vector<std::pair<std::string, Seen>>& all() const { return seen_; }

 private:
  size_t Place(const std::string& name) {
    const auto [found, fresh] = places_.emplace(name, seen_.size());
    if (fresh) {
      seen_.emplace_back(name, Seen());
    }
    return found->second;
  }

  std::map<std::string, size_t, std::less<>> places_;
  std::vector<std::pair<std::string, Seen>> seen_;
};

Status SetKey(const Fields& fields, CollectionSchema& schema) {
  const Seen* key = fields.Find(schema.key_field);
  if (key == nullptr) {
    std::string names;
    for (const auto& [name, seen] : fields.all()) {
      names += (names.empty() ? "" : ", ") + name;
    }
    return InvalidArgument(
        fmt::format("the records have no field \"{}\" for the key; name it with --key (there are: "
                    "{})",
                    schema.key_field, names));
  }
  if (key->whole != key->values() && key->texts != key->values()) {
    return InvalidArgument(fmt::format(
        "the key \"{}\" must be a whole number in all records or a text in all", schema.key_field));
  }
  schema.key_type = key->whole > 0 ? KeyType::kInt64 : KeyType::kVarChar;
  return {};
}

Status AddVector(const std::string& name, DataType type, const Seen& seen, Metric metric,
                 CollectionSchema& schema) {
  VectorFieldSchema vector{.name = name, .type = type};
  vector.metric = type == DataType::kSparseVector   ? Metric::kInnerProduct
                  : type == DataType::kBinaryVector ? Metric::kHamming
                                                    : metric;
  if (type != DataType::kSparseVector) {
    if (seen.number_arrays == 0 || seen.shortest != seen.longest) {
      return InvalidArgument(fmt::format(
          "the dimension of \"{}\" cannot be told: its vectors must be arrays of one length",
          name));
    }
    vector.dimension = static_cast<uint32_t>(seen.longest);
  }
  schema.vectors.push_back(std::move(vector));
  return {};
}

Status AddField(const std::string& name, const Seen& seen, const InferOptions& options,
                CollectionSchema& schema) {
  if (name == schema.key_field || (schema.multi_tenant() && name == schema.tenant_field) ||
      name == "_dynamic") {
    return {};
  }
  const auto said = options.types.find(name);
  if (said == options.types.end() && options.known) {
    if (const VectorFieldSchema* vector = options.known->FindVector(name)) {
      schema.vectors.push_back(*vector);
      if (vector->type != DataType::kBinaryVector) {
        schema.vectors.back().metric = options.metric;
      }
      return {};
    }
    if (const FieldSchema* field = options.known->FindField(name)) {
      schema.fields.push_back(*field);
      return {};
    }
  }
  const DataType type = said != options.types.end() ? said->second : TypeOf(seen);
  if (IsVector(type)) {
    return AddVector(name, type, seen, options.metric, schema);
  }
  FieldSchema field{.name = name, .type = type};
  field.element_type = ElementTypeOf(seen);
  schema.fields.push_back(std::move(field));
  return {};
}

}  // namespace

Result<CollectionSchema> InferSchema(std::span<const SourceRow> rows, const InferOptions& options) {
  CollectionSchema schema;
  schema.name = options.collection;
  schema.key_field = options.key_field.empty() ? "id" : options.key_field;
  schema.tenant_field = options.tenant_field;
  schema.dynamic = options.dynamic;
  Fields fields;
  for (const SourceRow& row : rows) {
    if (row.error.empty()) {
      TRY(fields.Look(row));
    }
  }
  if (fields.all().empty()) {
    return InvalidArgument("there is no record to tell a schema from");
  }
  TRY(SetKey(fields, schema));
  for (const auto& [name, type] : options.types) {
    if (fields.Find(name) == nullptr) {
      return InvalidArgument(fmt::format("--type names a field \"{}\" that no record has", name));
    }
  }
  for (const auto& [name, seen] : fields.all()) {
    TRY(AddField(name, seen, options, schema));
  }
  return schema;
}

std::string DescribeSchema(const CollectionSchema& schema) {
  std::string out = fmt::format("collection {}: key {} {}", schema.name, schema.key_field,
                                schema.key_type == KeyType::kInt64 ? "INT64" : "VARCHAR");
  if (schema.multi_tenant()) {
    out += fmt::format("; tenants by {}", schema.tenant_field);
  }
  for (const FieldSchema& field : schema.fields) {
    out += fmt::format("; {} {}", field.name, DataTypeName(field.type));
    if (field.type == DataType::kArray) {
      out += fmt::format(" of {}", DataTypeName(field.element_type));
    }
  }
  for (const VectorFieldSchema& vector : schema.vectors) {
    out += fmt::format("; {} {}({}, {})", vector.name, DataTypeName(vector.type), vector.dimension,
                       MetricName(vector.metric));
  }
  return out + (schema.dynamic ? "; further fields allowed" : "");
}

}  // namespace roost
