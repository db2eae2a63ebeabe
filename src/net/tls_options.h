#pragma once

#include <string>

namespace roost {

/// How a client secures its connections.
struct TlsOptions {
  bool enabled = false;
  /// False: any certificate will do, of any host. For tests and closed networks only.
  bool verify = true;
  std::string ca_file;           ///< PEM; empty: the system's certificates
  std::string certificate_file;  ///< PEM, the client's own; empty: none. With key_file
  std::string key_file;          ///< PEM
};

}  // namespace roost
