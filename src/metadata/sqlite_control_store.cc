#include "metadata/sqlite_control_store.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <future>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "metadata/pending_commit.h"
#include "metadata/schema_files.h"

namespace roost {
namespace {

constexpr size_t kHeaderVersionOffset = 60;  // SQLite's file format: "user version", big endian.

Error TooNew(const std::string& path, int64_t version) {
  return FailedPrecondition("control store " + path + " has schema version " +
                            std::to_string(version) + ", this program knows " +
                            std::to_string(SchemaFiles().size()) +
                            "; start the newer version of Roost that made it");
}

Status ApplySchemaFile(SqliteConnection& connection, size_t index) {
  const SchemaFile& file = SchemaFiles()[index];
  const std::string sql = "BEGIN IMMEDIATE;\n" + std::string(file.sql) +
                          "\nPRAGMA user_version = " + std::to_string(index + 1) + ";\nCOMMIT;";
  Status status = connection.Execute(sql.c_str());
  if (!status.ok()) {
    (void)connection.Execute("ROLLBACK");
    return status.error().Within("schema file " + std::string(file.name));
  }
  return {};
}

}  // namespace

Status CheckSqliteHeader(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, kHeaderVersionOffset + 4> header{};
  if (!file || !file.read(header.data(), header.size())) {
    return {};  // Not there or empty yet.
  }
  int64_t version = 0;
  for (size_t i = kHeaderVersionOffset; i < header.size(); ++i) {
    version = version << 8 | static_cast<uint8_t>(header[i]);
  }
  if (version > static_cast<int64_t>(SchemaFiles().size())) {
    return TooNew(path, version);
  }
  return {};
}

Status PrepareSqliteFile(const std::string& path, SqliteConnection& connection) {
  // The header is read first, but the newest value may stand in the log beside the file.
  const int64_t version = TRY(connection.ReadNumber("PRAGMA user_version"));
  if (version > static_cast<int64_t>(SchemaFiles().size())) {
    return TooNew(path, version);
  }
  TRY(connection.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
  for (size_t i = static_cast<size_t>(version); i < SchemaFiles().size(); ++i) {
    TRY(ApplySchemaFile(connection, i));
  }
  if (version < static_cast<int64_t>(SchemaFiles().size())) {
    // So that an older program sees the version in the header.
    TRY(connection.Execute("PRAGMA wal_checkpoint(TRUNCATE);"));
  }
  return {};
}

Result<std::unique_ptr<ControlStore>> OpenSqliteControlStore(SqliteControlOptions options,
                                                             Metrics& metrics) {
  TRY(CheckSqliteHeader(options.path));
  auto writer = TRY(SqliteConnection::Open(options.path, {.busy_timeout = options.busy_timeout}));
  TRY(PrepareSqliteFile(options.path, *writer));
  auto reader = TRY(SqliteConnection::Open(
      options.path, {.busy_timeout = options.busy_timeout, .read_only = true}));
  return std::unique_ptr<ControlStore>(std::make_unique<SqliteControlStore>(
      std::move(options), std::move(writer), std::move(reader), metrics));
}

SqliteControlStore::SqliteControlStore(SqliteControlOptions options,
                                       std::unique_ptr<SqliteConnection> writer,
                                       std::unique_ptr<SqliteConnection> reader, Metrics& metrics)
    : options_(std::move(options)),
      writer_(std::move(writer)),
      reader_(std::move(reader)),
      commits_(metrics.GetCounter("roost_control_commits_total",
                                  "Commits of the control store, each for a group of callers")),
      transactions_(metrics.GetCounter("roost_control_transactions_total",
                                       "Transactions of the control store")),
      failures_(metrics.GetCounter("roost_control_failures_total",
                                   "Transactions of the control store that failed")),
      seconds_(metrics.GetHistogram("roost_control_commit_seconds",
                                    "Time of one commit of the control store")),
      thread_([this](std::stop_token stop) { Work(std::move(stop)); }) {}

SqliteControlStore::~SqliteControlStore() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.request_stop();
}

Result<uint64_t> SqliteControlStore::NextSeq(uint64_t count) {
  std::lock_guard lock(sequence_mutex_);
  if (limit_ - next_ < count) {
    auto promise = std::make_shared<std::promise<Result<uint64_t>>>();
    auto reserved = promise->get_future();
    Pending pending{.reserve = std::max(count, options_.sequence_block)};
    pending.done = [promise](const Status& status, uint64_t first) {
      promise->set_value(status.ok() ? Result<uint64_t>(first) : Result<uint64_t>(status.error()));
    };
    const uint64_t size = pending.reserve;
    Enqueue(std::move(pending));
    next_ = TRY(reserved.get());
    limit_ = next_ + size;
  }
  const uint64_t first = next_;
  next_ += count;
  return first;
}

Status SqliteControlStore::Commit(const RequestContext& context, ControlTransaction transaction) {
  TRY(context.CheckAlive("storing a change in the control store"));
  PendingCommit pending;
  pending.Start(*this, std::move(transaction));
  return pending.Wait(context);
}

void SqliteControlStore::CommitLater(ControlTransaction transaction,
                                     std::function<void(Status)> done) {
  Pending pending{.transaction = std::move(transaction)};
  if (done) {
    pending.done = [done = std::move(done)](Status status, uint64_t) { done(std::move(status)); };
  }
  Enqueue(std::move(pending));
}

void SqliteControlStore::Enqueue(Pending pending) {
  Status refused;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = Unavailable("the control store is closing");
    } else if (queue_.size() >= options_.max_queued) {
      refused = ResourceExhausted("control store: " + std::to_string(queue_.size()) +
                                  " transactions wait for the disk; try again later");
    } else {
      queue_.push_back(std::move(pending));
      wake_.notify_one();
      return;
    }
  }
  failures_.Increment();
  if (pending.done) {
    pending.done(std::move(refused), 0);
  }
}

void SqliteControlStore::Work(std::stop_token stop) {
  while (true) {
    std::vector<Pending> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, stop, [&] { return !queue_.empty(); });
      if (queue_.empty()) {
        return;  // Asked to stop, and all that was accepted is done.
      }
      while (!queue_.empty() && group.size() < options_.max_group) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    CommitGroup(group);
  }
}

void SqliteControlStore::CommitGroup(std::vector<Pending>& group) {
  const auto started = std::chrono::steady_clock::now();
  std::vector<Status> statuses(group.size());
  const Status status = RunGroup(group, statuses);
  commits_.Increment();
  transactions_.Add(static_cast<double>(group.size()));
  seconds_.Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  if (!status.ok()) {
    LogError("The control store could not commit", {{"error", status.error()}});
  }
  for (size_t i = 0; i < group.size(); ++i) {
    const Status& outcome = status.ok() ? statuses[i] : status;
    if (!outcome.ok()) {
      failures_.Increment();
    }
    if (group[i].done) {
      group[i].done(outcome, group[i].first_reserved);
    }
  }
}

/// Fills in what became of each; an error says that none was committed.
Status SqliteControlStore::RunGroup(std::vector<Pending>& group, std::vector<Status>& statuses) {
  if (disk_failed_) {
    return Unavailable("control store " + options_.path +
                       ": a write to disk failed earlier, so nothing more is accepted; check the "
                       "disk and restart");
  }
  FAILPOINT_ERROR("metadata.commit.before");
  TRY(writer_->Execute("BEGIN IMMEDIATE"));
  for (size_t i = 0; i < group.size(); ++i) {
    Status status = RunOne(group[i]);
    if (status.ok()) {
      continue;
    }
    // Some failures (a full disk) end the whole transaction; going back then fails, too.
    if (!writer_->Execute("ROLLBACK TO one; RELEASE one;").ok()) {
      (void)writer_->Execute("ROLLBACK");
      return status;
    }
    statuses[i] = std::move(status);
  }
  bool outcome_unknown = false;
  Status committed = FinishGroup(outcome_unknown);
  if (!committed.ok()) {
    Error error = std::move(committed).error();
    error.outcome_unknown = outcome_unknown;
    return error;
  }
  FAILPOINT("metadata.commit.after");
  return {};
}

Status SqliteControlStore::RunOne(Pending& pending) {
  TRY(writer_->Execute("SAVEPOINT one"));
  if (pending.reserve > 0) {
    // Read here, not remembered: another process may have reserved as well.
    pending.first_reserved = static_cast<uint64_t>(
        TRY(writer_->ReadNumber("SELECT next FROM sequence WHERE name = 'seq'")));
    SqliteQuery update = TRY(writer_->Prepare("UPDATE sequence SET next = ? WHERE name = 'seq'"));
    TRY(update.Number(pending.first_reserved + pending.reserve).Run());
  }
  TRY(ApplyTransaction(*writer_, pending.transaction));
  return writer_->Execute("RELEASE one");
}

Status SqliteControlStore::FinishGroup(bool& outcome_unknown) {
  Status committed = writer_->Execute("COMMIT");
  if (!committed.ok()) {
    // Once a sync has failed, the next one proves nothing: the kernel marks pages clean.
    disk_failed_ = writer_->LastErrorWasInputOutput();
    outcome_unknown = disk_failed_;
    (void)writer_->Execute("ROLLBACK");
  }
  return committed;
}

}  // namespace roost
