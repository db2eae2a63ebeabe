#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "store/vector_store.h"

namespace roost {

/// A store behind the router.
struct NamedStore {
  std::string name;
  VectorStore* store = nullptr;     ///< outlives the router
  std::function<bool()> available;  ///< false while its breaker is open; empty: always
};

/// The stores that routes name. Immutable, so thread safe.
class StoreSet {
 public:
  /// Precondition: names are unique, stores are not null.
  explicit StoreSet(std::vector<NamedStore> stores);

  VectorStore* Find(const std::string& name) const;  ///< null when unknown
  /// Precondition: known. Routes are checked before they are published.
  VectorStore& At(const std::string& name) const;
  bool Available(const std::string& name) const;
  std::vector<std::string> Names() const;  ///< sorted

 private:
  std::map<std::string, NamedStore> stores_;
};

}  // namespace roost
