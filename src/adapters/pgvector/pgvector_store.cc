#include "adapters/pgvector/pgvector_store.h"

#include <algorithm>

#include "adapters/pgvector/pgvector_impl.h"
#include "base/log.h"
#include "store/fusion.h"
#include "store/validate.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

/// A statement may run this much longer than its caller waits.
constexpr milliseconds kTimeoutGrace{250};

std::string Milliseconds(milliseconds duration) { return std::to_string(duration.count()) + "ms"; }

PgOptions SessionsOf(const PgVectorOptions& options, const PgServer& server, PgOptions connect) {
  const milliseconds longest = std::max(options.call_timeout, options.bulk_timeout) + kTimeoutGrace;
  connect.settings = {
      {"search_path", PgQuoteName(options.schema) + ", " + PgQuoteName(server.extension_schema)},
      {"statement_timeout", Milliseconds(longest)},
      {"lock_timeout", Milliseconds(longest)},
      {"idle_in_transaction_session_timeout", "30s"},
      // Ends what a session does within a second after its client went away.
      {"client_connection_check_interval", "500ms"},
      {"synchronous_commit", "on"},
      {"jit", "off"},
      {"extra_float_digits", "1"},
      // What columns of others' types are as text must not depend on the server's settings.
      {"DateStyle", "ISO, YMD"},
      {"IntervalStyle", "iso_8601"},
      {"TimeZone", "UTC"},
      {"bytea_output", "hex"},
  };
  return connect;
}

PgPoolOptions PoolOf(const PgVectorOptions& options) {
  PgPoolOptions pool;
  pool.max_connections = std::max<size_t>(1, options.max_connections);
  return pool;
}

/// Loads the extension's library, so that its settings exist in the session.
Status Greet(const RequestContext& context, PgConnection& connection) {
  TRY(connection.Run(context, "SELECT '[1]'::vector"));
  return {};
}

}  // namespace

Capabilities PgVectorCapabilities(const PgVectorOptions& options) {
  Capabilities capabilities;
  capabilities.store = "pgvector";
  capabilities.types = {DataType::kBool,           DataType::kInt8,        DataType::kInt16,
                        DataType::kInt32,          DataType::kInt64,       DataType::kFloat,
                        DataType::kDouble,         DataType::kVarChar,     DataType::kText,
                        DataType::kJson,           DataType::kTimestamp,   DataType::kUuid,
                        DataType::kArray,          DataType::kFloatVector, DataType::kFloat16Vector,
                        DataType::kBFloat16Vector, DataType::kInt8Vector,  DataType::kBinaryVector,
                        DataType::kSparseVector};
  capabilities.shadows = {{DataType::kInt8, "smallint"},
                          {DataType::kBFloat16Vector, "vector (float32)"},
                          {DataType::kInt8Vector, "halfvec (float16)"},
                          {DataType::kSparseVector, "bytea; sparsevec for search"}};
  capabilities.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  capabilities.max_dimension = 16'000;
  capabilities.max_indexed_dimension = 2'000;
  capabilities.max_vectors_per_record = 16;
  capabilities.max_top_k = 16'384;
  // A B-tree entry holds 2,704 bytes: key and tenant (at most 255).
  capabilities.max_key_bytes = 2'400;
  capabilities.keyword_search = true;
  capabilities.dynamic_fields = true;
  capabilities.tenants = true;
  capabilities.fenced_writes = true;
  capabilities.null_bytes_in_strings = false;
  capabilities.zero_vector_with_cosine = false;
  capabilities.write_batch_rows = 2'000;
  capabilities.write_batch_bytes = 4u << 20;
  capabilities.visibility = milliseconds(0);
  capabilities.zombie_horizon = options.cancel_grace + kTimeoutGrace + milliseconds(1'000);
  return capabilities;
}

Result<PgOptions> PgConnectOptions(const PgVectorOptions& options) {
  PgOptions connect;
  if (!options.uri.empty()) {
    connect = TRY(ParsePgUri(options.uri));
  } else {
    connect.hosts = {{.host = options.host, .port = options.port}};
    connect.user = options.user;
    connect.password = options.password;
    connect.database = options.database;
  }
  connect.connect_timeout = options.connect_timeout;
  connect.cancel_grace = options.cancel_grace;
  return connect;
}

Result<std::unique_ptr<PgVectorStore>> OpenPgVectorStore(const PgVectorOptions& options,
                                                         Clock& clock, Metrics& metrics) {
  if (options.schema.empty() || options.schema.size() > 63) {
    return InvalidArgument("the PostgreSQL schema's name has 1 to 63 bytes");
  }
  PgOptions connect = TRY(PgConnectOptions(options));
  RequestContext context;
  context.deadline = Deadline::After(options.connect_timeout * 4);
  auto connection = TRY(PgConnection::Connect(context, connect));
  PgServer server = TRY(PreparePgServer(context, *connection, options.schema));
  connection.reset();
  PgOptions sessions = SessionsOf(options, server, std::move(connect));
  return std::unique_ptr<PgVectorStore>(
      std::make_unique<PgStore>(options, std::move(sessions), std::move(server), clock, metrics));
}

PgStore::PgStore(PgVectorOptions options, PgOptions connect, PgServer server, Clock& clock,
                 Metrics& metrics)
    : options_(std::move(options)),
      connect_(std::move(connect)),
      server_(std::move(server)),
      clock_(clock),
      capabilities_(PgVectorCapabilities(options_)),
      connections_(metrics.GetGauge("roost_pgvector_connections",
                                    "Open connections to the PostgreSQL store")),
      pool_(connect_, PoolOf(options_), clock, Greet),
      catalogue_(options_.schema) {
  capabilities_.version = server_.version;
  StartIndexer();
}

PgStore::~PgStore() {
  if (indexer_.joinable()) {
    indexer_.request_stop();
    indexer_.join();
  }
}

PgStatement PgStore::Setting(std::string name, std::string value) {
  PgStatement statement;
  statement.sql = "SELECT set_config($1, $2, true)";
  statement.params.Text(name);
  statement.params.Text(value);
  return statement;
}

PgStatement PgStore::LimitTime(const RequestContext& context) {
  const auto left = std::chrono::ceil<milliseconds>(context.deadline.Remaining()) + kTimeoutGrace;
  return Setting("statement_timeout", Milliseconds(left));
}

Status PgStore::CreateCollection(const RequestContext& outer,
                                 const CreateCollectionRequest& request) {
  TRY(ValidateSchema(request.schema, capabilities_));
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  auto lease = TRY(pool_.Acquire(context));
  if (!request.adopt.empty()) {
    return Adopt(context, *lease, request);
  }
  return catalogue_.Create(context, *lease, request.schema);
}

Status PgStore::DropCollection(const RequestContext& outer, const DropCollectionRequest& request) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  auto lease = TRY(pool_.Acquire(context));
  return catalogue_.Drop(context, *lease, request.collection);
}

Result<std::vector<std::string>> PgStore::ListCollections(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  auto lease = TRY(pool_.Acquire(context));
  return catalogue_.List(context, *lease);
}

Result<SearchResult> PgStore::HybridSearch(const RequestContext& context,
                                           const HybridSearchRequest& request) {
  return FuseSearches(*this, context, request);
}

Status PgStore::CheckHealth(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  auto lease = TRY(pool_.Acquire(context));
  connections_.Set(static_cast<double>(pool_.stats().open));
  auto standby = TRY(lease->Run(context, "SELECT pg_is_in_recovery()"));
  if (standby.Int(0, 0) != 0) {
    return Unavailable("the PostgreSQL server is a standby and takes no writes");
  }
  return {};
}

}  // namespace roost
