// What users see when an address is wrong or somebody else meddles with a collection, of every kind
// of store alike: each error names the server and says what to do, no secret is shown, nothing
// hangs, and no wrong data comes out.

#include <algorithm>
#include <array>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/all.h"
#include "net/http_testing.h"
#include "store_kind.h"

namespace roost {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kKinds = 4;
/// Longer than a refusal may take: connecting gives up after ten seconds or so.
constexpr std::chrono::seconds kLongest{25};

/// The servers of all kinds, started together.
class Kinds {
 public:
  static Kinds& All() {
    TestClock();  // Outlive the clients of the kinds.
    TestMetrics();
    static Kinds kinds;
    return kinds;
  }
  StoreKind& at(size_t i) { return *kinds_[i]; }

 private:
  Kinds() {
    for (const bool fronts : {false, true}) {
      std::vector<PeerProcess*> peers;
      for (const auto& kind : kinds_) {
        for (PeerProcess* peer : fronts ? kind->Fronts() : kind->Servers()) {
          peers.push_back(peer);
        }
      }
      if (const Status started = StartTogether(peers); !started.ok()) {
        FailWithoutPeer(started.error());
      }
    }
  }

  std::array<std::unique_ptr<StoreKind>, kKinds> kinds_ = {
      MakeMilvusKind(), MakeWeaviateKind(), MakeOpenSearchKind(), MakePgVectorKind()};
};

Result<std::unique_ptr<VectorStore>> Connect(const std::string& address) {
  return ConnectStore(address, {}, TestClock(), TestMetrics());
}

/// What the store at `port` is known by in an error, and that nothing secret is in it.
void ExpectNames(const Error& error, uint16_t port) {
  EXPECT_THAT(error.message, HasSubstr(LocalHost(port)));
  EXPECT_THAT(error.message, Not(HasSubstr("secret")));
}

/// The error of connecting, which comes soon.
Error Refused(const std::string& address, uint16_t port) {
  const auto before = steady_clock::now();
  const auto store = Connect(address);
  EXPECT_LT(steady_clock::now() - before, kLongest) << address;
  EXPECT_FALSE(store.ok()) << address;
  if (store.ok()) {
    return {};
  }
  ExpectNames(store.error(), port);
  EXPECT_FALSE(store.error().outcome_unknown);
  return store.error();
}

class StoreErrors : public testing::TestWithParam<size_t> {
 protected:
  StoreKind& kind() { return Kinds::All().at(GetParam()); }

  /// A store with a collection of its own that holds the record "a", which both remember.
  void Fill() {
    auto connected = Connect(kind().Address());
    ASSERT_TRUE(connected.ok()) << connected.error().ToString();
    store_ = *std::move(connected);
    static int next = 0;
    schema_.name = "errors" + std::to_string(getpid()) + "_" + std::to_string(next++);
    schema_.fields = {{.name = "n", .type = DataType::kInt64}};
    schema_.vectors = {{.name = "v", .dimension = 4, .metric = Metric::kL2}};
    const Status made = store_->CreateCollection(Soon(), {.schema = schema_});
    ASSERT_TRUE(made.ok()) << made.error().ToString();
    const auto written = Upsert("a");
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    EXPECT_EQ(Count(), 1u);
  }
  static Record Row(const std::string& key) {
    Record record;
    record.key.key = key;
    record.fields["n"] = int64_t{1};
    record.vectors["v"] = Vector::Floats(std::vector<float>{1, 2, 3, 4});
    return record;
  }
  Status Upsert(const std::string& key) {
    const auto written =
        store_->Upsert(Soon(), {.collection = schema_.name, .records = {Row(key)}});
    if (!written.ok()) {
      return written.error();
    }
    return written->errors.empty() ? Status() : Status(written->errors[0].error);
  }
  Status Insert(const std::string& key) {
    const auto written =
        store_->Insert(Soon(), {.collection = schema_.name, .records = {Row(key)}});
    if (!written.ok()) {
      return written.error();
    }
    return written->errors.empty() ? Status() : Status(written->errors[0].error);
  }
  Result<SearchResult> Search() {
    return store_->Search(Soon(),
                          {.collection = schema_.name, .vectors = {Row("").vectors.at("v")}});
  }
  uint64_t Count() {
    const auto count = store_->Count(Soon(), {.collection = schema_.name});
    EXPECT_TRUE(count.ok()) << count.error().ToString();
    return count.ok() ? *count : 999;
  }

  static bool Shows(const std::vector<Record>& records, const RecordKey& key) {
    return std::any_of(records.begin(), records.end(),
                       [&](const Record& record) { return record.key == key; });
  }
  /// How every call on the collection ends; nothing where it succeeds without giving data.
  std::vector<std::pair<std::string, Error>> EveryCall() {
    std::vector<std::pair<std::string, Error>> errors;
    const auto note = [&](const char* call, const auto& result) {
      if (!result.ok()) {
        errors.emplace_back(call, result.error());
      }
    };
    const std::string& name = schema_.name;
    const RecordKey key = Row("a").key;
    note("upsert", Upsert("a"));
    note("insert", Insert("b"));
    const auto got = store_->Get(Soon(), {.collection = name, .keys = {key}});
    note("get", got);
    EXPECT_FALSE(got.ok() && got->records.at(0)) << "a record that is not there";
    const auto queried = store_->Query(Soon(), {.collection = name});
    note("query", queried);
    EXPECT_FALSE(queried.ok() && Shows(queried->records, key)) << "a record that is not there";
    const auto found = Search();
    note("search", found);
    EXPECT_FALSE(found.ok() && !found->hits.at(0).empty()) << "a record that is not there";
    const auto page = store_->Scan(Soon(), {.collection = name});
    note("scan", page);
    EXPECT_FALSE(page.ok() && Shows(page->records, key)) << "a record that is not there";
    note("count", store_->Count(Soon(), {.collection = name}));
    note("describe", store_->DescribeCollection(Soon(), name));
    note("delete", store_->Delete(Soon(), {.collection = name, .keys = {key}}));
    return errors;
  }

  CollectionSchema schema_;
  std::unique_ptr<VectorStore> store_;
};

TEST_P(StoreErrors, WrongCredentials) {
  for (const auto& address : kind().WrongCredentials()) {
    const Error error = Refused(address, kind().Port());
    EXPECT_EQ(error.code, Code::kUnauthenticated) << error.ToString();
    EXPECT_THAT(error.message, HasSubstr("check"));
  }
}

TEST_P(StoreErrors, UnreachableHost) {
  const Error error = Refused(kind().AddressAt(1), 1);
  EXPECT_EQ(error.code, Code::kUnavailable) << error.ToString();
  EXPECT_THAT(error.message, HasSubstr("onnection refused"));
  EXPECT_THAT(error.message, testing::ContainsRegex("running|check"));
}

TEST_P(StoreErrors, ExpiredCertificate) {
  const Error error = Refused(kind().Expired(), kind().ExpiredPort());
  EXPECT_EQ(error.code, Code::kUnavailable) << error.ToString();
  EXPECT_THAT(error.message, HasSubstr("expired"));
  EXPECT_THAT(error.message, HasSubstr("check its certificate"));
}

TEST_P(StoreErrors, ServerOfAnotherKind) {
  TestServer web;
  web.AddEcho();
  web.Start();
  std::vector<uint16_t> ports = {web.port()};
  for (size_t i = 0; i < kKinds; ++i) {
    if (i != GetParam()) {
      ports.push_back(Kinds::All().at(i).Servers()[0]->port());
    }
  }
  for (const uint16_t port : ports) {
    const Error error = Refused(kind().AddressAt(port), port);
    // Some hang up without a word, some ask for credentials first.
    EXPECT_TRUE(error.code == Code::kFailedPrecondition || error.code == Code::kUnavailable ||
                error.code == Code::kUnauthenticated)
        << error.ToString();
    EXPECT_THAT(error.message, HasSubstr("check host and port"));
  }
}

TEST(StoreErrorsOfWeaviate, WrongGrpcPort) {
  StoreKind& weaviate = Kinds::All().at(1);
  std::string address = weaviate.Address();
  const size_t option = address.find("grpc_port=") + std::string_view("grpc_port=").size();
  address.replace(option, address.find('&') - option, "1");
  const Error error = Refused(address, weaviate.Port());
  EXPECT_EQ(error.code, Code::kUnavailable) << error.ToString();
  EXPECT_THAT(error.message, HasSubstr("127.0.0.1:1:"));
  EXPECT_THAT(error.message, HasSubstr("check grpc_port"));
}

TEST_P(StoreErrors, CollectionDroppedByOthers) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  kind().Drop(schema_);
  const auto errors = EveryCall();
  EXPECT_EQ(errors.size(), 9u) << "each call must notice";
  for (const auto& [call, error] : errors) {
    EXPECT_TRUE(error.code == Code::kNotFound || error.code == Code::kDataLoss)
        << call << ": " << error.ToString();
    EXPECT_THAT(error.message, HasSubstr("\"" + schema_.name + "\"")) << call;
    EXPECT_THAT(error.message, testing::ContainsRegex("create it|drop the collection")) << call;
    ExpectNames(error, kind().Port());
  }
  static_cast<void>(store_->DropCollection(Soon(), {.collection = schema_.name}));
  const Status again = store_->CreateCollection(Soon(), {.schema = schema_});
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(Count(), 0u);
  const Status written = Upsert("a");
  EXPECT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(Count(), 1u);
  EXPECT_TRUE(store_->DropCollection(Soon(), {.collection = schema_.name}).ok());
}

TEST_P(StoreErrors, DimensionChangedByOthers) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  kind().Replace(schema_);
  std::set<std::string> refused;
  for (const auto& [call, error] : EveryCall()) {
    refused.insert(call);
    EXPECT_TRUE(error.code == Code::kFailedPrecondition || error.code == Code::kDataLoss)
        << call << ": " << error.ToString();
    EXPECT_THAT(error.message, testing::ContainsRegex("drop|delete it")) << call;
    ExpectNames(error, kind().Port());
  }
  for (const char* call : {"upsert", "insert", "search"}) {
    EXPECT_TRUE(refused.contains(call)) << call << " takes vectors of 4 dimensions";
  }
  const auto list = store_->ListCollections(Soon());
  EXPECT_TRUE(list.ok()) << list.error().ToString();
  kind().Drop(schema_);
  static_cast<void>(store_->DropCollection(Soon(), {.collection = schema_.name}));
  const Status again = store_->CreateCollection(Soon(), {.schema = schema_});
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  const Status written = Upsert("a");
  EXPECT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(Count(), 1u);
  EXPECT_TRUE(store_->DropCollection(Soon(), {.collection = schema_.name}).ok());
}

std::string KindName(const testing::TestParamInfo<size_t>& kind) {
  constexpr std::array kNames = {"Milvus", "Weaviate", "OpenSearch", "PgVector"};
  return kNames[kind.param];
}
INSTANTIATE_TEST_SUITE_P(Every, StoreErrors, testing::Range<size_t>(0, kKinds), KindName);

}  // namespace
}  // namespace roost
