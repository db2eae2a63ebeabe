#include "store/key_locks.h"

#include <algorithm>

#include "base/executor.h"
#include "base/hash.h"

namespace roost {
namespace {

uint64_t HashOf(uint64_t seed, const RecordKey& key) {
  seed = Hash64(key.tenant, seed);
  if (const auto* integer = std::get_if<int64_t>(&key.key)) {
    return Hash64(std::string_view(reinterpret_cast<const char*>(integer), sizeof(*integer)), seed);
  }
  return Hash64(std::get<std::string>(key.key), seed);
}

}  // namespace

KeyLocks::Hold::~Hold() {
  if (locks_ != nullptr) {
    locks_->Release(keys_, mode_);
  }
}

Result<KeyLocks::Hold> KeyLocks::Acquire(const RequestContext& context,
                                         const std::string& collection,
                                         std::span<const RecordKey* const> keys, Mode mode) {
  std::vector<uint64_t> hashes;
  hashes.reserve(keys.size());
  const uint64_t seed = Hash64(collection);
  for (const RecordKey* key : keys) {
    hashes.push_back(HashOf(seed, *key));
  }
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  std::unique_lock lock(mutex_);
  const auto free = [&] {
    return std::all_of(hashes.begin(), hashes.end(), [&](uint64_t hash) {
      const auto found = held_.find(hash);
      return found == held_.end() || (mode == Mode::kShared && found->second > 0);
    });
  };
  if (!free()) {
    const BlockingSection blocking;
    const bool got = context.deadline.infinite()
                         ? released_.wait(lock, context.stop, free)
                         : released_.wait_until(lock, context.stop, context.deadline.time, free);
    if (!got) {
      TRY(context.CheckAlive("waiting for another write of the same keys"));
      return DeadlineExceeded("another write of the same keys did not end in time");
    }
  }
  for (const uint64_t hash : hashes) {
    held_[hash] += mode == Mode::kShared ? 1 : -1;
  }
  return Hold(*this, std::move(hashes), mode);
}

void KeyLocks::Release(std::span<const uint64_t> keys, Mode mode) {
  {
    const std::lock_guard lock(mutex_);
    for (const uint64_t key : keys) {
      const auto found = held_.find(key);
      found->second += mode == Mode::kShared ? -1 : 1;
      if (found->second == 0) {
        held_.erase(found);
      }
    }
  }
  released_.notify_all();
}

}  // namespace roost
