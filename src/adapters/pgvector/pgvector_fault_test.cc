// What callers see when PostgreSQL is slow, hangs, ends or refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

/// Waits until a session of the store waits for a lock. Looks through a session of its own, because
/// a transaction sees the activity as it was at its first look.
bool AwaitBlocked() {
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  return Await([&] {
    const auto waiting = session->Run(
        Soon(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    return waiting.ok() && waiting->Int(0, 0) > 0;
  });
}

class PgVectorFaultTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_->CreateCollection(Soon(), {.schema = schema_}).ok());
    ASSERT_TRUE(Upsert(Soon(), 1).ok());
    table_ = TableOf(*session_, schema_.name);
  }
  Result<WriteResult> Upsert(const RequestContext& context, int64_t n) {
    return store_->Upsert(context, {.collection = schema_.name, .records = {PlainRow("a", n)}});
  }
  int64_t Stored() {
    const auto got = store_->Get(Soon(), {.collection = schema_.name, .keys = {KeyOf("a")}});
    return got.ok() && got->records[0] ? std::get<int64_t>(got->records[0]->fields.at("n")) : -1;
  }
  void LockRow() {
    ASSERT_TRUE(session_->Run(Soon(), "BEGIN").ok());
    ASSERT_TRUE(session_->Run(Soon(), "SELECT n FROM " + table_ + " FOR UPDATE").ok());
  }

  CollectionSchema schema_ = PlainSchema();
  std::unique_ptr<PgVectorStore> store_ = OpenStore(SharedServer());
  std::unique_ptr<PgConnection> session_ = OpenSession(SharedPgVectorPeer().uri());
  std::string table_;
};

TEST_F(PgVectorFaultTest, WriteThatWaitsForALockIsCancelledAndNotApplied) {
  LockRow();
  const auto before = steady_clock::now();
  const auto written = Upsert(Within(milliseconds(200)), 2);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(5));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(written.error().outcome_unknown) << "PostgreSQL confirmed the cancel";
  EXPECT_THAT(written.error().message, HasSubstr("nothing was changed"));
  ASSERT_TRUE(session_->Run(Soon(), "ROLLBACK").ok());
  EXPECT_EQ(Stored(), 1);
}

TEST_F(PgVectorFaultTest, ReadPastItsDeadlineIsCancelledOnTheServer) {
  ASSERT_TRUE(session_->Run(Soon(), "BEGIN").ok());
  ASSERT_TRUE(
      session_
          ->Script(Soon(), "LOCK TABLE " + table_ + " IN ACCESS EXCLUSIVE MODE", PgEffect::kWrite)
          .ok());
  const auto count = store_->Count(Within(milliseconds(200)), {.collection = schema_.name});
  EXPECT_EQ(count.code(), Code::kDeadlineExceeded);
  const auto other = OpenSession(SharedPgVectorPeer().uri());
  EXPECT_TRUE(Await([&] {
    const auto waiting =
        other->Run(Soon(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" +
                               table_ + "'::regclass");
    return waiting.ok() && waiting->Int(0, 0) == 0;
  })) << "nobody waits for the lock any more";
  ASSERT_TRUE(session_->Run(Soon(), "ROLLBACK").ok());
  EXPECT_EQ(Stored(), 1);
}

TEST_F(PgVectorFaultTest, StopEndsAWaitingWrite) {
  LockRow();
  std::stop_source stop;
  RequestContext context = Soon();
  context.stop = stop.get_token();
  std::jthread stopper([&] {
    EXPECT_TRUE(AwaitBlocked());
    stop.request_stop();
  });
  const auto written = Upsert(context, 2);
  stopper.join();
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kCancelled);
  EXPECT_FALSE(written.error().outcome_unknown);
  ASSERT_TRUE(session_->Run(Soon(), "ROLLBACK").ok());
  EXPECT_EQ(Stored(), 1);
}

TEST_F(PgVectorFaultTest, SessionKilledDuringAWriteIsUnavailableAndRecovers) {
  LockRow();
  std::jthread killer([&] {
    EXPECT_TRUE(AwaitBlocked());
    EXPECT_TRUE(session_
                    ->Run(Soon(),
                          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                          "wait_event_type = 'Lock'")
                    .ok());
  });
  const auto written = Upsert(Soon(), 2);
  killer.join();
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.code(), Code::kUnavailable) << written.error().ToString();
  EXPECT_FALSE(written.error().outcome_unknown) << "it was told to end before it committed";
  ASSERT_TRUE(session_->Run(Soon(), "ROLLBACK").ok());
  EXPECT_TRUE(Upsert(Soon(), 3).ok()) << "a new session is opened";
  EXPECT_EQ(Stored(), 3);
}

TEST_F(PgVectorFaultTest, SessionsKilledWhileIdleAreReplacedUnseen) {
  ASSERT_TRUE(session_
                  ->Run(Soon(),
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                        "pg_backend_pid() AND backend_type = 'client backend'")
                  .ok());
  ASSERT_TRUE(Await([&] {
    const auto left = session_->Run(
        Soon(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'");
    return left.ok() && left->Int(0, 0) == 1;
  }));
  EXPECT_TRUE(Upsert(Soon(), 4).ok());
}

TEST_F(PgVectorFaultTest, FullPoolWaitsUntilTheDeadline) {
  auto options = SharedServer();
  options.max_connections = 1;
  const auto small = OpenStore(options);
  LockRow();
  std::jthread holder([&] {
    const auto written =
        small->Upsert(Soon(), {.collection = schema_.name, .records = {PlainRow("a", 5)}});
    EXPECT_TRUE(written.ok()) << written.error().ToString();
  });
  ASSERT_TRUE(AwaitBlocked());
  const auto refused = small->CheckHealth(Within(milliseconds(100)));
  EXPECT_EQ(refused.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(refused.error().message, HasSubstr("all 1 are in use"));
  ASSERT_TRUE(session_->Run(Soon(), "ROLLBACK").ok());
  holder.join();
  EXPECT_TRUE(small->CheckHealth(Soon()).ok());
  EXPECT_EQ(Stored(), 5);
}

TEST(PgVectorServer, HangingServerGivesUnknownOutcomeSoonAfterTheDeadline) {
  auto peer = PgVectorPeer::Launch({});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  PgVectorOptions options;
  options.uri = (*peer)->uri();
  options.build_indexes = false;
  const auto store = OpenStore(options);
  const auto schema = PlainSchema();
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  ASSERT_TRUE(
      store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}}).ok());
  const auto session = OpenSession((*peer)->uri());
  const auto pid =
      session->Run(Soon(),
                   "SELECT pid FROM pg_stat_activity WHERE application_name = 'roost' AND pid <> "
                   "pg_backend_pid() AND state = 'idle' LIMIT 1");
  ASSERT_TRUE(pid.ok());
  (*peer)->Freeze(true);  // no new sessions, so no cancel either
  const auto backend = static_cast<pid_t>(pid->Int(0, 0));
  ASSERT_EQ(kill(backend, SIGSTOP), 0);
  const auto before = steady_clock::now();
  const auto written = store->Upsert(Within(milliseconds(200)),
                                     {.collection = schema.name, .records = {PlainRow("a", 2)}});
  const auto took = steady_clock::now() - before;
  kill(backend, SIGCONT);
  (*peer)->Freeze(false);
  EXPECT_EQ(written.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(written.error().outcome_unknown) << written.error().ToString();
  EXPECT_LT(took, std::chrono::seconds(5));
}

TEST(PgVectorServer, StoppedServerIsUnavailableAtOnceAndComesBack) {
  auto peer = PgVectorPeer::Launch({});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  PgVectorOptions options;
  options.uri = (*peer)->uri();
  options.build_indexes = false;
  const auto store = OpenStore(options);
  const auto schema = PlainSchema();
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  ASSERT_TRUE(
      store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}}).ok());
  (*peer)->Stop();
  const auto before = steady_clock::now();
  EXPECT_EQ(store->CheckHealth(Soon()).code(), Code::kUnavailable);
  const auto written =
      store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("b", 1)}});
  EXPECT_EQ(written.code(), Code::kUnavailable);
  EXPECT_FALSE(written.error().outcome_unknown);
  EXPECT_LT(steady_clock::now() - before, std::chrono::seconds(5));
  const Status again = (*peer)->Start();
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_TRUE(store->CheckHealth(Soon()).ok());
  const auto count = store->Count(Soon(), {.collection = schema.name});
  ASSERT_TRUE(count.ok()) << count.error().ToString();
  EXPECT_EQ(*count, 1u);
}

TEST(PgVectorServer, ReadOnlyServerIsUnavailableUntilItTakesWrites) {
  auto peer = PgVectorPeer::Launch({});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  PgVectorOptions options;
  options.uri = (*peer)->uri();
  options.build_indexes = false;
  const auto store = OpenStore(options);
  const auto session = OpenSession((*peer)->uri());
  const auto schema = PlainSchema();
  ASSERT_TRUE(store->CreateCollection(Soon(), {.schema = schema}).ok());
  const auto switch_to = [&](const std::string& how) {
    ASSERT_TRUE(session->Script(Soon(), "ALTER SYSTEM " + how, PgEffect::kWrite).ok());
    ASSERT_TRUE(session->Run(Soon(), "SELECT pg_reload_conf()").ok());
  };
  const auto write = [&] {
    return store->Upsert(Soon(), {.collection = schema.name, .records = {PlainRow("a", 1)}});
  };
  switch_to("SET default_transaction_read_only = on");
  EXPECT_TRUE(Await([&] {
    const auto written = write();
    return written.code() == Code::kUnavailable && !written.error().outcome_unknown;
  })) << "in the session that was open";
  const auto refused = write();
  EXPECT_EQ(refused.code(), Code::kUnavailable) << "new sessions want a server that takes writes";
  EXPECT_THAT(refused.error().message, HasSubstr("read-only"));
  EXPECT_EQ(OpenPgVectorStore(options, TestClock(), TestMetrics()).code(), Code::kUnavailable);
  switch_to("RESET default_transaction_read_only");
  EXPECT_TRUE(Await([&] { return write().ok(); }));
}

TEST(PgVectorServer, TooManyConnectionsAreResourceExhausted) {
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const std::string name = FreshName();
  ASSERT_TRUE(
      session->Script(Soon(), "CREATE ROLE " + name + " LOGIN CONNECTION LIMIT 0", PgEffect::kWrite)
          .ok());
  PgVectorOptions options;
  options.port = SharedPgVectorPeer().port();
  options.user = name;
  const auto refused = OpenPgVectorStore(options, TestClock(), TestMetrics());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kResourceExhausted) << refused.error().ToString();
  EXPECT_THAT(refused.error().message, HasSubstr("too many connections"));
}

TEST(PgVectorServer, UnreadableAddressIsRefusedWithoutRepeatingIt) {
  PgVectorOptions options;
  options.uri = "postgresql://me:secret@127.0.0.1:99999/books";
  const auto refused = OpenPgVectorStore(options, TestClock(), TestMetrics());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
}

TEST(PgVectorServer, WrongPasswordIsSaidWithoutThePassword) {
  auto peer = PgVectorPeer::Launch({.password = "right-secret"});
  ASSERT_TRUE(peer.ok()) << peer.error().ToString();
  PgVectorOptions options;
  options.port = (*peer)->port();
  options.password = "wrong-secret";
  auto refused = OpenPgVectorStore(options, TestClock(), TestMetrics());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kUnauthenticated) << refused.error().ToString();
  EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
  EXPECT_THAT(refused.error().message, HasSubstr("127.0.0.1:"));
  options.password.clear();
  EXPECT_EQ(OpenPgVectorStore(options, TestClock(), TestMetrics()).code(), Code::kUnauthenticated);
  options.password = "right-secret";
  EXPECT_TRUE(OpenPgVectorStore(options, TestClock(), TestMetrics()).ok());
}

TEST(PgVectorServer, MissingExtensionSaysWhatToDo) {
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const std::string name = FreshName();
  ASSERT_TRUE(session->Script(Soon(), "CREATE ROLE " + name + " LOGIN", PgEffect::kWrite).ok());
  ASSERT_TRUE(session->Script(Soon(), "CREATE DATABASE " + name, PgEffect::kWrite).ok());
  PgVectorOptions options;
  options.port = SharedPgVectorPeer().port();
  options.user = name;
  options.database = name;
  const auto refused = OpenPgVectorStore(options, TestClock(), TestMetrics());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("CREATE EXTENSION vector"));
}

TEST(PgVectorServer, UnsuitableDatabasesAreRefusedPlainly) {
  const auto session = OpenSession(SharedPgVectorPeer().uri());
  const std::string name = FreshName();
  ASSERT_TRUE(
      session
          ->Script(Soon(),
                   "CREATE DATABASE " + name + " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
                   PgEffect::kWrite)
          .ok());
  PgVectorOptions options;
  options.port = SharedPgVectorPeer().port();
  options.database = name;
  const auto latin = OpenPgVectorStore(options, TestClock(), TestMetrics());
  ASSERT_FALSE(latin.ok());
  EXPECT_EQ(latin.code(), Code::kFailedPrecondition);
  EXPECT_THAT(latin.error().message, HasSubstr("UTF8"));
  options.database = "nobody_made_this";
  EXPECT_EQ(OpenPgVectorStore(options, TestClock(), TestMetrics()).code(),
            Code::kFailedPrecondition);
}

}  // namespace
}  // namespace roost
