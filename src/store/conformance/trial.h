#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "store/conformance/conformance.h"
#include "store/vector_store.h"

namespace roost::conformance {

/// One conformance test at work: a store, collections with names of their own that are dropped at
/// the end, and calls that expect success. Failures go to GoogleTest.
class Trial {
 public:
  Trial(const ConformanceTarget& target, const std::string& test);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  VectorStore& store() { return *store_; }
  const Capabilities& capabilities() { return store_->capabilities(); }
  const ConformanceTarget& target() const { return target_; }
  /// A deadline far beyond what a call takes.
  static RequestContext Context();
  bool Claims(DataType type) { return capabilities().types.contains(type); }
  bool Claims(Metric metric) { return capabilities().metrics.contains(metric); }
  /// A metric that the store claims: L2 where it does.
  Metric AnyMetric();

  /// A name for a collection of this test; the same suffix gives the same name.
  std::string Name(std::string_view suffix = "") const;
  /// VARCHAR keys "id" and the vector "v" of four dimensions, with the name Name(suffix).
  CollectionSchema Plain(std::string_view suffix = "");
  /// Creates it; false (and a failure) when that does not work. Dropped when the trial ends.
  bool Create(const CollectionSchema& schema);

  // Calls that must succeed. They give empty answers where they do not.
  WriteResult Upsert(const std::string& collection, std::vector<Record> records,
                     std::optional<uint64_t> fence = std::nullopt);
  WriteResult Insert(const std::string& collection, std::vector<Record> records);
  uint64_t Delete(const std::string& collection, std::vector<RecordKey> keys,
                  FilterPtr filter = nullptr, std::optional<uint64_t> fence = std::nullopt);
  std::optional<Record> Get(const std::string& collection, const RecordKey& key);
  std::vector<Record> Query(QueryRequest request);
  std::vector<std::vector<Hit>> Search(SearchRequest request);
  /// Every record, by Scan in pages of `limit`.
  std::vector<Record> ScanAll(const std::string& collection, uint32_t limit = 1'000);
  uint64_t Count(CountRequest request);
  FilterPtr Parse(std::string_view filter, const CollectionSchema& schema);

 private:
  ConformanceTarget target_;
  std::string base_name_;
  std::unique_ptr<VectorStore> store_;
  std::vector<std::string> created_;
};

/// A check: its name and what it does.
struct Check {
  std::string name;
  std::function<void(Trial&)> run;
};
using Checks = std::vector<Check>;

// One function a group; all of them make the suite.
Checks CollectionChecks();
Checks ScalarChecks();
Checks RowChecks();
Checks VectorChecks();
Checks WriteChecks();
Checks FenceChecks();
Checks ConcurrencyChecks();
Checks ReadChecks();
Checks TenantChecks();
Checks FilterChecks();
Checks RandomFilterChecks();
Checks MetricChecks();
Checks SearchChecks();
Checks TextChecks();
Checks ScanChecks();
Checks ContextChecks();
Checks LimitChecks();

RecordKey StringKey(std::string key, std::string tenant = "");
RecordKey IntegerKey(int64_t key, std::string tenant = "");
/// A record of Plain()'s shape.
Record PlainRecord(RecordKey key, std::initializer_list<float> vector = {1, 2, 3, 4});
Vector FloatVector(std::initializer_list<float> values);
std::vector<std::string> Keys(const std::vector<Record>& records);
std::vector<std::string> Keys(const std::vector<Hit>& hits);
/// For messages.
std::string Show(const Record& record);
std::string Show(const Value& value);

template <typename T>
std::string ErrorOf(const Result<T>& result) {
  return result.ok() ? "OK" : result.error().ToString();
}
/// kInvalidArgument or kUnimplemented: a clear refusal of what is not claimed.
inline bool IsRefusal(Code code) {
  return code == Code::kInvalidArgument || code == Code::kUnimplemented;
}

}  // namespace roost::conformance
