#include "adapters/opensearch/opensearch_store.h"

#include <algorithm>

#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_version.h"
#include "base/strings.h"
#include "store/fusion.h"
#include "store/validate.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kOldestMajor = 2;
constexpr uint64_t kOldestMinor = 17;  // knn on indexes with mixed methods, ef_search for lucene

/// "2.19.1" as 2 and 19.
std::pair<uint64_t, uint64_t> MajorMinor(const std::string& version) {
  const auto parts = Split(version, '.');
  const auto number = [&](size_t i) {
    const auto parsed = i < parts.size() ? ParseUint64(parts[i]) : Result<uint64_t>(0u);
    return parsed.ok() ? *parsed : 0;
  };
  return {number(0), number(1)};
}

StoreAddressRules Rules() {
  StoreAddressRules rules;
  rules.scheme = "opensearch";
  rules.default_port = 9200;
  rules.options = {"index_prefix", "shards", "replicas", "engine"};
  return rules;
}

Status CheckPrefix(const std::string& prefix) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (prefix.empty() || prefix.size() > 60 || kFirst.find(prefix[0]) == std::string_view::npos ||
      prefix.find_first_not_of(kRest) != std::string::npos) {
    return InvalidArgument(
        "the index prefix has 1 to 60 lower-case letters, digits, '-', '_' and "
        "'.' and begins with a letter or digit");
  }
  return {};
}

/// The address' own options go before those given beside it.
Status TakeOptions(const StoreAddress& address, OpenSearchOptions& options) {
  options.index_prefix = address.Text("index_prefix", options.index_prefix);
  options.engine = address.Text("engine", options.engine);
  options.shards = static_cast<uint32_t>(TRY(address.Number("shards", options.shards, 1, 1'024)));
  if (!address.Text("replicas").empty()) {
    options.replicas = static_cast<int>(TRY(address.Number("replicas", 0, 0, 100)));
  }
  TRY(CheckPrefix(options.index_prefix));
  if (options.engine != "lucene" && options.engine != "faiss") {
    return InvalidArgument("the k-NN engine is lucene or faiss");
  }
  if (!address.database.empty()) {
    return InvalidArgument(
        "an opensearch address has no database part; write it as "
        "opensearch://host:9200?index_prefix=…");
  }
  return {};
}

constexpr std::string_view kCheckAddress =
    "; check host and port of the address (those of REST), and tls=true";

/// What a user can do about a failed first call.
Error Explain(Error error, const std::string& name) {
  switch (error.code) {
    case Code::kNotFound:
    case Code::kInvalidArgument:
    case Code::kInternal:
      return FailedPrecondition(name + " is no OpenSearch server: " + error.message +
                                std::string(kCheckAddress));
    case Code::kUnavailable:
    case Code::kFailedPrecondition:
    case Code::kUnauthenticated:  // Perhaps by a server of another kind, which knows others.
      error.message += kCheckAddress;
      return error;
    default:
      return error;
  }
}

}  // namespace

Capabilities OpenSearchCapabilities(const std::string& version) {
  Capabilities capabilities;
  capabilities.store = "opensearch";
  capabilities.version = version.empty() ? "" : "OpenSearch " + version;
  capabilities.types = {DataType::kBool,           DataType::kInt8,        DataType::kInt16,
                        DataType::kInt32,          DataType::kInt64,       DataType::kFloat,
                        DataType::kDouble,         DataType::kVarChar,     DataType::kText,
                        DataType::kJson,           DataType::kTimestamp,   DataType::kUuid,
                        DataType::kArray,          DataType::kFloatVector, DataType::kFloat16Vector,
                        DataType::kBFloat16Vector, DataType::kInt8Vector,  DataType::kBinaryVector,
                        DataType::kSparseVector};
  capabilities.shadows = {{DataType::kJson, "its text in _x"},
                          {DataType::kTimestamp, "long, microseconds"},
                          {DataType::kUuid, "keyword"},
                          {DataType::kFloat16Vector, "float32"},
                          {DataType::kBFloat16Vector, "float32"},
                          {DataType::kInt8Vector, "float32"},
                          {DataType::kBinaryVector, "longs in _packed"},
                          {DataType::kSparseVector, "longs in _packed"}};
  capabilities.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  capabilities.max_dimension = 16'000;
  capabilities.max_indexed_dimension = 16'000;
  capabilities.max_vectors_per_record = 16;
  capabilities.max_top_k = 10'000;
  capabilities.max_key_bytes = 8'000;  // a term has at most 32,766
  capabilities.keyword_search = true;
  capabilities.dynamic_fields = true;
  capabilities.tenants = true;
  capabilities.fenced_writes = true;
  capabilities.null_bytes_in_strings = true;
  capabilities.zero_vector_with_cosine = false;
  capabilities.write_batch_rows = 2'000;
  capabilities.write_batch_bytes = 8u << 20;
  // The refresh interval, and the time that a refresh takes on a busy server.
  capabilities.visibility = milliseconds(2'000);
  capabilities.zombie_horizon = milliseconds(5'000);
  return capabilities;
}

Result<OsPlace> ReadOpenSearchAddress(const OpenSearchOptions& options) {
  OsPlace place;
  place.options = options;
  place.address = TRY(ParseStoreAddress(options.uri, Rules()));
  TRY(TakeOptions(place.address, place.options));
  return place;
}

Result<std::unique_ptr<OpenSearchStore>> OpenOpenSearchStore(const OpenSearchOptions& options,
                                                             Clock& clock, Metrics& metrics) {
  OsPlace place = TRY(ReadOpenSearchAddress(options));
  auto store =
      std::make_unique<OsStore>(std::move(place.options), std::move(place.address), clock, metrics);
  RequestContext context;
  context.deadline = Deadline::After(options.connect_timeout * 4);
  TRY(store->Greet(context));
  return std::unique_ptr<OpenSearchStore>(std::move(store));
}

OsStore::OsStore(OpenSearchOptions options, StoreAddress address, Clock& clock, Metrics& metrics)
    : options_(std::move(options)),
      clock_(clock),
      capabilities_(OpenSearchCapabilities("")),
      client_(std::move(address), options_, clock, random_, metrics),
      catalogue_(options_, client_, random_) {}

OsStore::~OsStore() {
  if (upkeep_.joinable()) {
    upkeep_.request_stop();
    upkeep_.join();
  }
}

Status OsStore::Greet(const RequestContext& context) {
  OsCall call;
  call.path = "/";
  const auto reply = client_.Call(context, call);
  if (!reply.ok()) {
    return Explain(reply.error(), client_.name());
  }
  const auto greeting = ParseGreeting(*reply);
  if (!greeting.ok() || greeting->version.empty()) {
    return FailedPrecondition(client_.name() + " is no OpenSearch server" +
                              std::string(kCheckAddress));
  }
  if (greeting->distribution != "opensearch") {
    return FailedPrecondition(client_.name() + " is not OpenSearch but another server, version " +
                              greeting->version + " (\"" + greeting->tagline +
                              "\"); Roost speaks to OpenSearch with the k-NN plugin" +
                              std::string(kCheckAddress));
  }
  if (MajorMinor(greeting->version) < std::pair(kOldestMajor, kOldestMinor)) {
    return FailedPrecondition(client_.name() + " is OpenSearch " + greeting->version + "; " +
                              std::to_string(kOldestMajor) + "." + std::to_string(kOldestMinor) +
                              " or later is needed");
  }
  call.path = "/_cat/plugins?h=component&format=json";
  const auto plugins = client_.Call(context, call);
  if (plugins.ok() && ToLower(*plugins).find("knn") == std::string::npos) {
    return FailedPrecondition(client_.name() +
                              " has no k-NN plugin; install opensearch-knn on every node");
  }
  if (!plugins.ok() && plugins.code() != Code::kPermissionDenied) {
    return plugins.error();
  }
  capabilities_ = OpenSearchCapabilities(greeting->version);
  upkeep_ = std::jthread([this](std::stop_token stop) { WatchTombstones(std::move(stop)); });
  return {};
}

Status OsStore::CreateCollection(const RequestContext& outer,
                                 const CreateCollectionRequest& request) {
  TRY(ValidateSchema(request.schema, capabilities_));
  return catalogue_.Create(outer.WithTimeout(options_.call_timeout), request.schema);
}

Status OsStore::DropCollection(const RequestContext& outer, const DropCollectionRequest& request) {
  return catalogue_.Drop(outer.WithTimeout(options_.call_timeout), request.collection);
}

Result<std::vector<std::string>> OsStore::ListCollections(const RequestContext& outer) {
  return catalogue_.List(outer.WithTimeout(options_.call_timeout));
}

Result<CollectionDescription> OsStore::DescribeCollection(const RequestContext& context,
                                                          const std::string& collection) {
  return With<CollectionDescription>(
      context, options_.call_timeout, collection,
      [&](const Session& session) -> Result<CollectionDescription> {
        CollectionDescription description;
        description.schema = session.schema();
        description.estimated_count =
            TRY(Count(session.context, CountRequest{.collection = collection}));
        OsCall call;
        call.path = "/" + session.index.alias + "/_stats/store?filter_path=_all.primaries";
        const std::string reply = TRY(client_.Call(session.context, call));
        description.bytes_on_disk = static_cast<uint64_t>(TRY(ParseStoreBytes(reply)));
        return description;
      });
}

Result<SearchResult> OsStore::HybridSearch(const RequestContext& context,
                                           const HybridSearchRequest& request) {
  return FuseSearches(*this, context, request);
}

Status OsStore::CheckHealth(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  OsCall call;
  call.path = "/_cluster/health?level=cluster&local=true";
  const std::string reply = TRY(client_.Call(context, call));
  if (TRY(ParseText(reply, "status")) == "red") {
    return Unavailable(client_.name() +
                       " is red: primary shards are missing; see GET _cluster/allocation/explain");
  }
  return {};
}

}  // namespace roost
