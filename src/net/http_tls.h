#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/tls_options.h"

namespace roost {

/// Certificates, key and rules of one side of TLS: TLS 1.2 or later. A server offers h2 and
/// http/1.1 by ALPN, a client h2. Thread safe.
class TlsContext {
 public:
  /// PEM files. The error names the file and what OpenSSL says of it.
  static Result<std::unique_ptr<TlsContext>> Load(const std::string& certificate_file,
                                                  const std::string& key_file);
  /// For clients; the same errors.
  static Result<std::unique_ptr<TlsContext>> LoadClient(const TlsOptions& options);
  ~TlsContext();

 private:
  friend class TlsSession;
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// TLS for one connection, without a socket: bytes in, bytes out. It holds no buffer while the
/// connection is idle. One thread.
class TlsSession {
 public:
  enum class State : uint8_t {
    kOpen,
    kEnded,   ///< the peer said goodbye
    kFailed,  ///< not TLS, bad record, no common version or protocol; an alert may be in cipher()
  };

  /// A server's side.
  explicit TlsSession(const TlsContext& context);
  /// A client's side: the certificate must be that of `host`, a name or an address, unless the
  /// context does not verify. Receive() of nothing begins it.
  TlsSession(const TlsContext& context, const std::string& host);
  ~TlsSession();

  /// Takes bytes from the network; gives decrypted pieces, each at most `scratch`, to `plain`.
  State Receive(std::string_view bytes, std::span<char> scratch,
                const std::function<void(std::string_view)>& plain);
  /// Encrypts into cipher(). False when the session is broken. Only once established().
  bool Encrypt(std::string_view plain);
  /// Adds the goodbye to cipher().
  void SayGoodbye();

  bool established() const;
  /// What was wrong, after kFailed.
  const std::string& failure() const { return failure_; }
  /// "h2", "http/1.1" or empty; once established().
  std::string_view alpn() const;
  /// What must be sent to the network; the caller clears it.
  std::string& cipher() { return cipher_; }
  const std::string& cipher() const { return cipher_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string cipher_;
  std::string failure_;
};

}  // namespace roost
