#include "adapters/all.h"

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
};

Result<std::unique_ptr<VectorStore>> ConnectPgVector(const std::string& address,
                                                     const RemoteStoreOptions& options,
                                                     Clock& clock, Metrics& metrics) {
  std::unique_ptr<PgVectorStore> store = TRY(OpenPgVectorStore(
      {.uri = address, .max_connections = options.connections}, clock, metrics));
  return std::unique_ptr<VectorStore>(std::move(store));
}

// One line a store.
constexpr std::array kAdapters = {
    Adapter{"postgresql://", ConnectPgVector},
    Adapter{"postgres://", ConnectPgVector},
};

}  // namespace

bool KnowsAddress(std::string_view address) {
  for (const Adapter& adapter : kAdapters) {
    if (address.starts_with(adapter.scheme)) {
      return true;
    }
  }
  return false;
}

Result<std::unique_ptr<VectorStore>> ConnectStore(const std::string& address,
                                                  const RemoteStoreOptions& options, Clock& clock,
                                                  Metrics& metrics) {
  for (const Adapter& adapter : kAdapters) {
    if (address.starts_with(adapter.scheme)) {
      return adapter.connect(address, options, clock, metrics);
    }
  }
  return InvalidArgument("no store is known for this kind of address; write " +
                         std::string(kAddressForms));
}

}  // namespace roost
