#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/context.h"
#include "base/result.h"

namespace roost {

/// Keeps writes of one key one after the other: Weaviate has no conditional write, and two writes
/// of one object at the same time can leave its index behind. Holds for the writes of one store
/// object; other processes are not held off. Thread safe.
class KeyLocks {
 public:
  /// Gives the keys back when it is destroyed.
  class Hold {
   public:
    Hold(Hold&& other) noexcept : locks_(other.locks_), names_(std::move(other.names_)) {
      other.locks_ = nullptr;
    }
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class KeyLocks;
    Hold(KeyLocks* locks, std::vector<std::string> names)
        : locks_(locks), names_(std::move(names)) {}
    KeyLocks* locks_;
    std::vector<std::string> names_;
  };

  /// Waits until nobody holds any of them, then holds all. Precondition: no name twice.
  Result<Hold> Acquire(const RequestContext& context, std::vector<std::string> names);

 private:
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::unordered_set<std::string> held_;
};

}  // namespace roost
