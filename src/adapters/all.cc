#include "adapters/all.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "adapters/milvus/milvus_store.h"
#include "adapters/opensearch/opensearch_store.h"
#include "adapters/pgvector/pgvector_store.h"
#include "adapters/weaviate/weaviate_store.h"

namespace roost {

namespace {

using Connect = Result<std::unique_ptr<VectorStore>> (*)(const std::string& address,
                                                         const RemoteStoreOptions& options,
                                                         Clock& clock, Metrics& metrics);
struct Adapter {
  std::string_view scheme;
  Connect connect;
  Capabilities (*declared)();
};

/// A store of a narrower class as what the others see of it.
template <typename Store>
Result<std::unique_ptr<VectorStore>> AsVectorStore(Result<std::unique_ptr<Store>> store) {
  return std::unique_ptr<VectorStore>(TRY(std::move(store)));
}

Result<std::unique_ptr<VectorStore>> ConnectPgVector(const std::string& address,
                                                     const RemoteStoreOptions& options,
                                                     Clock& clock, Metrics& metrics) {
  return AsVectorStore(
      OpenPgVectorStore({.uri = address, .max_connections = options.connections}, clock, metrics));
}

Result<std::unique_ptr<VectorStore>> ConnectOpenSearch(const std::string& address,
                                                       const RemoteStoreOptions& options,
                                                       Clock& clock, Metrics& metrics) {
  return AsVectorStore(OpenOpenSearchStore({.uri = address, .max_connections = options.connections},
                                           clock, metrics));
}

// Milvus and Weaviate carry any number of calls on one connection.
Result<std::unique_ptr<VectorStore>> ConnectMilvus(const std::string& address,
                                                   const RemoteStoreOptions&, Clock& clock,
                                                   Metrics& metrics) {
  return AsVectorStore(OpenMilvusStore({.uri = address}, clock, metrics));
}

Result<std::unique_ptr<VectorStore>> ConnectWeaviate(const std::string& address,
                                                     const RemoteStoreOptions&, Clock& clock,
                                                     Metrics& metrics) {
  return AsVectorStore(OpenWeaviateStore({.uri = address}, clock, metrics));
}

Capabilities DeclaredPgVector() { return PgVectorCapabilities({}); }
Capabilities DeclaredOpenSearch() { return OpenSearchCapabilities({}); }
Capabilities DeclaredMilvus() { return MilvusCapabilities({}); }
Capabilities DeclaredWeaviate() { return WeaviateCapabilities({}); }

// One line a store.
constexpr std::array kAdapters = {
    Adapter{"postgresql://", ConnectPgVector, DeclaredPgVector},
    Adapter{"postgres://", ConnectPgVector, DeclaredPgVector},
    Adapter{"milvus://", ConnectMilvus, DeclaredMilvus},
    Adapter{"weaviate://", ConnectWeaviate, DeclaredWeaviate},
    Adapter{"opensearch://", ConnectOpenSearch, DeclaredOpenSearch},
};

/// nullptr when no adapter knows the address.
const Adapter* FindAdapter(std::string_view address) {
  const auto found = std::find_if(kAdapters.begin(), kAdapters.end(), [&](const Adapter& adapter) {
    return address.starts_with(adapter.scheme);
  });
  return found == kAdapters.end() ? nullptr : &*found;
}

}  // namespace

bool KnowsAddress(std::string_view address) { return FindAdapter(address) != nullptr; }

Capabilities DeclaredCapabilities(std::string_view address) {
  const Adapter* adapter = FindAdapter(address);
  CHECK(adapter != nullptr);
  return adapter->declared();
}

Result<std::unique_ptr<VectorStore>> ConnectStore(const std::string& address,
                                                  const RemoteStoreOptions& options, Clock& clock,
                                                  Metrics& metrics) {
  if (const Adapter* adapter = FindAdapter(address); adapter != nullptr) {
    return adapter->connect(address, options, clock, metrics);
  }
  return InvalidArgument("no store is known for this kind of address; write " +
                         std::string(kAddressForms));
}

}  // namespace roost
