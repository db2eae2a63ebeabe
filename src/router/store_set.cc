#include "router/store_set.h"

#include <utility>

namespace roost {

StoreSet::StoreSet(std::vector<NamedStore> stores) {
  for (NamedStore& store : stores) {
    CHECK(store.store != nullptr);
    std::string name = store.name;
    CHECK(stores_.emplace(std::move(name), std::move(store)).second);
  }
}

VectorStore* StoreSet::Find(const std::string& name) const {
  const auto found = stores_.find(name);
  return found == stores_.end() ? nullptr : found->second.store;
}

VectorStore& StoreSet::At(const std::string& name) const {
  VectorStore* store = Find(name);
  CHECK(store != nullptr);
  return *store;
}

bool StoreSet::Available(const std::string& name) const {
  const auto found = stores_.find(name);
  return found != stores_.end() && (!found->second.available || found->second.available());
}

std::vector<std::string> StoreSet::Names() const {
  std::vector<std::string> names;
  names.reserve(stores_.size());
  for (const auto& [name, store] : stores_) {
    names.push_back(name);
  }
  return names;
}

}  // namespace roost
