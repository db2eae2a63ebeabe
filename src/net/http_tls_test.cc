#include "net/http_tls.h"

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "net/http2_testing.h"
#include "net/http_client.h"

namespace roost {
namespace {

/// A key and a certificate for "localhost" that it signed itself, in two files.
class Certificate {
 public:
  Certificate() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    const std::string stem = testing::TempDir() + "/tls-" + std::to_string(getpid());
    certificate_file = stem + ".crt";
    key_file = stem + ".key";
    FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() {
    std::remove(certificate_file.c_str());
    std::remove(key_file.c_str());
  }

  std::string certificate_file;
  std::string key_file;
};

/// TLS over a TestConnection.
class TlsClient {
 public:
  /// `alpn`: in wire form, as "\x02h2"; empty: none.
  TlsClient(uint16_t port, std::string_view alpn, int max_version = TLS1_3_VERSION)
      : connection_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_, max_version);
    ssl_ = SSL_new(context_);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    SSL_set_fd(ssl_, connection_.fd());
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  bool Send(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  std::string Receive() {
    std::string bytes(65536, '\0');
    const int got = SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    said_goodbye_ = got <= 0 && SSL_get_error(ssl_, got) == SSL_ERROR_ZERO_RETURN;
    bytes.resize(static_cast<size_t>(std::max(got, 0)));
    return bytes;
  }
  std::string ReceiveUntilEnd() {
    std::string all;
    for (std::string bytes; !(bytes = Receive()).empty();) {
      all += bytes;
    }
    return all;
  }
  bool said_goodbye() const { return said_goodbye_; }

 private:
  TestConnection connection_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool said_goodbye_ = false;
};

class HttpTls : public testing::Test {
 protected:
  HttpTls() {
    server_.options.tls_certificate_file = certificate_.certificate_file;
    server_.options.tls_key_file = certificate_.key_file;
    server_.AddEcho();
    server_.Start();
  }
  Certificate certificate_;
  TestServer server_;
};

TEST_F(HttpTls, Http1WithAndWithoutAlpn) {
  for (const std::string alpn : {"", "\x08http/1.1"}) {
    TlsClient client(server_.port(), alpn);
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.alpn(), alpn.empty() ? "" : "http/1.1");
    client.Send("GET /echo?1 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.Receive().find("200 OK"), std::string::npos);
    client.Send("GET /inline?2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(client.ReceiveUntilEnd().find("GET /inline 2"), std::string::npos);
    EXPECT_TRUE(client.said_goodbye()) << "the end is told from a cut";
  }
}

TEST_F(HttpTls, Http2OverAlpnAndByItsPreface) {
  for (const std::string alpn : {"\x02h2\x08http/1.1", ""}) {
    TlsClient tls(server_.port(), alpn);
    ASSERT_TRUE(tls.connected());
    EXPECT_EQ(tls.alpn(), alpn.empty() ? "" : "h2");
    Http2TestClient client([&](std::string_view bytes) { return tls.Send(bytes); },
                           [&] { return tls.Receive(); });
    EXPECT_EQ(client.Call("POST", "/echo", "body").body, "POST /echo  body");
    const auto large = client.Call("POST", "/echo", std::string(3'000'000, 'x'));
    EXPECT_EQ(large.body.size(), 3'000'012u);
  }
}

TEST_F(HttpTls, LargeBodiesGoBothWays) {
  TlsClient client(server_.port(), "");
  const std::string body(5'000'000, 'b');
  std::thread sender([&] {
    client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  sender.join();
  const std::string reply = client.ReceiveUntilEnd();
  EXPECT_TRUE(reply.ends_with("POST /echo  " + body));
}

TEST_F(HttpTls, RefusesOtherProtocolsOldVersionsAndClearText) {
  TlsClient other(server_.port(),
                  "\x03"
                  "foo");
  EXPECT_FALSE(other.connected());
  TlsClient old(server_.port(), "", TLS1_1_VERSION);
  EXPECT_FALSE(old.connected());
  TlsClient tls12(server_.port(), "", TLS1_2_VERSION);
  EXPECT_TRUE(tls12.connected());
  TestConnection clear(server_.port());
  clear.Send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  clear.EndSending();
  EXPECT_TRUE(clear.Ends());
}

TEST_F(HttpTls, SlowHandshakesAreCut) {
  TestServer server;
  server.options = server_.options;
  server.options.header_timeout = std::chrono::seconds(1);
  server.Start();
  TestConnection silent(server.port());
  TestConnection half(server.port());
  half.Send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_TRUE(silent.Ends());
  EXPECT_TRUE(half.Ends());
}

TEST_F(HttpTls, ClientChecksTheCertificate) {
  HttpClient trusting({.ca_file = certificate_.certificate_file});
  const std::string url = "https://localhost:" + std::to_string(server_.port()) + "/echo";
  const auto reply = trusting.Call({}, {.url = url});
  ASSERT_TRUE(reply.ok()) << reply.error().ToString();
  EXPECT_EQ(reply->status, 200);
  HttpClient strict;
  const auto refused = strict.Call({}, {.url = url});
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_NE(refused.error().message.find("certificate"), std::string::npos);
}

TEST(TlsContext, SaysWhichFileIsWrong) {
  const Certificate certificate;
  const auto missing = TlsContext::Load("/nowhere.crt", certificate.key_file);
  EXPECT_EQ(missing.code(), Code::kInvalidArgument);
  EXPECT_NE(missing.error().message.find("/nowhere.crt"), std::string::npos);
  const auto wrong = TlsContext::Load(certificate.certificate_file, certificate.certificate_file);
  EXPECT_EQ(wrong.code(), Code::kInvalidArgument);
  EXPECT_NE(wrong.error().message.find("key"), std::string::npos);
}

}  // namespace
}  // namespace roost
