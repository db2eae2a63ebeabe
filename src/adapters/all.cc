#include "adapters/all.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "adapters/milvus/milvus_alias.h"
#include "adapters/milvus/milvus_store.h"
#include "adapters/opensearch/opensearch_store.h"
#include "adapters/opensearch/opensearch_template.h"
#include "adapters/pgvector/pgvector_prepare.h"
#include "adapters/pgvector/pgvector_store.h"
#include "adapters/weaviate/weaviate_store.h"

namespace roost {

namespace {

using Connect = Result<std::unique_ptr<VectorStore>> (*)(const std::string& address,
                                                         const RemoteStoreOptions& options,
                                                         Clock& clock, Metrics& metrics);
/// nullptr: connecting makes nothing.
using LookBefore = Result<std::vector<PreparationStep>> (*)(const RequestContext& context,
                                                            const std::string& address);
/// nullptr: there are no templates and aliases.
using LookBeside = Result<std::vector<PreparationStep>> (*)(const RequestContext& context,
                                                            const std::string& address,
                                                            const PreparationRequest& request,
                                                            Clock& clock, Metrics& metrics);
struct Adapter {
  std::string_view scheme;
  Connect connect;
  Capabilities (*declared)();
  LookBefore before = nullptr;
  LookBeside beside = nullptr;
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

Result<std::vector<PreparationStep>> BeforePgVector(const RequestContext& context,
                                                    const std::string& address) {
  return LookAtPgVector(context, {.uri = address});
}
Result<std::vector<PreparationStep>> BesideOpenSearch(const RequestContext& context,
                                                      const std::string& address,
                                                      const PreparationRequest& request,
                                                      Clock& clock, Metrics& metrics) {
  return LookBesideOpenSearch(context, {.uri = address}, request, clock, metrics);
}
Result<std::vector<PreparationStep>> BesideMilvus(const RequestContext& context,
                                                  const std::string& address,
                                                  const PreparationRequest& request, Clock& clock,
                                                  Metrics& metrics) {
  return LookBesideMilvus(context, {.uri = address}, request, clock, metrics);
}

// One line a store.
constexpr std::array kAdapters = {
    Adapter{"postgresql://", ConnectPgVector, DeclaredPgVector, BeforePgVector},
    Adapter{"postgres://", ConnectPgVector, DeclaredPgVector, BeforePgVector},
    Adapter{"milvus://", ConnectMilvus, DeclaredMilvus, nullptr, BesideMilvus},
    Adapter{"weaviate://", ConnectWeaviate, DeclaredWeaviate},
    Adapter{"opensearch://", ConnectOpenSearch, DeclaredOpenSearch, nullptr, BesideOpenSearch},
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

Result<std::vector<PreparationStep>> LookBeforeConnecting(const RequestContext& context,
                                                          const std::string& address) {
  const Adapter* adapter = FindAdapter(address);
  CHECK(adapter != nullptr);
  return adapter->before == nullptr ? std::vector<PreparationStep>()
                                    : adapter->before(context, address);
}

bool HasAliases(std::string_view address) {
  const Adapter* adapter = FindAdapter(address);
  CHECK(adapter != nullptr);
  return adapter->beside != nullptr;
}

Result<std::vector<PreparationStep>> LookBesideCollection(const RequestContext& context,
                                                          const std::string& address,
                                                          const PreparationRequest& request,
                                                          Clock& clock, Metrics& metrics) {
  const Adapter* adapter = FindAdapter(address);
  CHECK(adapter != nullptr);
  return adapter->beside == nullptr ? std::vector<PreparationStep>()
                                    : adapter->beside(context, address, request, clock, metrics);
}

}  // namespace roost
