#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// Keeps writes of one key apart, for stores that have no conditional write: an insert that looks
/// and then writes must be alone, and some stores suffer from two writes of one key at a time.
/// Holds for one process and for calls on one store object. Thread safe.
class KeyLocks {
 public:
  enum class Mode : uint8_t { kShared, kExclusive };

  /// Keys held until its end.
  class Hold {
   public:
    Hold(KeyLocks& locks, std::vector<uint64_t> keys, Mode mode)
        : locks_(&locks), keys_(std::move(keys)), mode_(mode) {}
    Hold(Hold&& other) noexcept
        : locks_(std::exchange(other.locks_, nullptr)),
          keys_(std::move(other.keys_)),
          mode_(other.mode_) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    KeyLocks* locks_;
    std::vector<uint64_t> keys_;
    Mode mode_;
  };

  /// Waits until no other write stands against it; at once for all keys, so that two batches never
  /// wait for each other. kDeadlineExceeded, kCancelled.
  Result<Hold> Acquire(const RequestContext& context, const std::string& collection,
                       std::span<const RecordKey* const> keys, Mode mode);

 private:
  void Release(std::span<const uint64_t> keys, Mode mode);

  std::mutex mutex_;
  std::condition_variable_any released_;
  /// By hash of collection and key: how many share it, or −1. Two keys of one hash only wait for
  /// each other.
  std::unordered_map<uint64_t, int> held_;
};

}  // namespace roost
