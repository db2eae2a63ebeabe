#include "migration/mapping/mapping_table.h"

#include <mutex>

#include "store/schema_json.h"

namespace roost {

Status MappingTable::Load() {
  const std::vector<MappingRow> rows = TRY(control_.ListMappings());
  for (const MappingRow& row : rows) {
    const auto mapper = [&]() -> Result<std::shared_ptr<const RecordMapper>> {
      const CollectionSchema source = TRY(SchemaFromJson(row.source));
      const SchemaMapping mapping = TRY(MappingFromJson(row.mapping));
      return RecordMapper::Make(source, mapping);
    }();
    if (!mapper.ok()) {
      return DataLoss("the mapping of collection \"" + row.collection + "\" on store \"" +
                      row.store + "\" cannot be read: " + mapper.error().message);
    }
    Publish(row.store, row.collection, *mapper);
  }
  return {};
}

std::shared_ptr<const RecordMapper> MappingTable::Find(const std::string& store,
                                                       const std::string& collection) const {
  if (count_.load(std::memory_order_acquire) == 0) {
    return nullptr;
  }
  const std::shared_lock lock(mutex_);
  const auto found = mappers_.find({store, collection});
  return found == mappers_.end() ? nullptr : found->second;
}

MappingRow MappingTable::Row(const std::string& store, const RecordMapper& mapper) {
  return {.store = store,
          .collection = mapper.source().name,
          .source = SchemaToJson(mapper.source()),
          .mapping = MappingToJson(mapper.mapping())};
}

void MappingTable::Publish(const std::string& store, const std::string& collection,
                           std::shared_ptr<const RecordMapper> mapper) {
  const std::unique_lock lock(mutex_);
  if (mapper == nullptr) {
    mappers_.erase({store, collection});
  } else {
    mappers_[{store, collection}] = std::move(mapper);
  }
  count_.store(mappers_.size(), std::memory_order_release);
}

Status MappingTable::Forget(const RequestContext& context, const std::string& store,
                            const std::string& collection) {
  ControlTransaction transaction;
  transaction.delete_mappings = {{.store = store, .collection = collection}};
  TRY(control_.Commit(context, std::move(transaction)));
  Publish(store, collection, nullptr);
  return {};
}

}  // namespace roost
