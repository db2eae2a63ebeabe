#pragma once

#include "peer_process.h"

namespace roost {

/// Ends TLS, and asks for credentials, in front of a server that can do neither here.
class TlsFrontPeer : public PeerProcess {
 public:
  struct Options {
    uint16_t target_port = 0;  ///< of the server behind, on 127.0.0.1
    bool http2 = false;        ///< for gRPC; else HTTP/1.1
    bool postgres = false;     ///< for PostgreSQL, whose clients ask for TLS in plain text first
    bool expired = false;      ///< with a certificate that ended yesterday
    std::string basic;         ///< "user:password" that HTTP/1.1 clients must give; empty: everyone
  };

  explicit TlsFrontPeer(const Options& options);

  /// uri() is "https://127.0.0.1:20016".
  static Result<std::unique_ptr<TlsFrontPeer>> Launch(const Options& options) {
    return LaunchPeer<TlsFrontPeer>(options);
  }

  /// The file with the certificate to trust. The front's own is for "localhost" and 127.0.0.1.
  std::string ca_file() const { return Field("ca"); }
};

}  // namespace roost
