#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roost {

/// Certificate, key and rules of a TLS server: TLS 1.2 or later, ALPN h2 and http/1.1. Thread safe.
class TlsContext {
 public:
  /// PEM files. The error names the file and what OpenSSL says of it.
  static Result<std::unique_ptr<TlsContext>> Load(const std::string& certificate_file,
                                                  const std::string& key_file);
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

  explicit TlsSession(const TlsContext& context);
  ~TlsSession();

  /// Takes bytes from the network; gives decrypted pieces, each at most `scratch`, to `plain`.
  State Receive(std::string_view bytes, std::span<char> scratch,
                const std::function<void(std::string_view)>& plain);
  /// Encrypts into cipher(). False when the session is broken. Only once established().
  bool Encrypt(std::string_view plain);
  /// Adds the goodbye to cipher().
  void SayGoodbye();

  bool established() const;
  /// "h2", "http/1.1" or empty; once established().
  std::string_view alpn() const;
  /// What must be sent to the network; the caller clears it.
  std::string& cipher() { return cipher_; }
  const std::string& cipher() const { return cipher_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string cipher_;
};

}  // namespace roost
