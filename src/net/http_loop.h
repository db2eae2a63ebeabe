#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "net/http_exchange.h"
#include "net/http_shared.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace roost {

/// One event loop: one thread, its connections, and the inbox by which workers reach them. Unless
/// it says otherwise a function is for the loop's own thread.
class HttpLoop {
 public:
  /// `shared` owns the loop.
  explicit HttpLoop(HttpShared& shared);
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  /// Runs until Quit(). The thread's body.
  void Run();
  /// Any thread.
  void Quit();
  /// Any thread. Messages are collected and applied as a batch with one wake-up of the loop; each
  /// connection they touch is flushed once. That a worker sent a reply itself wakes nobody: the
  /// loop hears of it when it wakes anyway, before it looks at the connection again, and in a
  /// second at the latest.
  void Post(HttpMessage message);
  /// Any thread.
  void Post(std::function<void()> task);

  HttpShared& shared() { return shared_; }
  /// What follows depends on this request's end: it wakes the loop.
  void Await(Exchange& exchange);
  /// Applies what was posted, before a connection is looked at. Not while a message is applied.
  void CatchUp();
  /// Loops are kept alive by what they share; for those who may outlive the server's own hold.
  std::shared_ptr<HttpShared> SharedReference();
  void SetSharedReference(std::weak_ptr<HttpShared> shared) { weak_shared_ = std::move(shared); }
  boost::asio::io_context& context();

  /// The time of the event that is being handled.
  SteadyTime now() const { return now_; }
  void Stamp() { now_ = std::chrono::steady_clock::now(); }
  void NewRequestId(std::string& out);
  /// Scratch for what is read from a socket / decrypted; valid during one event.
  std::span<char> read_buffer() { return read_buffer_; }
  std::span<char> plain_buffer();

  void Add(std::shared_ptr<HttpConnection> connection);
  void Remove(const std::shared_ptr<HttpConnection>& connection);
  size_t connections() const { return connections_.size(); }
  /// Begins (first call) and ends (second call) the graceful close of every connection.
  void Drain(bool last);
  /// Cuts every connection.
  void CloseAll();

  /// Calls the owner's Expire() when the request's deadline has passed, to the millisecond.
  /// Requests with the default deadline are left to the sweep, once a second, and cost nothing.
  void StartTimer(Exchange& exchange);
  /// Ends the loop's interest in a request: timer off, owner null.
  void Detach(Exchange& exchange);

 private:
  struct Asio;

  void AwaitInbox();
  void ApplyInbox();
  void Wake();
  void ArmTimer();
  void FireTimers();
  void ArmSweep();
  void Sweep();

  HttpShared& shared_;
  std::weak_ptr<HttpShared> weak_shared_;
  std::unique_ptr<Asio> asio_;
  SteadyTime now_ = std::chrono::steady_clock::now();
  std::vector<char> read_buffer_;
  std::vector<char> plain_buffer_;
  std::unordered_set<std::shared_ptr<HttpConnection>> connections_;
  Exchange::Timers timers_;
  SteadyTime armed_ = SteadyTime::max();
  uint64_t id_state_;
  std::vector<HttpMessage> batch_;

  std::mutex mutex_;
  std::vector<HttpMessage> inbox_;
  bool scheduled_ = false;
};

}  // namespace roost
