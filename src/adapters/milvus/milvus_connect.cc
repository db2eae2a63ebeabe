// Addresses, versions, capabilities, and the first words with a server.

#include <charconv>
#include <limits>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"
#include "adapters/milvus/milvus_store.h"
#include "base/base64.h"

namespace roost {
namespace {

namespace pb = milvus_messages;
using std::chrono::milliseconds;

constexpr MilvusVersion kOldest{.major = 2, .minor = 3};
constexpr uint16_t kDefaultPort = 19530;

/// What came with a release, as far as Roost uses it.
struct Release {
  MilvusVersion since;
  uint32_t vectors;  ///< vector fields of a collection
  bool sparse_vectors;
};
constexpr Release kReleases[] = {
    {.since = kOldest, .vectors = 1, .sparse_vectors = false},
    {.since = {.major = 2, .minor = 4}, .vectors = 4, .sparse_vectors = true},
};

/// Settings that the address gives.
Result<MilvusOptions> WithAddress(MilvusOptions options, const StoreAddress& address) {
  options.connections = TRY(address.Number("connections", options.connections, 1, 64));
  options.connect_timeout =
      TRY(address.Milliseconds("connect_timeout_ms", options.connect_timeout));
  options.call_timeout = TRY(address.Milliseconds("call_timeout_ms", options.call_timeout));
  options.bulk_timeout = TRY(address.Milliseconds("bulk_timeout_ms", options.bulk_timeout));
  options.shards = static_cast<uint32_t>(TRY(address.Number("shards", options.shards, 1, 16)));
  options.replicas =
      static_cast<uint32_t>(TRY(address.Number("replicas", options.replicas, 1, 64)));
  return options;
}

GrpcOptions ChannelOf(const MilvusOptions& options, const StoreAddress& address) {
  GrpcOptions channel;
  channel.hosts = address.hosts;
  channel.tls = address.tls;
  channel.name = "milvus";
  channel.connections_per_host = options.connections;
  channel.connect_timeout = options.connect_timeout;
  const std::string credentials = !address.token.empty()     ? address.token
                                  : !address.api_key.empty() ? address.api_key
                                  : address.user.empty()     ? ""
                                                         : address.user + ":" + address.password;
  if (!credentials.empty()) {
    channel.metadata.emplace_back("authorization", EncodeBase64(credentials));
  }
  if (!address.database.empty()) {
    channel.metadata.emplace_back("dbname", address.database);
  }
  return channel;
}

constexpr std::string_view kCheckAddress =
    "; is Milvus running there? check host and port of the address, and tls=true";

/// What a user can do about a failed first call.
Error Explain(const Error& error, const MilvusServer& server) {
  const std::string& name = server.name;
  switch (error.code) {
    case Code::kUnauthenticated:
      return {.code = error.code,
              .message = error.message + "; check the user and password (or token) in the address"};
    case Code::kPermissionDenied:
      return {.code = error.code,
              .message = error.message + "; the user needs a role that may do this"};
    case Code::kUnimplemented:
      return FailedPrecondition(name + " answers, but is not Milvus: " + error.message +
                                std::string(kCheckAddress));
    case Code::kInternal:
    case Code::kUnknown:
      return FailedPrecondition(name + " does not answer as Milvus does: " + error.message +
                                std::string(kCheckAddress));
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return Unavailable(error.message + std::string(kCheckAddress));
    default:
      return error;
  }
}

Result<std::string> Greet(const RequestContext& context, MilvusServer& server) {
  auto version =
      CallMilvus<pb::GetVersionResponse>(*server.client, server.name, context, "GetVersion",
                                         pb::GetVersionRequest(), GrpcEffect::kRead);
  if (!version.ok()) {
    return Explain(version.error(), server);
  }
  if (ParseMilvusVersion(version->version()) < kOldest) {
    return FailedPrecondition(server.name + " is version \"" + version->version() +
                              "\"; Roost needs Milvus 2.3 or later");
  }
  // Shows whether user, password and database are good; GetVersion asks for none of them.
  pb::ShowCollectionsRequest show;
  show.set_db_name(server.database);
  auto shown = CallMilvus<pb::ShowCollectionsResponse>(*server.client, server.name, context,
                                                       "ShowCollections", show, GrpcEffect::kRead);
  if (!shown.ok()) {
    return Explain(shown.error(), server);
  }
  return version->version();
}

}  // namespace

MilvusVersion ParseMilvusVersion(std::string_view text) {
  MilvusVersion version;
  if (text.starts_with("v") || text.starts_with("V")) {
    text.remove_prefix(1);
  }
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int* part : {&version.major, &version.minor, &version.patch}) {
    const auto read = std::from_chars(at, end, *part);
    if (read.ec != std::errc()) {
      break;
    }
    at = read.ptr;
    if (at == end || *at != '.') {
      break;
    }
    ++at;
  }
  return version;
}

Capabilities MilvusCapabilities(std::string_view version) {
  const MilvusVersion server = version.empty() ? kOldest : ParseMilvusVersion(version);
  const Release* release = kReleases;
  for (const Release& later : kReleases) {
    release = later.since <= server ? &later : release;
  }
  Capabilities capabilities;
  capabilities.store = "milvus";
  capabilities.version = version.empty() ? "" : "Milvus " + std::string(version);
  capabilities.types = {DataType::kBool,           DataType::kInt8,        DataType::kInt16,
                        DataType::kInt32,          DataType::kInt64,       DataType::kFloat,
                        DataType::kDouble,         DataType::kVarChar,     DataType::kText,
                        DataType::kJson,           DataType::kTimestamp,   DataType::kUuid,
                        DataType::kArray,          DataType::kFloatVector, DataType::kFloat16Vector,
                        DataType::kBFloat16Vector, DataType::kInt8Vector,  DataType::kBinaryVector};
  if (release->sparse_vectors) {
    capabilities.types.insert(DataType::kSparseVector);
  }
  capabilities.shadows = {{DataType::kJson, "JSON objects {\"v\": value}"},
                          {DataType::kTimestamp, "INT64, microseconds"},
                          {DataType::kUuid, "VARCHAR(36)"},
                          {DataType::kFloat16Vector, "FLOAT_VECTOR"},
                          {DataType::kBFloat16Vector, "FLOAT_VECTOR"},
                          {DataType::kInt8Vector, "FLOAT_VECTOR"}};
  capabilities.null_shadow = "_nulls";
  capabilities.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  capabilities.max_dimension = 32'768;
  capabilities.max_indexed_dimension = 32'768;
  capabilities.max_vectors_per_record = release->vectors;
  capabilities.max_top_k = 16'384;
  // A VarChar holds 65,535 bytes; with tenants the key shares it with the tenant's name.
  capabilities.max_key_bytes = 65'000;
  // 2.3 takes 2^63 − 1 for "none" where it merges results: such a row is counted, but no query
  // gives it back, and a search that finds it fails as a whole.
  capabilities.max_integer_key = std::numeric_limits<int64_t>::max() - 1;
  capabilities.keyword_search = false;
  capabilities.dynamic_fields = true;
  capabilities.tenants = true;
  capabilities.fenced_writes = false;
  capabilities.null_bytes_in_strings = true;
  capabilities.zero_vector_with_cosine = false;
  capabilities.write_batch_rows = 5'000;
  capabilities.write_batch_bytes = 8u << 20;
  capabilities.visibility = milliseconds(5'000);
  capabilities.zombie_horizon = milliseconds(10'000);
  return capabilities;
}

StoreAddressRules MilvusAddressRules() {
  return {.scheme = "milvus",
          .default_port = kDefaultPort,
          .options = {"connections", "connect_timeout_ms", "call_timeout_ms", "bulk_timeout_ms",
                      "shards", "replicas"}};
}

Result<MilvusServer> ConnectMilvusServer(MilvusOptions& options, Clock& clock, Random& random,
                                         Metrics& metrics) {
  const StoreAddress address = TRY(ParseStoreAddress(options.uri, MilvusAddressRules()));
  options = TRY(WithAddress(options, address));
  MilvusServer server;
  server.name = "Milvus at " + address.hosts.front().ToString();
  server.database = address.database;
  server.client = TRY(GrpcClient::Create(ChannelOf(options, address), clock, random, metrics));
  RequestContext context;
  context.deadline = Deadline::After(options.connect_timeout * 2);
  server.version = TRY(Greet(context, server));
  return server;
}

Result<std::unique_ptr<VectorStore>> OpenMilvusStore(const MilvusOptions& given, Clock& clock,
                                                     Metrics& metrics) {
  MilvusOptions options = given;
  auto random = std::make_unique<SystemRandom>();
  MilvusServer server = TRY(ConnectMilvusServer(options, clock, *random, metrics));
  return std::unique_ptr<VectorStore>(
      std::make_unique<MilvusStore>(options, std::move(server), std::move(random), clock));
}

}  // namespace roost
