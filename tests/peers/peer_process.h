#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace roost {

/// A real server for tests, run by one of the scripts start_*.py. Stops when destroyed, when the
/// thread that started it ends, and with this process however that ends. Not thread safe.
class PeerProcess {
 public:
  struct Launching {
    std::string script;                  ///< "start_milvus.py"
    std::vector<std::string> arguments;  ///< the script's own, beside the folder
    std::string data_folder;             ///< empty: a new temporary one, removed at the end
    std::chrono::seconds timeout{180};   ///< until it must answer
  };

  explicit PeerProcess(Launching launching) : launching_(std::move(launching)) {}
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// The address that clients use, without credentials: "http://127.0.0.1:20016".
  std::string uri() const { return Field("uri"); }
  uint16_t port() const { return PortField("port"); }
  const std::string& data_folder() const { return launching_.data_folder; }
  /// What the script told of the running server under a name, else empty.
  std::string Field(const std::string& name) const;
  uint16_t PortField(const std::string& name) const;

  /// Starts it, after Stop() on the same ports with the same data. Precondition: stopped. The error
  /// shows what the script printed and says what to install.
  Status Start();
  /// Start() in two halves, for several at once: Begin() each, then Await() each.
  Status Begin();
  Status Await();
  /// Ends the server and waits for that. The data stay.
  void Stop() { End(true); }
  /// Freezes the server's main process (SIGSTOP), so that connections open and nobody answers, or
  /// lets it go on. PostgreSQL's open sessions are processes of their own and are not touched.
  void Freeze(bool frozen);

 private:
  Error CannotStart(const std::string& why) const;
  Status MakeFolder();
  Status ReadReadyLine();
  void End(bool gently);

  Launching launching_;
  bool own_folder_ = false;
  pid_t script_ = -1;
  int output_ = -1;  ///< what the script prints, between Begin() and Await()
  std::string ready_line_;
};

/// Starts one of the kinds of peers (`Peer` derives from PeerProcess and is made from its options).
template <class Peer>
Result<std::unique_ptr<Peer>> LaunchPeer(const typename Peer::Options& options) {
  auto peer = std::make_unique<Peer>(options);
  TRY(peer->Start());
  return peer;
}

/// Ends this process with the error's text: tests with real stores are never skipped.
[[noreturn]] void FailWithoutPeer(const Error& error);

/// The server of its kind, with default options, that all tests of one binary share; started at the
/// first call. Call it first on the main thread: the server ends with the thread that started it.
template <class Peer>
Peer& SharedPeer() {
  static std::unique_ptr<Peer> shared = [] {
    auto launched = LaunchPeer<Peer>({});
    if (!launched.ok()) {
      FailWithoutPeer(launched.error());
    }
    return *std::move(launched);
  }();
  return *shared;
}

/// Starts several servers at the same time; each is one that was made and not started.
Status StartTogether(const std::vector<PeerProcess*>& peers);

}  // namespace roost
