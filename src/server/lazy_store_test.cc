#include "server/lazy_store.h"

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

}  // namespace
}  // namespace roost
