#include "server/lazy_store.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/fake_store.h"

namespace roost {
namespace {

TEST(LazyStore, SaysWhyItIsNotConnectedAndTriesAgainLater) {
  FakeClock clock;
  Capabilities declared;
  declared.store = "declared";
  declared.fenced_writes = true;
  int tries = 0;
  bool up = false;
  const auto store = MakeLazyStore(
      "far", declared,
      [&]() -> Result<std::unique_ptr<VectorStore>> {
        ++tries;
        if (!up) {
          return Unavailable("connection refused");
        }
        return MakeFakeStore();
      },
      std::chrono::seconds(1), clock);
  const Status first = store->CheckHealth({});
  ASSERT_EQ(first.code(), Code::kUnavailable);
  EXPECT_THAT(first.error().message, testing::HasSubstr("connection refused"));
  EXPECT_FALSE(store->ListCollections({}).ok());
  EXPECT_EQ(tries, 1) << "it must not be tried again at once";
  EXPECT_EQ(store->capabilities().store, "declared");
  EXPECT_TRUE(store->capabilities().fenced_writes);

  up = true;
  clock.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(store->CheckHealth({}).ok());
  EXPECT_TRUE(store->ListCollections({}).ok());
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(store->capabilities().store, "fake");
}

TEST(LazyStore, ConnectingTakesNoCallBeyondItsDeadline) {
  SystemClock clock;
  std::promise<void> answers;
  int tries = 0;
  const auto store = MakeLazyStore(
      "far", {},
      [&]() -> Result<std::unique_ptr<VectorStore>> {
        ++tries;
        answers.get_future().wait();
        return MakeFakeStore();
      },
      std::chrono::seconds(1), clock);
  const auto soon = [] { return RequestContext().WithTimeout(std::chrono::milliseconds(20)); };
  EXPECT_EQ(store->CheckHealth(soon()).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(store->CheckHealth(soon()).code(), Code::kDeadlineExceeded);
  RequestContext stopped;
  std::stop_source stop;
  stopped.stop = stop.get_token();
  stop.request_stop();
  EXPECT_EQ(store->CheckHealth(stopped).code(), Code::kCancelled);
  answers.set_value();
  EXPECT_TRUE(store->CheckHealth({}).ok()) << "it waits for the connect that goes on";
  EXPECT_EQ(tries, 1);
}

}  // namespace
}  // namespace roost
