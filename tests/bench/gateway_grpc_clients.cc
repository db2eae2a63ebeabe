// Milvus and Weaviate by their own messages, over the gRPC client of src/net: an independent one
// would be fairer in name only, since Debian's costs three times the processor time and would
// flatter Roost.

#include <mutex>

#include <common.pb.h>
#include <milvus.pb.h>
#include <schema.pb.h>
#include <v1/base.pb.h>
#include <v1/search_get.pb.h>

#include "base/clock.h"
#include "base/random.h"
#include "gateway_clients.h"
#include "net/grpc_typed.h"

namespace roost_bench {
namespace {

using namespace roost;

std::string BytesOf(const std::vector<float>& vector) {
  return {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)};
}

/// One connection, and the serialised requests that all callers send.
struct Channel {
  Channel(uint16_t port, std::string called) : method(std::move(called)) {
    GrpcOptions options;
    options.hosts = {{.host = "127.0.0.1", .port = port}};
    auto created = GrpcClient::Create(std::move(options), clock, random, *metrics);
    if (!created.ok()) {
      Fail(created.error().ToString());
    }
    client = *std::move(created);
  }

  std::string Call(size_t query) const {
    const auto deadline = RequestContext().WithTimeout(std::chrono::seconds(60));
    auto reply = client->Call(deadline, {.method = method,
                                         .message = requests[query % requests.size()],
                                         .effect = GrpcEffect::kRead});
    if (!reply.ok()) {
      Fail(reply.error().ToString());
    }
    return *std::move(reply);
  }

  const std::string method;
  std::vector<std::string> requests;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<Metrics> metrics = MakeMetrics();
  std::unique_ptr<GrpcClient> client;
};

using ShowKeys = std::string (*)(const std::string& reply);

class GrpcCaller final : public SearchClient {
 public:
  GrpcCaller(std::shared_ptr<const Channel> channel, ShowKeys show)
      : channel_(std::move(channel)), show_(show) {}

  void Search(size_t query) override { channel_->Call(query); }
  std::string Show(size_t query) override { return show_(channel_->Call(query)); }

 private:
  const std::shared_ptr<const Channel> channel_;
  const ShowKeys show_;
};

MakeClient Callers(std::shared_ptr<const Channel> channel, ShowKeys show) {
  return [channel, show] { return std::make_unique<GrpcCaller>(channel, show); };
}

std::string MilvusKeys(const std::string& bytes) {
  milvus::proto::milvus::SearchResults reply;
  if (!reply.ParseFromString(bytes) || reply.status().code() != 0) {
    Fail("Milvus refused a search: " + reply.status().reason());
  }
  std::string keys;
  for (const std::string& key : reply.results().ids().str_id().data()) {
    keys += (keys.empty() ? "" : "\t") + key;
  }
  return keys;
}

std::string WeaviateKeys(const std::string& bytes) {
  weaviate::v1::SearchReply reply;
  if (!reply.ParseFromString(bytes)) {
    Fail("Weaviate's reply cannot be read");
  }
  std::string keys;
  for (const auto& result : reply.results()) {
    const auto& fields = result.properties().non_ref_props().fields();
    const auto key = fields.find("_pk");
    keys += (keys.empty() ? "" : "\t") +
            (key == fields.end() ? std::string("?") : key->second.text_value());
  }
  return keys;
}

}  // namespace

MakeClient MilvusClients(uint16_t port, const std::string& collection, const std::string& key,
                         uint32_t ef, const Vectors& queries) {
  auto channel = std::make_shared<Channel>(port, "/milvus.proto.milvus.MilvusService/Search");
  for (const auto& query : queries) {
    milvus::proto::common::PlaceholderGroup group;
    auto& placeholder = *group.add_placeholders();
    placeholder.set_tag("$0");
    placeholder.set_type(milvus::proto::common::FloatVector);
    placeholder.add_values(BytesOf(query));
    milvus::proto::milvus::SearchRequest request;
    request.set_collection_name(collection);
    request.set_dsl_type(milvus::proto::common::BoolExprV1);
    request.set_nq(1);
    request.set_placeholder_group(group.SerializeAsString());
    // As Milvus' clients say "bounded", their default, and Roost "eventual".
    request.set_consistency_level(milvus::proto::common::Bounded);
    request.set_guarantee_timestamp(2);
    for (const std::string& name : {key, std::string("version"), std::string("text")}) {
      request.add_output_fields(name);
    }
    const std::pair<const char*, std::string> params[] = {
        {"anns_field", "embedding"},
        {"topk", "10"},
        {"metric_type", "L2"},
        {"round_decimal", "-1"},
        {"params", "{\"ef\":" + std::to_string(ef) + "}"}};
    for (const auto& [name, value] : params) {
      auto* param = request.add_search_params();
      param->set_key(name);
      param->set_value(value);
    }
    channel->requests.push_back(request.SerializeAsString());
  }
  return Callers(std::move(channel), MilvusKeys);
}

MakeClient WeaviateClients(uint16_t port, const std::string& collection, const std::string& vector,
                           const Vectors& queries) {
  auto channel = std::make_shared<Channel>(port, "/weaviate.v1.Weaviate/Search");
  for (const auto& query : queries) {
    weaviate::v1::SearchRequest request;
    request.set_collection(collection);
    request.set_limit(10);
    auto& near = *request.mutable_near_vector();
    // What 1.27 knows, and later ones too.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    request.set_uses_123_api(true);
    request.set_uses_125_api(true);
    near.set_vector_bytes(BytesOf(query));
#pragma GCC diagnostic pop
    request.set_uses_127_api(true);
    near.mutable_targets()->add_target_vectors(vector);
    request.mutable_metadata()->set_distance(true);
    request.mutable_metadata()->set_uuid(true);
    for (const char* name : {"_pk", "version", "text"}) {
      request.mutable_properties()->add_non_ref_properties(name);
    }
    channel->requests.push_back(request.SerializeAsString());
  }
  return Callers(std::move(channel), WeaviateKeys);
}

}  // namespace roost_bench
