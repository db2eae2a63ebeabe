#include "migration/mapping/record_mapper.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/base64.h"
#include "base/strings.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

bool IsString(DataType type) { return type == DataType::kVarChar || type == DataType::kText; }

/// INT8 to INT64 as 0 to 3; nothing for other types.
std::optional<int> IntegerWidth(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return 0;
    case DataType::kInt16:
      return 1;
    case DataType::kInt32:
      return 2;
    case DataType::kInt64:
      return 3;
    default:
      return std::nullopt;
  }
}

/// What a type may become; nothing when values would change.
std::optional<Carry> CarryOf(DataType from, DataType to) {
  if (IsVector(from)) {
    if (from == to) {
      return Carry::kSame;
    }
    const bool narrow = from == DataType::kFloat16Vector || from == DataType::kBFloat16Vector ||
                        from == DataType::kInt8Vector;
    if (to == DataType::kFloatVector && narrow) {
      return Carry::kFloats;
    }
    return to == DataType::kVarChar ? std::optional(Carry::kVectorText) : std::nullopt;
  }
  if (from == DataType::kJson && to == DataType::kVarChar) {
    return Carry::kJsonText;
  }
  const bool wider = IntegerWidth(from) && IntegerWidth(from) < IntegerWidth(to);
  const bool same =
      from == to || wider || (from == DataType::kFloat && to == DataType::kDouble) ||
      (from == DataType::kTimestamp && to == DataType::kInt64) ||
      ((from == DataType::kText || from == DataType::kUuid) && to == DataType::kVarChar);
  return same ? std::optional(Carry::kSame) : std::nullopt;
}

std::string Possible(DataType type) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(DataType::kSparseVector); ++i) {
    const auto to = static_cast<DataType>(i);
    if (CarryOf(type, to)) {
      names += (names.empty() ? "" : ", ") + std::string(DataTypeName(to));
    }
  }
  return names;
}

Status CheckLimits(const FieldSchema& from, const FieldSchema& to) {
  const std::string name = "field " + Quoted(to.name) + " of the mapping ";
  if (from.nullable && !to.nullable) {
    return InvalidArgument(name + "takes no nulls, but " + Quoted(from.name) + " may be null");
  }
  const bool strings = IsString(from.type) || IsString(from.element_type);
  if (strings && from.type != DataType::kUuid && to.max_length < from.max_length) {
    return InvalidArgument(name + "takes " + std::to_string(to.max_length) + " bytes, " +
                           Quoted(from.name) + " may have " + std::to_string(from.max_length));
  }
  if (from.type == DataType::kArray &&
      (to.element_type != from.element_type || to.max_capacity < from.max_capacity)) {
    return InvalidArgument(name + "must be an array of the same elements, and of at least " +
                           std::to_string(from.max_capacity));
  }
  return {};
}

Status CheckLimits(const VectorFieldSchema& from, const VectorFieldSchema& to) {
  if (from.dimension != to.dimension || from.metric != to.metric) {
    return InvalidArgument("vector " + Quoted(to.name) +
                           " of the mapping must have the dimension and the metric of " +
                           Quoted(from.name));
  }
  if (from.nullable && !to.nullable) {
    return InvalidArgument("vector " + Quoted(to.name) + " of the mapping takes no nulls, but " +
                           Quoted(from.name) + " may be null");
  }
  return {};
}

Status CheckLimits(const VectorFieldSchema& from, const FieldSchema& to) {
  if ((from.nullable && !to.nullable) ||
      (from.type != DataType::kSparseVector && to.max_length < VectorTextLength(from))) {
    return InvalidArgument("field " + Quoted(to.name) + " of the mapping holds vector " +
                           Quoted(from.name) + " as text: it needs max_length " +
                           std::to_string(VectorTextLength(from)) + " or more" +
                           (from.nullable ? " and must be nullable" : ""));
  }
  return {};
}

/// A narrow vector's elements as float32: each of these types is a part of it.
Vector Widen(const Vector& vector) { return Vector::Floats(ToFloats(vector)); }

Result<Vector> Narrow(const Vector& vector, DataType type) {
  const auto values = vector.floats();
  Vector out = FromFloats(type, values);
  const auto back = ToFloats(out);
  for (size_t i = 0; i < values.size(); ++i) {
    if (back[i] != values[i]) {
      return DataLoss(std::to_string(values[i]) + " is no element of a " +
                      std::string(DataTypeName(type)));
    }
  }
  return out;
}

/// Moves the entry called `name`, if there is one, into `out` under the name `to`.
template <typename Map>
void MoveEntry(Map& from, const std::string& name, Map& out, const std::string& to) {
  auto node = from.extract(name);
  if (!node.empty()) {
    node.key() = to;
    out.insert(std::move(node));
  }
}

}  // namespace

Result<std::shared_ptr<const RecordMapper>> RecordMapper::Make(const CollectionSchema& source,
                                                               const SchemaMapping& mapping) {
  std::shared_ptr<RecordMapper> mapper(new RecordMapper(source, mapping));
  TRY(mapper->Pair());
  return std::shared_ptr<const RecordMapper>(std::move(mapper));
}

std::shared_ptr<const RecordMapper> RecordMapper::Identity(const CollectionSchema& schema) {
  auto mapper = Make(schema, {.schema = schema, .source_name = {}});
  CHECK(mapper.ok());
  return *std::move(mapper);
}

/// Pairs each field of the mapping with the one it holds.
Status RecordMapper::Pair() {
  const CollectionSchema& target = mapping_.schema;
  if (target.name != source_.name) {
    return InvalidArgument("the mapping is for collection " + Quoted(target.name) + ", not for " +
                           Quoted(source_.name));
  }
  if (target.key_type != source_.key_type || target.multi_tenant() != source_.multi_tenant() ||
      target.dynamic != source_.dynamic) {
    return InvalidArgument(
        "the mapping must leave the key's type, tenants and dynamic fields as they are");
  }
  for (const FieldSchema& field : target.fields) {
    TRY(AddPart(field.name, field.type));
    const Part& part = parts_.back();
    TRY(IsVector(part.source_type) ? CheckLimits(*source_.FindVector(part.source), field)
                                   : CheckLimits(*source_.FindField(part.source), field));
  }
  for (const VectorFieldSchema& vector : target.vectors) {
    TRY(AddPart(vector.name, vector.type));
    TRY(CheckLimits(*source_.FindVector(parts_.back().source), vector));
  }
  std::set<std::string_view> held;
  for (const Part& part : parts_) {
    if (!held.insert(part.source).second) {
      return InvalidArgument("two fields of the mapping hold " + Quoted(part.source));
    }
  }
  const auto check = [&](const std::string& name) -> Status {
    return held.contains(name) ? Status()
                               : InvalidArgument("no field of the mapping holds " + Quoted(name) +
                                                 "; a move leaves nothing out");
  };
  for (const FieldSchema& field : source_.fields) {
    TRY(check(field.name));
  }
  for (const VectorFieldSchema& vector : source_.vectors) {
    TRY(check(vector.name));
  }
  for (const auto& [there, source] : mapping_.source_name) {
    if (target.FindField(there) == nullptr && target.FindVector(there) == nullptr) {
      return InvalidArgument("\"from\" of the mapping names " + Quoted(there) +
                             ", which is no field of its schema");
    }
    // A member of the dynamic field may be called like that.
    if (source_.dynamic && source_.FindField(there) == nullptr &&
        source_.FindVector(there) == nullptr) {
      return InvalidArgument("collection " + Quoted(source_.name) +
                             " takes undeclared fields, so " + Quoted(source) +
                             " cannot be called " + Quoted(there) + ": a record may have both");
    }
  }
  return {};
}

Status RecordMapper::AddPart(const std::string& target, DataType target_type) {
  const auto named = mapping_.source_name.find(target);
  Part part{.source = named == mapping_.source_name.end() ? target : named->second,
            .target = target,
            .target_type = target_type};
  if (const FieldSchema* field = source_.FindField(part.source)) {
    part.source_type = field->type;
  } else if (const VectorFieldSchema* vector = source_.FindVector(part.source)) {
    part.source_type = vector->type;
  } else {
    return InvalidArgument("field " + Quoted(target) + " of the mapping holds " +
                           Quoted(part.source) + ", which is no field of collection " +
                           Quoted(source_.name) + "; say in \"from\" which one it holds");
  }
  const std::optional<Carry> carry = CarryOf(part.source_type, target_type);
  if (!carry) {
    return InvalidArgument("field " + Quoted(target) + " of the mapping is " +
                           std::string(DataTypeName(target_type)) + ", but " + Quoted(part.source) +
                           " is " + std::string(DataTypeName(part.source_type)) +
                           ", which can be kept as " + Possible(part.source_type));
  }
  part.carry = *carry;
  parts_.push_back(std::move(part));
  return {};
}

const RecordMapper::Part* RecordMapper::FindPart(std::string_view source) const {
  const auto found = std::find_if(parts_.begin(), parts_.end(),
                                  [&](const Part& part) { return part.source == source; });
  return found == parts_.end() ? nullptr : &*found;
}

Record RecordMapper::ToTarget(Record record) const {
  Record out{.key = std::move(record.key), .dynamic = std::move(record.dynamic)};
  for (const Part& part : parts_) {
    if (part.carry == Carry::kVectorText) {
      const auto found = record.vectors.find(part.source);
      if (found != record.vectors.end()) {
        out.fields[part.target] = EncodeBase64(found->second.bytes);
      }
    } else if (IsVector(part.source_type)) {
      MoveEntry(record.vectors, part.source, out.vectors, part.target);
      if (const auto found = out.vectors.find(part.target);
          found != out.vectors.end() && part.carry == Carry::kFloats) {
        found->second = Widen(found->second);
      }
    } else {
      MoveEntry(record.fields, part.source, out.fields, part.target);
      if (const auto found = out.fields.find(part.target);
          found != out.fields.end() && part.carry == Carry::kJsonText) {
        if (auto* json = std::get_if<Json>(&found->second)) {
          found->second = std::string(std::move(json->text));
        }
      }
    }
  }
  return out;
}

Result<Record> RecordMapper::ToSource(Record record) const {
  Record out{.key = std::move(record.key), .dynamic = std::move(record.dynamic)};
  const auto damaged = [&](const Part& part, std::string_view what) {
    return DataLoss("record " + ToString(out.key) + " of collection " + Quoted(source_.name) +
                    ": field " + Quoted(part.target) + " does not hold " + Quoted(part.source) +
                    " any more: " + std::string(what) + "; somebody else changed it");
  };
  for (const Part& part : parts_) {
    if (part.carry == Carry::kVectorText) {
      const auto found = record.fields.find(part.target);
      if (found == record.fields.end() || found->second.is_null()) {
        continue;
      }
      const auto* text = std::get_if<std::string>(&found->second);
      auto bytes = DecodeBase64(text == nullptr ? "?" : *text);
      if (!bytes.ok()) {
        return damaged(part, bytes.error().message);
      }
      out.vectors[part.source] = {.type = part.source_type, .bytes = *std::move(bytes)};
    } else if (IsVector(part.source_type)) {
      MoveEntry(record.vectors, part.target, out.vectors, part.source);
      if (const auto found = out.vectors.find(part.source);
          found != out.vectors.end() && part.carry == Carry::kFloats) {
        auto narrow = Narrow(found->second, part.source_type);
        if (!narrow.ok()) {
          return damaged(part, narrow.error().message);
        }
        found->second = *std::move(narrow);
      }
    } else {
      MoveEntry(record.fields, part.target, out.fields, part.source);
      if (const auto found = out.fields.find(part.source);
          found != out.fields.end() && part.carry == Carry::kJsonText) {
        if (auto* text = std::get_if<std::string>(&found->second)) {
          found->second = Json{std::move(*text)};
        }
      }
    }
  }
  return out;
}

std::string RecordMapper::TargetName(const std::string& source) const {
  if (source == source_.key_field) {
    return mapping_.schema.key_field;
  }
  if (source_.multi_tenant() && source == source_.tenant_field) {
    return mapping_.schema.tenant_field;
  }
  const Part* part = FindPart(source);
  return part == nullptr ? source : part->target;
}

OutputFields RecordMapper::ToTarget(const OutputFields& output) const {
  OutputFields out{.all_scalars = output.all_scalars, .vectors = output.vectors};
  for (const std::string& name : output.fields) {
    out.fields.push_back(TargetName(name));
  }
  for (const Part& part : parts_) {
    if (part.carry == Carry::kVectorText && output.vectors && !output.all_scalars) {
      out.fields.push_back(part.target);
    }
  }
  return out;
}

Result<SearchRequest> RecordMapper::ToTarget(const SearchRequest& request) const {
  SearchRequest out = request;
  out.filter = TRY(ToTarget(request.filter));
  out.output = ToTarget(request.output);
  std::string field = request.field;
  if (!request.vectors.empty() && field.empty() && source_.vectors.size() == 1) {
    field = source_.vectors[0].name;
  }
  const auto unsearchable = [&](const Part& lost) {
    return Unimplemented("field " + Quoted(lost.source) + " of collection " + Quoted(source_.name) +
                         " is kept as " + std::string(DataTypeName(lost.target_type)) +
                         " by its mapping and cannot be searched");
  };
  if (field.empty()) {
    for (const Part& part : parts_) {
      if (part.source_type == DataType::kText && part.target_type != DataType::kText) {
        return unsearchable(part);
      }
    }
    return out;
  }
  const Part* part = FindPart(field);
  if (part == nullptr) {
    return InvalidArgument("field " + Quoted(field) + " is not a field of collection " +
                           Quoted(source_.name));
  }
  const bool words = request.vectors.empty();
  if (part->carry == Carry::kVectorText || (words && part->target_type != DataType::kText)) {
    return unsearchable(*part);
  }
  out.field = part->target;
  if (part->carry == Carry::kFloats) {
    std::transform(out.vectors.begin(), out.vectors.end(), out.vectors.begin(), Widen);
  }
  return out;
}

CollectionDescription RecordMapper::Describe(CollectionDescription stored) const {
  CollectionSchema schema = source_;
  schema.description = stored.schema.description;
  for (VectorFieldSchema& vector : schema.vectors) {
    if (const VectorFieldSchema* there = stored.schema.FindVector(FindPart(vector.name)->target)) {
      vector.index = there->index;
      vector.hnsw_m = there->hnsw_m;
      vector.hnsw_ef_construction = there->hnsw_ef_construction;
    }
  }
  stored.schema = std::move(schema);
  return stored;
}

}  // namespace roost
