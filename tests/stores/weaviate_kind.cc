#include <gtest/gtest.h>

#include "adapters/weaviate/weaviate_names.h"
#include "net/http_client.h"
#include "store_kind.h"
#include "tls_front_peer.h"
#include "weaviate_peer.h"

namespace roost {
namespace {

class WeaviateKind final : public StoreKind {
 public:
  std::string name() const override { return "weaviate"; }
  std::vector<PeerProcess*> Servers() override { return {&server_}; }
  std::vector<PeerProcess*> Fronts() override {
    front_ = std::make_unique<TlsFrontPeer>(TlsFrontPeer::Options{
        .target_port = server_.port(), .http2 = false, .expired = true, .basic = {}});
    return {front_.get()};
  }

  std::string Address() override { return At(server_.port(), "&api_key=right-secret"); }
  std::string AddressAt(uint16_t port) const override { return "weaviate://" + LocalHost(port); }
  uint16_t Port() override { return server_.port(); }
  std::vector<std::string> WrongCredentials() override {
    return {At(server_.port(), ""), At(server_.port(), "&api_key=wrong-secret"),
            At(server_.port(), "&token=wrong-secret")};
  }
  std::string Expired() override {
    return At(front_->port(), "&api_key=right-secret&tls=true&ca_file=" + front_->ca_file());
  }
  uint16_t ExpiredPort() override { return front_->port(); }

  void Drop(const CollectionSchema& schema) override {
    Send("DELETE", "/v1/schema/" + ClassNameOf(schema.name));
  }
  /// A class has no dimension of its own: the first object's counts.
  void Replace(const CollectionSchema& schema) override {
    const std::string name = ClassNameOf(schema.name);
    const std::string made = Send("GET", "/v1/schema/" + name);
    Drop(schema);
    Send("POST", "/v1/schema", made);
    Send("POST", "/v1/objects",
         R"({"class":")" + name + R"(","id":"00000000-0000-4000-8000-00000000beef",)" +
             R"("properties":{"_pk":"x"},"vectors":{"v":[1,2,3]}})");
  }

 private:
  std::string At(uint16_t port, const std::string& more) {
    return "weaviate://" + LocalHost(port) + "?grpc_port=" + std::to_string(server_.grpc_port()) +
           more;
  }
  std::string Send(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    const auto reply = client_.Call(Soon(), {.method = method,
                                             .url = "http://" + LocalHost(server_.port()) + path,
                                             .headers = {{"content-type", "application/json"},
                                                         {"authorization", "Bearer right-secret"}},
                                             .body = body});
    EXPECT_TRUE(reply.ok()) << reply.error().ToString();
    EXPECT_EQ(reply.ok() ? reply->status : 200, 200) << path << ": " << reply->body;
    return reply.ok() ? reply->body : "";
  }

  WeaviatePeer server_{{.data_folder = {}, .version = {}, .api_key = "right-secret"}};
  std::unique_ptr<TlsFrontPeer> front_;
  HttpClient client_;
};

}  // namespace

std::unique_ptr<StoreKind> MakeWeaviateKind() { return std::make_unique<WeaviateKind>(); }

}  // namespace roost
