#include "metadata/sqlite_control_store.h"

#include <array>
#include <fstream>
#include <memory>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
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

void Bind(SqliteQuery& query, const ControlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    query.Signed(*number);
  } else if (const auto* text = std::get_if<std::string_view>(&value)) {
    query.Text(*text);
  } else if (const auto* blob = std::get_if<ControlBlob>(&value)) {
    query.Blob(blob->bytes);
  } else if (const auto* prose = std::get_if<ControlProse>(&value)) {
    query.Text(prose->text);
  } else {
    query.OptionalBlob(std::nullopt);
  }
}

class SqliteRow final : public ControlRow {
 public:
  explicit SqliteRow(const SqliteQuery& query) : query_(query) {}
  std::string Text(int column) const override { return query_.TextAt(column); }
  int64_t Signed(int column) const override { return query_.SignedAt(column); }
  bool Null(int column) const override { return query_.NullAt(column); }

 private:
  const SqliteQuery& query_;
};

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
      queue_(
          {.max_queued = options_.max_queued,
           .max_group = options_.max_group,
           .sequence_block = options_.sequence_block,
           .waits_for = "the disk"},
          [this](std::span<Job> group) { CommitGroup(group); }, {}, metrics) {}

Status SqliteControlStore::Query(const char* sql, std::span<const ControlValue> values,
                                 const VisitRow& visit) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(sql));
  for (const ControlValue& value : values) {
    Bind(query, value);
  }
  const SqliteRow row(query);
  while (TRY(query.Next())) {
    TRY(visit(row));
  }
  return {};
}

Status SqliteControlStore::CheckHealth() {
  // A commit of nothing: it fails where a real one would.
  return Commit(RequestContext{.deadline = Deadline::After(options_.busy_timeout)}, {});
}

void SqliteControlStore::CommitGroup(std::span<Job> group) {
  const Status status = RunGroup(group);
  if (status.ok()) {
    return;
  }
  LogError("The control store could not commit", {{"error", status.error()}});
  for (Job& job : group) {
    job.status = status;
  }
}

/// Fills in what became of each; an error says that none was committed.
Status SqliteControlStore::RunGroup(std::span<Job> group) {
  if (disk_failed_) {
    return Unavailable("control store " + options_.path +
                       ": a write to disk failed earlier, so nothing more is accepted; check the "
                       "disk and restart");
  }
  FAILPOINT_ERROR("metadata.commit.before");
  TRY(writer_->Execute("BEGIN IMMEDIATE"));
  for (Job& job : group) {
    job.status = RunOne(job);
    // Some failures (a full disk) end the whole transaction; going back then fails, too.
    if (!job.status.ok() && !writer_->Execute("ROLLBACK TO one; RELEASE one;").ok()) {
      (void)writer_->Execute("ROLLBACK");
      return job.status;
    }
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

Status SqliteControlStore::RunOne(Job& job) {
  TRY(writer_->Execute("SAVEPOINT one"));
  if (job.reserve > 0) {
    // Read here, not remembered: another process may have reserved as well.
    job.first_reserved = static_cast<uint64_t>(
        TRY(writer_->ReadNumber("SELECT next FROM sequence WHERE name = 'seq'")));
    SqliteQuery update = TRY(writer_->Prepare("UPDATE sequence SET next = ? WHERE name = 'seq'"));
    TRY(update.Number(job.first_reserved + job.reserve).Run());
  }
  TRY(Apply(job.transaction));
  return writer_->Execute("RELEASE one");
}

Status SqliteControlStore::Apply(const ControlTransaction& transaction) {
  return ListStatements(transaction, [&](const ControlStatement& statement) -> Status {
    SqliteQuery query = TRY(writer_->Prepare(statement.sql));
    for (const ControlValue& value : statement.values) {
      Bind(query, value);
    }
    TRY(query.Run());
    return CheckDemand(statement, static_cast<uint64_t>(writer_->Changes()));
  });
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
