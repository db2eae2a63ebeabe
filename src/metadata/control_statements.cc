// How each change is written. All statements are idempotent except the creation and the drop of
// databases, which tell when there was nothing to do.
#include "metadata/control_statements.h"

#include "base/bytes.h"

namespace roost {
namespace {

using Visit = std::function<Status(const ControlStatement&)>;

ControlValue Flag(bool value) { return int64_t{value ? 1 : 0}; }

ControlValue Text(const std::string& value) { return std::string_view(value); }

ControlValue Blob(const std::string& value) { return ControlBlob{value}; }

ControlValue OptionalBlob(const std::optional<std::string>& value) {
  return value.has_value() ? Blob(*value) : ControlValue();
}

ControlValue OptionalNumber(const std::optional<uint64_t>& value) {
  return value.has_value() ? AsNumber(*value) : ControlValue();
}

Status Erase(const MigrationErasure& erasure, const Visit& visit) {
  const auto run = [&](bool wanted, const char* sql) -> Status {
    return wanted ? visit({.sql = sql, .values = {Text(erasure.migration)}}) : Status();
  };
  TRY(run(erasure.chunks, "DELETE FROM chunk WHERE migration = $1"));
  TRY(run(erasure.ledger, "DELETE FROM ledger WHERE migration = $1"));
  TRY(run(erasure.payloads, "DELETE FROM payload WHERE migration = $1"));
  TRY(run(erasure.verifications, "DELETE FROM verification WHERE migration = $1"));
  return run(erasure.dead_letters, "DELETE FROM dead_letter WHERE migration = $1");
}

Status Put(const MigrationRow& row, const Visit& visit) {
  return visit(
      {.sql = "INSERT INTO migration (id, collection, state, active, document, created_micros, "
              "changed_micros) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET "
              "collection = excluded.collection, state = excluded.state, "
              "active = excluded.active, document = excluded.document, "
              "created_micros = excluded.created_micros, changed_micros = excluded.changed_micros",
       .values = {Text(row.id), Text(row.collection), Text(row.state), Flag(row.active),
                  Text(row.document), row.created_micros, row.changed_micros}});
}

Status Put(const RouteRow& row, const Visit& visit) {
  return visit({.sql = "INSERT INTO route (collection, store, epoch) VALUES ($1, $2, $3) "
                       "ON CONFLICT (collection) DO UPDATE SET store = excluded.store, "
                       "epoch = excluded.epoch",
                .values = {Text(row.collection), Text(row.store), AsNumber(row.epoch)}});
}

Status Put(const MappingRow& row, const Visit& visit) {
  return visit(
      {.sql = "INSERT INTO mapping (store, collection, source, mapping) "
              "VALUES ($1, $2, $3, $4) ON CONFLICT (store, collection) DO UPDATE SET "
              "source = excluded.source, mapping = excluded.mapping",
       .values = {Text(row.store), Text(row.collection), Text(row.source), Text(row.mapping)}});
}

Status Put(const ChunkRow& row, const Visit& visit) {
  return visit(
      {.sql =
           "INSERT INTO chunk (migration, number, lo, hi, reconcile, state, \"window\", records) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (migration, number) "
           "DO UPDATE SET lo = excluded.lo, hi = excluded.hi, reconcile = excluded.reconcile, "
           "state = excluded.state, \"window\" = excluded.\"window\", "
           "records = excluded.records",
       .values = {Text(row.migration), AsNumber(row.number), OptionalBlob(row.lo),
                  OptionalBlob(row.hi), Flag(row.reconcile), static_cast<int64_t>(row.state),
                  OptionalNumber(row.window), AsNumber(row.records)}});
}

Status Put(const LedgerRecord& row, const Visit& visit) {
  std::string inflight;
  for (const uint64_t token : row.inflight) {
    PutU64(inflight, token);
  }
  return visit(
      {.sql = "INSERT INTO ledger (migration, key, stamp, done, inflight, dirty, claim) "
              "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (migration, key) DO UPDATE SET "
              "stamp = excluded.stamp, done = excluded.done, inflight = excluded.inflight, "
              "dirty = excluded.dirty, claim = excluded.claim",
       .values = {Text(row.migration), Blob(row.key), AsNumber(row.stamp), AsNumber(row.done),
                  Blob(inflight), Flag(row.dirty), AsNumber(row.claim)}});
}

Status Put(const PayloadRow& row, const Visit& visit) {
  return visit(
      {.sql = "INSERT INTO payload (migration, key, stamp, payload) "
              "VALUES ($1, $2, $3, $4) ON CONFLICT (migration, key, stamp) DO UPDATE SET "
              "payload = excluded.payload",
       .values = {Text(row.migration), Blob(row.key), AsNumber(row.stamp), Blob(row.payload)}});
}

Status Put(const VerificationRow& row, const Visit& visit) {
  return visit(
      {.sql = "INSERT INTO verification (migration, pass, chunk, records_a, records_b, digest_a, "
              "digest_b, missing, extra, different, sample) "
              "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
              "ON CONFLICT (migration, pass, chunk) DO UPDATE SET "
              "records_a = excluded.records_a, records_b = excluded.records_b, "
              "digest_a = excluded.digest_a, digest_b = excluded.digest_b, "
              "missing = excluded.missing, extra = excluded.extra, "
              "different = excluded.different, sample = excluded.sample",
       .values = {Text(row.migration), AsNumber(row.pass), AsNumber(row.chunk),
                  AsNumber(row.records_a), AsNumber(row.records_b), Blob(row.digest_a),
                  Blob(row.digest_b), AsNumber(row.missing), AsNumber(row.extra),
                  AsNumber(row.different), ControlProse{row.sample}}});
}

Status Put(const DeadLetterRow& row, const Visit& visit) {
  return visit({.sql = "INSERT INTO dead_letter (migration, key, error, attempts, since_micros) "
                       "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (migration, key) DO UPDATE SET "
                       "error = excluded.error, attempts = excluded.attempts, "
                       "since_micros = excluded.since_micros",
                .values = {Text(row.migration), Blob(row.key), ControlProse{row.error},
                           int64_t{row.attempts}, row.since_micros}});
}

Status Put(const SettingRow& row, const Visit& visit) {
  return visit({.sql = "INSERT INTO setting (key, value) VALUES ($1, $2) "
                       "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                .values = {Text(row.key), Text(row.value)}});
}

template <typename Row>
Status PutAll(const std::vector<Row>& rows, const Visit& visit) {
  for (const Row& row : rows) {
    TRY(Put(row, visit));
  }
  return {};
}

Status DeleteMappings(const std::vector<MappingName>& names, const Visit& visit) {
  for (const MappingName& name : names) {
    TRY(visit({.sql = "DELETE FROM mapping WHERE store = $1 AND collection = $2",
               .values = {Text(name.store), Text(name.collection)}}));
  }
  return {};
}

Status DeleteKeys(const char* sql, const std::vector<MigrationKey>& keys, const Visit& visit) {
  for (const MigrationKey& key : keys) {
    TRY(visit({.sql = sql, .values = {Text(key.migration), Blob(key.key)}}));
  }
  return {};
}

Status DeleteNames(const char* sql, const std::vector<std::string>& names, const Visit& visit) {
  for (const std::string& name : names) {
    TRY(visit({.sql = sql, .values = {Text(name)}}));
  }
  return {};
}

Status DeletePayloads(const std::vector<PayloadRange>& ranges, const Visit& visit) {
  for (const PayloadRange& range : ranges) {
    TRY(visit({.sql = "DELETE FROM payload WHERE migration = $1 AND key = $2 AND stamp >= $3 "
                      "AND stamp <= $4",
               .values = {Text(range.migration), Blob(range.key), AsNumber(range.first_stamp),
                          AsNumber(range.last_stamp)}}));
  }
  return {};
}

Status ChangeDatabases(const ControlTransaction& transaction, const Visit& visit) {
  for (const DatabaseRow& row : transaction.create_databases) {
    TRY(visit({.sql = "INSERT INTO database (name, created_micros) VALUES ($1, $2) "
                      "ON CONFLICT (name) DO NOTHING",
               .values = {Text(row.name), row.created_micros},
               .must = ControlStatement::Must::kCreateDatabase}));
  }
  for (const std::string& name : transaction.drop_databases) {
    TRY(visit({.sql = "DELETE FROM database WHERE name = $1",
               .values = {Text(name)},
               .must = ControlStatement::Must::kDropDatabase}));
  }
  return {};
}

}  // namespace

Status CheckDemand(const ControlStatement& statement, uint64_t changed_rows) {
  if (changed_rows > 0 || statement.must == ControlStatement::Must::kAnything) {
    return {};
  }
  const std::string name(std::get<std::string_view>(statement.values.front()));
  return statement.must == ControlStatement::Must::kCreateDatabase
             ? AlreadyExists("database \"" + name + "\" exists already")
             : NotFound("there is no database \"" + name + "\"");
}

Status ListStatements(const ControlTransaction& t, const Visit& visit) {
  for (const MigrationErasure& erasure : t.erase) {
    TRY(Erase(erasure, visit));
  }
  TRY(PutAll(t.put_migrations, visit));
  TRY(PutAll(t.put_routes, visit));
  TRY(DeleteNames("DELETE FROM route WHERE collection = $1", t.delete_routes, visit));
  TRY(PutAll(t.put_mappings, visit));
  TRY(DeleteMappings(t.delete_mappings, visit));
  TRY(PutAll(t.put_chunks, visit));
  TRY(PutAll(t.put_ledger, visit));
  TRY(DeleteKeys("DELETE FROM ledger WHERE migration = $1 AND key = $2", t.delete_ledger, visit));
  TRY(PutAll(t.put_payloads, visit));
  TRY(DeletePayloads(t.delete_payloads, visit));
  TRY(PutAll(t.put_verifications, visit));
  TRY(PutAll(t.put_dead_letters, visit));
  TRY(DeleteKeys("DELETE FROM dead_letter WHERE migration = $1 AND key = $2", t.delete_dead_letters,
                 visit));
  TRY(PutAll(t.put_settings, visit));
  TRY(DeleteNames("DELETE FROM setting WHERE key = $1", t.delete_settings, visit));
  return ChangeDatabases(t, visit);
}

}  // namespace roost
