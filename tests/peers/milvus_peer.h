#pragma once

#include "peer_process.h"

namespace roost {

/// A real Milvus 2.3.5.
class MilvusPeer : public PeerProcess {
 public:
  struct Options {
    std::string data_folder;            ///< empty: a new temporary one, removed at the end
    bool auth = false;                  ///< clients must be root, password "Milvus"
    bool tls = false;                   ///< clients must speak TLS
    std::vector<std::string> settings;  ///< "name=value" of milvus.yaml, as "proxy.maxTaskNum=1"
  };

  explicit MilvusPeer(const Options& options);

  /// uri() is "http://127.0.0.1:20016" (gRPC and REST), with tls "https://…".
  static Result<std::unique_ptr<MilvusPeer>> Launch(const Options& options) {
    return LaunchPeer<MilvusPeer>(options);
  }

  /// The file with the certificate to trust; empty without tls. The server's own is for
  /// "localhost" and 127.0.0.1.
  std::string ca_file() const { return Field("ca"); }
};

inline MilvusPeer& SharedMilvusPeer() { return SharedPeer<MilvusPeer>(); }

}  // namespace roost
