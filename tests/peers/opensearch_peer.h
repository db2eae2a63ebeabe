#pragma once

#include "peer_process.h"

namespace roost {

/// A real OpenSearch 2.19 node with the k-NN plugin, whose engine "lucene" works (README.md).
class OpenSearchPeer : public PeerProcess {
 public:
  struct Options {
    std::string data_folder;            ///< empty: a new temporary one, removed at the end
    std::string heap;                   ///< of the Java machine, as "1g"; empty: 512m
    std::vector<std::string> settings;  ///< "name=value" of opensearch.yml
  };

  explicit OpenSearchPeer(const Options& options);

  /// uri() is "http://127.0.0.1:20016".
  static Result<std::unique_ptr<OpenSearchPeer>> Launch(const Options& options) {
    return LaunchPeer<OpenSearchPeer>(options);
  }
};

inline OpenSearchPeer& SharedOpenSearchPeer() { return SharedPeer<OpenSearchPeer>(); }

}  // namespace roost
