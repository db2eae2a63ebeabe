#include <gtest/gtest.h>

#include "adapters/opensearch/opensearch_index.h"
#include "adapters/opensearch/opensearch_store.h"
#include "net/http_client.h"
#include "opensearch_peer.h"
#include "store_kind.h"
#include "tls_front_peer.h"

namespace roost {
namespace {

/// The server itself knows no credentials: a front asks for them.
class OpenSearchKind final : public StoreKind {
 public:
  std::string name() const override { return "opensearch"; }
  std::vector<PeerProcess*> Servers() override { return {&server_}; }
  std::vector<PeerProcess*> Fronts() override {
    guard_ = std::make_unique<TlsFrontPeer>(
        TlsFrontPeer::Options{.target_port = server_.port(), .basic = "user:right-secret"});
    expired_ = std::make_unique<TlsFrontPeer>(TlsFrontPeer::Options{
        .target_port = server_.port(), .http2 = false, .expired = true, .basic = {}});
    return {guard_.get(), expired_.get()};
  }

  std::string Address() override { return Guarded("user:right-secret@"); }
  std::string AddressAt(uint16_t port) const override { return "opensearch://" + LocalHost(port); }
  uint16_t Port() override { return guard_->port(); }
  std::vector<std::string> WrongCredentials() override {
    return {Guarded(""), Guarded("user:wrong-secret@"), Guarded("", "&api_key=wrong-secret")};
  }
  std::string Expired() override {
    return "opensearch://" + LocalHost(expired_->port()) +
           "?tls=true&ca_file=" + expired_->ca_file();
  }
  uint16_t ExpiredPort() override { return expired_->port(); }

  void Drop(const CollectionSchema& schema) override { Send("DELETE", IndexOf(schema)); }
  void Replace(const CollectionSchema& schema) override {
    const std::string path = IndexOf(schema);
    const std::string name = path.substr(1);
    const std::string aliases = Send("GET", path + "/_alias");
    const size_t alias = aliases.find("\"" + name + "-") + 1;
    const std::string described = Send("GET", path + "/_mapping");
    std::string body = described.substr(described.find("{\"mappings\""));
    body.pop_back();
    body.replace(body.find("\"dimension\":4"), 13, "\"dimension\":3");
    body.insert(body.size() - 1, R"(,"settings":{"index.knn":true},"aliases":{")" +
                                     aliases.substr(alias, aliases.find('"', alias) - alias) +
                                     "\":{}}");
    Drop(schema);
    Send("PUT", path, body);
  }

 private:
  std::string Guarded(const std::string& sign_in, const std::string& more = "") {
    return "opensearch://" + sign_in + LocalHost(guard_->port()) +
           "?tls=true&ca_file=" + guard_->ca_file() + more;
  }
  static std::string IndexOf(const CollectionSchema& schema) {
    return "/" + OsIndexName(OpenSearchOptions().index_prefix, schema.name);
  }
  std::string Send(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    const auto reply = client_.Call(Soon(), {.method = method,
                                             .url = "http://" + LocalHost(server_.port()) + path,
                                             .headers = {{"content-type", "application/json"}},
                                             .body = body});
    EXPECT_TRUE(reply.ok()) << reply.error().ToString();
    EXPECT_EQ(reply.ok() ? reply->status : 200, 200) << path << ": " << reply->body;
    return reply.ok() ? reply->body : "";
  }

  OpenSearchPeer server_{{}};
  std::unique_ptr<TlsFrontPeer> guard_;
  std::unique_ptr<TlsFrontPeer> expired_;
  HttpClient client_;
};

}  // namespace

std::unique_ptr<StoreKind> MakeOpenSearchKind() { return std::make_unique<OpenSearchKind>(); }

}  // namespace roost
