#include "adapters/weaviate/weaviate_store.h"

#include <algorithm>

#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_impl.h"
#include "base/strings.h"
#include "store/fusion.h"
#include "store/validate.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

/// An error of every collection's calls, naming it.
Error Missing(const std::string& collection, const std::string& address) {
  return NotFound("collection \"" + collection + "\" does not exist in Weaviate at " + address +
                  "; create it, again if somebody dropped it there");
}

/// "1.27.0" as 1,027; 0 for what is no version.
uint64_t VersionNumber(const std::string& version) {
  const auto parts = Split(version, '.');
  if (parts.size() < 2) {
    return 0;
  }
  const auto major = ParseUint64(parts[0]);
  const auto minor = ParseUint64(parts[1]);
  return major.ok() && minor.ok() ? *major * 1'000 + *minor : 0;
}

constexpr uint64_t kOldest = 1'027;

/// Whether the gRPC side answers. No such class is an answer.
Status GreetGrpc(const RequestContext& context, WeaviateClient& client) {
  weaviate::v1::SearchRequest request;
  request.set_collection("Roost_health");
  request.set_limit(1);
  const auto reply = client.Search(context, request);
  return reply.ok() || IsAbsentClass(reply.error()) ? Status() : Status(reply.error());
}

}  // namespace

Capabilities WeaviateCapabilities(const std::string& version) {
  Capabilities capabilities;
  capabilities.store = "weaviate";
  capabilities.version = version.empty() ? "" : "Weaviate " + version;
  capabilities.types = {DataType::kBool,           DataType::kInt8,        DataType::kInt16,
                        DataType::kInt32,          DataType::kInt64,       DataType::kFloat,
                        DataType::kDouble,         DataType::kVarChar,     DataType::kText,
                        DataType::kJson,           DataType::kTimestamp,   DataType::kUuid,
                        DataType::kArray,          DataType::kFloatVector, DataType::kFloat16Vector,
                        DataType::kBFloat16Vector, DataType::kInt8Vector};
  capabilities.shadows = {
      {DataType::kInt64, "int; beyond 2^53 its digits in _x"},
      {DataType::kVarChar, "text; _odd names those that its index trims"},
      {DataType::kText, "text; _odd names those that its index trims"},
      {DataType::kJson, "its text in _x"},
      {DataType::kTimestamp, "date; _odd names those before 1678 and after 2261"},
      {DataType::kArray, "array; empty ones in _x"},
      {DataType::kFloat16Vector, "float32"},
      {DataType::kBFloat16Vector, "float32"},
      {DataType::kInt8Vector, "float32"}};
  capabilities.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  capabilities.max_dimension = 32'768;
  capabilities.max_indexed_dimension = 32'768;
  capabilities.max_vectors_per_record = 16;
  // One reply has 10,000 objects; a search asks for more than it gives (ties, filters).
  capabilities.max_top_k = 8'192;
  capabilities.max_key_bytes = 32'768;
  capabilities.keyword_search = true;
  capabilities.dynamic_fields = true;
  capabilities.tenants = true;
  capabilities.fenced_writes = false;
  capabilities.null_bytes_in_strings = true;
  capabilities.zero_vector_with_cosine = false;
  capabilities.write_batch_rows = 1'000;
  capabilities.write_batch_bytes = 8u << 20;
  capabilities.visibility = milliseconds(0);
  capabilities.zombie_horizon = milliseconds(10'000);
  return capabilities;
}

Result<std::unique_ptr<VectorStore>> OpenWeaviateStore(const WeaviateOptions& options, Clock& clock,
                                                       Metrics& metrics) {
  auto client = TRY(WeaviateClient::Create(options, clock, metrics));
  RequestContext context;
  context.deadline = Deadline::After(options.connect_timeout * 4);
  const std::string version = TRY(client->Version(context));
  if (VersionNumber(version) < kOldest) {
    return FailedPrecondition("Weaviate at " + client->address() + " has version " + version +
                              "; 1.27 or later is needed");
  }
  if (const Status greeted = GreetGrpc(context, *client); !greeted.ok()) {
    Error error = greeted.error();
    error.message += "; REST answers there and gRPC does not: check grpc_port of the address";
    return error;
  }
  return std::unique_ptr<VectorStore>(
      std::make_unique<WeaviateStore>(options, std::move(client), version, clock));
}

WeaviateStore::WeaviateStore(WeaviateOptions options, std::unique_ptr<WeaviateClient> client,
                             const std::string& version, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      capabilities_(WeaviateCapabilities(version)),
      client_(std::move(client)) {}

WeaviateTablePtr WeaviateStore::CachedTable(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(collection);
  if (found == known_.end() || clock_.Now() - found->second.fetched > options_.schema_lifetime) {
    return nullptr;
  }
  return found->second.table;
}

Result<WeaviateTablePtr> WeaviateStore::FetchTable(const RequestContext& context,
                                                   const std::string& collection) {
  const SteadyTime now = clock_.Now();
  const auto text = client_->Rest(context, "GET", "/v1/schema/" + ClassNameOf(collection));
  auto table = text.ok() ? TableFromClass(*text) : Result<WeaviateTable>(text.error());
  const std::lock_guard lock(mutex_);
  if (!table.ok()) {
    if (table.code() != Code::kNotFound) {
      return std::move(table).error();
    }
    known_.erase(collection);
    return Missing(collection, client_->address());
  }
  auto shared = std::make_shared<const WeaviateTable>(*std::move(table));
  known_[collection] = {.table = shared, .fetched = now};
  return WeaviateTablePtr(shared);
}

Status WeaviateStore::CreateCollection(const RequestContext& outer,
                                       const CreateCollectionRequest& request) {
  TRY(ValidateSchema(request.schema, capabilities_));
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  TRY(context.CheckAlive("creating a collection"));
  if (!request.adopt.empty()) {
    return adopter_.Adopt(context, request);
  }
  const WeaviateTable table = MakeTable(request.schema, random_.Hex(8));
  auto made = client_->Rest(context, "POST", "/v1/schema", ClassJson(table));
  if (!made.ok()) {
    if (made.code() != Code::kAlreadyExists) {
      return std::move(made).error();
    }
    const auto there = FetchTable(context, request.schema.name);
    return there.code() == Code::kNotFound
               ? FailedPrecondition("class " + table.class_name + " of Weaviate at " +
                                    client_->address() +
                                    " was not made by Roost and is in the way; delete it")
               : AlreadyExists("collection \"" + request.schema.name + "\" exists already");
  }
  return {};
}

Status WeaviateStore::DropCollection(const RequestContext& outer,
                                     const DropCollectionRequest& request) {
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  TRY(context.CheckAlive("dropping a collection"));
  // Weaviate deletes what is not there without an error. An adopted class stays: what goes is the
  // empty one that tells of it.
  const WeaviateTablePtr table = TRY(FetchTable(context, request.collection));
  auto dropped = client_->Rest(context, "DELETE", "/v1/schema/" + ClassNameOf(request.collection));
  {
    const std::lock_guard lock(mutex_);
    known_.erase(request.collection);
  }
  return dropped.ok() ? Status() : Status(std::move(dropped).error());
}

Result<CollectionDescription> WeaviateStore::DescribeCollection(const RequestContext& context,
                                                                const std::string& collection) {
  return With<CollectionDescription>(context, options_.call_timeout, collection, true,
                                     [&](const Session& session) -> Result<CollectionDescription> {
                                       CollectionDescription description;
                                       description.schema = session.table.schema;
                                       description.estimated_count =
                                           TRY(CountRows(session, {.collection = collection}));
                                       return description;
                                     });
}

Result<std::vector<std::string>> WeaviateStore::ListCollections(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  TRY(context.CheckAlive("listing collections"));
  return CollectionsFromSchema(TRY(client_->Rest(context, "GET", "/v1/schema")));
}

Result<SearchResult> WeaviateStore::HybridSearch(const RequestContext& context,
                                                 const HybridSearchRequest& request) {
  return FuseSearches(*this, context, request);
}

Status WeaviateStore::CheckHealth(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  TRY(client_->Rest(context, "GET", "/v1/.well-known/ready"));
  return GreetGrpc(context, *client_);
}

}  // namespace roost
