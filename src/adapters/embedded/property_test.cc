// Random calls on the embedded store and on the reference store at the same time: both must always
// answer the same, across flushes, merges, restarts and power cuts.

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/test_support.h"
#include "store/fake_store.h"

namespace roost::embedded {
namespace {

constexpr uint64_t kKeys = 40;
constexpr char kName[] = "things";

const char* const kFilters[] = {"n < 10",
                                "n >= 3 and n <= 12",
                                "tag in [\"tag1\", \"tag3\"]",
                                "price > 5.5 and flag == true",
                                "small != 2 or n is null",
                                "not (n > 3)",
                                "extra[\"a\"] > 4",
                                "array_contains(list, 2)",
                                "color == \"red\"",
                                "id like \"k1%\"",
                                "tag is not null and small < 0",
                                "n == small",
                                "body like \"%round%\" or price == 4"};

/// Both stores, the same calls.
class Pair {
 public:
  Pair(uint64_t seed, bool tenants) : random_(seed), tenants_(tenants) {
    schema_ = TestSchema(kName);
    schema_.tenant_field = tenants ? "owner" : "";
    store_ = disk_.MustOpen();
    reference_ = MakeFakeStore(store_->capabilities());
    EXPECT_TRUE(Create(*store_, schema_).ok());
    EXPECT_TRUE(Create(*reference_, schema_).ok());
  }

  void Turn() {
    using Call = void (Pair::*)();
    static constexpr Call kCalls[] = {&Pair::Upsert, &Pair::Upsert, &Pair::Upsert, &Pair::Insert,
                                      &Pair::Delete, &Pair::Delete, &Pair::Get,    &Pair::Query,
                                      &Pair::Query,  &Pair::Count,  &Pair::Scan,   &Pair::Nearest,
                                      &Pair::Sparse, &Pair::Words,  &Pair::Files};
    (this->*kCalls[random_.Below(std::size(kCalls))])();
  }

  void CompareAll() {
    EXPECT_TRUE(SameRecords(ReadAllRecords(*store_, kName), ReadAllRecords(*reference_, kName)));
  }

 private:
  RecordKey NextKey() {
    return KeyOf("k" + std::to_string(random_.Below(kKeys)), tenants_ ? NextTenant() : "");
  }
  std::string NextTenant() { return std::array{"acme", "bolt", "acme2"}[random_.Below(3)]; }
  std::vector<RecordKey> NextKeys() {
    std::vector<RecordKey> keys(1 + random_.Below(6));
    for (RecordKey& key : keys) {
      key = NextKey();
    }
    return keys;
  }
  WriteRequest NextWrite() {
    WriteRequest request{.collection = kName};
    for (const RecordKey& key : NextKeys()) {
      request.records.push_back(
          TenantRecord(key.tenant, std::get<std::string>(key.key), random_.Below(1'000)));
    }
    return request;
  }
  /// Half of the time none.
  FilterPtr NextFilter() {
    if (random_.Below(2) == 0) {
      return nullptr;
    }
    const auto filter = ParseFilter(kFilters[random_.Below(std::size(kFilters))], schema_);
    EXPECT_TRUE(filter.ok()) << filter.error().ToString();
    return filter.ok() ? filter.value() : nullptr;
  }
  std::optional<std::string> AnyTenant() {
    return tenants_ && random_.Below(2) == 0 ? std::optional(NextTenant()) : std::nullopt;
  }

  static void ExpectSameErrors(const WriteResult& a, const WriteResult& b) {
    EXPECT_EQ(a.written, b.written);
    ASSERT_EQ(a.errors.size(), b.errors.size());
    for (size_t i = 0; i < a.errors.size(); ++i) {
      EXPECT_EQ(a.errors[i].row, b.errors[i].row);
      EXPECT_EQ(a.errors[i].error.code, b.errors[i].error.code);
    }
  }
  static void ExpectSame(const std::vector<Record>& a, const std::vector<Record>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(ToString(a[i].key), ToString(b[i].key)) << i;
      EXPECT_TRUE(SameRecord(a[i], b[i])) << ToString(a[i].key);
    }
  }

  void Upsert() {
    const WriteRequest request = NextWrite();
    ExpectSameErrors(store_->Upsert({}, request).value(), reference_->Upsert({}, request).value());
  }
  void Insert() {
    const WriteRequest request = NextWrite();
    ExpectSameErrors(store_->Insert({}, request).value(), reference_->Insert({}, request).value());
  }
  void Delete() {
    const DeleteRequest request{.collection = kName, .keys = NextKeys(), .filter = NextFilter()};
    EXPECT_EQ(store_->Delete({}, request)->deleted, reference_->Delete({}, request)->deleted);
  }
  void Get() {
    const GetRequest request{.collection = kName, .keys = NextKeys()};
    const auto a = store_->Get({}, request).value().records;
    const auto b = reference_->Get({}, request).value().records;
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].has_value(), b[i].has_value()) << ToString(request.keys[i]);
      EXPECT_TRUE(!a[i] || SameRecord(*a[i], *b[i]));
    }
  }
  void Query() {
    QueryRequest request{.collection = kName,
                         .filter = NextFilter(),
                         .tenant = AnyTenant(),
                         .offset = random_.Below(4),
                         .limit = 1 + random_.Below(50)};
    request.output.vectors = random_.Below(2) == 0;
    ExpectSame(store_->Query({}, request)->records, reference_->Query({}, request)->records);
  }
  void Count() {
    const CountRequest request{.collection = kName, .filter = NextFilter(), .tenant = AnyTenant()};
    EXPECT_EQ(store_->Count({}, request).value(), reference_->Count({}, request).value());
  }
  void Scan() {
    ScanRequest request{.collection = kName, .tenant = AnyTenant()};
    request.limit = static_cast<uint32_t>(1 + random_.Below(30));
    if (random_.Below(2) == 0) {
      request.after = NextKey();
    }
    if (random_.Below(3) == 0) {
      request.until = NextKey();
    }
    const ScanPage a = store_->Scan({}, request).value();
    const ScanPage b = reference_->Scan({}, request).value();
    ExpectSame(a.records, b.records);
    EXPECT_EQ(a.done, b.done);
  }

  /// Distances are sums in another order, so ranks that are as good as equal may differ.
  void ExpectSameHits(const SearchRequest& request) {
    const auto a = store_->Search({}, request);
    const auto b = reference_->Search({}, request);
    ASSERT_TRUE(a.ok() && b.ok()) << a.error().ToString();
    const auto& found = a->hits.at(0);
    const auto& right = b->hits.at(0);
    ASSERT_EQ(found.size(), right.size());
    std::map<RecordKey, double> distances;
    for (const Hit& hit : right) {
      distances[hit.record.key] = hit.distance;
    }
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i].distance, right[i].distance, 1e-5) << "rank " << i;
      const auto same = distances.find(found[i].record.key);
      if (request.top_k > 3 * kKeys) {  // All hits are there, so a tie cannot be cut.
        ASSERT_NE(same, distances.end()) << ToString(found[i].record.key);
        EXPECT_NEAR(found[i].distance, same->second, 1e-5);
      }
    }
  }
  SearchRequest NextSearch() {
    SearchRequest request{.collection = kName, .filter = NextFilter(), .tenant = AnyTenant()};
    request.top_k = random_.Below(2) == 0 ? 5 : 4 * kKeys;
    request.offset = static_cast<uint32_t>(random_.Below(3));
    return request;
  }
  void Nearest() {
    SearchRequest request = NextSearch();
    request.field = "v";
    std::vector<float> query(4);
    for (float& value : query) {
      value = static_cast<float>(random_.NextDouble() * 2 - 1);
    }
    request.vectors = {Vector::Floats(query)};
    request.exact = true;
    ExpectSameHits(request);
  }
  void Sparse() {
    SearchRequest request = NextSearch();
    request.field = "sparse";
    const Record model = TestRecord("query", random_.Below(20));
    const auto vector = model.vectors.find("sparse");
    if (vector != model.vectors.end()) {
      request.vectors = {vector->second};
      ExpectSameHits(request);
    }
  }
  void Words() {
    SearchRequest request = NextSearch();
    request.field = "body";
    request.texts = {std::array{"red", "green blue", "round square red"}[random_.Below(3)]};
    ExpectSameHits(request);
  }

  /// Something that changes files, not records.
  void Files() {
    switch (random_.Below(4)) {
      case 0:
        ROOST_ASSERT_OK(store_->WaitIdle({}));
        break;
      case 1:
        ROOST_ASSERT_OK(store_->Compact({}, kName));
        break;
      case 2:
        store_.reset();
        store_ = disk_.MustOpen();
        break;
      case 3:
        disk_.PowerCut(store_, random_);
        store_ = disk_.MustOpen();
        break;
    }
    CompareAll();
  }

  SeededRandom random_;
  const bool tenants_;
  TestDisk disk_;
  CollectionSchema schema_;
  std::unique_ptr<EmbeddedStore> store_;
  std::unique_ptr<VectorStore> reference_;
};

TEST(EmbeddedProperty, AnswersAsTheReferenceStoreWhateverHappensToTheFiles) {
  for (uint64_t seed = 1; seed <= 16; ++seed) {
    Pair pair(seed, seed % 2 == 0);
    for (int turn = 0; turn < 300; ++turn) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", turn " + std::to_string(turn));
      pair.Turn();
      if (HasFailure()) {
        return;
      }
    }
    pair.CompareAll();
  }
}

}  // namespace
}  // namespace roost::embedded
