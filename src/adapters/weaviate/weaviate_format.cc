#include "adapters/weaviate/weaviate_format.h"

#include "adapters/weaviate/weaviate_codec.h"
#include "adapters/weaviate/weaviate_table.h"

namespace roost {
namespace {

class Own final : public WeaviateFormat {
 public:
  bool ours() const override { return true; }
  std::optional<ObjectId> IdOf(const Key& key) const override { return ObjectIdOf(key); }
  std::pair<ObjectId, ObjectId> RangeOf(const Key& key) const override { return GroupOf(key); }
  bool Grouped(const WeaviateTable& table) const override {
    return table.schema.key_type == KeyType::kVarChar;
  }
  std::string TenantName(const std::string& tenant) const override { return TenantNameOf(tenant); }
  void Encode(const WeaviateTable& table, const Record& record,
              weaviate::v1::BatchObject& object) const override {
    EncodeRecord(table, record, object);
  }
  Status CheckWrite(const WeaviateTable& /*table*/, const Record& /*record*/) const override {
    return {};
  }
  void AskFor(const WeaviateTable& table, const Wanted& wanted,
              weaviate::v1::SearchRequest& request) const override {
    roost::AskFor(table, wanted, request);
  }
  Result<Record> Decode(const WeaviateTable& table, const std::string& tenant,
                        const weaviate::v1::SearchResult& object) const override {
    return DecodeObject(table, tenant, object);
  }
  WeaviateFilter Narrow(const Filter* filter, const WeaviateTable& table,
                        const std::string& tenant) const override {
    return NarrowBy(filter, table, tenant);
  }
};

}  // namespace

const WeaviateFormat& OwnFormat() {
  static const Own format;
  return format;
}

}  // namespace roost
