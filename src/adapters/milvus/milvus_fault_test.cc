// What callers see when Milvus refuses, loses or breaks a call: against a server that does as the
// test says.

#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/milvus/milvus_codec.h"
#include "adapters/milvus/milvus_raw.h"
#include "net/grpc_testing.h"

namespace roost {
namespace {

namespace pb = milvus_messages;
using testing::HasSubstr;

/// Plays a Milvus 2.3.5 with one collection that takes every write and finds nothing.
class PlayedMilvus {
 public:
  using Answer = std::function<GrpcTestServer::Reply(const std::string& message)>;

  PlayedMilvus() {
    pb::GetVersionResponse version;
    version.set_version("v2.3.5");
    Play("GetVersion", version);
    Play("ShowCollections", pb::ShowCollectionsResponse());
    pb::DescribeCollectionResponse described;
    layout_.ToProto(*described.mutable_schema());
    described.set_collectionid(7);
    Play("DescribeCollection", described);
    Play("LoadCollection", milvus::proto::common::Status());
    pb::GetLoadingProgressResponse loaded;
    loaded.set_progress(100);
    Play("GetLoadingProgress", loaded);
    pb::AllocTimestampResponse time;
    time.set_timestamp(5);
    Play("AllocTimestamp", time);
    Play("Upsert", pb::MutationResult());
    Play("Delete", pb::MutationResult());
    Play("Query", pb::QueryResults());
    Play("Search", pb::SearchResults());
  }

  template <typename Reply>
  void Play(const std::string& name, const Reply& reply) {
    Answer answer = [bytes = reply.SerializeAsString()](const std::string&) {
      return GrpcTestServer::Reply::Message(bytes);
    };
    PlayAnswer(name, std::move(answer));
  }
  void PlayAnswer(const std::string& name, Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_[name] = std::move(answer);
  }
  int Calls(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }
  const MilvusLayout& layout() const { return layout_; }
  MilvusOptions options() const {
    MilvusOptions options;
    options.uri = "milvus://127.0.0.1:" + std::to_string(server_.port());
    return options;
  }

 private:
  void Serve(GrpcTestServer::Connection& connection, const GrpcTestServer::Request& request) {
    const std::string name = request.path.substr(request.path.rfind('/') + 1);
    Answer answer;
    {
      const std::lock_guard lock(mutex_);
      ++calls_[name];
      const auto found = answers_.find(name);
      answer = found == answers_.end() ? nullptr : found->second;
    }
    connection.Send(request.stream, answer ? answer(request.message())
                                           : GrpcTestServer::Reply::Status(12, "unknown method"));
  }

  const MilvusLayout layout_{PlainSchema(), "00c0ffee"};
  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::map<std::string, int> calls_;
  GrpcTestServer server_{
      [this](auto& connection, const auto& request) { Serve(connection, request); }};
};

template <typename Reply>
Reply Refused(int code, const std::string& reason) {
  Reply reply;
  auto& status = [&]() -> milvus::proto::common::Status& {
    if constexpr (std::is_same_v<Reply, milvus::proto::common::Status>) {
      return reply;
    } else {
      return *reply.mutable_status();
    }
  }();
  status.set_code(code);
  status.set_reason(reason);
  return reply;
}

class MilvusFaultTest : public testing::Test {
 protected:
  Result<WriteResult> Upsert(std::vector<Record> rows) {
    return store_->Upsert(Soon(),
                          {.collection = played_.layout().schema.name, .records = std::move(rows)});
  }
  Result<SearchResult> Search() {
    return store_->Search(Soon(), {.collection = played_.layout().schema.name,
                                   .vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})}});
  }

  PlayedMilvus played_;
  std::unique_ptr<VectorStore> store_ = OpenStore(played_.options());
};

TEST_F(MilvusFaultTest, RateLimitMayBeTriedAgainAndWroteNothing) {
  // Milvus sets `retriable` to false here.
  played_.Play("Upsert", Refused<pb::MutationResult>(8, "request is rejected: rate limit"));
  const auto written = Upsert({PlainRow("a", 1)});
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kResourceExhausted);
  EXPECT_FALSE(written.error().outcome_unknown);
  EXPECT_THAT(written.error().message, HasSubstr("Milvus at 127.0.0.1"));
  EXPECT_THAT(written.error().message, HasSubstr("rate limit"));
}

// Without the halving of refused batches nothing is written and the call as a whole fails.
TEST_F(MilvusFaultTest, Trap15_BadRowsDoNotTakeTheOthersOfTheirBatchWithThem) {
  std::mutex mutex;
  std::set<std::string> stored;
  played_.PlayAnswer("Upsert", [&](const std::string& message) {
    pb::UpsertRequest request;
    EXPECT_TRUE(request.ParseFromString(message));
    const auto& keys = request.fields_data(0).scalars().string_data().data();
    const bool bad = std::any_of(keys.begin(), keys.end(),
                                 [](const std::string& key) { return key.starts_with("bad"); });
    const std::lock_guard lock(mutex);
    if (!bad) {
      stored.insert(keys.begin(), keys.end());
    }
    return GrpcTestServer::Reply::Message(
        (bad ? Refused<pb::MutationResult>(1100, "the length exceeds max length")
             : pb::MutationResult())
            .SerializeAsString());
  });
  std::vector<Record> rows;
  for (int i = 0; i < 40; ++i) {
    rows.push_back(PlainRow((i == 7 || i == 23 ? "bad" : "good") + std::to_string(i), i));
  }
  const auto written = Upsert(rows);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->written, 38u);
  EXPECT_EQ(stored.size(), 38u);
  ASSERT_EQ(written->errors.size(), 2u);
  EXPECT_EQ(written->errors[0].row, 7u);
  EXPECT_EQ(written->errors[1].row, 23u);
  EXPECT_EQ(written->errors[0].error.code, Code::kInvalidArgument);
  EXPECT_FALSE(written->errors[0].error.outcome_unknown);
}

TEST_F(MilvusFaultTest, BatchThatFailsAfterAnotherIsSaidRowByRow) {
  auto options = played_.options();
  options.batch_rows = 10;
  store_ = OpenStore(options);
  std::atomic<int> batch = 0;
  played_.PlayAnswer("Upsert", [&](const std::string&) {
    return GrpcTestServer::Reply::Message(
        (++batch == 2 ? Refused<pb::MutationResult>(2, "service unavailable")
                      : pb::MutationResult())
            .SerializeAsString());
  });
  std::vector<Record> rows;
  for (int i = 0; i < 30; ++i) {
    rows.push_back(PlainRow(std::to_string(i), i));
  }
  const auto written = Upsert(rows);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(written->written, 10u);
  ASSERT_EQ(written->errors.size(), 20u);
  EXPECT_EQ(written->errors[0].row, 10u);
  EXPECT_TRUE(written->errors[0].error.outcome_unknown) << "it was sent";
  EXPECT_FALSE(written->errors[10].error.outcome_unknown) << "it was not";
  EXPECT_EQ(batch, 2);
}

TEST_F(MilvusFaultTest, CollectionThatIsNotLoadedIsLoadedOnce) {
  std::atomic<int> searches = 0;
  played_.PlayAnswer("Search", [&](const std::string&) {
    return GrpcTestServer::Reply::Message(
        (++searches == 1 ? Refused<pb::SearchResults>(101, "collection not loaded")
                         : pb::SearchResults())
            .SerializeAsString());
  });
  EXPECT_TRUE(Search().ok());
  EXPECT_EQ(searches, 2);
  EXPECT_EQ(played_.Calls("LoadCollection"), 1);
  played_.Play("Search", Refused<pb::SearchResults>(101, "collection not loaded"));
  const auto again = Search();
  EXPECT_EQ(again.code(), Code::kFailedPrecondition);
  EXPECT_EQ(played_.Calls("LoadCollection"), 2) << "once a call";
}

TEST_F(MilvusFaultTest, LostReplyOfAWriteIsAnUnknownOutcome) {
  played_.PlayAnswer("Upsert", [](const std::string&) {
    GrpcTestServer::Reply reply;
    reply.reset = 2;  // INTERNAL_ERROR
    return reply;
  });
  const auto written = Upsert({PlainRow("a", 1)});
  ASSERT_FALSE(written.ok());
  EXPECT_TRUE(written.error().outcome_unknown) << written.error().ToString();
}

TEST_F(MilvusFaultTest, ReplyWithoutItsColumnsIsDataLoss) {
  pb::QueryResults short_one;
  auto& key = *short_one.add_fields_data();
  key.set_field_name(played_.layout().key_name());
  key.mutable_scalars()->mutable_string_data()->add_data("a");
  played_.Play("Query", short_one);
  const auto found = store_->Query(Soon(), {.collection = played_.layout().schema.name});
  EXPECT_EQ(found.code(), Code::kDataLoss) << found.error().ToString();
}

TEST_F(MilvusFaultTest, UnhealthyServerSaysWhy) {
  pb::CheckHealthResponse sick;
  sick.add_reasons("querynode 3 is offline");
  played_.Play("CheckHealth", sick);
  const auto health = store_->CheckHealth(Soon());
  EXPECT_EQ(health.code(), Code::kUnavailable);
  EXPECT_THAT(health.error().message, HasSubstr("querynode 3 is offline"));
}

TEST(MilvusFault, TooOldServersAreRefused) {
  PlayedMilvus played;
  pb::GetVersionResponse version;
  version.set_version("v2.2.16");
  played.Play("GetVersion", version);
  const auto store = OpenMilvusStore(played.options(), TestClock(), TestMetrics());
  EXPECT_EQ(store.code(), Code::kFailedPrecondition);
  EXPECT_THAT(store.error().message, HasSubstr("v2.2.16"));
  EXPECT_THAT(store.error().message, HasSubstr("2.3 or later"));
}

TEST(MilvusFault, ServerOfAnotherKindIsSaid) {
  const GrpcTestServer server([](auto& connection, const auto& request) {
    connection.Send(request.stream, GrpcTestServer::Reply::Status(12, "unknown service"));
  });
  MilvusOptions options;
  options.uri = "milvus://127.0.0.1:" + std::to_string(server.port());
  const auto store = OpenMilvusStore(options, TestClock(), TestMetrics());
  EXPECT_EQ(store.code(), Code::kFailedPrecondition);
  EXPECT_THAT(store.error().message, HasSubstr("is not Milvus"));
}

TEST(MilvusFault, ServerOfAnotherProtocolIsSaid) {
  GrpcTestServer::Options options;
  options.first_bytes = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
  const GrpcTestServer server([](auto&, const auto&) {}, options);
  MilvusOptions address;
  address.uri = "milvus://127.0.0.1:" + std::to_string(server.port()) + "?connect_timeout_ms=2000";
  const auto store = OpenMilvusStore(address, TestClock(), TestMetrics());
  ASSERT_FALSE(store.ok());
  EXPECT_TRUE(store.code() == Code::kFailedPrecondition || store.code() == Code::kUnavailable)
      << store.error().ToString();
  EXPECT_THAT(store.error().message, HasSubstr("Milvus at 127.0.0.1:"));
}

TEST_F(MilvusFaultTest, DeleteThatFailsHalfWaySaysWhichKeysAreLeft) {
  std::atomic<int> deletes = 0;
  played_.PlayAnswer("Delete", [&](const std::string&) {
    return GrpcTestServer::Reply::Message(
        (++deletes == 2 ? Refused<pb::MutationResult>(8, "rate limit") : pb::MutationResult())
            .SerializeAsString());
  });
  std::vector<RecordKey> keys;
  for (int i = 0; i < 5'000; ++i) {
    keys.push_back(KeyOf("k" + std::to_string(10'000 + i)));
  }
  const auto deleted =
      store_->Delete(Soon(), {.collection = played_.layout().schema.name, .keys = keys});
  ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  EXPECT_EQ(deleted->deleted, 4'096u);
  ASSERT_EQ(deleted->errors.size(), 5'000u - 4'096u);
  EXPECT_EQ(deleted->errors[0].row, 4'096u);
  EXPECT_EQ(deleted->errors[0].error.code, Code::kResourceExhausted);
}

TEST(MilvusFault, AddressesAreCheckedWithoutRepeatingSecrets) {
  for (const char* uri : {"", "milvus://", "http://h:1", "milvus://u:geheim@h:port",
                          "milvus://u:geheim@h?nonsense=1", "milvus://u:geheim@h?shards=99"}) {
    MilvusOptions options;
    options.uri = uri;
    const auto store = OpenMilvusStore(options, TestClock(), TestMetrics());
    EXPECT_EQ(store.code(), Code::kInvalidArgument) << uri;
    EXPECT_THAT(store.error().message, testing::Not(HasSubstr("geheim")));
  }
}

}  // namespace
}  // namespace roost
