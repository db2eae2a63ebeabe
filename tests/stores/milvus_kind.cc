#include <gtest/gtest.h>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_layout.h"
#include "base/base64.h"
#include "base/random.h"
#include "milvus_peer.h"
#include "store_kind.h"
#include "tls_front_peer.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

class MilvusKind final : public StoreKind {
 public:
  std::string name() const override { return "milvus"; }
  std::vector<PeerProcess*> Servers() override { return {&server_}; }
  std::vector<PeerProcess*> Fronts() override {
    front_ = std::make_unique<TlsFrontPeer>(TlsFrontPeer::Options{
        .target_port = server_.port(), .http2 = true, .expired = true, .basic = {}});
    return {front_.get()};
  }

  std::string Address() override { return "milvus://root:Milvus@" + LocalHost(server_.port()); }
  std::string AddressAt(uint16_t port) const override { return "milvus://" + LocalHost(port); }
  uint16_t Port() override { return server_.port(); }
  std::vector<std::string> WrongCredentials() override {
    const std::string host = LocalHost(server_.port());
    return {"milvus://" + host, "milvus://root:wrong-secret@" + host,
            "milvus://" + host + "?token=wrong-secret"};
  }
  std::string Expired() override {
    return "milvus://root:Milvus@" + LocalHost(front_->port()) +
           "?tls=true&ca_file=" + front_->ca_file();
  }
  uint16_t ExpiredPort() override { return front_->port(); }

  void Drop(const CollectionSchema& schema) override {
    pb::DropCollectionRequest request;
    request.set_collection_name(MilvusCollectionName(schema.name));
    Call<milvus::proto::common::Status>("DropCollection", request);
  }
  void Replace(const CollectionSchema& schema) override {
    pb::DescribeCollectionRequest look;
    look.set_collection_name(MilvusCollectionName(schema.name));
    auto changed = Call<pb::DescribeCollectionResponse>("DescribeCollection", look).schema();
    for (auto& field : *changed.mutable_fields()) {
      if (field.name() == "v") {
        field.mutable_type_params(0)->set_value("3");
      }
    }
    Drop(schema);
    pb::CreateCollectionRequest create;
    create.set_collection_name(MilvusCollectionName(schema.name));
    create.set_schema(changed.SerializeAsString());
    Call<milvus::proto::common::Status>("CreateCollection", create);
  }

 private:
  template <typename Reply, typename Request>
  Reply Call(std::string_view name, const Request& request) {
    if (client_ == nullptr) {
      GrpcOptions options;
      options.hosts = {{.host = "127.0.0.1", .port = server_.port()}};
      options.metadata = {{"authorization", EncodeBase64("root:Milvus")}};
      auto made = GrpcClient::Create(options, TestClock(), random_, TestMetrics());
      EXPECT_TRUE(made.ok());
      client_ = *std::move(made);
    }
    auto reply = CallMilvus<Reply>(*client_, "Milvus", Soon(), name, request, GrpcEffect::kWrite);
    EXPECT_TRUE(reply.ok()) << name << ": " << reply.error().ToString();
    return reply.ok() ? *std::move(reply) : Reply();
  }

  MilvusPeer server_{{.data_folder = {}, .auth = true}};
  std::unique_ptr<TlsFrontPeer> front_;
  SystemRandom random_;
  std::unique_ptr<GrpcClient> client_;
};

}  // namespace

std::unique_ptr<StoreKind> MakeMilvusKind() { return std::make_unique<MilvusKind>(); }

}  // namespace roost
