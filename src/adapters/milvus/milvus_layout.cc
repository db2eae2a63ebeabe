#include "adapters/milvus/milvus_layout.h"

#include <algorithm>
#include <iterator>

#include <milvus.pb.h>

#include "base/hash.h"
#include "base/strings.h"
#include "store/schema_json.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = milvus::proto::schema;
using Role = MilvusColumn::Role;

constexpr std::string_view kFormat = "roost/1 ";
constexpr size_t kInstanceSize = 8;
constexpr uint32_t kMaxStringBytes = 65'535;

/// Words of the filter grammar and names that Milvus keeps, in lower case.
constexpr std::string_view kWords[] = {"and",
                                       "array_contains",
                                       "array_contains_all",
                                       "array_contains_any",
                                       "array_length",
                                       "element_filter",
                                       "exists",
                                       "false",
                                       "in",
                                       "interval",
                                       "is",
                                       "iso",
                                       "json_contains",
                                       "json_contains_all",
                                       "json_contains_any",
                                       "like",
                                       "match_all",
                                       "match_any",
                                       "match_exact",
                                       "match_least",
                                       "match_most",
                                       "meta",
                                       "not",
                                       "null",
                                       "or",
                                       "phrase_match",
                                       "random_sample",
                                       "rowid",
                                       "st_contains",
                                       "st_crosses",
                                       "st_dwithin",
                                       "st_equals",
                                       "st_intersects",
                                       "text_match",
                                       "timestamp",
                                       "true",
                                       "within"};

pb::DataType VectorType(DataType type) {
  switch (StoredVectorType(type)) {
    case DataType::kBinaryVector:
      return pb::BinaryVector;
    case DataType::kSparseVector:
      return pb::SparseFloatVector;
    default:
      return pb::FloatVector;
  }
}

void AddParam(pb::FieldSchema& field, const char* key, uint64_t value) {
  auto* param = field.add_type_params();
  param->set_key(key);
  param->set_value(std::to_string(value));
}

uint32_t LengthOf(DataType type, uint32_t max_length) {
  return type == DataType::kUuid ? 36 : std::min(max_length, kMaxStringBytes);
}

void FillScalar(const FieldSchema& field, pb::FieldSchema& out) {
  out.set_data_type(MilvusScalarType(field.type));
  if (out.data_type() == pb::VarChar) {
    AddParam(out, "max_length", LengthOf(field.type, field.max_length));
  }
  if (field.type == DataType::kArray) {
    out.set_element_type(MilvusScalarType(field.element_type));
    AddParam(out, "max_capacity", field.max_capacity);
    if (out.element_type() == pb::VarChar) {
      AddParam(out, "max_length", LengthOf(field.element_type, field.max_length));
    }
  }
}

uint64_t ScalarBytes(const FieldSchema& field) {
  switch (field.type) {
    case DataType::kVarChar:
    case DataType::kText:
      return std::min<uint64_t>(field.max_length, 256);
    case DataType::kJson:
    case DataType::kArray:
      return 512;
    default:
      return 40;
  }
}

}  // namespace

pb::DataType MilvusScalarType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return pb::Bool;
    case DataType::kInt8:
      return pb::Int8;
    case DataType::kInt16:
      return pb::Int16;
    case DataType::kInt32:
      return pb::Int32;
    case DataType::kInt64:
    case DataType::kTimestamp:
      return pb::Int64;
    case DataType::kFloat:
      return pb::Float;
    case DataType::kDouble:
      return pb::Double;
    case DataType::kJson:
      return pb::JSON;
    case DataType::kArray:
      return pb::Array;
    default:
      return pb::VarChar;
  }
}

DataType StoredVectorType(DataType type) {
  return type == DataType::kFloat16Vector || type == DataType::kBFloat16Vector ||
                 type == DataType::kInt8Vector
             ? DataType::kFloatVector
             : type;
}

bool IsMilvusWord(std::string_view name) {
  return std::find(std::begin(kWords), std::end(kWords), ToLower(name)) != std::end(kWords);
}

std::string MilvusCollectionName(std::string_view name) {
  constexpr size_t kMaxSlug = 40;
  std::string slug;
  for (const char c : ToLower(name.substr(0, kMaxSlug))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    slug += plain ? c : '_';
  }
  return std::string(kMilvusCollectionPrefix) + slug + "_" + Hash128(name).ToString().substr(0, 16);
}

MilvusLayout::MilvusLayout(CollectionSchema collection, std::string instance_name)
    : schema(std::move(collection)),
      name(MilvusCollectionName(schema.name)),
      instance(std::move(instance_name)) {
  // The instance makes a request that was built for a dropped collection fail in a newer one of the
  // same name, instead of reading or writing it by the wrong schema.
  columns.push_back({.role = Role::kKey, .name = "_key_" + instance});
  if (schema.multi_tenant()) {
    columns.push_back({.role = Role::kTenant, .name = "_tenant"});
    columns.push_back({.role = Role::kOwnKey, .name = "_id"});
  }
  const auto nullable = [](const auto& member) { return member.nullable; };
  if (std::any_of(schema.fields.begin(), schema.fields.end(), nullable) ||
      std::any_of(schema.vectors.begin(), schema.vectors.end(), nullable)) {
    columns.push_back({.role = Role::kNulls, .name = "_nulls"});
  }
  if (schema.dynamic) {
    columns.push_back({.role = Role::kDynamic, .name = "_dynamic"});
  }
  const auto column_name = [](const std::string& given, const char* kind, size_t place) {
    return IsMilvusWord(given) ? kind + std::to_string(place) + "_" + ToLower(given) : given;
  };
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    columns.push_back({.role = Role::kField,
                       .name = column_name(schema.fields[i].name, "_field", i),
                       .member = i});
  }
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    columns.push_back({.role = Role::kVector,
                       .name = column_name(schema.vectors[i].name, "_vector", i),
                       .member = i});
  }
}

const MilvusColumn* MilvusLayout::FindField(std::string_view field) const {
  for (const auto& column : columns) {
    if (column.role == Role::kField && schema.fields[column.member].name == field) {
      return &column;
    }
  }
  return nullptr;
}

const MilvusColumn& MilvusLayout::VectorColumn(size_t vector) const {
  return columns[columns.size() - schema.vectors.size() + vector];
}

const MilvusColumn* MilvusLayout::Find(Role role) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const auto& column) { return column.role == role; });
  return found == columns.end() ? nullptr : &*found;
}

int MilvusLayout::NullNumber(const MilvusColumn& column) const {
  return static_cast<int>(column.member) + (column.role == Role::kVector ? kNullVectors : 0);
}

bool MilvusLayout::Nullable(const MilvusColumn& column) const {
  return column.role == Role::kVector  ? vector(column).nullable
         : column.role == Role::kField ? field(column).nullable
                                       : false;
}

std::vector<const MilvusColumn*> MilvusLayout::Selected(const OutputFields& output) const {
  const auto named = [&](const std::string& member) {
    return std::find(output.fields.begin(), output.fields.end(), member) != output.fields.end();
  };
  // A name that is not declared is a member of the dynamic field.
  const bool undeclared =
      std::any_of(output.fields.begin(), output.fields.end(), [&](const std::string& member) {
        return schema.FindField(member) == nullptr && schema.FindVector(member) == nullptr;
      });
  std::vector<const MilvusColumn*> selected;
  bool nulls = false;
  for (const auto& column : columns) {
    const bool wanted =
        column.role == Role::kKey ||
        (column.role == Role::kDynamic && (output.all_scalars || undeclared)) ||
        (column.role == Role::kField && (output.all_scalars || named(field(column).name))) ||
        (column.role == Role::kVector && (output.vectors || named(vector(column).name)));
    if (wanted) {
      selected.push_back(&column);
      nulls = nulls || Nullable(column);
    }
  }
  if (nulls) {
    selected.push_back(Find(Role::kNulls));
  }
  return selected;
}

uint64_t MilvusLayout::RowBytes(std::span<const MilvusColumn* const> selected) const {
  uint64_t bytes = 64;
  for (const MilvusColumn* column : selected) {
    if (column->role == Role::kField) {
      bytes += ScalarBytes(field(*column));
    } else if (column->role == Role::kVector) {
      bytes += uint64_t{4} * std::max<uint32_t>(vector(*column).dimension, 256);
    } else {
      bytes += column->role == Role::kDynamic ? 512 : 64;
    }
  }
  return bytes;
}

std::string MilvusLayout::Description() const {
  return std::string(kFormat) + instance + " " + SchemaToJson(schema);
}

Result<MilvusDescription> ParseDescription(std::string_view text) {
  constexpr size_t kHead = kFormat.size() + kInstanceSize + 1;
  if (!text.starts_with(kFormat) || text.size() < kHead || text[kHead - 1] != ' ') {
    return FailedPrecondition("its description was not written by this version of Roost");
  }
  auto schema = SchemaFromJson(text.substr(kHead));
  if (!schema.ok()) {
    return FailedPrecondition("its description holds no schema of Roost: " +
                              schema.error().message);
  }
  return MilvusDescription{.instance = std::string(text.substr(kFormat.size(), kInstanceSize)),
                           .schema = *std::move(schema)};
}

void MilvusLayout::ToProto(pb::CollectionSchema& out) const {
  out.set_name(name);
  out.set_description(Description());
  for (const auto& column : columns) {
    auto& added = *out.add_fields();
    added.set_name(column.name);
    switch (column.role) {
      case Role::kKey:
        added.set_is_primary_key(true);
        added.set_data_type(integer_keys() ? pb::Int64 : pb::VarChar);
        if (!integer_keys()) {
          AddParam(added, "max_length", kMaxStringBytes);
        }
        break;
      case Role::kTenant:
        added.set_data_type(pb::VarChar);
        AddParam(added, "max_length", kMaxTenantBytes);
        break;
      case Role::kOwnKey:
        added.set_data_type(schema.key_type == KeyType::kInt64 ? pb::Int64 : pb::VarChar);
        if (schema.key_type == KeyType::kVarChar) {
          AddParam(added, "max_length", kMaxStringBytes);
        }
        break;
      case Role::kNulls:
        added.set_data_type(pb::Array);
        added.set_element_type(pb::Int16);
        AddParam(added, "max_capacity", columns.size());
        break;
      case Role::kDynamic:
        added.set_data_type(pb::JSON);
        break;
      case Role::kField:
        FillScalar(field(column), added);
        break;
      case Role::kVector:
        added.set_data_type(VectorType(vector(column).type));
        if (vector(column).type != DataType::kSparseVector) {
          AddParam(added, "dim", vector(column).dimension);
        }
        break;
    }
  }
}

namespace {

std::string ParamOf(const pb::FieldSchema& field, std::string_view key) {
  for (const auto& param : field.type_params()) {
    if (param.key() == key) {
      return param.value();
    }
  }
  return "";
}

}  // namespace

Status MilvusLayout::CheckProto(const pb::CollectionSchema& found) const {
  pb::CollectionSchema expected;
  ToProto(expected);
  for (const auto& wanted : expected.fields()) {
    const auto* same = [&]() -> const pb::FieldSchema* {
      for (const auto& candidate : found.fields()) {
        if (candidate.name() == wanted.name()) {
          return &candidate;
        }
      }
      return nullptr;
    }();
    const std::string what = "field \"" + wanted.name() + "\" ";
    if (same == nullptr) {
      return FailedPrecondition(what + "is missing");
    }
    if (same->data_type() != wanted.data_type()) {
      return FailedPrecondition(what + "has another type than Roost gave it");
    }
    if (ParamOf(*same, "dim") != ParamOf(wanted, "dim")) {
      return FailedPrecondition(what + "has " + ParamOf(*same, "dim") + " dimensions, not " +
                                ParamOf(wanted, "dim"));
    }
  }
  return {};
}

}  // namespace roost
