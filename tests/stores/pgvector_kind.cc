#include <gtest/gtest.h>

#include "net/pg_connection.h"
#include "pgvector_peer.h"
#include "store_kind.h"
#include "tls_front_peer.h"

namespace roost {
namespace {

class PgVectorKind final : public StoreKind {
 public:
  std::string name() const override { return "pgvector"; }
  std::vector<PeerProcess*> Servers() override { return {&server_}; }
  std::vector<PeerProcess*> Fronts() override {
    TlsFrontPeer::Options options;
    options.target_port = server_.port();
    options.postgres = true;
    options.expired = true;
    front_ = std::make_unique<TlsFrontPeer>(options);
    return {front_.get()};
  }

  std::string Address() override { return At(server_.port(), ":right-secret"); }
  std::string AddressAt(uint16_t port) const override { return At(port, ""); }
  uint16_t Port() override { return server_.port(); }
  std::vector<std::string> WrongCredentials() override {
    return {At(server_.port(), ""), At(server_.port(), ":wrong-secret")};
  }
  std::string Expired() override {
    return At(front_->port(), ":right-secret") +
           "?sslmode=verify-full&sslrootcert=" + front_->ca_file();
  }
  uint16_t ExpiredPort() override { return front_->port(); }

  void Drop(const CollectionSchema& schema) override { Run("DROP TABLE " + TableOf(schema)); }
  void Replace(const CollectionSchema& schema) override {
    const std::string table = TableOf(schema);
    Run("CREATE TABLE fresh (LIKE " + table + " INCLUDING ALL); DROP TABLE " + table +
        "; ALTER TABLE fresh RENAME TO " + table + "; ALTER TABLE " + table +
        " ALTER COLUMN v TYPE vector(3); INSERT INTO " + table +
        " (_tenant, _key, _deleted, v) VALUES ('', 'x', false, '[1,2,3]')");
  }

 private:
  static std::string At(uint16_t port, const std::string& password) {
    return "postgresql://postgres" + password + "@" + LocalHost(port) + "/postgres";
  }
  PgConnection& Session() {
    if (session_ == nullptr) {
      auto options = ParsePgUri(Address());
      auto made = PgConnection::Connect(Soon(), *options);
      EXPECT_TRUE(made.ok()) << made.error().ToString();
      session_ = *std::move(made);
    }
    return *session_;
  }
  void Run(const std::string& sql) {
    const Status done = Session().Script(Soon(), sql, PgEffect::kWrite);
    EXPECT_TRUE(done.ok()) << sql << ": " << done.error().ToString();
  }
  std::string TableOf(const CollectionSchema& schema) {
    PgParams params;
    params.Text(schema.name);
    const auto row = Session().Run(
        Soon(), "SELECT table_name FROM roost_collections WHERE name = $1", std::move(params));
    EXPECT_TRUE(row.ok() && row->rows() == 1) << schema.name;
    return row.ok() && row->rows() == 1 ? PgQuoteName(row->Text(0, 0)) : "";
  }

  PgVectorPeer server_{{.data_folder = {}, .password = "right-secret"}};
  std::unique_ptr<TlsFrontPeer> front_;
  std::unique_ptr<PgConnection> session_;
};

}  // namespace

std::unique_ptr<StoreKind> MakePgVectorKind() { return std::make_unique<PgVectorKind>(); }

}  // namespace roost
