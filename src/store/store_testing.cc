#include "store/store_testing.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include <unistd.h>

namespace roost {

SystemClock& TestClock() {
  static SystemClock clock;
  return clock;
}

Metrics& TestMetrics() {
  static const std::unique_ptr<Metrics> metrics = MakeMetrics();
  return *metrics;
}

RequestContext Within(std::chrono::milliseconds time) {
  RequestContext context;
  context.deadline = Deadline::After(time);
  return context;
}

RequestContext Soon() { return Within(std::chrono::seconds(60)); }

std::string FreshName() {
  static std::atomic<int> next{0};
  return "t" + std::to_string(getpid()) + "_" + std::to_string(next++);
}

bool Await(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::After(std::chrono::seconds(60));
  while (!deadline.Passed()) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

CollectionSchema PlainSchema(uint32_t dimension) {
  CollectionSchema schema;
  schema.name = FreshName();
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  schema.vectors = {{.name = "v", .dimension = dimension, .metric = Metric::kL2}};
  return schema;
}

Record PlainRow(std::string key, int64_t n, std::vector<float> v) {
  Record record;
  record.key.key = std::move(key);
  record.fields["n"] = n;
  record.vectors["v"] = Vector::Floats(v);
  return record;
}

RecordKey KeyOf(std::string key, std::string tenant) {
  return {.tenant = std::move(tenant), .key = std::move(key)};
}

}  // namespace roost
