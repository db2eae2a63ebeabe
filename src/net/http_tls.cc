#include "net/http_tls.h"

#include <algorithm>
#include <cstring>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace roost {
namespace {

std::string LastOpenSslError() {
  char text[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, kOurs, sizeof kOurs - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct TlsContext::Impl {
  explicit Impl(const SSL_METHOD* method) : context(SSL_CTX_new(method)) {}
  ~Impl() { SSL_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status UseCertificate(const std::string& certificate_file, const std::string& key_file);
  void SetRules();

  SSL_CTX* context;
};

Status TlsContext::Impl::UseCertificate(const std::string& certificate_file,
                                        const std::string& key_file) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return InvalidArgument("cannot use TLS certificate \"" + certificate_file +
                           "\": " + LastOpenSslError() + "; it must be a PEM file");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return InvalidArgument("cannot use TLS key \"" + key_file + "\": " + LastOpenSslError() +
                           "; it must be the PEM key of certificate \"" + certificate_file + "\"");
  }
  return {};
}

void TlsContext::Impl::SetRules() {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& certificate_file,
                                                     const std::string& key_file) {
  auto impl = std::make_unique<Impl>(TLS_server_method());
  if (impl->context == nullptr) {
    return Internal("OpenSSL could not be set up: " + LastOpenSslError());
  }
  TRY(impl->UseCertificate(certificate_file, key_file));
  impl->SetRules();
  SSL_CTX_set_alpn_select_cb(impl->context, &SelectProtocol, nullptr);
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::unique_ptr<TlsContext>> TlsContext::LoadClient(const TlsOptions& options) {
  auto impl = std::make_unique<Impl>(TLS_client_method());
  if (impl->context == nullptr) {
    return Internal("OpenSSL could not be set up: " + LastOpenSslError());
  }
  ERR_clear_error();
  if (!options.certificate_file.empty()) {
    TRY(impl->UseCertificate(options.certificate_file, options.key_file));
  }
  if (options.verify) {
    const bool loaded =
        options.ca_file.empty()
            ? SSL_CTX_set_default_verify_paths(impl->context) == 1
            : SSL_CTX_load_verify_locations(impl->context, options.ca_file.c_str(), nullptr) == 1;
    if (!loaded) {
      return InvalidArgument("cannot use TLS CA file \"" + options.ca_file +
                             "\": " + LastOpenSslError() + "; it must be a PEM file");
    }
    SSL_CTX_set_verify(impl->context, SSL_VERIFY_PEER, nullptr);
  }
  impl->SetRules();
  static constexpr unsigned char kOurs[] = "\x02h2";
  SSL_CTX_set_alpn_protos(impl->context, kOurs, sizeof kOurs - 1);
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

/// The BIO that OpenSSL reads and writes: a view of the bytes just received and the cipher string.
/// OpenSSL's own memory BIOs would keep their largest size for every idle connection.
struct TlsSession::Impl {
  SSL* ssl = nullptr;
  std::string_view input;
  std::string* output = nullptr;

  ~Impl() { SSL_free(ssl); }

  static int Read(BIO* bio, char* out, int size) {
    auto* self = static_cast<Impl*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t bytes = std::min(self->input.size(), static_cast<size_t>(size));
    std::memcpy(out, self->input.data(), bytes);
    self->input.remove_prefix(bytes);
    return static_cast<int>(bytes);
  }
  static int Write(BIO* bio, const char* data, int size) {
    auto* self = static_cast<Impl*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    self->output->append(data, static_cast<size_t>(size));
    return size;
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "roost");
      BIO_meth_set_read(made, &Read);
      BIO_meth_set_write(made, &Write);
      BIO_meth_set_ctrl(made, &Control);
      return made;
    }();
    return method;
  }
};

TlsSession::TlsSession(const TlsContext& context) : impl_(std::make_unique<Impl>()) {
  impl_->ssl = SSL_new(context.impl_->context);
  BIO* bio = BIO_new(Impl::Method());
  CHECK(impl_->ssl != nullptr && bio != nullptr);
  BIO_set_data(bio, impl_.get());
  BIO_set_init(bio, 1);
  impl_->output = &cipher_;
  SSL_set_bio(impl_->ssl, bio, bio);
  SSL_set_accept_state(impl_->ssl);
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host) : TlsSession(context) {
  SSL_set_connect_state(impl_->ssl);
  X509_VERIFY_PARAM* rules = SSL_get0_param(impl_->ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) {
    return;  // An address has no name to announce.
  }
  ERR_clear_error();
  SSL_set1_host(impl_->ssl, host.c_str());
  SSL_set_tlsext_host_name(impl_->ssl, host.c_str());
}

TlsSession::~TlsSession() = default;

TlsSession::State TlsSession::Receive(std::string_view bytes, std::span<char> scratch,
                                      const std::function<void(std::string_view)>& plain) {
  impl_->input = bytes;
  for (;;) {
    ERR_clear_error();
    size_t got = 0;
    const int result = SSL_read_ex(impl_->ssl, scratch.data(), scratch.size(), &got);
    if (result == 1) {
      plain({scratch.data(), got});
      continue;
    }
    switch (SSL_get_error(impl_->ssl, result)) {
      case SSL_ERROR_WANT_READ:
        return State::kOpen;
      case SSL_ERROR_ZERO_RETURN:
        return State::kEnded;
      default: {
        const long verdict = SSL_get_verify_result(impl_->ssl);
        failure_ =
            verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : LastOpenSslError();
        ERR_clear_error();
        return State::kFailed;
      }
    }
  }
}

bool TlsSession::Encrypt(std::string_view plain) {
  while (!plain.empty()) {
    ERR_clear_error();
    size_t taken = 0;
    if (SSL_write_ex(impl_->ssl, plain.data(), plain.size(), &taken) != 1) {
      ERR_clear_error();
      return false;
    }
    plain.remove_prefix(taken);
  }
  return true;
}

void TlsSession::SayGoodbye() {
  ERR_clear_error();
  SSL_shutdown(impl_->ssl);
  ERR_clear_error();
}

bool TlsSession::established() const { return SSL_is_init_finished(impl_->ssl) != 0; }

std::string_view TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(impl_->ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace roost
