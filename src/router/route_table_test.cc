#include "router/route_table.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "router/replica_coordinator.h"

namespace roost {
namespace {

std::shared_ptr<Route> MakeRoute(uint64_t epoch, std::string authority = "a") {
  auto route = std::make_shared<Route>();
  route->collection = "c";
  route->epoch = epoch;
  route->authority = std::move(authority);
  return route;
}

TEST(RouteTable, CollectionWithoutARouteGoesToTheDefaultStore) {
  RouteTable table("main");
  EXPECT_EQ(table.Find("c")->authority, "main");
  EXPECT_EQ(table.Find("c")->epoch, 0u);
  EXPECT_FALSE(table.Find("c")->moving());
  EXPECT_TRUE(table.List().empty());
}

TEST(RouteTable, AWriteWithoutARouteKeepsTheFirstEpochFromBeingDrained) {
  RouteTable table("main");
  auto pin = table.PinWrite({}, "c");
  ASSERT_TRUE(pin.ok());
  table.Publish(MakeRoute(1));
  EXPECT_FALSE(table.Drained("c", 1));
  pin = Unavailable("over");
  EXPECT_TRUE(table.Drained("c", 1));
  EXPECT_FALSE(table.Drained("c", 2));
}

TEST(RouteTable, WritesOfTheNewEpochDoNotKeepItFromBeingDrained) {
  RouteTable table("main");
  table.Publish(MakeRoute(1));
  auto old_pin = table.PinWrite({}, "c");
  table.Publish(MakeRoute(2));
  const auto new_pin = table.PinWrite({}, "c");
  EXPECT_EQ((*old_pin)->epoch, 1u);
  EXPECT_EQ((*new_pin)->epoch, 2u);
  EXPECT_FALSE(MakeLocalCoordinator(table)->AllAcknowledged("c", 2));
  old_pin = Unavailable("over");
  EXPECT_TRUE(MakeLocalCoordinator(table)->AllAcknowledged("c", 2));
}

TEST(RouteTable, AnOlderRouteIsNotPublished) {
  RouteTable table("main");
  table.Publish(MakeRoute(5, "b"));
  table.Publish(MakeRoute(4, "a"));
  EXPECT_EQ(table.Find("c")->authority, "b");
}

TEST(RouteTable, HeldWriteWaitsAndThenWorksByTheNewRoute) {
  RouteTable table("main");
  auto held = MakeRoute(1);
  held->hold_writes = true;
  table.Publish(held);
  std::atomic<uint64_t> epoch{0};
  std::jthread writer([&] {
    auto pin = table.PinWrite({}, "c");
    ASSERT_TRUE(pin.ok());
    epoch = (*pin)->epoch;
  });
  while (table.waiting() == 0) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(table.Drained("c", 1));  // A held write works by no route.
  EXPECT_EQ(epoch, 0u);
  table.Publish(MakeRoute(2, "b"));
  writer.join();
  EXPECT_EQ(epoch, 2u);
  EXPECT_EQ(table.waiting(), 0u);
}

TEST(RouteTable, HeldWriteIsRefusedAtItsDeadlineWithAClearMessage) {
  RouteTable table("main");
  auto held = MakeRoute(1);
  held->hold_writes = true;
  table.Publish(held);
  const RequestContext hurried = RequestContext{}.WithTimeout(std::chrono::milliseconds(10));
  const auto pin = table.PinWrite(hurried, "c");
  ASSERT_FALSE(pin.ok());
  EXPECT_EQ(pin.code(), Code::kUnavailable);
  EXPECT_FALSE(pin.error().outcome_unknown);
  EXPECT_EQ(pin.error().message, "writes of collection \"c\" are held for a cut-over; try again");
}

TEST(RouteTable, HeldWriteEndsWhenItsRequestIsCancelled) {
  RouteTable table("main");
  auto held = MakeRoute(1);
  held->hold_writes = true;
  table.Publish(held);
  std::stop_source stop;
  std::jthread writer(
      [&] { EXPECT_FALSE(table.PinWrite(RequestContext{.stop = stop.get_token()}, "c").ok()); });
  while (table.waiting() == 0) {
    std::this_thread::yield();
  }
  stop.request_stop();
}

TEST(RouteTable, ManyWritersAcrossManyEpochsAllEnd) {
  RouteTable table("main");
  std::atomic<bool> over{false};
  std::vector<std::jthread> writers;
  std::atomic<uint64_t> writes{0};
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      uint64_t last = 0;
      while (!over) {
        auto pin = table.PinWrite({}, "c");
        ASSERT_TRUE(pin.ok());
        EXPECT_FALSE((*pin)->hold_writes);
        EXPECT_GE((*pin)->epoch, last);
        last = (*pin)->epoch;
        ++writes;
      }
    });
  }
  for (uint64_t epoch = 1; epoch <= 200; ++epoch) {
    auto route = MakeRoute(epoch);
    route->hold_writes = epoch % 2 == 1;
    table.Publish(route);
    while (!table.Drained("c", epoch) || (epoch % 2 == 0 && writes < epoch)) {
      std::this_thread::yield();
    }
  }
  over = true;
}

TEST(Route, ASessionKeepsItsSideWhileTheShareGrows) {
  Route route;
  route.other = "b";
  int on_other = 0;
  for (int i = 0; i < 2'000; ++i) {
    const uint32_t slot = SessionSlot("t", std::to_string(i));
    bool before = false;
    for (const uint32_t percent : {0u, 1u, 10u, 50u, 100u}) {
      route.read_percent_other = percent;
      const bool now = ReadsOther(route, slot);
      EXPECT_TRUE(now || !before);
      before = now;
      on_other += percent == 50 && now ? 1 : 0;
    }
    EXPECT_TRUE(before);
  }
  EXPECT_NEAR(on_other, 1'000, 120);
  EXPECT_NE(SessionSlot("t", "x"), SessionSlot("u", "x"));
}

}  // namespace
}  // namespace roost
