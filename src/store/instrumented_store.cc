#include <array>
#include <atomic>
#include <chrono>
#include <utility>

#include "store/intercepted_store.h"
#include "store/resilient_store.h"

namespace roost {
namespace {

constexpr size_t kCodes = static_cast<size_t>(Code::kUnauthenticated) + 1;

class InstrumentedStore final : public InterceptedStore<InstrumentedStore> {
 public:
  InstrumentedStore(std::string name, VectorStore& inner, Metrics& metrics)
      : InterceptedStore(inner), name_(std::move(name)), metrics_(metrics) {
    for (size_t i = 0; i < kStoreCalls; ++i) {
      const std::string call(StoreCallName(static_cast<StoreCall>(i)));
      seconds_[i] = &metrics.GetHistogram("roost_store_call_seconds", "Time a store's calls take",
                                          {{"store", name_}, {"call", call}});
    }
  }

  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall call, Run run) -> decltype(run(context)) {
    const auto start = std::chrono::steady_clock::now();
    auto result = run(context);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    seconds_[static_cast<size_t>(call)]->Observe(took.count());
    CounterOf(call, result.code()).Increment();
    return result;
  }

 private:
  /// Made when a code first comes up, so that no zero lines fill the page.
  Counter& CounterOf(StoreCall call, Code code) {
    auto& known = counters_[static_cast<size_t>(call)][static_cast<size_t>(code) % kCodes];
    Counter* counter = known.load(std::memory_order_acquire);
    if (counter == nullptr) {
      counter = &metrics_.GetCounter("roost_store_calls_total", "Calls to a store",
                                     {{"store", name_},
                                      {"call", std::string(StoreCallName(call))},
                                      {"code", std::string(CodeName(code))}});
      known.store(counter, std::memory_order_release);
    }
    return *counter;
  }

  const std::string name_;
  Metrics& metrics_;
  std::array<Histogram*, kStoreCalls> seconds_{};
  std::array<std::array<std::atomic<Counter*>, kCodes>, kStoreCalls> counters_{};
};

}  // namespace

std::unique_ptr<VectorStore> MakeInstrumentedStore(std::string name, VectorStore& inner,
                                                   Metrics& metrics) {
  return std::make_unique<InstrumentedStore>(std::move(name), inner, metrics);
}

}  // namespace roost
