#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"
#include "net/store_address.h"  // PercentEncode

namespace roost {

/// Roost's REST API as the command line uses it. Thread safe.
class Api {
 public:
  struct Options {
    std::string url;
    std::chrono::milliseconds timeout{60'000};       ///< of one request
    uint32_t attempts = 10;                          ///< of a patient call
    std::chrono::milliseconds longest_wait{10'000};  ///< between two of them
    /// A patient call tries no more once this is true (the user interrupts).
    bool (*give_up)() = [] { return false; };
  };

  Api(Options options, Clock& clock);

  /// One request. Returns the body of a 2xx reply. Errors carry the server's own code and words;
  /// kUnavailable with unreachable() when no reply came at all.
  Result<std::string> Call(const std::string& method, const std::string& path,
                           std::string body = {});

  /// The same, again and again while the server says that it is busy (503, 429: as long as its
  /// Retry-After says) and, where `repeat_lost`, when the connection is lost: only for requests
  /// whose repetition changes nothing.
  Result<std::string> CallPatiently(const std::string& method, const std::string& path,
                                    const std::string& body, bool repeat_lost);

  const std::string& url() const { return options_.url; }
  /// The last failure was that no reply came.
  bool unreachable() const { return unreachable_; }
  /// How often patient calls had to try again.
  uint64_t retries() const { return retries_; }

 private:
  struct Outcome;
  bool WaitFor(std::chrono::milliseconds wait);  // false: the user interrupts
  Outcome Once(const std::string& method, const std::string& path, const std::string& body);

  const Options options_;
  Clock& clock_;
  HttpClient client_;
  std::atomic<bool> unreachable_{false};
  std::atomic<uint64_t> retries_{0};
};

/// "/v1/collections/NAME" + `rest`.
std::string CollectionPath(std::string_view collection, std::string_view rest = {});

}  // namespace roost
