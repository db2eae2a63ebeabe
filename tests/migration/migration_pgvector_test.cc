// A move from the embedded store to a real PostgreSQL and back, under writers and readers, while
// PostgreSQL's sessions are ended.

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/embedded/embedded_store.h"
#include "adapters/pgvector/pgvector_store.h"
#include "migration/move_trial.h"
#include "net/pg_connection.h"
#include "pgvector_peer.h"

namespace roost {
namespace {

using ::testing::IsEmpty;
using State = MigrationState;

constexpr int64_t kRecords = 5'000;

class MigrationPgVectorTest : public ::testing::Test {
 protected:
  MigrationPgVectorTest() {
    folder_ = ::testing::TempDir() + "/migration_pgvector." + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    auto embedded = OpenEmbeddedStore({.folder = folder_ + "/store"}, *files_, clock_, *metrics_);
    CHECK(embedded.ok());
    embedded_ = *std::move(embedded);
    auto pgvector = OpenPgVectorStore({.uri = SharedPgVectorPeer().uri()}, clock_, *metrics_);
    CHECK(pgvector.ok());
    pgvector_ = *std::move(pgvector);
    trial_ = std::make_unique<MoveTrial>(*embedded_, *pgvector_);
    CHECK(trial_->routed().CreateCollection({}, {.schema = MoveTrial::Schema()}).ok());
    traffic_ =
        std::make_unique<Traffic>(*trial_, Traffic::Options{.writers = 2,
                                                            .readers = 1,
                                                            .keys = kRecords + 300,
                                                            .pause = std::chrono::milliseconds(5)});
    traffic_->Fill(kRecords);
  }
  ~MigrationPgVectorTest() override {
    traffic_.reset();
    trial_.reset();
    embedded_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// Ends all sessions of the store, as a failover does.
  static int64_t EndSessions() {
    const auto options = ParsePgUri(SharedPgVectorPeer().uri());
    CHECK(options.ok());
    const RequestContext context = RequestContext{}.WithTimeout(std::chrono::seconds(20));
    auto session = PgConnection::Connect(context, *options);
    CHECK(session.ok());
    const auto ended = (*session)->Run(
        context,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> "
        "pg_backend_pid() AND backend_type = 'client backend'");
    CHECK(ended.ok());
    return ended->Int(0, 0);
  }
  void AwaitWrites(uint64_t more) {
    const uint64_t goal = traffic_->writes() + more;
    while (traffic_->writes() < goal) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  void ExpectBothRight(const std::string& id) {
    traffic_->Stop();
    trial_->AwaitLevel(id);
    EXPECT_THAT(traffic_->errors(), IsEmpty());
    EXPECT_THAT(traffic_->bad_reads(), IsEmpty());
    EXPECT_THAT(traffic_->Judge(MoveTrial::ReadAll(*embedded_)), IsEmpty());
    EXPECT_THAT(traffic_->Judge(MoveTrial::ReadAll(*pgvector_)), IsEmpty());
  }

  std::string folder_;
  const std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
  SystemClock clock_;
  const std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<EmbeddedStore> embedded_;
  std::unique_ptr<PgVectorStore> pgvector_;
  std::unique_ptr<MoveTrial> trial_;
  std::unique_ptr<Traffic> traffic_;
};

TEST_F(MigrationPgVectorTest, ThereAndBackWithSessionsEndedOnTheWayLosesNothing) {
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.policy.chunk_rows = 250;
  traffic_->Start();
  const std::string id = trial_->Create(spec);
  trial_->AwaitThat(id, "a part of the copy",
                    [](const MigrationStatus& status) { return status.counts.chunks_closed >= 3; });
  EXPECT_GT(EndSessions(), 0);
  trial_->AwaitThat(id, "the dual write", [](const MigrationStatus& status) {
    return status.progress.state >= State::kMirror;
  });
  EndSessions();
  const MigrationStatus verified =
      trial_->AwaitThat(id, "verified", [](const auto& s) { return s.progress.verified; });
  EXPECT_GE(verified.counts.verified, static_cast<uint64_t>(kRecords) - 1'500);
  trial_->Advance(id, State::kReversed);
  trial_->Await(id, State::kReversed);
  AwaitWrites(100);
  trial_->Command(id, MigrationCommand::kRollback);
  trial_->Await(id, State::kRamp);
  EXPECT_EQ(trial_->routed().StoreOf(MoveTrial::kCollection), "a");
  AwaitWrites(50);
  ExpectBothRight(id);
  RecordProperty("longest_write_ms", std::to_string(traffic_->longest_write_ms()));
}

}  // namespace
}  // namespace roost
