#include "adapters/all.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "adapters/pgvector/pgvector_store.h"

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

Result<std::unique_ptr<VectorStore>> ConnectPgVector(const std::string& address,
                                                     const RemoteStoreOptions& options,
                                                     Clock& clock, Metrics& metrics) {
  std::unique_ptr<PgVectorStore> store = TRY(
      OpenPgVectorStore({.uri = address, .max_connections = options.connections}, clock, metrics));
  return std::unique_ptr<VectorStore>(std::move(store));
}

Capabilities DeclaredPgVector() { return PgVectorCapabilities({}); }

// One line a store.
constexpr std::array kAdapters = {
    Adapter{"postgresql://", ConnectPgVector, DeclaredPgVector},
    Adapter{"postgres://", ConnectPgVector, DeclaredPgVector},
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
