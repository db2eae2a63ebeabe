#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/embedded/embedded_store.h"
#include "base/log.h"
#include "base/result.h"
#include "gateway/gateway.h"
#include "gateway/records/delete_hook.h"
#include "gateway/records/record_types.h"
#include "metadata/control_store.h"
#include "net/http_server.h"
#include "router/routed_store.h"
#include "store/resilient_store.h"

namespace roost {

/// Everything `roost serve` can be told. Each key may stand in the YAML file (section: {key:
/// value}), in the environment (ROOST_SECTION_KEY) and on the command line (--section.key VALUE);
/// the later of these wins. docs/configuration.md lists them; it is made from the same table.
struct ServerConfig {
  std::string data_folder = "roost-data";
  PostgresControlOptions metadata;  ///< without an address: SQLite in the data folder
  HttpServerOptions server{.port = 19'530};
  uint32_t max_concurrent_requests = 1'024;
  uint32_t max_running_requests = 0;  ///< that compute, not wait, at once; 0: as many as cores
  uint32_t max_queued_requests = 4'096;
  LogOptions log;
  EmbeddedOptions embedded;
  ResilienceOptions calls;
  RoutedStoreOptions router;
  GatewayOptions gateway;
  RecordServiceOptions records;
  DeleteHookOptions delete_hook;
  uint32_t pgvector_pool = 16;
  std::string default_store = "embedded";
  /// Name -> address: "embedded:" or "postgresql://user@host:port/database". "embedded" is always
  /// there.
  std::map<std::string, std::string> stores;
};

/// A value in force and where it came from.
struct EffectiveValue {
  std::string key;     ///< "server.port"
  std::string value;   ///< secrets are "***"
  std::string origin;  ///< "default", "file roost.yaml", "environment ROOST_SERVER_PORT", "flag"
  std::string help;
};

struct LoadedConfig {
  ServerConfig config;
  std::vector<EffectiveValue> values;  ///< in the order of the table
};

/// What the command line says.
struct ConfigFlags {
  std::string file;  ///< empty: roost.yaml in the working folder where there is one
  std::map<std::string, std::string> values;  ///< by key; "stores.NAME" for stores
};

/// Names and explanations of all keys, for --help and the docs.
std::vector<EffectiveValue> ConfigKeys();

/// kInvalidArgument names key, value, origin and what is allowed; kNotFound the missing file.
/// `environment` is what environ holds ("NAME=VALUE").
Result<LoadedConfig> LoadConfig(const ConfigFlags& flags,
                                const std::map<std::string, std::string>& environment);
/// This process's environment.
std::map<std::string, std::string> ReadEnvironment();

/// "postgresql://bob:secret@host/db" -> "postgresql://bob:***@host/db".
std::string HideSecrets(std::string_view address);

}  // namespace roost
