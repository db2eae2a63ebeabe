#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace roost {

// The rows of the control store. Keys of records are opaque bytes whose order is the order of the
// records (migration/key_codec.h); documents are opaque texts that belong to whoever wrote them.

/// A namespace of collections. The database "default" always exists.
struct DatabaseRow {
  std::string name;
  int64_t created_micros = 0;  ///< since 1970 UTC
};

/// Where a collection lives when no move says otherwise.
struct RouteRow {
  std::string collection;
  std::string store;   ///< name of the store that answers
  uint64_t epoch = 0;  ///< of the newest route ever published for the collection
};

/// How a store keeps a collection that it does not keep as its users see it.
struct MappingRow {
  std::string store;
  std::string collection;
  std::string source;   ///< JSON of the schema that users see
  std::string mapping;  ///< JSON of migration/mapping/schema_mapping.h
};
struct MappingName {
  std::string store;
  std::string collection;
};

/// One move of a collection.
struct MigrationRow {
  std::string id;
  std::string collection;
  std::string state;     ///< its name, for people who look into the database
  bool active = true;    ///< work is left: it is loaded at start
  std::string document;  ///< JSON of migration/document.h
  int64_t created_micros = 0;
  int64_t changed_micros = 0;
};

enum class ChunkState : uint8_t { kTodo = 0, kOpen = 1, kClosed = 2 };

/// One range (lo, hi] of keys that is copied as a piece.
struct ChunkRow {
  std::string migration;
  uint64_t number = 0;
  std::optional<std::string> lo;  ///< absent: from the beginning
  std::optional<std::string> hi;  ///< absent: to the end
  bool reconcile = false;         ///< also deletes what the source does not have
  ChunkState state = ChunkState::kTodo;
  std::optional<uint64_t> window;  ///< sequence number at which it was first opened
  uint64_t records = 0;            ///< copied
};

/// One row of the ledger of dirty keys (migration/core/ledger_rules.h).
struct LedgerRecord {
  std::string migration;
  std::string key;
  uint64_t stamp = 0;
  uint64_t done = 0;
  std::vector<uint64_t> inflight;
  bool dirty = false;
  uint64_t claim = 0;
};

/// Names a row of a move by its key.
struct MigrationKey {
  std::string migration;
  std::string key;
};

/// What a write left at a key, kept until both stores have it.
struct PayloadRow {
  std::string migration;
  std::string key;
  uint64_t stamp = 0;
  std::string payload;
};

struct PayloadSize {
  std::string key;
  uint64_t stamp = 0;
  uint64_t bytes = 0;
};

/// Drops the payloads of a key: those with first_stamp ≤ stamp ≤ last_stamp.
struct PayloadRange {
  std::string migration;
  std::string key;
  uint64_t first_stamp = 0;
  uint64_t last_stamp = 0;
};

/// The verdict about one chunk in one pass of verification.
struct VerificationRow {
  std::string migration;
  uint64_t pass = 0;
  uint64_t chunk = 0;
  uint64_t records_a = 0;
  uint64_t records_b = 0;
  std::string digest_a;  ///< 16 bytes: sum of the records' digests modulo 2^128
  std::string digest_b;
  uint64_t missing = 0;
  uint64_t extra = 0;
  uint64_t different = 0;
  std::string sample;  ///< a few keys that differ, for people
};

struct DeadLetterRow {
  std::string migration;
  std::string key;
  std::string error;
  uint32_t attempts = 0;
  int64_t since_micros = 0;
};

struct SettingRow {
  std::string key;
  std::string value;
};

/// Deletes parts of what is kept for a move.
struct MigrationErasure {
  std::string migration;
  bool chunks = false;
  bool ledger = false;
  bool payloads = false;
  bool verifications = false;
  bool dead_letters = false;
};

/// Changes that become durable together or not at all. Applied in the order of the members; `put`
/// replaces the row with the same key.
struct ControlTransaction {
  std::vector<MigrationErasure> erase;
  std::vector<MigrationRow> put_migrations;
  std::vector<RouteRow> put_routes;
  std::vector<std::string> delete_routes;
  std::vector<MappingRow> put_mappings;
  std::vector<MappingName> delete_mappings;
  std::vector<ChunkRow> put_chunks;
  std::vector<LedgerRecord> put_ledger;
  std::vector<MigrationKey> delete_ledger;
  std::vector<PayloadRow> put_payloads;
  std::vector<PayloadRange> delete_payloads;
  std::vector<VerificationRow> put_verifications;
  std::vector<DeadLetterRow> put_dead_letters;
  std::vector<MigrationKey> delete_dead_letters;
  std::vector<SettingRow> put_settings;
  std::vector<std::string> delete_settings;
  std::vector<DatabaseRow> create_databases;  ///< kAlreadyExists fails the transaction
  std::vector<std::string> drop_databases;    ///< kNotFound fails the transaction
};

}  // namespace roost
