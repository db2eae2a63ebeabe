// The readings of the control store: one connection, one reader at a time.
#include <limits>

#include "base/bytes.h"
#include "metadata/sqlite_control_store.h"

namespace roost {
namespace {

std::optional<std::string> OptionalText(const SqliteQuery& query, int column) {
  return query.NullAt(column) ? std::nullopt : std::optional(query.TextAt(column));
}

MigrationRow ReadMigration(const SqliteQuery& query) {
  return {.id = query.TextAt(0),
          .collection = query.TextAt(1),
          .state = query.TextAt(2),
          .active = query.NumberAt(3) != 0,
          .document = query.TextAt(4),
          .created_micros = query.SignedAt(5),
          .changed_micros = query.SignedAt(6)};
}

ChunkRow ReadChunk(const SqliteQuery& query) {
  ChunkRow row{.migration = query.TextAt(0),
               .number = query.NumberAt(1),
               .lo = OptionalText(query, 2),
               .hi = OptionalText(query, 3),
               .reconcile = query.NumberAt(4) != 0,
               .state = static_cast<ChunkState>(query.NumberAt(5)),
               .records = query.NumberAt(7)};
  if (!query.NullAt(6)) {
    row.window = query.NumberAt(6);
  }
  return row;
}

Result<LedgerRecord> ReadLedger(const SqliteQuery& query) {
  LedgerRecord row{.migration = query.TextAt(0),
                   .key = query.TextAt(1),
                   .stamp = query.NumberAt(2),
                   .done = query.NumberAt(3),
                   .dirty = query.NumberAt(5) != 0,
                   .claim = query.NumberAt(6)};
  const std::string tokens = query.TextAt(4);
  ByteReader reader(tokens);
  while (!reader.AtEnd()) {
    row.inflight.push_back(TRY(reader.GetU64()));
  }
  return row;
}

VerificationRow ReadVerification(const SqliteQuery& query) {
  return {.migration = query.TextAt(0),
          .pass = query.NumberAt(1),
          .chunk = query.NumberAt(2),
          .records_a = query.NumberAt(3),
          .records_b = query.NumberAt(4),
          .digest_a = query.TextAt(5),
          .digest_b = query.TextAt(6),
          .missing = query.NumberAt(7),
          .extra = query.NumberAt(8),
          .different = query.NumberAt(9),
          .sample = query.TextAt(10)};
}

/// All rows of a query whose parameters are bound.
template <typename Row, typename Read>
Result<std::vector<Row>> Collect(SqliteQuery& query, const Read& read) {
  std::vector<Row> rows;
  while (TRY(query.Next())) {
    rows.push_back(read(query));
  }
  return rows;
}

}  // namespace

Result<std::vector<DatabaseRow>> SqliteControlStore::ListDatabases() {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT name, created_micros FROM database ORDER BY name"));
  return Collect<DatabaseRow>(query, [](const SqliteQuery& q) {
    return DatabaseRow{.name = q.TextAt(0), .created_micros = q.SignedAt(1)};
  });
}

Result<std::vector<RouteRow>> SqliteControlStore::ListRoutes() {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT collection, store, epoch FROM route ORDER BY collection"));
  return Collect<RouteRow>(query, [](const SqliteQuery& q) {
    return RouteRow{.collection = q.TextAt(0), .store = q.TextAt(1), .epoch = q.NumberAt(2)};
  });
}

Result<std::vector<MappingRow>> SqliteControlStore::ListMappings() {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(
      "SELECT store, collection, source, mapping FROM mapping ORDER BY store, collection"));
  return Collect<MappingRow>(query, [](const SqliteQuery& q) {
    return MappingRow{.store = q.TextAt(0),
                      .collection = q.TextAt(1),
                      .source = q.TextAt(2),
                      .mapping = q.TextAt(3)};
  });
}

Result<std::vector<MigrationRow>> SqliteControlStore::ListMigrations() {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(
      "SELECT id, collection, state, active, document, created_micros, changed_micros "
      "FROM migration ORDER BY created_micros DESC, id DESC"));
  return Collect<MigrationRow>(query, ReadMigration);
}

Result<std::optional<MigrationRow>> SqliteControlStore::FindMigration(const std::string& id) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(
      "SELECT id, collection, state, active, document, created_micros, changed_micros "
      "FROM migration WHERE id = ?"));
  const bool found = TRY(query.Text(id).Next());
  return found ? std::optional(ReadMigration(query)) : std::nullopt;
}

Result<std::vector<ChunkRow>> SqliteControlStore::ListChunks(const std::string& migration) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT migration, number, lo, hi, reconcile, state, window, records "
                           "FROM chunk WHERE migration = ? ORDER BY number"));
  query.Text(migration);
  return Collect<ChunkRow>(query, ReadChunk);
}

Status SqliteControlStore::VisitLedger(const std::string& migration,
                                       const std::function<void(LedgerRecord)>& visit) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT migration, key, stamp, done, inflight, dirty, claim "
                           "FROM ledger WHERE migration = ? ORDER BY key"));
  query.Text(migration);
  while (TRY(query.Next())) {
    visit(TRY(ReadLedger(query)));
  }
  return {};
}

Result<std::vector<PayloadRow>> SqliteControlStore::ListPayloads(const std::string& migration,
                                                                 const std::string& key) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT migration, key, stamp, payload FROM payload "
                           "WHERE migration = ? AND key = ? ORDER BY stamp"));
  query.Text(migration).Blob(key);
  return Collect<PayloadRow>(query, [](const SqliteQuery& q) {
    return PayloadRow{.migration = q.TextAt(0),
                      .key = q.TextAt(1),
                      .stamp = q.NumberAt(2),
                      .payload = q.TextAt(3)};
  });
}

Status SqliteControlStore::VisitPayloads(const std::string& migration,
                                         const std::function<void(PayloadSize)>& visit) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT key, stamp, length(payload) FROM payload WHERE migration = ? "
                           "ORDER BY key, stamp"));
  query.Text(migration);
  while (TRY(query.Next())) {
    visit({.key = query.TextAt(0), .stamp = query.NumberAt(1), .bytes = query.NumberAt(2)});
  }
  return {};
}

Result<std::vector<VerificationRow>> SqliteControlStore::ListVerifications(
    const std::string& migration, uint64_t pass) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(
      "SELECT migration, pass, chunk, records_a, records_b, digest_a, digest_b, missing, extra, "
      "different, sample FROM verification WHERE migration = ? AND pass = ? ORDER BY chunk"));
  query.Text(migration).Number(pass);
  return Collect<VerificationRow>(query, ReadVerification);
}

Result<std::vector<DeadLetterRow>> SqliteControlStore::ListDeadLetters(const std::string& migration,
                                                                       size_t limit) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query =
      TRY(reader_->Prepare("SELECT migration, key, error, attempts, since_micros FROM dead_letter "
                           "WHERE migration = ? ORDER BY since_micros, key LIMIT ?"));
  constexpr auto kMost = static_cast<size_t>(std::numeric_limits<int64_t>::max());
  query.Text(migration).Number(std::min(limit, kMost));
  return Collect<DeadLetterRow>(query, [](const SqliteQuery& q) {
    return DeadLetterRow{.migration = q.TextAt(0),
                         .key = q.TextAt(1),
                         .error = q.TextAt(2),
                         .attempts = static_cast<uint32_t>(q.NumberAt(3)),
                         .since_micros = q.SignedAt(4)};
  });
}

Result<uint64_t> SqliteControlStore::CountDeadLetters(const std::string& migration) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare("SELECT count(*) FROM dead_letter WHERE migration = ?"));
  const bool found = TRY(query.Text(migration).Next());
  return found ? query.NumberAt(0) : 0;
}

Result<std::optional<std::string>> SqliteControlStore::GetSetting(const std::string& key) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare("SELECT value FROM setting WHERE key = ?"));
  const bool found = TRY(query.Text(key).Next());
  return found ? std::optional(query.TextAt(0)) : std::nullopt;
}

Result<std::vector<SettingRow>> SqliteControlStore::ListSettings(const std::string& prefix) {
  std::lock_guard lock(read_mutex_);
  SqliteQuery query = TRY(reader_->Prepare(
      "SELECT key, value FROM setting WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key"));
  query.Text(prefix);
  return Collect<SettingRow>(query, [](const SqliteQuery& q) {
    return SettingRow{.key = q.TextAt(0), .value = q.TextAt(1)};
  });
}

Status SqliteControlStore::CheckHealth() {
  // A commit of nothing: it fails where a real one would.
  return Commit(RequestContext{.deadline = Deadline::After(options_.busy_timeout)}, {});
}

}  // namespace roost
