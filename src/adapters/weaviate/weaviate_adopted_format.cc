// Objects of classes that others made, as records.

#include <algorithm>

#include <v1/batch.pb.h>
#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_codec.h"
#include "adapters/weaviate/weaviate_format.h"
#include "adapters/weaviate/weaviate_table.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

bool IsTooWide(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value)) {
    return std::any_of(array->begin(), array->end(), IsTooWide);
  }
  const auto* integer = std::get_if<int64_t>(&value);
  return integer != nullptr && (*integer > kExactInteger || *integer < -kExactInteger);
}

class Adopted final : public WeaviateFormat {
 public:
  bool ours() const override { return false; }

  std::optional<ObjectId> IdOf(const Key& key) const override {
    const auto* text = std::get_if<std::string>(&key);
    const auto id = text == nullptr ? std::nullopt : ParseObjectId(*text);
    return id && id->ToString() == *text ? id : std::nullopt;
  }

  /// UUIDs order as their texts do; other texts may only bound a range.
  std::pair<ObjectId, ObjectId> RangeOf(const Key& key) const override {
    const auto id = IdOf(key);
    return id ? std::pair(*id, *id) : std::pair(kFirstObjectId, kLastObjectId);
  }

  bool Grouped(const WeaviateTable& /*table*/) const override { return false; }
  std::string TenantName(const std::string& tenant) const override { return tenant; }

  Status CheckWrite(const WeaviateTable& table, const Record& record) const override {
    if (!table.unread.empty()) {
      return FailedPrecondition("class " + table.class_name + " has \"" + table.unread.front() +
                                "\", which Roost does not read: writing an object would drop it; "
                                "write through Weaviate itself");
    }
    if (!IdOf(record.key.key)) {
      return InvalidArgument("key " + ToString(record.key) +
                             " is no UUID in lower case, which objects of class " +
                             table.class_name + " need");
    }
    for (const FieldSchema& field : table.schema.fields) {
      const auto found = record.fields.find(field.name);
      const DataType type = field.type == DataType::kArray ? field.element_type : field.type;
      if (found == record.fields.end()) {
        continue;
      }
      const auto* array = std::get_if<Array>(&found->second);
      if ((array != nullptr && array->empty()) ||
          (type != DataType::kTimestamp && IsTooWide(found->second))) {
        return InvalidArgument("field \"" + field.name + "\" of record " + ToString(record.key) +
                               " is an empty array or an integer beyond 2^53, which class " +
                               table.class_name + " cannot keep");
      }
    }
    return {};
  }

  void Encode(const WeaviateTable& table, const Record& record,
              pb::BatchObject& object) const override {
    object.set_uuid(std::get<std::string>(record.key.key));
    object.set_collection(table.class_name);
    if (table.schema.multi_tenant()) {
      object.set_tenant(record.key.tenant);
    }
    object.mutable_properties();
    for (size_t i = 0; i < table.schema.fields.size(); ++i) {
      const auto found = record.fields.find(table.field(i).name);
      if (found != record.fields.end() && !found->second.is_null()) {
        EncodeValue(object, table.properties[i], table.field(i), found->second);
      }
    }
    for (size_t i = 0; i < table.vectors.size(); ++i) {
      const auto found = record.vectors.find(table.schema.vectors[i].name);
      if (found == record.vectors.end()) {
        continue;
      }
      if (table.vectors[i].empty()) {
        object.set_vector_bytes(found->second.bytes);
      } else {
        auto& vector = *object.add_vectors();
        vector.set_name(table.vectors[i]);
        vector.set_vector_bytes(found->second.bytes);
      }
    }
  }

  void AskFor(const WeaviateTable& table, const Wanted& wanted,
              pb::SearchRequest& request) const override {
    auto& properties = *request.mutable_properties();
    for (size_t i = 0; i < table.properties.size(); ++i) {
      if (wanted.scalars || std::binary_search(wanted.fields.begin(), wanted.fields.end(), i)) {
        properties.add_non_ref_properties(table.properties[i]);
      }
    }
    request.mutable_metadata()->set_uuid(true);
    for (size_t i = 0; i < table.vectors.size(); ++i) {
      if (!wanted.vectors && wanted.vector != i) {
        continue;
      }
      if (table.vectors[i].empty()) {
        request.mutable_metadata()->set_vector(true);
      } else {
        request.mutable_metadata()->add_vectors(table.vectors[i]);
      }
    }
    UseNewestReply(request);
  }

  Result<Record> Decode(const WeaviateTable& table, const std::string& tenant,
                        const pb::SearchResult& object) const override {
    Record record;
    record.key = {.tenant = tenant, .key = object.metadata().id()};
    const auto& members = object.properties().non_ref_props().fields();
    for (size_t i = 0; i < table.properties.size(); ++i) {
      const auto found = members.find(table.properties[i]);
      Value value = found == members.end() ? Value() : DecodeValue(found->second);
      if (!value.is_null()) {
        record.fields[table.field(i).name] = std::move(value);
      }
    }
    for (size_t i = 0; i < table.vectors.size(); ++i) {
      const VectorFieldSchema& field = table.schema.vectors[i];
      const std::string* bytes = nullptr;
      if (table.vectors[i].empty()) {
        bytes = &object.metadata().vector_bytes();
      }
      for (const auto& vector : object.metadata().vectors()) {
        bytes = vector.name() == table.vectors[i] ? &vector.vector_bytes() : bytes;
      }
      if (bytes != nullptr && !bytes->empty()) {
        record.vectors[field.name] = DecodeVector(field.type, *bytes);
      }
    }
    return record;
  }

  /// The application chose how texts are split and what is indexed: all is judged by Roost.
  WeaviateFilter Narrow(const Filter* filter, const WeaviateTable& /*table*/,
                        const std::string& /*tenant*/) const override {
    return {.kind = WeaviateFilter::Kind::kAll, .native = nullptr, .exact = filter == nullptr};
  }
};

}  // namespace

const WeaviateFormat& AdoptedFormat() {
  static const Adopted format;
  return format;
}

}  // namespace roost
