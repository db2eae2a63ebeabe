#pragma once

#include "peer_process.h"

namespace roost {

/// A real PostgreSQL with pgvector.
class PgVectorPeer : public PeerProcess {
 public:
  struct Options {
    std::string data_folder;            ///< empty: a new temporary one, removed at the end
    std::string password;               ///< empty: everyone is let in
    std::vector<std::string> settings;  ///< "name=value" of postgresql.conf
  };

  explicit PgVectorPeer(const Options& options);

  /// uri() is "postgresql://postgres@127.0.0.1:20016/postgres", without the password.
  static Result<std::unique_ptr<PgVectorPeer>> Launch(const Options& options) {
    return LaunchPeer<PgVectorPeer>(options);
  }
};

inline PgVectorPeer& SharedPgVectorPeer() { return SharedPeer<PgVectorPeer>(); }

}  // namespace roost
