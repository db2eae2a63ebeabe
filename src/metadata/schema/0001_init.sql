-- What must last beside the vector stores. The files here are written in SQLite's words;
-- postgres_schema.cc turns a few of them into PostgreSQL's.

CREATE TABLE sequence (
  name  TEXT PRIMARY KEY,
  next  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO sequence (name, next) VALUES ('seq', 1);

CREATE TABLE setting (
  key    TEXT PRIMARY KEY,
  value  TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE database (
  name            TEXT PRIMARY KEY,
  created_micros  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO database (name, created_micros) VALUES ('default', 0);

CREATE TABLE route (
  collection  TEXT PRIMARY KEY,
  store       TEXT NOT NULL,
  epoch       INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE migration (
  id              TEXT PRIMARY KEY,
  collection      TEXT NOT NULL,
  state           TEXT NOT NULL,
  active          INTEGER NOT NULL,
  document        TEXT NOT NULL,
  created_micros  INTEGER NOT NULL,
  changed_micros  INTEGER NOT NULL
) WITHOUT ROWID;
-- A collection takes part in one move at a time.
CREATE UNIQUE INDEX migration_active ON migration (collection) WHERE active = 1;

CREATE TABLE chunk (
  migration  TEXT NOT NULL,
  number     INTEGER NOT NULL,
  lo         BLOB,
  hi         BLOB,
  reconcile  INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  "window"   INTEGER,
  records    INTEGER NOT NULL,
  PRIMARY KEY (migration, number)
) WITHOUT ROWID;

-- One row a key that was written while its collection moves.
CREATE TABLE ledger (
  migration  TEXT NOT NULL,
  key        BLOB NOT NULL,
  stamp      INTEGER NOT NULL,
  done       INTEGER NOT NULL,
  inflight   BLOB NOT NULL,  -- 8 bytes a token
  dirty      INTEGER NOT NULL,
  claim      INTEGER NOT NULL,
  PRIMARY KEY (migration, key)
) WITHOUT ROWID;

CREATE TABLE payload (
  migration  TEXT NOT NULL,
  key        BLOB NOT NULL,
  stamp      INTEGER NOT NULL,
  payload    BLOB NOT NULL,
  PRIMARY KEY (migration, key, stamp)
);

CREATE TABLE verification (
  migration  TEXT NOT NULL,
  pass       INTEGER NOT NULL,
  chunk      INTEGER NOT NULL,
  records_a  INTEGER NOT NULL,
  records_b  INTEGER NOT NULL,
  digest_a   BLOB NOT NULL,
  digest_b   BLOB NOT NULL,
  missing    INTEGER NOT NULL,
  extra      INTEGER NOT NULL,
  different  INTEGER NOT NULL,
  sample     TEXT NOT NULL,
  PRIMARY KEY (migration, pass, chunk)
) WITHOUT ROWID;

CREATE TABLE dead_letter (
  migration     TEXT NOT NULL,
  key           BLOB NOT NULL,
  error         TEXT NOT NULL,
  attempts      INTEGER NOT NULL,
  since_micros  INTEGER NOT NULL,
  PRIMARY KEY (migration, key)
) WITHOUT ROWID;
