// What becomes of commits when the session or the server goes away.
#include <atomic>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <signal.h>

#include "metadata/control_store_testing.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class PostgresFaultTest : public ::testing::Test {
 protected:
  ~PostgresFaultTest() override {
    session_.reset();
    AwaitServer();
    LetRepliesGo();
    store_.reset();
  }
  ControlStore& Open(PostgresControlOptions options = {}) {
    options.uri = database_.uri();
    auto opened = OpenPostgresControlStore(std::move(options), *metrics_);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    store_ = std::move(opened).value();
    return *store_;
  }
  std::future<Status> CommitBeside(ControlTransaction t) {
    return std::async(std::launch::async,
                      [this, t = std::move(t)] { return store_->Commit(Soon(), t); });
  }
  /// From now on every commit is carried out and then waits for a standby that never comes.
  void HoldReplies() {
    Tell(*session_, "CREATE TABLE probe (n BIGINT)");
    Tell(*session_, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    Ask(*session_, "SELECT pg_reload_conf()");
    ASSERT_TRUE(Await([&] {
      // The server takes the setting up in its own time; a commit that waits shows that it has.
      const auto probe = OpenSession(database_.uri());
      const auto before = std::chrono::steady_clock::now();
      const RequestContext brief{.deadline = Deadline::After(milliseconds(700))};
      (void)probe->Run(brief, "INSERT INTO probe VALUES (1)", {}, PgEffect::kWrite);
      return std::chrono::steady_clock::now() - before >= milliseconds(700);
    }));
  }
  void LetRepliesGo() {
    const auto session = OpenSession(peer_.uri());
    Tell(*session, "ALTER SYSTEM RESET synchronous_standby_names");
    Ask(*session, "SELECT pg_reload_conf()");
  }
  /// The server's process that waits for what the condition says; 0: none.
  int64_t Waiting(const std::string& condition) {
    const auto look = OpenSession(database_.uri());
    return Ask(*look,
               "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = "
               "current_database() AND " +
                   condition);
  }
  int64_t AwaitWaiting(const std::string& condition) {
    int64_t pid = 0;
    EXPECT_TRUE(Await([&] { return (pid = Waiting(condition)) > 0; })) << condition;
    return pid;
  }
  void AwaitServer() {
    const auto options = ParsePgUri(peer_.uri());
    EXPECT_TRUE(Await([&] { return PgConnection::Connect(Soon(), *options).ok(); }));
  }
  int64_t Commits() {
    return Ask(*OpenSession(database_.uri()), "SELECT commits FROM gateway WHERE owner = 1");
  }

  PgVectorPeer& peer_ = SharedPgVectorPeer();
  FreshDatabase database_{peer_};
  std::unique_ptr<PgConnection> session_ = OpenSession(database_.uri());
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<ControlStore> store_;
};

TEST_F(PostgresFaultTest, ALandedCommitWhoseReplyIsLostIsASuccess) {
  Open();
  HoldReplies();
  const int64_t before = Commits();
  auto done = CommitBeside(PutSetting("k", "v"));
  const int64_t pid = AwaitWaiting("wait_event = 'SyncRep'");
  Ask(*session_, "SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  EXPECT_TRUE(done.get().ok());
  EXPECT_EQ(Commits(), before + 1) << "it was not carried out a second time";
  EXPECT_EQ(store_->GetSetting("k").value(), "v");
}

TEST_F(PostgresFaultTest, ALandedCommitSurvivesTheServersCrash) {
  Open({.give_up = std::chrono::seconds(30)});
  HoldReplies();
  const int64_t before = Commits();
  auto done = CommitBeside(PutSetting("k", "v"));
  const int64_t pid = AwaitWaiting("wait_event = 'SyncRep'");
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);  // The server restarts itself.
  EXPECT_TRUE(done.get().ok());
  EXPECT_EQ(Commits(), before + 1);
  EXPECT_EQ(store_->GetSetting("k").value(), "v");
}

TEST_F(PostgresFaultTest, ACommitThatDidNotLandIsCarriedOutAgainOnce) {
  Open({.give_up = std::chrono::seconds(30)});
  const int64_t before = Commits();
  Tell(*session_, "BEGIN; LOCK TABLE setting IN ACCESS EXCLUSIVE MODE");
  auto done = CommitBeside(PutSetting("k", "v"));
  const int64_t pid = AwaitWaiting("wait_event_type = 'Lock'");
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);  // The lock's holder ends with it.
  EXPECT_TRUE(done.get().ok());
  EXPECT_EQ(Commits(), before + 1);
  EXPECT_EQ(store_->GetSetting("k").value(), "v");
}

TEST_F(PostgresFaultTest, WhenTheServerStaysAwayTheOutcomeIsUnknown) {
  ControlStore& store = Open({.give_up = milliseconds(300)});
  const uint64_t number = store.NextSeq().value();
  HoldReplies();
  auto done = CommitBeside(PutSetting("k", "v"));
  AwaitWaiting("wait_event = 'SyncRep'");
  session_.reset();
  peer_.Stop();
  const Status unknown = done.get();
  ASSERT_FALSE(unknown.ok());
  EXPECT_TRUE(unknown.error().outcome_unknown) << unknown.error().ToString();
  // What was never sent is known to have had no effect.
  const Status refused = store.Commit(Soon(), PutSetting("k", "w"));
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_FALSE(refused.error().outcome_unknown) << refused.error().ToString();
  ASSERT_TRUE(peer_.Start().ok());
  LetRepliesGo();
  EXPECT_EQ(store.GetSetting("k").value(), "v") << "in truth it had landed";
  EXPECT_TRUE(Await([&] { return store.Commit(Soon(), PutSetting("k", "x")).ok(); }));
  EXPECT_EQ(store.GetSetting("k").value(), "x");
  EXPECT_GT(store.NextSeq().value(), number);
}

TEST_F(PostgresFaultTest, OrderAndEveryTransactionOutliveLostSessions) {
  ControlStore& store = Open({.max_group = 8, .give_up = std::chrono::seconds(30)});
  std::atomic<bool> stop{false};
  std::jthread killer([&] {
    while (!stop) {
      Ask(*session_,
          "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = "
          "'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE "
          "datname = current_database())");
      std::this_thread::sleep_for(milliseconds(100));
    }
  });
  constexpr int kCount = 600;
  std::atomic<int> failed{0};
  for (int n = 0; n < kCount; ++n) {
    ControlTransaction t = PutSetting("newest", std::to_string(n));
    t.put_settings.push_back({.key = "n" + std::to_string(n), .value = "v"});
    if (n % 50 == 0) {
      t.create_databases = {{.name = "d" + std::to_string(n)}};
    }
    store.CommitLater(std::move(t), [&](const Status& status) { failed += status.ok() ? 0 : 1; });
    if (n % 20 == 0) {
      EXPECT_TRUE(store.Commit(Soon(), {}).ok());
    }
  }
  EXPECT_TRUE(store.Commit(Soon(), {}).ok());
  stop = true;
  killer.join();
  EXPECT_EQ(failed, 0) << "a database that was made twice would say that it exists already";
  EXPECT_EQ(store.GetSetting("newest").value(), std::to_string(kCount - 1));
  EXPECT_EQ(store.ListSettings("n").value().size(), kCount + 1u);
}

TEST_F(PostgresFaultTest, ALockThatIsHeldTooLongFailsTheCommitForCertain) {
  ControlStore& store = Open({.call_timeout = milliseconds(1'000)});
  Tell(*session_, "BEGIN; LOCK TABLE setting IN ACCESS EXCLUSIVE MODE");
  const Status late = store.Commit(Soon(), PutSetting("k", "v"));
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded) << late.error().ToString();
  EXPECT_FALSE(late.error().outcome_unknown);
  Tell(*session_, "ROLLBACK");
  EXPECT_FALSE(store.GetSetting("k").value().has_value());
  EXPECT_TRUE(store.Commit(Soon(), PutSetting("k", "w")).ok());
}

TEST_F(PostgresFaultTest, TheCallersDeadlineIsKeptAndLeavesTheOutcomeOpen) {
  ControlStore& store = Open();
  Tell(*session_, "BEGIN; LOCK TABLE setting IN ACCESS EXCLUSIVE MODE");
  const RequestContext hurried{.deadline = Deadline::After(milliseconds(50))};
  const Status status = store.Commit(hurried, PutSetting("k", "v"));
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(status.error().outcome_unknown);
  Tell(*session_, "ROLLBACK");
}

TEST_F(PostgresFaultTest, WithoutContactTheGatewayStopsAndLaterGoesOn) {
  ControlStore& store = Open({.give_up = milliseconds(100), .lease = milliseconds(1'000)});
  ASSERT_TRUE(store.CheckHeld().ok());
  session_.reset();
  peer_.Stop();
  ASSERT_TRUE(Await([&] { return !store.CheckHeld().ok(); }));
  EXPECT_EQ(store.CheckHeld().code(), Code::kUnavailable);
  EXPECT_THAT(store.CheckHeld().error().message, HasSubstr("no contact"));
  EXPECT_FALSE(store.CheckHealth().ok());
  ASSERT_TRUE(peer_.Start().ok());
  EXPECT_TRUE(Await([&] { return store.CheckHeld().ok(); }));
  EXPECT_TRUE(store.Commit(Soon(), PutSetting("k", "v")).ok());
}

TEST_F(PostgresFaultTest, ReadersReplaceSessionsThatDied) {
  ControlStore& store = Open();
  ASSERT_TRUE(store.Commit(Soon(), PutSetting("k", "v")).ok());
  ASSERT_EQ(store.GetSetting("k").value(), "v");
  session_.reset();
  peer_.Stop();
  ASSERT_TRUE(peer_.Start().ok());
  EXPECT_EQ(store.GetSetting("k").value(), "v");
}

}  // namespace
}  // namespace roost
