#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>

#include "metadata/control_store.h"
#include "migration/mapping/record_mapper.h"

namespace roost {

/// The collections that a store keeps by a mapping. What is in here is in the control store too.
/// Thread safe.
class MappingTable {
 public:
  explicit MappingTable(ControlStore& control) : control_(control) {}

  /// Takes up what the control store has. Once, before the table is used.
  Status Load();

  /// Null: the store keeps the collection as its users see it.
  std::shared_ptr<const RecordMapper> Find(const std::string& store,
                                           const std::string& collection) const;

  /// What a transaction must write for Publish to be lasting.
  static MappingRow Row(const std::string& store, const RecordMapper& mapper);
  /// From now on; null: as its users see it. Nobody may be using the collection on that store.
  void Publish(const std::string& store, const std::string& collection,
               std::shared_ptr<const RecordMapper> mapper);

  /// The collection is gone from the store.
  Status Forget(const RequestContext& context, const std::string& store,
                const std::string& collection);

 private:
  using Name = std::pair<std::string, std::string>;  ///< store, collection

  ControlStore& control_;
  mutable std::shared_mutex mutex_;
  std::map<Name, std::shared_ptr<const RecordMapper>> mappers_;
  std::atomic<size_t> count_{0};  ///< of mappers_: most gateways have none, and no lock is needed
};

}  // namespace roost
