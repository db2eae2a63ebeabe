#include "store/key_locks.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace roost {
namespace {

using Mode = KeyLocks::Mode;

class KeyLocksTest : public testing::Test {
 protected:
  Result<KeyLocks::Hold> Take(std::vector<RecordKey> keys, Mode mode,
                              std::chrono::milliseconds time) {
    RequestContext context;
    context.deadline = Deadline::After(time);
    std::vector<const RecordKey*> pointers;
    for (const RecordKey& key : keys) {
      pointers.push_back(&key);
    }
    return locks_.Acquire(context, "books", pointers, mode);
  }
  static RecordKey Key(std::string key) { return {.tenant = {}, .key = std::move(key)}; }

  static constexpr std::chrono::milliseconds kShort{50};
  KeyLocks locks_;
};

TEST_F(KeyLocksTest, SharedHoldersGoTogetherExclusiveOnesAlone) {
  {
    const auto first = Take({Key("a"), Key("b")}, Mode::kShared, kShort);
    ASSERT_TRUE(first.ok());
    EXPECT_TRUE(Take({Key("b"), Key("c")}, Mode::kShared, kShort).ok());
    EXPECT_EQ(Take({Key("b")}, Mode::kExclusive, kShort).code(), Code::kDeadlineExceeded);
    EXPECT_TRUE(Take({Key("c")}, Mode::kExclusive, kShort).ok());
  }
  const auto alone = Take({Key("a"), Key("a")}, Mode::kExclusive, kShort);
  ASSERT_TRUE(alone.ok()) << "one key twice is no conflict with oneself";
  EXPECT_EQ(Take({Key("a")}, Mode::kShared, kShort).code(), Code::kDeadlineExceeded);
}

TEST_F(KeyLocksTest, WaiterGetsTheKeyWhenItIsFree) {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const auto hold = Take({Key("a"), Key("b")}, Mode::kExclusive, std::chrono::seconds(60));
        ASSERT_TRUE(hold.ok());
        most = std::max(most.load(), ++inside);
        --inside;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(most, 1);
}

TEST_F(KeyLocksTest, StopEndsTheWait) {
  const auto held = Take({Key("a")}, Mode::kExclusive, kShort);
  ASSERT_TRUE(held.ok());
  std::stop_source stop;
  RequestContext context;
  context.stop = stop.get_token();
  const RecordKey key = Key("a");
  const RecordKey* const keys[] = {&key};
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(locks_.Acquire(context, "books", keys, Mode::kShared).code(), Code::kCancelled);
}

}  // namespace
}  // namespace roost
