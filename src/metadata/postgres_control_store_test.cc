// Who may use a control store in PostgreSQL, and how it comes to be.
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include "metadata/control_store_testing.h"
#include "metadata/postgres_schema.h"
#include "metadata/postgres_session.h"
#include "metadata/schema_files.h"

namespace roost {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kChildUri = "ROOST_TEST_CONTROL_URI";

class PostgresControlStoreTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ControlStore>> Open(PostgresControlOptions options = {}) {
    options.uri = database_.uri();
    return OpenPostgresControlStore(std::move(options), *metrics_);
  }
  std::unique_ptr<ControlStore> MustOpen(PostgresControlOptions options = {}) {
    auto opened = Open(std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  void EndWriter() {
    EXPECT_EQ(Ask(*session_,
                  "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE "
                  "locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
                  "WHERE datname = current_database())"),
              1);
  }
  /// As if a process had died and left its row.
  void LeaveOwner(const std::string& id) {
    Tell(*session_,
         "DELETE FROM gateway; INSERT INTO gateway VALUES ('" + id + "', 'the one before', 1, 5)");
  }

  FreshDatabase database_{SharedPgVectorPeer()};
  std::unique_ptr<PgConnection> session_ = OpenSession(database_.uri());
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
};

TEST(PostgresSchema, OnlyWholeWordsAreTranslated) {
  EXPECT_EQ(ToPostgresSql("a INTEGER, b BLOB NOT NULL, TEXTS INTEGERS c TEXT) WITHOUT ROWID;"),
            "a BIGINT, b BYTEA NOT NULL, TEXTS INTEGERS c TEXT COLLATE \"C\");");
}

TEST(PostgresSession, WhatIsNoUtf8BecomesAQuestionMark) {
  EXPECT_EQ(CleanText("a\u00e4\u20ac\U0001f600"), "a\u00e4\u20ac\U0001f600");
  EXPECT_EQ(CleanText(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(CleanText("\xc3"), "?");
  EXPECT_EQ(CleanText("\xc0\x80"), "??");
  EXPECT_EQ(CleanText("\xed\xa0\x80"), "???");
  EXPECT_EQ(CleanText("\xf4\x90\x80\x80"), "????");
  EXPECT_EQ(CleanText("\xff\x41"), "?A");
}

// The other half of the next test; run by it in processes of its own.
TEST(DISABLED_ControlStoreChild, OpensTheStoreAndWrites) {
  const std::unique_ptr<Metrics> metrics = MakeMetrics();
  auto store =
      OpenPostgresControlStore({.uri = std::getenv(kChildUri), .exclusive = false}, *metrics);
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  ControlTransaction t = PutSetting("process " + std::to_string(getpid()), "v");
  for (int n = 0; n < 20; ++n) {
    const uint64_t number = (*store)->NextSeq().value();
    t.put_settings.push_back({.key = "number " + std::to_string(number), .value = "v"});
  }
  ASSERT_TRUE((*store)->Commit(Soon(), t).ok());
}

TEST_F(PostgresControlStoreTest, SeveralProcessesStartAtOnceOnAnEmptyDatabase) {
  constexpr int kProcesses = 4;
  setenv(kChildUri, database_.uri().c_str(), 1);
  unsetenv("GTEST_TOTAL_SHARDS");  // Of this run; the children have one test.
  unsetenv("GTEST_SHARD_INDEX");
  std::string words[] = {"control_store_test", "--gtest_also_run_disabled_tests",
                         "--gtest_filter=DISABLED_ControlStoreChild.*"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  std::vector<pid_t> children(kProcesses);
  for (pid_t& child : children) {
    ASSERT_EQ(posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ), 0);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM roost_schema"),
            static_cast<int64_t>(SchemaFiles().size()));
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM setting WHERE key LIKE 'process %'"), kProcesses);
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM setting WHERE key LIKE 'number %'"),
            20 * kProcesses)
      << "no number was given out twice";
}

TEST_F(PostgresControlStoreTest, AFailedSchemaFileLeavesNothingBehind) {
  Tell(*session_, "CREATE TABLE ledger (other TEXT)");
  const auto opened = Open();
  ASSERT_EQ(opened.code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("a database of its own"));
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1);
}

TEST_F(PostgresControlStoreTest, RefusesASchemaOfANewerVersionUntouched) {
  MustOpen();
  Tell(*session_, "INSERT INTO roost_schema VALUES (1 + (SELECT max(version) FROM roost_schema))");
  const auto opened = Open();
  ASSERT_EQ(opened.code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("start the newer version"));
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM gateway"), 0);
}

TEST_F(PostgresControlStoreTest, ASchemaOfAnOlderVersionIsCompleted) {
  MustOpen()->Commit(Soon(), PutSetting("k", "v")).value();
  Tell(*session_, "DROP TABLE gateway; DELETE FROM roost_schema WHERE version = 3");
  EXPECT_EQ(MustOpen()->GetSetting("k").value(), "v");
}

TEST_F(PostgresControlStoreTest, ASecondGatewayIsRefusedAndHarmsNothing) {
  const auto first = MustOpen();
  for (const bool exclusive : {true, false}) {
    const auto second = Open({.exclusive = exclusive});
    ASSERT_EQ(second.code(), Code::kFailedPrecondition);
    EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(getpid())));
    EXPECT_THAT(second.error().message, HasSubstr("one gateway at a time"));
  }
  EXPECT_TRUE(first->Commit(Soon(), PutSetting("k", "v")).ok());
  EXPECT_TRUE(first->CheckHeld().ok());
}

TEST_F(PostgresControlStoreTest, AfterACleanEndNobodyWaits) {
  MustOpen({.lease = std::chrono::hours(1)});
  EXPECT_NE(MustOpen({.lease = std::chrono::hours(1)}), nullptr);
}

TEST_F(PostgresControlStoreTest, TheLeaseOfAnOwnerThatVanishedIsAwaitedSaveByItsOwnSuccessor) {
  MustOpen();
  LeaveOwner("a");
  EXPECT_NE(MustOpen({.gateway_id = "a", .lease = std::chrono::hours(1)}), nullptr);
  LeaveOwner("a");
  const auto before = steady_clock::now();
  const auto store = MustOpen({.gateway_id = "b", .lease = milliseconds(400)});
  EXPECT_GE(steady_clock::now() - before, milliseconds(600));
  EXPECT_TRUE(store->CheckHeld().ok());
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM gateway WHERE id = 'b'"), 1);
}

TEST_F(PostgresControlStoreTest, AnOwnerThatOnlyLostItsSessionKeepsTheStore) {
  const auto first = MustOpen({.lease = std::chrono::seconds(2)});
  EndWriter();
  const auto second = Open({.lease = std::chrono::seconds(2)});
  EXPECT_EQ(second.code(), Code::kFailedPrecondition);
  EXPECT_TRUE(first->Commit(Soon(), PutSetting("k", "v")).ok());
}

TEST_F(PostgresControlStoreTest, AfterATakeoverTheFormerOwnerDoesNothingMore) {
  const auto store = MustOpen({.lease = std::chrono::hours(1)});
  ASSERT_TRUE(store->CheckHeld().ok());
  LeaveOwner("another");
  EndWriter();
  const Status status = store->Commit(Soon(), PutSetting("k", "v"));
  ASSERT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("taken over"));
  const Status next = store->Commit(Soon(), PutSetting("k", "v"));
  EXPECT_EQ(next.code(), Code::kFailedPrecondition);
  EXPECT_FALSE(next.error().outcome_unknown);
  EXPECT_EQ(store->CheckHeld().code(), Code::kFailedPrecondition);
  EXPECT_EQ(store->NextSeq(1 << 30).code(), Code::kFailedPrecondition);
  EXPECT_EQ(Ask(*session_, "SELECT count(*) FROM setting"), 0);
}

TEST_F(PostgresControlStoreTest, AServerThatLostConfirmedCommitsIsNotTrusted) {
  const auto store = MustOpen();
  ASSERT_TRUE(store->Commit(Soon(), PutSetting("k", "v")).ok());
  ASSERT_TRUE(store->Commit(Soon(), PutSetting("k", "w")).ok());
  Tell(*session_, "UPDATE gateway SET commits = commits - 1");
  EndWriter();
  const Status status = store->Commit(Soon(), PutSetting("k", "x"));
  ASSERT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("has lost 1 commits"));
  EXPECT_FALSE(store->CheckHeld().ok());
}

TEST_F(PostgresControlStoreTest, NumbersRiseOverGatewaysInTheOrderOfTheCalls) {
  const auto a = MustOpen({.exclusive = false});
  const auto b = MustOpen({.exclusive = false});
  uint64_t last = 0;
  for (int n = 0; n < 50; ++n) {
    for (ControlStore* store : {a.get(), b.get()}) {
      const uint64_t number = store->NextSeq(3).value();
      EXPECT_GT(number, last);
      last = number + 2;
    }
  }
}

TEST_F(PostgresControlStoreTest, NumbersOfTheNextOwnerAreLarger) {
  uint64_t last = 0;
  for (int run = 0; run < 3; ++run) {
    const auto store = MustOpen({.sequence_block = 10});
    for (int n = 0; n < 15; ++n) {
      const uint64_t number = store->NextSeq().value();
      EXPECT_GT(number, last);
      last = number;
    }
  }
}

TEST_F(PostgresControlStoreTest, NoErrorShowsThePassword) {
  const std::string secret = "pa55word";
  for (const std::string& uri :
       {"postgresql://bob:" + secret + "@127.0.0.1:1/db", "postgresql://bob:" + secret + "@h:x/db",
        "postgresql://bob:" + secret + "@" + database_.uri().substr(database_.uri().find('@') + 1),
        "postgresql://bob:" + secret + "@h/db?strange=1"}) {
    const auto opened = OpenPostgresControlStore({.uri = uri}, *metrics_);
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(opened.error().message, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace roost
