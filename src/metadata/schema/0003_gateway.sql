-- Who writes to a control store that several gateways can reach.
CREATE TABLE gateway (
  id       TEXT PRIMARY KEY,
  name     TEXT NOT NULL,     -- host and process, for people
  owner    INTEGER NOT NULL,  -- 1: it has the store for itself
  commits  INTEGER NOT NULL   -- its newest commit: tells what became of one whose reply got lost
) WITHOUT ROWID;
CREATE UNIQUE INDEX gateway_owner ON gateway (owner) WHERE owner = 1;
