// Real servers that ask for a password, speak TLS, hang, end and come back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/milvus/milvus_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Result<std::unique_ptr<VectorStore>> Open(const MilvusOptions& options) {
  return OpenMilvusStore(options, TestClock(), TestMetrics());
}

/// Makes a collection, writes and reads.
void ExpectWorks(const MilvusOptions& options) {
  const auto store = Open(options);
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  const auto schema = PlainSchema();
  const auto made = (*store)->CreateCollection(Soon(), {.schema = schema});
  ASSERT_TRUE(made.ok()) << made.error().ToString();
  ASSERT_TRUE(
      (*store)->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}}).ok());
  const auto count = (*store)->Count(Soon(), {.collection = schema.name});
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(*count, 1u);
  EXPECT_TRUE((*store)->CheckHealth(Soon()).ok());
  EXPECT_TRUE((*store)->DropCollection(Soon(), {.collection = schema.name}).ok());
}

TEST(MilvusServerTest, PasswordsAreAskedForAndNeverShown) {
  const auto peer = MilvusPeer::Launch({.data_folder = {}, .auth = true});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  ExpectWorks(OptionsFor(**peer, "root:Milvus@"));
  ExpectWorks(OptionsFor(**peer, "", "?token=root%3AMilvus"));
  for (const auto& options :
       {OptionsFor(**peer), OptionsFor(**peer, "root:geheim@"),
        OptionsFor(**peer, "nobody:geheim@"), OptionsFor(**peer, "", "?token=geheim")}) {
    const auto refused = Open(options);
    ASSERT_FALSE(refused.ok()) << options.uri;
    EXPECT_EQ(refused.code(), Code::kUnauthenticated) << refused.error().ToString();
    EXPECT_THAT(refused.error().message, HasSubstr("Milvus at 127.0.0.1"));
    EXPECT_THAT(refused.error().message, HasSubstr("user and password"));
    EXPECT_THAT(refused.error().message, Not(HasSubstr("geheim")));
  }
  const auto no_database = Open(OptionsFor(**peer, "root:Milvus@", "/nowhere"));
  EXPECT_EQ(no_database.code(), Code::kFailedPrecondition) << no_database.error().ToString();
  EXPECT_THAT(no_database.error().message, HasSubstr("nowhere"));
}

TEST(MilvusServerTest, TlsIsCheckedUnlessToldNotTo) {
  const auto peer = MilvusPeer::Launch({.data_folder = {}, .tls = true});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  ExpectWorks(OptionsFor(**peer, "", "?tls=true&ca_file=" + (*peer)->ca_file()));
  ExpectWorks(OptionsFor(**peer, "", "?tls=true&verify=false"));
  const auto unknown = Open(OptionsFor(**peer, "", "?tls=true"));
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.code(), Code::kUnavailable) << unknown.error().ToString();
  EXPECT_THAT(unknown.error().message, HasSubstr("certificate"));
  const auto plain = Open(OptionsFor(**peer, "", "?connect_timeout_ms=2000"));
  ASSERT_FALSE(plain.ok()) << "without TLS";
}

TEST(MilvusServerTest, UnreachableServerIsUnavailable) {
  MilvusOptions options;
  options.uri = "milvus://127.0.0.1:1?connect_timeout_ms=1000";
  const auto store = Open(options);
  EXPECT_EQ(store.code(), Code::kUnavailable);
  EXPECT_THAT(store.error().message, HasSubstr("127.0.0.1:1"));
}

TEST(MilvusServerTest, OneOfSeveralEndpointsIsEnough) {
  auto options = SharedServer();
  options.uri = "milvus://127.0.0.1:1,127.0.0.1:" + std::to_string(QuickMilvus().port());
  ExpectWorks(options);
}

TEST(MilvusServerTest, HangingServerKeepsTheDeadlineAndAnEndedOneComesBack) {
  const auto peer = MilvusPeer::Launch({});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  const auto store = OpenStore(OptionsFor(**peer));
  ASSERT_NE(store, nullptr);
  const auto schema = PlainSchema();
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  const auto upsert = [&](const RequestContext& context, int64_t n) {
    return store->Upsert(context, {.collection = schema.name, .records = {PlainRow("a", n)}});
  };
  ASSERT_TRUE(upsert(Soon(), 1).ok());

  (*peer)->Freeze(true);
  const auto before = std::chrono::steady_clock::now();
  const auto late = upsert(Within(milliseconds(300)), 2);
  const auto count = store->Count(Within(milliseconds(300)), {.collection = schema.name});
  std::stop_source stop;
  RequestContext stopped = Soon();
  stopped.stop = stop.get_token();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto cancelled = store->Count(stopped, {.collection = schema.name});
  const auto took = std::chrono::steady_clock::now() - before;
  (*peer)->Freeze(false);
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(late.error().outcome_unknown) << late.error().ToString();
  EXPECT_EQ(count.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(cancelled.code(), Code::kCancelled);
  EXPECT_LT(took, std::chrono::seconds(5));
  EXPECT_TRUE(upsert(Soon(), 3).ok());

  (*peer)->Stop();
  const auto gone = upsert(Within(std::chrono::seconds(3)), 4);
  EXPECT_FALSE(gone.ok());
  EXPECT_TRUE(gone.code() == Code::kUnavailable || gone.code() == Code::kDeadlineExceeded)
      << gone.error().ToString();
  ASSERT_TRUE((*peer)->Start().ok());
  ASSERT_TRUE(Await([&] { return upsert(Within(std::chrono::seconds(10)), 5).ok(); }));
  const auto got = store->Get(Soon(), {.collection = schema.name, .keys = {KeyOf("a")}});
  ASSERT_TRUE(got.ok()) << got.error().ToString();
  ASSERT_TRUE(got->records[0].has_value()) << "acknowledged writes outlive a restart";
  EXPECT_EQ(std::get<int64_t>(got->records[0]->fields.at("n")), 5);
}

}  // namespace
}  // namespace roost
