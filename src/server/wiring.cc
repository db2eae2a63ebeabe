#include "server/wiring.h"

#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "adapters/all.h"
#include "adapters/embedded/embedded_store.h"
#include "base/executor.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/gateway.h"
#include "gateway/records/delete_hook.h"
#include "gateway/records/record_service.h"
#include "metadata/control_store.h"
#include "migration/mapping/mapped_store.h"
#include "migration/service.h"
#include "net/http_server.h"
#include "protocol/rest/rest_api.h"
#include "router/replica_coordinator.h"
#include "router/routed_store.h"
#include "server/lazy_store.h"
#include "store/resilient_store.h"
#include "telemetry/health.h"
#include "telemetry/metrics.h"

namespace roost {

namespace {

size_t MaxRunning(const ServerConfig& config) {
  // At least two, so that a long computation leaves room for a short one.
  return config.max_running_requests > 0 ? config.max_running_requests
                                         : std::max(2U, std::thread::hardware_concurrency());
}

constexpr std::chrono::milliseconds kReconnectAfter{1'000};

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

// A store with what stands in front of it. The members are destroyed from the bottom up.
struct Stack {
  std::unique_ptr<VectorStore> store;
  std::unique_ptr<ResilientStore> resilient;
  std::unique_ptr<VectorStore> instrumented;
  std::unique_ptr<VectorStore> mapped;
};

class RunningServer final : public Server {
 public:
  explicit RunningServer(const ServerConfig& config) : config_(config) {}
  ~RunningServer() override { Stop(); }

  Status Open() {
    file_system_ = MakePosixFileSystem();
    metrics_ = MakeMetrics();
    TRY(file_system_->CreateDirectories(config_.data_folder));
    TRY(OpenControl());
    TRY(OpenStores());
    TRY(OpenRouter());
    TRY(OpenDoor());
    health_.SetReady(true);
    return {};
  }

  uint16_t port() const override { return http_->port(); }

  void Stop() override {
    if (stopped_.exchange(true)) {
      return;
    }
    health_.SetReady(false);
    health_.SetDraining(true);
    if (http_ != nullptr) {
      http_->Stop();
    }
    migrations_.reset();
    executor_.reset();
    delete_hook_.reset();  // after the last request that may wake it
  }

 private:
  Status OpenControl() {
    SqliteControlOptions options;
    options.path = JoinPath(config_.data_folder, "roost.db");
    if (config_.metadata.uri.empty()) {
      control_ = TRY(OpenSqliteControlStore(options, *metrics_));
    } else {
      const bool unused = TRY(file_system_->Exists(options.path));
      if (unused) {
        LogWarning(
            "What an earlier run kept in the data folder (routes, databases, moves) is not used: "
            "the control store is in PostgreSQL",
            {{"unused", options.path}});
      }
      control_ = TRY(OpenSharedControl());
    }
    mappings_ = std::make_unique<MappingTable>(*control_);
    return mappings_->Load();
  }

  Result<std::unique_ptr<ControlStore>> OpenSharedControl() {
    // While this is held, whoever had the folder before is dead, so its lease need not be awaited.
    gateway_lock_ = TRY(file_system_->Lock(JoinPath(config_.data_folder, "gateway.lock")));
    PostgresControlOptions options = config_.metadata;
    options.gateway_id = TRY(GatewayId());
    return OpenPostgresControlStore(options, *metrics_);
  }

  /// Kept in the data folder, and bound to this host: a copied folder is another gateway.
  Result<std::string> GatewayId() {
    const std::string path = JoinPath(config_.data_folder, "gateway.id");
    const bool known = TRY(file_system_->Exists(path));
    if (!known) {
      TRY(file_system_->WriteAtomically(path, random_.Hex(16)));
    }
    const std::string id = TRY(file_system_->ReadAll(path, 1'024));
    return id + "@" + HostName();
  }

  Status OpenStores() {
    EmbeddedOptions options = config_.embedded;
    options.folder = JoinPath(config_.data_folder, "store");
    Stack& embedded = stacks_["embedded"];
    embedded.store = TRY(OpenEmbeddedStore(options, *file_system_, clock_, *metrics_));
    for (const auto& [name, address] : config_.stores) {
      stacks_[name].store = MakeLazyStore(
          name, DeclaredCapabilities(address),
          [this, target = address] {
            return ConnectStore(target, {.connections = config_.pgvector_pool}, clock_, *metrics_);
          },
          kReconnectAfter, clock_);
    }
    for (auto& [name, stack] : stacks_) {
      stack.resilient =
          MakeResilientStore(name, *stack.store, config_.calls, clock_, random_, *metrics_);
      stack.instrumented = MakeInstrumentedStore(name, *stack.resilient, *metrics_);
      stack.mapped = MakeMappedStore(name, *stack.instrumented, *mappings_);
      ResilientStore* resilient = stack.resilient.get();
      named_.push_back({.name = name, .store = stack.mapped.get(), .available = [resilient] {
                          return resilient->breaker() != BreakerState::kOpen;
                        }});
      by_name_[name] = stack.mapped.get();
    }
    return {};
  }

  Status OpenRouter() {
    routes_ = std::make_unique<RouteTable>(config_.default_store);
    routes_->GuardWith([this] { return control_->CheckHeld(); });
    coordinator_ = MakeLocalCoordinator(*routes_);
    RoutedStoreOptions routed = config_.router;
    routed.default_store = config_.default_store;
    routed_ =
        std::make_unique<RoutedStore>(routed, named_, *routes_, *control_, random_, *metrics_);
    TRY(routed_->LoadRoutes());
    migrations_ = TRY(MakeMigrationService({}, {.routed = *routed_,
                                                .routes = *routes_,
                                                .coordinator = *coordinator_,
                                                .control = *control_,
                                                .mappings = *mappings_,
                                                .clock = clock_,
                                                .random = random_,
                                                .metrics = *metrics_}));
    health_.AddCheck("control store", HealthImpact::kNotReady,
                     [this] { return control_->CheckHealth(); });
    return {};
  }

  Status OpenDoor() {
    executor_ =
        std::make_unique<Executor>(Executor::Options{.name = "request",
                                                     .max_threads = config_.max_concurrent_requests,
                                                     .max_queue = config_.max_queued_requests,
                                                     .max_running = MaxRunning(config_)});
    gateway_ = std::make_unique<Gateway>(config_.gateway, *routed_, *control_, clock_, *metrics_);
    OpenRecords();
    dependencies_ =
        std::make_unique<rest::RestDependencies>(rest::RestDependencies{.gateway = *gateway_,
                                                                        .records = *records_,
                                                                        .migrations = *migrations_,
                                                                        .stores = by_name_,
                                                                        .health = health_,
                                                                        .metrics = *metrics_,
                                                                        .version = Version()});
    metrics_
        ->GetGauge("roost_build_info", "Always 1; the labels tell the build.",
                   {{"version", Version()}})
        .Set(1);
    table_ = std::make_unique<rest::RouteTable>(rest::MakeRoutes(*dependencies_, {}));
    http_ = TRY(HttpServer::Start(
        config_.server, [this](const HttpRequest& request) { return table_->Find(request); },
        *executor_, *metrics_));
    return {};
  }

  void OpenRecords() {
    records_ = std::make_unique<RecordService>(config_.records, *gateway_, *control_, clock_);
    if (!config_.delete_hook.url.empty()) {
      delete_hook_ = std::make_unique<DeleteHook>(
          config_.delete_hook, HttpDeleteHook(config_.delete_hook), *records_, *metrics_);
      records_->OnPendingPaths([this] { delete_hook_->Notify(); });
    }
  }

  const ServerConfig config_;
  SystemClock clock_;
  SystemRandom random_;
  HealthRegistry health_;
  std::unique_ptr<FileSystem> file_system_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<FileLock> gateway_lock_;
  std::unique_ptr<ControlStore> control_;
  std::unique_ptr<MappingTable> mappings_;
  std::map<std::string, Stack> stacks_;
  std::vector<NamedStore> named_;
  std::map<std::string, VectorStore*> by_name_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<ReplicaCoordinator> coordinator_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<MigrationService> migrations_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<RecordService> records_;
  std::unique_ptr<DeleteHook> delete_hook_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<rest::RestDependencies> dependencies_;
  std::unique_ptr<rest::RouteTable> table_;
  std::unique_ptr<HttpServer> http_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

std::string Version() { return ROOST_VERSION; }

Result<std::unique_ptr<Server>> Server::Start(const ServerConfig& config) {
  auto server = std::make_unique<RunningServer>(config);
  TRY(server->Open());
  return std::unique_ptr<Server>(std::move(server));
}

int RunServer(const LoadedConfig& loaded) {
  // Blocked in every thread from here on, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  if (const Status log = InitLog(loaded.config.log); !log.ok()) {
    std::cerr << "roost: " << log.error().message << '\n';
    return 1;
  }
  const SteadyTime begin = std::chrono::steady_clock::now();
  Result<std::unique_ptr<Server>> server = Server::Start(loaded.config);
  if (!server.ok()) {
    std::cerr << "roost: cannot start: " << server.error().message << '\n';
    return 1;
  }
  const bool tls = !loaded.config.server.tls_certificate_file.empty();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  LogInfo("Roost serves",
          {{"version", Version()},
           {"address", fmt::format("{}://{}:{}", tls ? "https" : "http",
                                   loaded.config.server.address, (*server)->port())},
           {"data", loaded.config.data_folder},
           {"started_in_ms", took.count()}});
  int received = 0;
  sigwait(&signals, &received);
  LogInfo("stopping: requests in flight may end", {{"signal", received}});
  // A second signal does what it does by default: ends the process.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->Stop();
  server->reset();
  LogInfo("stopped");
  return 0;
}

}  // namespace roost
