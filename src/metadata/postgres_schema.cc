#include "metadata/postgres_schema.h"

#include <array>
#include <cctype>
#include <utility>

#include "base/failpoint.h"
#include "metadata/schema_files.h"

namespace roost {
namespace {

/// SQLite's words and PostgreSQL's. INTEGER has 64 bits in SQLite and 32 in PostgreSQL; SQLite
/// orders texts by their bytes.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords = {{
    {"BLOB", "BYTEA"},
    {"INTEGER", "BIGINT"},
    {"TEXT", "TEXT COLLATE \"C\""},
    {" WITHOUT ROWID", ""},
}};

/// "Roost", as a number: nobody else is likely to lock it.
constexpr int64_t kSchemaLock = 0x526f'6f73'7453;

bool IsWordByte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool StandsAlone(std::string_view text, size_t at, size_t size) {
  const bool before = at == 0 || !IsWordByte(text[at - 1]) || !IsWordByte(text[at]);
  const size_t end = at + size;
  return before && (end == text.size() || !IsWordByte(text[end]));
}

/// 0 where there is no schema yet.
Result<size_t> ReadVersion(const RequestContext& context, PgConnection& connection) {
  // Read from the catalogue's rows: to_regclass would answer from a cache that a session which only
  // waited for an advisory lock has not brought up to date.
  const PgResult exists = TRY(connection.Run(
      context,
      "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'roost_schema' AND "
      "relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = "
      "current_schema()))"));
  if (exists.Int(0, 0) == 0) {
    return size_t{0};
  }
  const PgResult version =
      TRY(connection.Run(context, "SELECT coalesce(max(version), 0) FROM roost_schema"));
  return static_cast<size_t>(version.Int(0, 0));
}

Status CheckVersion(const PgConnection& connection, size_t version) {
  if (version <= SchemaFiles().size()) {
    return {};
  }
  return FailedPrecondition("the control store in " + connection.name() + " has schema version " +
                            std::to_string(version) + ", this program knows " +
                            std::to_string(SchemaFiles().size()) +
                            "; start the newer version of Roost that made it");
}

/// Applies the next file, if one is missing, inside the transaction that is open.
Status ApplyNext(const RequestContext& context, PgConnection& connection, bool& more) {
  PgParams lock;
  lock.Int64(kSchemaLock);
  TRY(connection.Run(context, "SELECT pg_advisory_xact_lock($1)", std::move(lock)));
  const size_t version = TRY(ReadVersion(context, connection));
  TRY(CheckVersion(connection, version));
  more = version < SchemaFiles().size();
  if (!more) {
    return {};
  }
  if (version == 0) {
    TRY(connection.Script(context, "CREATE TABLE roost_schema (version BIGINT PRIMARY KEY)",
                          PgEffect::kRead));
  }
  const SchemaFile& file = SchemaFiles()[version];
  const Status applied = connection.Script(context, ToPostgresSql(file.sql), PgEffect::kRead);
  if (!applied.ok()) {
    Error error = applied.error().Within("schema file " + std::string(file.name));
    if (error.code == Code::kAlreadyExists) {
      error.code = Code::kFailedPrecondition;
      error.message += "; give the control store a database of its own";
    }
    return error;
  }
  FAILPOINT("metadata.schema.applied");
  PgParams number;
  number.Int64(static_cast<int64_t>(version) + 1);
  TRY(connection.Run(context, "INSERT INTO roost_schema (version) VALUES ($1)", std::move(number)));
  return {};
}

}  // namespace

std::string ToPostgresSql(std::string_view sqlite) {
  std::string text;
  for (size_t at = 0; at < sqlite.size();) {
    bool replaced = false;
    for (const auto& [from, to] : kWords) {
      if (sqlite.substr(at, from.size()) == from && StandsAlone(sqlite, at, from.size())) {
        text += to;
        at += from.size();
        replaced = true;
        break;
      }
    }
    if (!replaced) {
      text += sqlite[at++];
    }
  }
  return text;
}

Status PreparePostgresSchema(const RequestContext& context, PgConnection& connection) {
  // Looked at first, so that a newer schema is not even locked.
  const size_t version = TRY(ReadVersion(context, connection));
  TRY(CheckVersion(connection, version));
  for (bool more = version < SchemaFiles().size(); more;) {
    TRY(connection.Transact(context, [&] { return ApplyNext(context, connection, more); }));
  }
  return {};
}

}  // namespace roost
