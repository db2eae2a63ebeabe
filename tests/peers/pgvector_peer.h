#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace roost {

/// A real PostgreSQL with pgvector for tests, run by start_pgvector.py. Stops when destroyed, when
/// the thread that started it ends, and with this process however that ends. Not thread safe.
class PgVectorPeer {
 public:
  struct Options {
    std::string data_folder;            ///< empty: a new temporary one, removed at the end
    std::string password;               ///< empty: everyone is let in
    std::vector<std::string> settings;  ///< "name=value" of postgresql.conf
    std::chrono::seconds timeout{90};   ///< until it must answer
  };

  /// The error tells what the script printed and what to install.
  static Result<std::unique_ptr<PgVectorPeer>> Launch(Options options);
  ~PgVectorPeer();
  PgVectorPeer(const PgVectorPeer&) = delete;
  PgVectorPeer& operator=(const PgVectorPeer&) = delete;

  /// "postgresql://postgres@127.0.0.1:40123/postgres", without the password.
  const std::string& uri() const { return uri_; }
  uint16_t port() const { return port_; }

  /// Ends every session and the server, and waits for that. The data stay.
  void Stop();
  /// Starts it again on the same port with the same data. Precondition: stopped.
  Status Start();
  /// Freezes the server's main process (SIGSTOP), so that it takes no new sessions, or lets it go
  /// on. Sessions that are open are not touched.
  void Freeze(bool frozen);

 private:
  explicit PgVectorPeer(Options options) : options_(std::move(options)) {}
  Status AwaitReady(int output);

  Options options_;
  bool own_folder_ = false;
  pid_t script_ = -1;
  uint16_t port_ = 0;
  std::string uri_;
};

/// The server that all tests of one binary share; started at the first call. Fails the process with
/// a clear message when it cannot be started: tests with real stores are never skipped.
PgVectorPeer& SharedPgVectorPeer();

}  // namespace roost
