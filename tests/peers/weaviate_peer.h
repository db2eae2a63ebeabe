#pragma once

#include "peer_process.h"

namespace roost {

/// A real Weaviate.
class WeaviatePeer : public PeerProcess {
 public:
  struct Options {
    std::string data_folder;            ///< empty: a new temporary one, removed at the end
    std::string version;                ///< empty: $ROOST_WEAVIATE_VERSION, else 1.27.0
    std::string api_key;                ///< empty: everyone is let in
    std::vector<std::string> settings;  ///< "NAME=VALUE" of Weaviate's environment
  };

  explicit WeaviatePeer(const Options& options);

  /// uri() is "http://127.0.0.1:20016" (REST and GraphQL).
  static Result<std::unique_ptr<WeaviatePeer>> Launch(const Options& options) {
    return LaunchPeer<WeaviatePeer>(options);
  }

  uint16_t grpc_port() const { return PortField("grpc"); }
  /// As the server tells it: "1.27.0".
  std::string version() const { return Field("version"); }
};

inline WeaviatePeer& SharedWeaviatePeer() { return SharedPeer<WeaviatePeer>(); }

}  // namespace roost
