// How each change is written. All statements are idempotent except the creation and the drop of
// databases, which tell when there was nothing to do.
#include "base/bytes.h"
#include "metadata/sqlite_control_store.h"

namespace roost {
namespace {

Status Erase(SqliteConnection& c, const MigrationErasure& erasure) {
  const auto run = [&](const char* sql) -> Status {
    SqliteQuery query = TRY(c.Prepare(sql));
    return query.Text(erasure.migration).Run();
  };
  if (erasure.chunks) {
    TRY(run("DELETE FROM chunk WHERE migration = ?"));
  }
  if (erasure.ledger) {
    TRY(run("DELETE FROM ledger WHERE migration = ?"));
  }
  if (erasure.payloads) {
    TRY(run("DELETE FROM payload WHERE migration = ?"));
  }
  if (erasure.verifications) {
    TRY(run("DELETE FROM verification WHERE migration = ?"));
  }
  if (erasure.dead_letters) {
    TRY(run("DELETE FROM dead_letter WHERE migration = ?"));
  }
  return {};
}

Status Put(SqliteConnection& c, const MigrationRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT INTO migration (id, collection, state, active, document, created_micros, "
      "changed_micros) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
      "collection = excluded.collection, state = excluded.state, active = excluded.active, "
      "document = excluded.document, created_micros = excluded.created_micros, "
      "changed_micros = excluded.changed_micros"));
  return query.Text(row.id)
      .Text(row.collection)
      .Text(row.state)
      .Signed(row.active ? 1 : 0)
      .Text(row.document)
      .Signed(row.created_micros)
      .Signed(row.changed_micros)
      .Run();
}

Status Put(SqliteConnection& c, const RouteRow& row) {
  SqliteQuery query =
      TRY(c.Prepare("INSERT OR REPLACE INTO route (collection, store, epoch) VALUES (?, ?, ?)"));
  return query.Text(row.collection).Text(row.store).Number(row.epoch).Run();
}

Status Put(SqliteConnection& c, const MappingRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO mapping (store, collection, source, mapping) VALUES (?, ?, ?, ?)"));
  return query.Text(row.store).Text(row.collection).Text(row.source).Text(row.mapping).Run();
}

Status DeleteMappings(SqliteConnection& c, const std::vector<MappingName>& names) {
  for (const MappingName& name : names) {
    SqliteQuery query = TRY(c.Prepare("DELETE FROM mapping WHERE store = ? AND collection = ?"));
    TRY(query.Text(name.store).Text(name.collection).Run());
  }
  return {};
}

Status Put(SqliteConnection& c, const ChunkRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO chunk (migration, number, lo, hi, reconcile, state, window, records) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  return query.Text(row.migration)
      .Number(row.number)
      .OptionalBlob(row.lo)
      .OptionalBlob(row.hi)
      .Signed(row.reconcile ? 1 : 0)
      .Signed(static_cast<int64_t>(row.state))
      .OptionalNumber(row.window)
      .Number(row.records)
      .Run();
}

Status Put(SqliteConnection& c, const LedgerRecord& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO ledger (migration, key, stamp, done, inflight, dirty, claim) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)"));
  std::string inflight;
  for (const uint64_t token : row.inflight) {
    PutU64(inflight, token);
  }
  return query.Text(row.migration)
      .Blob(row.key)
      .Number(row.stamp)
      .Number(row.done)
      .Blob(inflight)
      .Signed(row.dirty ? 1 : 0)
      .Number(row.claim)
      .Run();
}

Status Put(SqliteConnection& c, const PayloadRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO payload (migration, key, stamp, payload) VALUES (?, ?, ?, ?)"));
  return query.Text(row.migration).Blob(row.key).Number(row.stamp).Blob(row.payload).Run();
}

Status Put(SqliteConnection& c, const VerificationRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO verification (migration, pass, chunk, records_a, records_b, "
      "digest_a, "
      "digest_b, missing, extra, different, sample) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  return query.Text(row.migration)
      .Number(row.pass)
      .Number(row.chunk)
      .Number(row.records_a)
      .Number(row.records_b)
      .Blob(row.digest_a)
      .Blob(row.digest_b)
      .Number(row.missing)
      .Number(row.extra)
      .Number(row.different)
      .Text(row.sample)
      .Run();
}

Status Put(SqliteConnection& c, const DeadLetterRow& row) {
  SqliteQuery query = TRY(c.Prepare(
      "INSERT OR REPLACE INTO dead_letter (migration, key, error, attempts, since_micros) "
      "VALUES (?, ?, ?, ?, ?)"));
  return query.Text(row.migration)
      .Blob(row.key)
      .Text(row.error)
      .Number(row.attempts)
      .Signed(row.since_micros)
      .Run();
}

Status Put(SqliteConnection& c, const SettingRow& row) {
  SqliteQuery query = TRY(c.Prepare("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)"));
  return query.Text(row.key).Text(row.value).Run();
}

template <typename Row>
Status PutAll(SqliteConnection& c, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    TRY(Put(c, row));
  }
  return {};
}

Status DeleteKeys(SqliteConnection& c, const char* sql, const std::vector<MigrationKey>& keys) {
  for (const MigrationKey& key : keys) {
    SqliteQuery query = TRY(c.Prepare(sql));
    TRY(query.Text(key.migration).Blob(key.key).Run());
  }
  return {};
}

Status DeleteNames(SqliteConnection& c, const char* sql, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    SqliteQuery query = TRY(c.Prepare(sql));
    TRY(query.Text(name).Run());
  }
  return {};
}

Status DeletePayloads(SqliteConnection& c, const std::vector<PayloadRange>& ranges) {
  for (const PayloadRange& range : ranges) {
    SqliteQuery query = TRY(c.Prepare(
        "DELETE FROM payload WHERE migration = ? AND key = ? AND stamp >= ? AND stamp <= ?"));
    TRY(query.Text(range.migration)
            .Blob(range.key)
            .Number(range.first_stamp)
            .Number(range.last_stamp)
            .Run());
  }
  return {};
}

Status ChangeDatabases(SqliteConnection& c, const ControlTransaction& transaction) {
  for (const DatabaseRow& row : transaction.create_databases) {
    SqliteQuery query =
        TRY(c.Prepare("INSERT OR IGNORE INTO database (name, created_micros) VALUES (?, ?)"));
    TRY(query.Text(row.name).Signed(row.created_micros).Run());
    if (c.Changes() == 0) {
      return AlreadyExists("database \"" + row.name + "\" exists already");
    }
  }
  for (const std::string& name : transaction.drop_databases) {
    SqliteQuery query = TRY(c.Prepare("DELETE FROM database WHERE name = ?"));
    TRY(query.Text(name).Run());
    if (c.Changes() == 0) {
      return NotFound("there is no database \"" + name + "\"");
    }
  }
  return {};
}

}  // namespace

Status ApplyTransaction(SqliteConnection& c, const ControlTransaction& t) {
  for (const MigrationErasure& erasure : t.erase) {
    TRY(Erase(c, erasure));
  }
  TRY(PutAll(c, t.put_migrations));
  TRY(PutAll(c, t.put_routes));
  TRY(DeleteNames(c, "DELETE FROM route WHERE collection = ?", t.delete_routes));
  TRY(PutAll(c, t.put_mappings));
  TRY(DeleteMappings(c, t.delete_mappings));
  TRY(PutAll(c, t.put_chunks));
  TRY(PutAll(c, t.put_ledger));
  TRY(DeleteKeys(c, "DELETE FROM ledger WHERE migration = ? AND key = ?", t.delete_ledger));
  TRY(PutAll(c, t.put_payloads));
  TRY(DeletePayloads(c, t.delete_payloads));
  TRY(PutAll(c, t.put_verifications));
  TRY(PutAll(c, t.put_dead_letters));
  TRY(DeleteKeys(c, "DELETE FROM dead_letter WHERE migration = ? AND key = ?",
                 t.delete_dead_letters));
  TRY(PutAll(c, t.put_settings));
  TRY(DeleteNames(c, "DELETE FROM setting WHERE key = ?", t.delete_settings));
  return ChangeDatabases(c, t);
}

}  // namespace roost
