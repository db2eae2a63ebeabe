#include "base/executor.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

namespace roost {
namespace {

/// Jobs that wait here keep their threads busy until the gate opens.
class Gate {
 public:
  std::function<void()> Job() {
    return [this] {
      entered_.fetch_add(1);
      entered_.notify_all();
      opened_.wait(false);
    };
  }
  void AwaitEntered(int count) {
    for (int seen = entered_; seen < count; seen = entered_) {
      entered_.wait(seen);
    }
  }
  void Open() {
    opened_ = true;
    opened_.notify_all();
  }

 private:
  std::atomic<int> entered_ = 0;
  std::atomic<bool> opened_ = false;
};

/// Waits until `done` holds for the executor's numbers.
template <typename Predicate>
void Await(const Executor& executor, const Predicate& done) {
  while (!done(executor.stats())) {
    std::this_thread::yield();
  }
}

TEST(Executor, RunsWhatIsSubmitted) {
  std::atomic<int> sum = 0;
  {
    Executor executor({.name = "test", .max_threads = 3});
    for (int i = 1; i <= 100; ++i) {
      ASSERT_TRUE(executor.Submit([&sum, i] { sum += i; }).ok());
    }
  }
  EXPECT_EQ(sum, 5050);
}

TEST(Executor, GrowsOnDemandUpToTheLimit) {
  Gate gate;
  Executor executor({.name = "test", .max_threads = 3, .max_queue = 10});
  EXPECT_EQ(executor.stats().threads, 0U);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(executor.Submit(gate.Job()).ok());
  }
  gate.AwaitEntered(3);
  EXPECT_EQ(executor.stats().threads, 3U);
  EXPECT_EQ(executor.stats().queued, 2U);
  EXPECT_EQ(executor.stats().idle, 0U);
  gate.Open();
}

TEST(Executor, FullQueueRefusesAtOnce) {
  Gate gate;
  Executor executor({.name = "edge", .max_threads = 1, .max_queue = 2});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(executor.Submit(gate.Job()).ok());
  }
  const Status refused = executor.Submit([] { FAIL() << "a refused job ran"; });
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_NE(refused.error().message.find("\"edge\" is full"), std::string::npos);
  EXPECT_EQ(executor.stats().refused, 1U);
  gate.Open();
}

TEST(Executor, ReusesAnIdleThread) {
  Executor executor({.name = "test", .max_threads = 8, .idle_seconds = 600});
  for (int i = 0; i < 20; ++i) {
    std::promise<void> ran;
    ASSERT_TRUE(executor.Submit([&] { ran.set_value(); }).ok());
    ran.get_future().wait();
    Await(executor, [](const Executor::Stats& stats) { return stats.idle == 1; });
  }
  EXPECT_EQ(executor.stats().threads, 1U);
}

TEST(Executor, JobsThatNeedEachOtherAllGetThreads) {
  // With a queue before threads the second job would wait for the first for ever.
  Executor executor({.name = "test", .max_threads = 16, .max_queue = 16, .idle_seconds = 600});
  for (int round = 0; round < 50; ++round) {
    auto all = std::make_shared<std::latch>(9);
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(executor.Submit([all] { all->arrive_and_wait(); }).ok());
    }
    all->arrive_and_wait();
  }
  EXPECT_LE(executor.stats().threads, 16U);
}

TEST(Executor, OneIdleThreadIsNotPromisedTwice) {
  // The second job must get a thread of its own although the idle one has not woken yet.
  for (int round = 0; round < 200; ++round) {
    Executor executor({.name = "test", .max_threads = 4, .idle_seconds = 600});
    ASSERT_TRUE(executor.Submit([] {}).ok());
    Await(executor, [](const Executor::Stats& stats) { return stats.idle == 1; });
    std::latch both(2);
    ASSERT_TRUE(executor.Submit([&] { both.arrive_and_wait(); }).ok());
    ASSERT_TRUE(executor.Submit([&] { both.arrive_and_wait(); }).ok());
    both.wait();
    // The latch lives until both jobs have left it.
    Await(executor, [](const Executor::Stats& stats) { return stats.idle == 2; });
  }
}

TEST(Executor, IdleThreadsEnd) {
  Executor executor({.name = "test", .max_threads = 4, .idle_seconds = 0});
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(executor.Submit([] {}).ok());
  }
  Await(executor, [](const Executor::Stats& stats) { return stats.threads == 0; });
  std::promise<void> ran;
  ASSERT_TRUE(executor.Submit([&] { ran.set_value(); }).ok());
  ran.get_future().wait();
}

TEST(Executor, DestructorFinishesWhatIsQueued) {
  std::atomic<int> done = 0;
  Gate gate;
  std::jthread opener;
  {
    Executor executor({.name = "test", .max_threads = 1, .max_queue = 50});
    ASSERT_TRUE(executor.Submit(gate.Job()).ok());
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(executor.Submit([&] { ++done; }).ok());
    }
    EXPECT_EQ(done, 0);
    opener = std::jthread([&] { gate.Open(); });
  }
  EXPECT_EQ(done, 50);
}

TEST(Executor, RefusesJobsWhileItEnds) {
  std::promise<Code> code;
  {
    Executor executor({.name = "test", .max_threads = 1, .max_queue = 100'000});
    ASSERT_TRUE(executor
                    .Submit([&] {
                      // Until the destructor has begun Submit still succeeds.
                      Status status;
                      while ((status = executor.Submit([] {})).ok()) {
                        std::this_thread::yield();
                      }
                      code.set_value(status.code());
                    })
                    .ok());
  }
  EXPECT_EQ(code.get_future().get(), Code::kUnavailable);
}

TEST(Executor, SurvivesAJobThatThrows) {
  Executor executor({.name = "test", .max_threads = 1});
  ASSERT_TRUE(executor.Submit([] { throw std::runtime_error("no"); }).ok());
  ASSERT_TRUE(executor.Submit([] { throw 5; }).ok());
  std::promise<void> ran;
  ASSERT_TRUE(executor.Submit([&] { ran.set_value(); }).ok());
  ran.get_future().wait();
  EXPECT_EQ(executor.stats().threads, 1U);
}

TEST(Executor, ForgetsAJobBeforeItIsIdle) {
  Executor executor({.name = "test", .max_threads = 1});
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = held;
  ASSERT_TRUE(executor.Submit([held = std::move(held)] {}).ok());
  Await(executor, [](const Executor::Stats& stats) { return stats.idle == 1; });
  EXPECT_TRUE(watch.expired());
}

TEST(Executor, ComputingJobsWaitForEachOther) {
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::atomic<int> ran = 0;
  {
    Executor executor({.name = "test", .max_threads = 16, .max_running = 1});
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(executor
                      .Submit([&] {
                        most = std::max<int>(most, ++at_once);
                        --at_once;
                        ++ran;
                      })
                      .ok());
    }
    Await(executor, [](const Executor::Stats& stats) { return stats.idle == stats.threads; });
    // The watch may have taken a job that lost its processor for a blocked one, hardly more.
    EXPECT_LT(executor.stats().threads, 8U);
  }
  EXPECT_EQ(ran, 200);
}

TEST(Executor, ABlockingSectionLetsAnotherJobStart) {
  Gate gate;
  Executor executor({.name = "test", .max_threads = 16, .max_running = 1});
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(executor
                    .Submit([&, wait = gate.Job()] {
                      const BlockingSection blocking;
                      const BlockingSection nested;
                      wait();
                    })
                    .ok());
  }
  gate.AwaitEntered(8);
  EXPECT_EQ(executor.stats().threads, 8U);
  gate.Open();
}

TEST(Executor, FindsOutJobsThatWaitWithoutSayingSo) {
  // Each waits for all the others: they must all get threads, though only one may compute.
  std::latch all(9);
  Executor executor({.name = "test", .max_threads = 16, .max_running = 1});
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(executor.Submit([&] { all.arrive_and_wait(); }).ok());
  }
  all.arrive_and_wait();
  Await(executor, [](const Executor::Stats& stats) { return stats.idle == stats.threads; });
}

TEST(Executor, EndsWhileJobsWaitForQueuedOnes) {
  std::latch all(4);
  {
    Executor executor({.name = "test", .max_threads = 16, .max_running = 1});
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(executor.Submit([&] { all.arrive_and_wait(); }).ok());
    }
  }
  EXPECT_TRUE(all.try_wait());
}

TEST(Executor, LimitOfTheQueueCountsWhatMayStillStart) {
  Gate gate;
  Executor executor({.name = "test", .max_threads = 4, .max_queue = 2, .max_running = 1});
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(executor.Submit(gate.Job()).ok());
  }
  EXPECT_EQ(executor.Submit([] {}).code(), Code::kResourceExhausted);
  gate.Open();
}

TEST(Executor, ASectionOutsideOfAnyJobDoesNothing) {
  const BlockingSection blocking;
  Executor executor({.name = "test", .max_threads = 2, .max_running = 1});
  std::promise<void> ran;
  ASSERT_TRUE(executor.Submit([&] { ran.set_value(); }).ok());
  ran.get_future().wait();
}

TEST(Executor, NamesItsThreads) {
  std::promise<std::string> name;
  Executor executor({.name = "a-very-long-executor-name"});
  ASSERT_TRUE(executor
                  .Submit([&] {
                    char text[32] = {};
                    pthread_getname_np(pthread_self(), text, sizeof(text));
                    name.set_value(text);
                  })
                  .ok());
  EXPECT_EQ(name.get_future().get(), "a-very-long-exe");
}

void ManySubmitters(size_t max_running, const std::function<void()>& work) {
  std::atomic<int> ran = 0;
  std::atomic<int> refused = 0;
  {
    Executor executor({.name = "test",
                       .max_threads = 4,
                       .max_queue = 64,
                       .max_running = max_running,
                       .idle_seconds = 0});
    std::vector<std::jthread> submitters;
    for (int t = 0; t < 4; ++t) {
      submitters.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          const auto job = [&] {
            work();
            ++ran;
          };
          if (!executor.Submit(job).ok()) {
            ++refused;
          }
        }
      });
    }
    submitters.clear();
    EXPECT_EQ(executor.stats().refused, static_cast<uint64_t>(refused));
  }
  EXPECT_EQ(ran + refused, 4000);
}

TEST(Executor, ManySubmittersLoseNothing) {
  ManySubmitters(0, [] {});
}

TEST(Executor, ManySubmittersOfJobsThatWaitNowAndThenLoseNothing) {
  std::atomic<int> count = 0;
  ManySubmitters(1, [&] {
    if (++count % 7 == 0) {
      const BlockingSection blocking;
      std::this_thread::yield();
    }
  });
}

}  // namespace
}  // namespace roost
