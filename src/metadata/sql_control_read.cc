// The readings of the control stores.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/bytes.h"
#include "metadata/pending_commit.h"
#include "metadata/sql_control_store.h"

namespace roost {
namespace {

/// Rows that a visit reads at once, so that a large ledger is never held whole.
constexpr int64_t kPage = 10'000;

std::optional<std::string> OptionalText(const ControlRow& row, int column) {
  return row.Null(column) ? std::nullopt : std::optional(row.Text(column));
}

MigrationRow ReadMigration(const ControlRow& row) {
  return {.id = row.Text(0),
          .collection = row.Text(1),
          .state = row.Text(2),
          .active = row.Number(3) != 0,
          .document = row.Text(4),
          .created_micros = row.Signed(5),
          .changed_micros = row.Signed(6)};
}

ChunkRow ReadChunk(const ControlRow& row) {
  ChunkRow chunk{.migration = row.Text(0),
                 .number = row.Number(1),
                 .lo = OptionalText(row, 2),
                 .hi = OptionalText(row, 3),
                 .reconcile = row.Number(4) != 0,
                 .state = static_cast<ChunkState>(row.Number(5)),
                 .records = row.Number(7)};
  if (!row.Null(6)) {
    chunk.window = row.Number(6);
  }
  return chunk;
}

Result<LedgerRecord> ReadLedger(const ControlRow& row) {
  LedgerRecord record{.migration = row.Text(0),
                      .key = row.Text(1),
                      .stamp = row.Number(2),
                      .done = row.Number(3),
                      .dirty = row.Number(5) != 0,
                      .claim = row.Number(6)};
  const std::string tokens = row.Text(4);
  ByteReader reader(tokens);
  while (!reader.AtEnd()) {
    record.inflight.push_back(TRY(reader.GetU64()));
  }
  return record;
}

VerificationRow ReadVerification(const ControlRow& row) {
  return {.migration = row.Text(0),
          .pass = row.Number(1),
          .chunk = row.Number(2),
          .records_a = row.Number(3),
          .records_b = row.Number(4),
          .digest_a = row.Text(5),
          .digest_b = row.Text(6),
          .missing = row.Number(7),
          .extra = row.Number(8),
          .different = row.Number(9),
          .sample = row.Text(10)};
}

}  // namespace

Status SqlControlStore::Commit(const RequestContext& context, ControlTransaction transaction) {
  TRY(context.CheckAlive("storing a change in the control store"));
  PendingCommit pending;
  pending.Start(*this, std::move(transaction));
  return pending.Wait(context);
}

template <typename Row, typename Read>
Result<std::vector<Row>> SqlControlStore::Collect(const char* sql, std::vector<ControlValue> values,
                                                  const Read& read) {
  std::vector<Row> rows;
  TRY(Query(sql, values, [&](const ControlRow& row) -> Status {
    rows.push_back(read(row));
    return {};
  }));
  return rows;
}

Result<std::vector<DatabaseRow>> SqlControlStore::ListDatabases() {
  return Collect<DatabaseRow>(
      "SELECT name, created_micros FROM database ORDER BY name", {}, [](const ControlRow& row) {
        return DatabaseRow{.name = row.Text(0), .created_micros = row.Signed(1)};
      });
}

Result<std::vector<RouteRow>> SqlControlStore::ListRoutes() {
  return Collect<RouteRow>(
      "SELECT collection, store, epoch FROM route ORDER BY collection", {},
      [](const ControlRow& row) {
        return RouteRow{.collection = row.Text(0), .store = row.Text(1), .epoch = row.Number(2)};
      });
}

Result<std::vector<MappingRow>> SqlControlStore::ListMappings() {
  return Collect<MappingRow>(
      "SELECT store, collection, source, mapping FROM mapping ORDER BY store, collection", {},
      [](const ControlRow& row) {
        return MappingRow{.store = row.Text(0),
                          .collection = row.Text(1),
                          .source = row.Text(2),
                          .mapping = row.Text(3)};
      });
}

Result<std::vector<MigrationRow>> SqlControlStore::ListMigrations() {
  return Collect<MigrationRow>(
      "SELECT id, collection, state, active, document, created_micros, changed_micros "
      "FROM migration ORDER BY created_micros DESC, id DESC",
      {}, ReadMigration);
}

Result<std::optional<MigrationRow>> SqlControlStore::FindMigration(const std::string& id) {
  std::vector<MigrationRow> rows = TRY(Collect<MigrationRow>(
      "SELECT id, collection, state, active, document, created_micros, changed_micros "
      "FROM migration WHERE id = $1",
      {std::string_view(id)}, ReadMigration));
  return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

Result<std::vector<ChunkRow>> SqlControlStore::ListChunks(const std::string& migration) {
  return Collect<ChunkRow>(
      "SELECT migration, number, lo, hi, reconcile, state, \"window\", records "
      "FROM chunk WHERE migration = $1 ORDER BY number",
      {std::string_view(migration)}, ReadChunk);
}

Status SqlControlStore::VisitLedger(const std::string& migration,
                                    const std::function<void(LedgerRecord)>& visit) {
  std::string last;  // No key is empty.
  int64_t count = 0;
  const VisitRow read = [&](const ControlRow& row) -> Status {
    LedgerRecord record = TRY(ReadLedger(row));
    last = record.key;
    ++count;
    visit(std::move(record));
    return {};
  };
  do {
    count = 0;
    const std::string after = last;
    const ControlValue values[] = {std::string_view(migration), ControlBlob{after}, kPage};
    TRY(
        Query("SELECT migration, key, stamp, done, inflight, dirty, claim FROM ledger "
              "WHERE migration = $1 AND key > $2 ORDER BY key LIMIT $3",
              values, read));
  } while (count == kPage);
  return {};
}

Result<std::vector<PayloadRow>> SqlControlStore::ListPayloads(const std::string& migration,
                                                              const std::string& key) {
  return Collect<PayloadRow>(
      "SELECT migration, key, stamp, payload FROM payload WHERE migration = $1 AND key = $2 "
      "ORDER BY stamp",
      {std::string_view(migration), ControlBlob{key}}, [](const ControlRow& row) {
        return PayloadRow{.migration = row.Text(0),
                          .key = row.Text(1),
                          .stamp = row.Number(2),
                          .payload = row.Text(3)};
      });
}

Status SqlControlStore::VisitPayloads(const std::string& migration,
                                      const std::function<void(PayloadSize)>& visit) {
  PayloadSize last;
  for (int64_t count = kPage; count == kPage;) {
    count = 0;
    const std::string after = last.key;
    const ControlValue values[] = {std::string_view(migration), ControlBlob{after},
                                   AsNumber(last.stamp), kPage};
    TRY(
        Query("SELECT key, stamp, length(payload) FROM payload "
              "WHERE migration = $1 AND (key, stamp) > ($2, $3) ORDER BY key, stamp LIMIT $4",
              values, [&](const ControlRow& row) -> Status {
                last = {.key = row.Text(0), .stamp = row.Number(1), .bytes = row.Number(2)};
                ++count;
                visit(last);
                return {};
              }));
  }
  return {};
}

Result<std::vector<VerificationRow>> SqlControlStore::ListVerifications(
    const std::string& migration, uint64_t pass) {
  return Collect<VerificationRow>(
      "SELECT migration, pass, chunk, records_a, records_b, digest_a, digest_b, missing, extra, "
      "different, sample FROM verification WHERE migration = $1 AND pass = $2 ORDER BY chunk",
      {std::string_view(migration), AsNumber(pass)}, ReadVerification);
}

Result<std::vector<DeadLetterRow>> SqlControlStore::ListDeadLetters(const std::string& migration,
                                                                    size_t limit) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return Collect<DeadLetterRow>(
      "SELECT migration, key, error, attempts, since_micros FROM dead_letter "
      "WHERE migration = $1 ORDER BY since_micros, key LIMIT $2",
      {std::string_view(migration), AsNumber(std::min<uint64_t>(limit, kMost))},
      [](const ControlRow& row) {
        return DeadLetterRow{.migration = row.Text(0),
                             .key = row.Text(1),
                             .error = row.Text(2),
                             .attempts = static_cast<uint32_t>(row.Number(3)),
                             .since_micros = row.Signed(4)};
      });
}

Result<uint64_t> SqlControlStore::CountDeadLetters(const std::string& migration) {
  const std::vector<uint64_t> counts = TRY(Collect<uint64_t>(
      "SELECT count(*) FROM dead_letter WHERE migration = $1", {std::string_view(migration)},
      [](const ControlRow& row) { return row.Number(0); }));
  return counts.empty() ? 0 : counts.front();
}

Result<std::optional<std::string>> SqlControlStore::GetSetting(const std::string& key) {
  std::vector<std::string> values =
      TRY(Collect<std::string>("SELECT value FROM setting WHERE key = $1", {std::string_view(key)},
                               [](const ControlRow& row) { return row.Text(0); }));
  return values.empty() ? std::nullopt : std::optional(std::move(values.front()));
}

Result<std::vector<SettingRow>> SqlControlStore::ListSettings(const std::string& prefix) {
  return Collect<SettingRow>(
      "SELECT key, value FROM setting WHERE substr(key, 1, length($1)) = $1 ORDER BY key",
      {std::string_view(prefix)},
      [](const ControlRow& row) { return SettingRow{.key = row.Text(0), .value = row.Text(1)}; });
}

}  // namespace roost
