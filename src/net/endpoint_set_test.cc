#include "net/endpoint_set.h"

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

namespace roost {
namespace {

using std::chrono::milliseconds;

class EndpointSetTest : public testing::Test {
 protected:
  std::vector<HostPort> Hosts(size_t count) {
    std::vector<HostPort> hosts;
    for (size_t i = 0; i < count; ++i) {
      hosts.push_back({"h" + std::to_string(i), 1});
    }
    return hosts;
  }
  size_t PickAndFail(EndpointSet& set) {
    const auto lease = set.Pick();
    lease.Failed();
    return lease.index();
  }
  size_t PickAndSucceed(EndpointSet& set) {
    const auto lease = set.Pick();
    lease.Succeeded();
    return lease.index();
  }

  FakeClock clock_;
  SeededRandom random_{7};
};

TEST_F(EndpointSetTest, IdleEndpointsTakeTurns) {
  EndpointSet set(Hosts(3), {}, clock_, random_);
  std::array<int, 3> calls{};
  for (int i = 0; i < 30; ++i) {
    ++calls.at(PickAndSucceed(set));
  }
  EXPECT_EQ(calls, (std::array<int, 3>{10, 10, 10}));
}

TEST_F(EndpointSetTest, TheOneWithTheFewestCallsIsNext) {
  EndpointSet set(Hosts(3), {}, clock_, random_);
  const auto first = set.Pick();
  auto second = std::make_optional(set.Pick());
  const auto third = set.Pick();
  const auto fourth = set.Pick();
  EXPECT_EQ(first.index() + second->index() + third.index(), 3);
  const size_t freed = second->index();
  second.reset();
  const auto fifth = set.Pick();
  EXPECT_EQ(fifth.index(), freed);
  EXPECT_EQ(set.states()[first.index()].calls, 2);
}

TEST_F(EndpointSetTest, AFailingEndpointRestsEverLonger) {
  EndpointSet set(Hosts(2), {.rest_initial = milliseconds(100), .rest_max = milliseconds(1000)},
                  clock_, random_);
  const size_t bad = PickAndFail(set);
  for (const int longest : {100, 200, 400, 800, 1000, 1000}) {
    EXPECT_TRUE(set.states()[bad].resting);
    for (int i = 0; i < 5; ++i) {
      EXPECT_NE(PickAndSucceed(set), bad);
    }
    // Half of the rest is certain, the other half is chance.
    clock_.Advance(milliseconds(longest / 2 - 1));
    EXPECT_TRUE(set.states()[bad].resting) << longest;
    clock_.Advance(milliseconds(longest / 2 + 1));
    EXPECT_FALSE(set.states()[bad].resting) << longest;
    bool tried = false;
    for (int i = 0; i < 2 && !tried; ++i) {
      const auto lease = set.Pick();
      tried = lease.index() == bad;
      tried ? lease.Failed() : lease.Succeeded();
    }
    EXPECT_TRUE(tried);
  }
}

TEST_F(EndpointSetTest, AWokenEndpointGetsOneCallUntilItSucceeds) {
  EndpointSet set(Hosts(2), {.rest_initial = milliseconds(100)}, clock_, random_);
  const size_t bad = PickAndFail(set);
  clock_.Advance(milliseconds(100));
  std::vector<EndpointSet::Lease> leases;
  size_t at_bad = 0;
  for (int i = 0; i < 10; ++i) {
    leases.push_back(set.Pick());
    at_bad += leases.back().index() == bad;
  }
  EXPECT_EQ(at_bad, 1);
  for (const auto& lease : leases) {
    if (lease.index() == bad) {
      lease.Succeeded();
    }
  }
  EXPECT_EQ(set.states()[bad].failures, 0);
  EXPECT_EQ(set.Pick().index(), bad) << "now it has the fewest calls";
}

TEST_F(EndpointSetTest, WhenAllRestTheFirstToWakeIsUsed) {
  EndpointSet set(Hosts(2), {.rest_initial = milliseconds(1000)}, clock_, random_);
  const size_t first = PickAndFail(set);
  clock_.Advance(milliseconds(600));
  const size_t second = PickAndFail(set);
  ASSERT_NE(first, second);
  EXPECT_EQ(set.Pick().index(), first);
  EXPECT_EQ(set.Pick().index(), first);
}

TEST_F(EndpointSetTest, CallsThatBreakTogetherCountOnce) {
  EndpointSet set(Hosts(1), {}, clock_, random_);
  const auto one = set.Pick();
  const auto two = set.Pick();
  one.Failed();
  two.Failed();
  EXPECT_EQ(set.states()[0].failures, 1);
}

TEST_F(EndpointSetTest, ARepeatedCallGoesElsewhereFirst) {
  EndpointSet set(Hosts(3), {}, clock_, random_);
  std::vector<size_t> tried = {0, 2};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(set.Pick(tried).index(), 1);
  }
  tried = {0, 1, 2};
  EXPECT_LT(set.Pick(tried).index(), 3);
}

TEST_F(EndpointSetTest, ServesManyThreads) {
  SystemClock clock;
  EndpointSet set(Hosts(3), {.rest_initial = milliseconds(1)}, clock, random_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&set, t] {
      for (int i = 0; i < 2000; ++i) {
        const auto lease = set.Pick();
        (i + t) % 7 == 0 ? lease.Failed() : lease.Succeeded();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const auto& state : set.states()) {
    EXPECT_EQ(state.calls, 0);
  }
}

}  // namespace
}  // namespace roost
