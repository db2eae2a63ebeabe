#include "router/routed_store.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "store/fake_store.h"
#include "store/faulty_store.h"

namespace roost {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Remembers what the router told it.
class FakeCapture final : public WriteCapture {
 public:
  struct Seen {
    std::vector<RecordKey> keys;
    size_t payloads = 0;
    std::vector<WriteOutcome> authority;
    std::vector<MirrorOutcome> mirror;
    bool replied_first = false;
    std::vector<bool> state;  ///< of AuthorityDoneWith: there is a record
  };

  class Bracket final : public WriteBracket {
   public:
    Bracket(FakeCapture& capture, size_t number) : capture_(capture), number_(number) {}
    uint64_t fence() const override { return 1'000 + number_; }
    bool MayMirror(size_t) const override { return capture_.may_mirror; }
    Status AuthorityDone(const RequestContext&, std::span<const WriteOutcome> outcomes) override {
      std::lock_guard lock(capture_.mutex);
      seen().authority.assign(outcomes.begin(), outcomes.end());
      return {};
    }
    Status AuthorityDoneWith(const RequestContext& context, std::span<const WriteOutcome> outcomes,
                             std::span<const Record* const> state) override {
      TRY(AuthorityDone(context, outcomes));
      std::lock_guard lock(capture_.mutex);
      for (const Record* record : state) {
        seen().state.push_back(record != nullptr);
      }
      return {};
    }
    void ReplyBeforeFinish() override {
      std::lock_guard lock(capture_.mutex);
      seen().replied_first = seen().mirror.empty();
    }
    void Finish(std::span<const MirrorOutcome> outcomes) override {
      std::lock_guard lock(capture_.mutex);
      seen().mirror.assign(outcomes.begin(), outcomes.end());
      ++capture_.finished;
    }

   private:
    Seen& seen() { return capture_.seen[number_]; }
    FakeCapture& capture_;
    const size_t number_;
  };

  Result<std::unique_ptr<WriteBracket>> Mark(const RequestContext&, std::vector<RecordKey> keys,
                                             std::span<const Record* const> payload) override {
    if (refuse) {
      return Unavailable("no marks today");
    }
    std::lock_guard lock(mutex);
    seen.push_back({.keys = std::move(keys), .payloads = payload.size()});
    return std::unique_ptr<WriteBracket>(std::make_unique<Bracket>(*this, seen.size() - 1));
  }
  bool OtherReadable(uint64_t, uint32_t) override { return readable; }
  void AnsweredByAuthority(uint32_t) override { ++answered_by_authority; }

  Seen Await(size_t number) {
    while (finished <= number) {
      std::this_thread::yield();
    }
    std::lock_guard lock(mutex);
    return seen[number];
  }

  std::mutex mutex;
  std::deque<Seen> seen;
  std::atomic<size_t> finished{0};
  std::atomic<bool> may_mirror{true};
  std::atomic<bool> refuse{false};
  std::atomic<bool> readable{true};
  std::atomic<int> answered_by_authority{0};
};

CollectionSchema Schema(const std::string& name = "c") {
  CollectionSchema schema;
  schema.name = name;
  schema.key_type = KeyType::kInt64;
  schema.fields.resize(1);
  schema.fields[0].name = "n";
  schema.fields[0].type = DataType::kInt64;
  schema.fields[0].default_value.emplace(int64_t{7});
  schema.vectors = {{.name = "v", .dimension = 2, .metric = Metric::kL2}};
  return schema;
}

Record Row(int64_t key, std::optional<int64_t> n = std::nullopt) {
  Record record;
  record.key.key = key;
  if (n.has_value()) {
    record.fields["n"] = *n;
  }
  record.vectors["v"] = Vector::Floats(std::vector<float>{static_cast<float>(key), 1});
  return record;
}

class RoutedStoreTest : public ::testing::Test {
 protected:
  RoutedStoreTest() {
    static std::atomic<int> counter{0};
    path_ = ::testing::TempDir() + "/routed." + std::to_string(::getpid()) + "." +
            std::to_string(counter++) + ".db";
    control_ = OpenSqliteControlStore({.path = path_}, *metrics_).value();
    Start();
    for (VectorStore* store : {real_a_.get(), real_b_.get()}) {
      EXPECT_TRUE(store->CreateCollection({}, {.schema = Schema()}).ok());
    }
  }
  ~RoutedStoreTest() override {
    routed_.reset();
    control_.reset();
    for (const char* end : {"", "-wal", "-shm"}) {
      std::filesystem::remove(path_ + end);
    }
  }

  void Start() {
    routed_.reset();
    routes_ = std::make_unique<RouteTable>("a");
    RoutedStoreOptions options{.default_store = "a"};
    options.mirror.timeout = std::chrono::milliseconds(300);
    options.read.other_timeout = std::chrono::milliseconds(100);
    options.shadow.exact_percent = 100;
    options.shadow.settle = std::chrono::milliseconds(50);
    routed_ = std::make_unique<RoutedStore>(
        options,
        std::vector<NamedStore>{
            {.name = "a", .store = a_.get()},
            {.name = "b", .store = b_.get(), .available = [this] { return available_.load(); }}},
        *routes_, *control_, random_, *metrics_);
    ASSERT_TRUE(routed_->LoadRoutes().ok());
  }

  /// A route of a moving collection.
  std::shared_ptr<Route> Moving(uint64_t epoch) {
    auto route = std::make_shared<Route>();
    route->collection = "c";
    route->epoch = epoch;
    route->authority = "a";
    route->other = "b";
    route->mirror = true;
    route->capture = capture_;
    route->schema = std::make_shared<CollectionSchema>(Schema());
    return route;
  }

  std::vector<int64_t> KeysOn(VectorStore& store) {
    std::vector<int64_t> keys;
    const auto page = store.Scan({}, {.collection = "c"});
    for (const Record& record : page.value().records) {
      keys.push_back(std::get<int64_t>(record.key.key));
    }
    return keys;
  }
  Result<GetResult> GetOne(int64_t key, const std::string& principal = "p") {
    return routed_->Get({.principal = principal},
                        {.collection = "c", .keys = {RecordKey{.key = key}}});
  }

  std::string path_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<VectorStore> real_a_ = MakeFakeStore();
  std::unique_ptr<VectorStore> real_b_ = MakeFakeStore();
  std::unique_ptr<FaultyStore> a_ = MakeFaultyStore(*real_a_, clock_, random_);
  std::unique_ptr<FaultyStore> b_ = MakeFaultyStore(*real_b_, clock_, random_);
  std::atomic<bool> available_{true};
  std::shared_ptr<FakeCapture> capture_ = std::make_shared<FakeCapture>();
  std::unique_ptr<ControlStore> control_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<RoutedStore> routed_;
};

TEST_F(RoutedStoreTest, WithoutAMoveOnlyTheAuthorityIsUsed) {
  b_->SetFaults({.down = true});
  ASSERT_TRUE(routed_->Insert({}, {.collection = "c", .records = {Row(1)}}).ok());
  EXPECT_THAT(KeysOn(*real_a_), ElementsAre(1));
  EXPECT_THAT(KeysOn(*real_b_), IsEmpty());
  EXPECT_TRUE(GetOne(1)->records[0].has_value());
}

TEST_F(RoutedStoreTest, AMovingWriteIsMarkedThenMirroredAsTheAuthorityKeepsIt) {
  routes_->Publish(Moving(1));
  const auto result = routed_->Upsert({}, {.collection = "c", .records = {Row(1), Row(2, 5)}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->written, 2u);
  const auto seen = capture_->Await(0);
  EXPECT_EQ(seen.keys.size(), 2u);
  EXPECT_THAT(seen.mirror, ElementsAre(MirrorOutcome::kMirrored, MirrorOutcome::kMirrored));
  const auto b = real_b_->Get({}, {.collection = "c", .keys = {RecordKey{.key = int64_t{1}}}});
  EXPECT_EQ(b->records[0]->fields.at("n"), Value(int64_t{7}));  // the default, applied
  EXPECT_EQ(routed_->MirrorOf("c").mirrored, 2u);
}

TEST_F(RoutedStoreTest, MirrorFailureDoesNotFailTheWrite) {
  routes_->Publish(Moving(1));
  b_->SetFaults({.down = true});
  ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  EXPECT_THAT(capture_->Await(0).mirror, ElementsAre(MirrorOutcome::kNotMirrored));
  b_->SetFaults({.fail_after = 1});
  ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(2)}}).ok());
  EXPECT_THAT(capture_->Await(1).mirror, ElementsAre(MirrorOutcome::kUnknown));
  EXPECT_EQ(routed_->MirrorOf("c").errors, 2u);
}

TEST_F(RoutedStoreTest, AHangingMirrorDoesNotDelayTheReply) {
  routes_->Publish(Moving(1));
  b_->SetFaults({.hang = true});
  ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  EXPECT_EQ(capture_->finished, 0u);  // the reply came while the mirror hung
  const auto seen = capture_->Await(0);
  EXPECT_TRUE(seen.replied_first);
  EXPECT_THAT(seen.mirror, ElementsAre(MirrorOutcome::kUnknown));
}

TEST_F(RoutedStoreTest, DuringARampTheReplyWaitsForTheMirror) {
  auto route = Moving(1);
  route->read_percent_other = 50;
  routes_->Publish(route);
  for (int64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(i)}}).ok());
    ASSERT_EQ(capture_->finished, static_cast<size_t>(i) + 1);
  }
}

TEST_F(RoutedStoreTest, WithoutAMarkNothingIsWritten) {
  routes_->Publish(Moving(1));
  capture_->refuse = true;
  EXPECT_EQ(routed_->Upsert({}, {.collection = "c", .records = {Row(1)}}).code(),
            Code::kUnavailable);
  EXPECT_EQ(routed_->Delete({}, {.collection = "c", .keys = {RecordKey{.key = int64_t{1}}}}).code(),
            Code::kUnavailable);
  EXPECT_THAT(KeysOn(*real_a_), IsEmpty());
}

TEST_F(RoutedStoreTest, AnInvalidWriteIsRefusedBeforeItIsMarked) {
  routes_->Publish(Moving(1));
  Record bad = Row(1);
  bad.vectors["v"] = Vector::Floats(std::vector<float>{1, 2, 3});
  EXPECT_EQ(routed_->Upsert({}, {.collection = "c", .records = {bad}}).code(),
            Code::kInvalidArgument);
  EXPECT_TRUE(capture_->seen.empty());
}

TEST_F(RoutedStoreTest, InsertMirrorsOnlyTheRowsThatWereWritten) {
  ASSERT_TRUE(real_a_->Insert({}, {.collection = "c", .records = {Row(1, 1)}}).ok());
  routes_->Publish(Moving(1));
  const auto result = routed_->Insert(
      {}, {.collection = "c", .records = {Row(2, 2), Row(1, 9), Row(2, 8), Row(3, 3)}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->written, 2u);
  ASSERT_EQ(result->errors.size(), 2u);
  EXPECT_EQ(result->errors[0].row, 1u);
  EXPECT_EQ(result->errors[1].row, 2u);
  EXPECT_EQ(result->errors[1].error.code, Code::kAlreadyExists);
  EXPECT_THAT(capture_->Await(0).authority,
              ElementsAre(WriteOutcome::kWritten, WriteOutcome::kRejected, WriteOutcome::kWritten));
  EXPECT_THAT(KeysOn(*real_b_), ElementsAre(2, 3));
}

TEST_F(RoutedStoreTest, OfDoubleRowsTheLastIsMirroredAndAllCountAsWritten) {
  routes_->Publish(Moving(1));
  const auto result =
      routed_->Upsert({}, {.collection = "c", .records = {Row(1, 1), Row(2, 2), Row(1, 3)}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->written, 3u);
  EXPECT_EQ(capture_->Await(0).keys.size(), 2u);
  for (VectorStore* store : {real_a_.get(), real_b_.get()}) {
    const auto got = store->Get({}, {.collection = "c", .keys = {RecordKey{.key = int64_t{1}}}});
    EXPECT_EQ(got->records[0]->fields.at("n"), Value(int64_t{3}));
  }
}

TEST_F(RoutedStoreTest, AuthorityOfUnknownOutcomeIsNotMirrored) {
  routes_->Publish(Moving(1));
  a_->SetFaults({.fail_after = 1});
  const auto result = routed_->Upsert({}, {.collection = "c", .records = {Row(1)}});
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().outcome_unknown);
  const auto seen = capture_->Await(0);
  EXPECT_THAT(seen.authority, ElementsAre(WriteOutcome::kUnknown));
  EXPECT_THAT(seen.mirror, ElementsAre(MirrorOutcome::kNotMirrored));
  EXPECT_THAT(KeysOn(*real_b_), IsEmpty());
}

TEST_F(RoutedStoreTest, KeysThatOthersWriteAreNotMirroredInline) {
  routes_->Publish(Moving(1));
  capture_->may_mirror = false;
  ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  EXPECT_THAT(capture_->Await(0).mirror, ElementsAre(MirrorOutcome::kNotMirrored));
  EXPECT_THAT(KeysOn(*real_b_), IsEmpty());
}

TEST_F(RoutedStoreTest, DeletesAreMirroredByKey) {
  for (VectorStore* store : {real_a_.get(), real_b_.get()}) {
    ASSERT_TRUE(store->Upsert({}, {.collection = "c", .records = {Row(1), Row(2)}}).ok());
  }
  routes_->Publish(Moving(1));
  const RecordKey one{.key = int64_t{1}};
  ASSERT_TRUE(routed_->Delete({}, {.collection = "c", .keys = {one, one}}).ok());
  EXPECT_EQ(capture_->Await(0).keys.size(), 1u);
  EXPECT_THAT(KeysOn(*real_a_), ElementsAre(2));
  EXPECT_THAT(KeysOn(*real_b_), ElementsAre(2));
}

TEST_F(RoutedStoreTest, AFilteredDeleteIsNotMirroredButItsResultIsKept) {
  for (VectorStore* store : {real_a_.get(), real_b_.get()}) {
    ASSERT_TRUE(store->Upsert({}, {.collection = "c", .records = {Row(1, 1), Row(2, 2)}}).ok());
  }
  auto route = Moving(1);
  route->capture_payload = true;
  routes_->Publish(route);
  const auto filter = ParseFilter("n == 1", Schema()).value();
  ASSERT_TRUE(routed_
                  ->Delete({}, {.collection = "c",
                                .keys = {{.key = int64_t{1}}, {.key = int64_t{2}}},
                                .filter = filter})
                  .ok());
  const auto seen = capture_->Await(0);
  EXPECT_EQ(seen.payloads, 0u);
  EXPECT_THAT(seen.state, ElementsAre(false, true));
  EXPECT_THAT(KeysOn(*real_a_), ElementsAre(2));
  EXPECT_THAT(KeysOn(*real_b_), ElementsAre(1, 2));
}

TEST_F(RoutedStoreTest, PayloadsAreMarkedWhereTheRouteAsksForThem) {
  auto route = Moving(1);
  route->capture_payload = true;
  routes_->Publish(route);
  ASSERT_TRUE(routed_->Upsert({}, {.collection = "c", .records = {Row(1), Row(2)}}).ok());
  EXPECT_EQ(capture_->Await(0).payloads, 2u);
}

TEST_F(RoutedStoreTest, AShareOfTheSessionsReadsTheOtherStore) {
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  auto route = Moving(1);
  route->read_percent_other = 50;
  routes_->Publish(route);
  int from_b = 0;
  for (int i = 0; i < 400; ++i) {
    const bool first = GetOne(1, std::to_string(i))->records[0].has_value();
    from_b += first ? 1 : 0;
    EXPECT_EQ(GetOne(1, std::to_string(i))->records[0].has_value(), first);
  }
  EXPECT_NEAR(from_b, 200, 60);
}

TEST_F(RoutedStoreTest, UnsettledScopeOrOpenBreakerSendsReadsToTheAuthority) {
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  auto route = Moving(1);
  route->read_percent_other = 100;
  routes_->Publish(route);
  EXPECT_FALSE(GetOne(1)->records[0].has_value());  // b has nothing
  capture_->readable = false;
  EXPECT_TRUE(GetOne(1)->records[0].has_value());
  EXPECT_EQ(capture_->answered_by_authority, 1);
  capture_->readable = true;
  available_ = false;
  EXPECT_TRUE(GetOne(1)->records[0].has_value());
}

TEST_F(RoutedStoreTest, AReadThatTheOtherStoreFailsIsAnsweredByTheAuthority) {
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = {Row(1)}}).ok());
  auto route = Moving(1);
  route->read_percent_other = 100;
  routes_->Publish(route);
  b_->SetFaults({.down = true});
  EXPECT_TRUE(GetOne(1)->records[0].has_value());
  b_->SetFaults({.hang = true});
  EXPECT_TRUE(GetOne(1)->records[0].has_value());
}

TEST_F(RoutedStoreTest, AReadThatASwitchOvertookIsRepeated) {
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = {Row(1, 1)}}).ok());
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = {Row(1, 2)}}).ok());
  routes_->Publish(Moving(1));
  a_->SetFaults({.delay = std::chrono::milliseconds(200)});
  std::optional<Result<GetResult>> got;
  std::jthread reader([&] { got = GetOne(1); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  auto switched = Moving(2);
  std::swap(switched->authority, switched->other);
  routes_->Publish(switched);
  reader.join();
  EXPECT_EQ((*got)->records[0]->fields.at("n"), Value(int64_t{2}));
}

TEST_F(RoutedStoreTest, WhileTheRoutesCannotBeReliedOnNothingIsWrittenOrAnswered) {
  std::atomic<bool> held{true};
  routes_->GuardWith([&] { return held ? Status() : Unavailable("no contact"); });
  ASSERT_TRUE(routed_->Insert({}, {.collection = "c", .records = {Row(1)}}).ok());
  ASSERT_TRUE(GetOne(1).ok());
  a_->SetFaults({.delay = std::chrono::milliseconds(100)});
  std::jthread lose([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    held = false;
  });
  EXPECT_EQ(GetOne(1).code(), Code::kUnavailable) << "a read that was under way is not answered";
  lose.join();
  a_->SetFaults({});
  EXPECT_EQ(GetOne(1).error().message, "no contact");
  EXPECT_EQ(routed_->Insert({}, {.collection = "c", .records = {Row(2)}}).code(),
            Code::kUnavailable);
  EXPECT_EQ(routed_->Delete({}, {.collection = "c", .keys = {RecordKey{.key = 1}}}).code(),
            Code::kUnavailable);
  EXPECT_EQ(routed_->DropCollection({}, {.collection = "c"}).code(), Code::kUnavailable);
  held = true;
  EXPECT_EQ(KeysOn(*real_a_), std::vector<int64_t>{1});
  EXPECT_TRUE(GetOne(1).value().records[0].has_value());
}

TEST_F(RoutedStoreTest, ShadowReadsAreComparedOffTheClientsPath) {
  std::vector<Record> rows;
  for (int64_t i = 0; i < 20; ++i) {
    rows.push_back(Row(i));
  }
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = rows}).ok());
  rows.erase(rows.begin());  // b lacks the nearest hit
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = rows}).ok());
  auto route = Moving(1);
  route->shadow_percent = 100;
  routes_->Publish(route);
  const SearchRequest search{
      .collection = "c", .vectors = {Vector::Floats(std::vector<float>{0, 1})}, .top_k = 10};
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(routed_->Search({}, search).ok());
  }
  while (routed_->ShadowOf("c").reads < 10) {
    std::this_thread::yield();
  }
  const ShadowReport report = routed_->ShadowOf("c");
  EXPECT_NEAR(report.overlap, 0.9, 1e-9);
  EXPECT_EQ(report.exact_reads, 10u);
  EXPECT_NEAR(report.recall_authority, 1, 1e-9);
  EXPECT_NEAR(report.recall_other, 0.9, 1e-9);
  EXPECT_NEAR(report.recall_difference_low, -0.1, 1e-6);
  b_->SetFaults({.down = true});
  ASSERT_TRUE(routed_->Search({}, search).ok());
  while (routed_->ShadowOf("c").errors < 1) {
    std::this_thread::yield();
  }
}

TEST_F(RoutedStoreTest, ARecordThatArrivesWhileShadowReadsCompareIsNotMissed) {
  std::vector<Record> rows;
  for (int64_t i = 0; i < 20; ++i) {
    rows.push_back(Row(i));
  }
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = rows}).ok());
  const Record late = rows.front();
  rows.erase(rows.begin());
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = rows}).ok());
  auto route = Moving(1);
  route->shadow_percent = 100;
  routes_->Publish(route);
  Failpoints::Clear();
  ASSERT_TRUE(Failpoints::Set("shadow_settles=sleep:500").ok());
  ASSERT_TRUE(routed_
                  ->Search({}, {.collection = "c",
                                .vectors = {Vector::Floats(std::vector<float>{0, 1})},
                                .top_k = 10})
                  .ok());
  while (Failpoints::Hits("shadow_settles") < 1) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = {late}}).ok());
  while (routed_->ShadowOf("c").reads < 1) {
    std::this_thread::yield();
  }
  const ShadowReport report = routed_->ShadowOf("c");
  EXPECT_EQ(report.exact_reads, 1u);
  EXPECT_NEAR(report.overlap, 0.9, 1e-9);
  EXPECT_NEAR(report.recall_other, 1, 1e-9);
  Failpoints::Clear();
}

TEST_F(RoutedStoreTest, AShadowReadIsNotJudgedWhenTheExactAnswerChanges) {
  std::vector<Record> rows;
  for (int64_t i = 0; i < 20; ++i) {
    rows.push_back(Row(i));
  }
  ASSERT_TRUE(real_a_->Upsert({}, {.collection = "c", .records = rows}).ok());
  Record nearest = rows.front();
  rows.erase(rows.begin());
  ASSERT_TRUE(real_b_->Upsert({}, {.collection = "c", .records = rows}).ok());
  auto route = Moving(1);
  route->shadow_percent = 100;
  routes_->Publish(route);
  Failpoints::Clear();
  ASSERT_TRUE(Failpoints::Set("shadow_settles=sleep:500").ok());
  ASSERT_TRUE(routed_
                  ->Search({}, {.collection = "c",
                                .vectors = {Vector::Floats(std::vector<float>{0, 1})},
                                .top_k = 10})
                  .ok());
  while (Failpoints::Hits("shadow_settles") < 1) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(real_a_->Delete({}, {.collection = "c", .keys = {nearest.key}}).ok());
  while (routed_->ShadowOf("c").reads < 1) {
    std::this_thread::yield();
  }
  EXPECT_EQ(routed_->ShadowOf("c").exact_reads, 0u);
  Failpoints::Clear();
}

TEST_F(RoutedStoreTest, AFullShadowPoolDropsAndCounts) {
  auto route = Moving(1);
  route->shadow_percent = 100;
  routes_->Publish(route);
  b_->SetFaults({.hang = true});
  const SearchRequest search{.collection = "c",
                             .vectors = {Vector::Floats(std::vector<float>{0, 1})}};
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(routed_->Search({}, search).ok());
  }
  EXPECT_GE(routed_->ShadowOf("c").dropped, 50u);
  b_->SetFaults({.down = true});
}

TEST_F(RoutedStoreTest, ACollectionCanBeCreatedOnAnyStoreAndIsFoundAfterARestart) {
  ASSERT_TRUE(routed_->CreateOn({}, "b", {.schema = Schema("onb")}).ok());
  EXPECT_EQ(routed_->StoreOf("onb"), "b");
  EXPECT_EQ(routed_->CreateOn({}, "", {.schema = Schema("onb")}).code(), Code::kAlreadyExists);
  EXPECT_EQ(routed_->CreateOn({}, "b", {.schema = Schema("c")}).code(), Code::kAlreadyExists);
  EXPECT_EQ(routed_->CreateOn({}, "x", {.schema = Schema("d")}).code(), Code::kNotFound);
  EXPECT_THAT(routed_->ListCollections({}).value(), ElementsAre("c", "onb"));
  Start();
  EXPECT_EQ(routed_->StoreOf("onb"), "b");
  EXPECT_TRUE(routed_->DescribeCollection({}, "onb").ok());
  ASSERT_TRUE(routed_->DropCollection({}, {.collection = "onb"}).ok());
  EXPECT_EQ(routed_->StoreOf("onb"), "a");
  EXPECT_THAT(routed_->ListCollections({}).value(), ElementsAre("c"));
  EXPECT_TRUE(routed_->CreateOn({}, "a", {.schema = Schema("onb")}).ok());
}

TEST_F(RoutedStoreTest, AFailedCreationLeavesNoRoute) {
  CollectionSchema bad = Schema("bad");
  bad.vectors[0].dimension = 0;
  EXPECT_FALSE(routed_->CreateOn({}, "b", {.schema = bad}).ok());
  EXPECT_EQ(routed_->StoreOf("bad"), "a");
}

TEST_F(RoutedStoreTest, AMovingCollectionCannotBeDropped) {
  routes_->Publish(Moving(1));
  const Status dropped = routed_->DropCollection({}, {.collection = "c"});
  EXPECT_EQ(dropped.code(), Code::kFailedPrecondition);
  EXPECT_THAT(dropped.error().message, HasSubstr("is being moved"));
  EXPECT_TRUE(real_a_->DescribeCollection({}, "c").ok());
}

}  // namespace
}  // namespace roost
