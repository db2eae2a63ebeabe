#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "store/circuit_breaker.h"
#include "store/faulty_store.h"
#include "store/resilient_store.h"
#include "store/scripted_store.h"

namespace roost {
namespace {

using namespace std::chrono_literals;

template <typename Body>
void InThreads(int count, Body body) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([body, i] { body(i); });
  }
}

TEST(StoreThreads, FullStoreRefusesAtOnceAndRecovers) {
  constexpr int kLimit = 4;
  ScriptedStore inner;
  std::latch inside(kLimit);
  std::latch go(1);
  inner.on_call = [&](const RequestContext&, StoreCall call) {
    if (call == StoreCall::kCount) {
      inside.count_down();
      go.wait();
    }
  };
  SystemClock clock;
  SeededRandom random(1);
  const auto metrics = MakeMetrics();
  const auto store =
      MakeResilientStore("s", inner, {.max_concurrent_calls = kLimit}, clock, random, *metrics);
  std::vector<std::jthread> holders;
  for (int i = 0; i < kLimit; ++i) {
    holders.emplace_back([&] {
      EXPECT_EQ(store->Count(RequestContext(), {.collection = "c"}).code(), Code::kNotFound);
    });
  }
  inside.wait();
  // This would hang, not fail, if a call waited for a place or for a lock held over another call.
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(store->ListCollections(RequestContext()).code(), Code::kResourceExhausted);
  }
  go.count_down();
  holders.clear();
  EXPECT_TRUE(store->ListCollections(RequestContext()).ok());
  EXPECT_EQ(inner.calls(), kLimit + 1);
}

TEST(StoreThreads, HalfOpenBreakerLetsExactlyItsProbesIn) {
  FakeClock clock;
  SeededRandom random(1);
  CircuitBreaker breaker({.breaker_min_calls = 1, .breaker_probes = 5}, clock, random);
  breaker.Record(*breaker.Admit(), CircuitBreaker::Outcome::kBad);
  ASSERT_EQ(breaker.state(), BreakerState::kOpen);
  clock.Advance(10s);
  std::atomic<int> admitted = 0;
  InThreads(8, [&](int) {
    for (int i = 0; i < 200; ++i) {
      admitted += breaker.Admit().has_value() ? 1 : 0;
    }
  });
  EXPECT_EQ(admitted, 5);
}

TEST(StoreThreads, NothingIsLostUnderFaults) {
  constexpr int kThreads = 6;
  constexpr int kWrites = 150;
  const auto fake = MakeFakeStore();
  SystemClock clock;
  SeededRandom random(3);
  const auto metrics = MakeMetrics();
  const auto faulty = MakeFaultyStore(*fake, clock, random);
  const auto resilient = MakeResilientStore(
      "s", *faulty, {.backoff_initial = 1ms, .backoff_max = 2ms, .breaker_min_calls = 1'000'000},
      clock, random, *metrics);
  const auto store = MakeInstrumentedStore("s", *resilient, *metrics);
  CollectionSchema schema;
  schema.name = "c";
  schema.key_type = KeyType::kInt64;
  schema.vectors = {{.name = "v", .dimension = 2, .metric = Metric::kL2}};
  ASSERT_TRUE(store->CreateCollection(RequestContext(), {.schema = schema}).ok());
  faulty->SetFaults({.fail_before = 0.1, .fail_after = 0.05, .late = 0.05, .late_by = 5ms});
  std::atomic<uint64_t> acknowledged = 0;
  std::atomic<uint64_t> unknown = 0;
  InThreads(kThreads, [&](int thread) {
    for (int i = 0; i < kWrites; ++i) {
      Record record;
      record.key = {.key = int64_t{thread} * kWrites + i};
      record.vectors["v"] = Vector::Floats(std::vector<float>{1, 2});
      const auto written =
          store->Upsert(RequestContext(), {.collection = "c", .records = {record}});
      acknowledged += written.ok() ? 1 : 0;
      unknown += !written.ok() && written.error().outcome_unknown ? 1 : 0;
      static_cast<void>(store->Count(RequestContext(), {.collection = "c"}));
      if (i % 50 == 0) {
        faulty->Settle();
      }
    }
  });
  faulty->SetFaults({});
  faulty->Settle();
  EXPECT_GT(faulty->faults_played(), 0u);
  EXPECT_GT(unknown, 0u);
  // Of unknown outcome means here: the reply was lost or the write came late. Both are there now.
  EXPECT_EQ(*fake->Count(RequestContext(), {.collection = "c"}), acknowledged + unknown);
  const std::string page = metrics->Render();
  EXPECT_NE(page.find("roost_store_in_flight{store=\"s\"} 0"), std::string::npos);
  EXPECT_NE(page.find("roost_store_call_seconds_count{call=\"upsert\",store=\"s\"} " +
                      std::to_string(kThreads * kWrites)),
            std::string::npos);
}

}  // namespace
}  // namespace roost
