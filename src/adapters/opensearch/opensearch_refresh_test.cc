#include "adapters/opensearch/opensearch_refresh.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace roost {
namespace {

RequestContext Soon() {
  RequestContext context;
  context.deadline = Deadline::After(std::chrono::seconds(30));
  return context;
}

/// A refresh that waits until it is let go.
class Held {
 public:
  OsRefresher::Refresh Refresh() {
    return [this](const RequestContext&) -> Status {
      std::unique_lock lock(mutex_);
      ++begun_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
      return {};
    };
  }
  void AwaitBegun(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;
  bool open_ = false;
};

TEST(OpenSearchRefresher, CallersThatWaitShareOneRefreshThatBeganAfterTheyAsked) {
  OsRefresher refresher;
  Held held;
  std::atomic<int> served{0};
  std::atomic<int> waiting{0};
  std::vector<std::jthread> threads;
  const auto call = [&] {
    ++waiting;
    EXPECT_TRUE(refresher.Run(Soon(), "i", held.Refresh()).ok());
    ++served;
  };
  threads.emplace_back(call);
  held.AwaitBegun(1);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back(call);
  }
  while (waiting < 9) {
    std::this_thread::yield();
  }
  EXPECT_EQ(served, 0) << "the refresh in progress began before they asked";
  held.Open();
  threads.clear();
  EXPECT_EQ(served, 9);
  EXPECT_GE(held.begun(), 2);
  EXPECT_LE(held.begun(), 9);
}

TEST(OpenSearchRefresher, OneAfterAnotherRefreshesEachTime) {
  OsRefresher refresher;
  int refreshes = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(refresher
                    .Run(Soon(), "i",
                         [&](const RequestContext&) -> Status {
                           ++refreshes;
                           return {};
                         })
                    .ok());
  }
  EXPECT_EQ(refreshes, 3);
}

TEST(OpenSearchRefresher, FailureOfOneCallerIsNotThatOfAnother) {
  OsRefresher refresher;
  Held held;
  std::jthread first([&] {
    const Status failed = refresher.Run(Soon(), "i", [&](const RequestContext& context) -> Status {
      static_cast<void>(held.Refresh()(context));
      return Unavailable("its own");
    });
    EXPECT_EQ(failed.code(), Code::kUnavailable);
  });
  held.AwaitBegun(1);
  std::jthread second([&] {
    EXPECT_TRUE(
        refresher.Run(Soon(), "i", [](const RequestContext&) -> Status { return {}; }).ok());
  });
  held.Open();
}

TEST(OpenSearchRefresher, WaitingEndsWithTheDeadlineAndTheStop) {
  OsRefresher refresher;
  Held held;
  std::jthread first([&] { EXPECT_TRUE(refresher.Run(Soon(), "i", held.Refresh()).ok()); });
  held.AwaitBegun(1);
  RequestContext late;
  late.deadline = Deadline::After(std::chrono::milliseconds(20));
  EXPECT_EQ(refresher.Run(late, "i", held.Refresh()).code(), Code::kDeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  RequestContext stopped = Soon();
  stopped.stop = stop.get_token();
  EXPECT_EQ(refresher.Run(stopped, "i", held.Refresh()).code(), Code::kCancelled);
  held.Open();
}

}  // namespace
}  // namespace roost
