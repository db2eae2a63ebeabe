#include "net/grpc_testing.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

namespace roost {
namespace {

std::vector<nghttp2_nv> Headers(const HttpHeaders& headers) {
  std::vector<nghttp2_nv> list;
  for (const auto& [name, value] : headers) {
    list.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return list;
}

int SelectH2(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
             unsigned offered_size, void*) {
  static constexpr unsigned char kH2[] = "\x02h2";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, size, kH2, sizeof kH2 - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string GrpcFramed(std::string_view message) {
  std::string framed(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed += static_cast<char>(message.size() >> shift);
  }
  return framed.append(message);
}

std::string GrpcTestServer::Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

GrpcTestServer::Reply GrpcTestServer::Reply::Message(std::string_view message) {
  return {.body = GrpcFramed(message), .trailers = HttpHeaders{{"grpc-status", "0"}}};
}

GrpcTestServer::Reply GrpcTestServer::Reply::Status(int code, std::string message) {
  Reply reply;
  reply.headers.emplace_back("grpc-status", std::to_string(code));
  reply.headers.emplace_back("grpc-message", std::move(message));
  return reply;
}

/// One connection, on its thread.
class GrpcTestServer::Peer final : public Connection {
 public:
  Peer(GrpcTestServer& server, int fd, int number) : server_(server), fd_(fd), number_(number) {}
  ~Peer() override {
    nghttp2_session_del(session_);
    SSL_free(ssl_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Run();

  void Send(int32_t stream, Reply reply) override;
  void GoAway(int32_t last_stream, uint32_t code, std::string_view words) override {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_stream, code,
                          reinterpret_cast<const uint8_t*>(words.data()), words.size());
  }
  void Raw(std::string_view bytes) override {
    Flush();
    Write(bytes);
  }
  void Close() override {
    Flush();
    closed_ = true;
    shutdown(fd_, SHUT_WR);
  }
  nghttp2_session* session() override { return session_; }

 private:
  friend struct GrpcTestCallbacks;

  void MakeSession();
  void Flush();
  void Write(std::string_view bytes);
  ssize_t ReadSome(char* buffer, size_t size);

  GrpcTestServer& server_;
  const int fd_;
  const int number_;
  SSL* ssl_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Request> requests_;
  std::vector<int32_t> ready_;
  struct Outgoing {
    Reply reply;
    size_t sent = 0;
  };
  std::map<int32_t, Outgoing> replies_;
  bool closed_ = false;
};

struct GrpcTestCallbacks {
  using Peer = GrpcTestServer::Peer;

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user) {
    auto& request = static_cast<Peer*>(user)->requests_[frame->hd.stream_id];
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":path") {
      request.path = text;
    }
    request.headers.emplace_back(key, text);
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* user) {
    static_cast<Peer*>(user)->requests_[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto* self = static_cast<Peer*>(user);
    const uint8_t type = frame->hd.type;
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      ++self->server_.pings_;
    } else if (type == NGHTTP2_RST_STREAM) {
      ++self->server_.resets_;
    } else if (self->server_.options_.on_headers
                   ? type == NGHTTP2_HEADERS
                   : (type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) && ended) {
      self->ready_.push_back(frame->hd.stream_id);
    }
    return 0;
  }
  static int OnClose(nghttp2_session*, int32_t id, uint32_t, void* user) {
    static_cast<Peer*>(user)->replies_.erase(id);
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t size,
                          uint32_t* flags, nghttp2_data_source*, void* user) {
    auto& out = static_cast<Peer*>(user)->replies_[id];
    const size_t bytes = std::min(size, out.reply.body.size() - out.sent);
    std::memcpy(buffer, out.reply.body.data() + out.sent, bytes);
    out.sent += bytes;
    if (out.sent < out.reply.body.size()) {
      return static_cast<ssize_t>(bytes);
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (out.reply.trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto trailers = Headers(*out.reply.trailers);
      nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
    } else if (out.reply.reset) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, *out.reply.reset);
    } else if (out.reply.no_end) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return static_cast<ssize_t>(bytes);
  }
};

void GrpcTestServer::Peer::MakeSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &GrpcTestCallbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &GrpcTestCallbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &GrpcTestCallbacks::OnFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &GrpcTestCallbacks::OnClose);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_ping_ack(option, server_.options_.answer_pings ? 0 : 1);
  nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
  nghttp2_option_set_stream_reset_rate_limit(option, 1'000'000, 1'000'000);
  nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server_.options_.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, server_.options_.window}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

void GrpcTestServer::Peer::Send(int32_t stream, Reply reply) {
  const auto headers = Headers(reply.headers);
  const bool body = !reply.body.empty() || reply.trailers || reply.reset || reply.no_end;
  const nghttp2_data_provider provider{{.ptr = nullptr}, &GrpcTestCallbacks::ReadBody};
  nghttp2_submit_response(session_, stream, headers.data(), headers.size(),
                          body ? &provider : nullptr);
  replies_[stream] = {.reply = std::move(reply)};
}

void GrpcTestServer::Peer::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ssl_ != nullptr
                             ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                             : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      closed_ = true;
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

ssize_t GrpcTestServer::Peer::ReadSome(char* buffer, size_t size) {
  return ssl_ != nullptr ? SSL_read(ssl_, buffer, static_cast<int>(size))
                         : recv(fd_, buffer, size, 0);
}

void GrpcTestServer::Peer::Flush() {
  std::string out;
  for (;;) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size <= 0) {
      break;
    }
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  }
  Write(out);
}

void GrpcTestServer::Peer::Run() {
  if (server_.tls_ != nullptr) {
    ssl_ = SSL_new(server_.tls_);
    SSL_set_fd(ssl_, fd_);
    if (SSL_accept(ssl_) != 1) {
      return;
    }
  }
  std::vector<char> buffer(65536);
  if (!server_.options_.greet || !server_.options_.first_bytes.empty()) {
    Write(server_.options_.first_bytes);
    while (ReadSome(buffer.data(), buffer.size()) > 0) {
    }
    return;
  }
  MakeSession();
  Flush();
  for (;;) {
    const ssize_t got = ReadSome(buffer.data(), buffer.size());
    if (got > 0 && closed_) {
      continue;  // Unread bytes would make the kernel destroy what is on its way to the client.
    }
    if (got <= 0 ||
        nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(buffer.data()),
                                 static_cast<size_t>(got)) < 0) {
      return;
    }
    for (const int32_t id : std::exchange(ready_, {})) {
      Request& request = requests_[id];
      request.stream = id;
      request.connection = number_;
      if (!closed_) {
        server_.script_(*this, request);
      }
      requests_.erase(id);
    }
    if (!closed_) {
      Flush();
    }
  }
}

GrpcTestServer::GrpcTestServer(Script script, Options options)
    : script_(std::move(script)), options_(std::move(options)) {
  if (!options_.certificate_file.empty()) {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL.
    tls_ = SSL_CTX_new(TLS_server_method());
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(tls_, options_.certificate_file.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(tls_, options_.key_file.c_str(), SSL_FILETYPE_PEM), 1);
    if (options_.alpn) {
      SSL_CTX_set_alpn_select_cb(tls_, &SelectH2, nullptr);
    }
    if (!options_.client_ca_file.empty()) {
      SSL_CTX_load_verify_locations(tls_, options_.client_ca_file.c_str(), nullptr);
      SSL_CTX_set_verify(tls_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
  }
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 128), 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

void GrpcTestServer::Accept() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (fd < 0 || stopping_) {
      if (fd >= 0) {
        close(fd);
      }
      return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, number = accepted_++] { Serve(fd, number); });
  }
}

size_t GrpcTestServer::open() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void GrpcTestServer::Serve(int fd, int number) {
  Peer(*this, fd, number).Run();
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  close(fd);
}

GrpcTestServer::~GrpcTestServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) {
      shutdown(fd, SHUT_RDWR);
    }
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  close(listener_);
  SSL_CTX_free(tls_);
}

TestCertificate::TestCertificate(const std::string& name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate, key, EVP_sha256());
  const std::string stem = testing::TempDir() + "/" + name + "-" + std::to_string(getpid());
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

TestCertificate::~TestCertificate() {
  std::remove(certificate_file.c_str());
  std::remove(key_file.c_str());
}

}  // namespace roost
